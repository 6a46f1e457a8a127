"""Headers that are patterns to Polars are columns like others, whatever reads them, and are told as they are."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl
import pytest

from dealdb import DealDatabase, LoadError
from servers import Server
from workbooks import workbook

Row: TypeAlias = dict[str, str]

NUMBERS = count()
# each stands for a field, for all columns, for others of the file too, or for nothing; one for a note of its own
ROWS: list[Row] = [
    {"^Deal ID$": "1", "^.*amount$": "5", "amount": "x", "*": "first", "^.*$": "a", "Stage": "Won"},
    {"^Deal ID$": "2", "^.*amount$": "6", "amount": "y", "*": "next", "^.*$": "b", "Stage": "Lost"},
]


@pytest.fixture(scope="module")
def url(shared_server: Server) -> str:
    with shared_server.client() as client:
        client.flushall()
    return f"unix://{shared_server.socket}"


@pytest.fixture
def db(url: str) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(url, collection=f"patterns{next(NUMBERS)}") as db:
        yield db


def as_csv(folder: Path, rows: list[Row]) -> Path:
    path = folder / "deals.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_slow_lines(folder: Path, rows: list[Row]) -> Path:
    """Which the slow reader takes, since the last row lacks cells."""
    path = folder / "deals.tsv"
    lines = ["\t".join(rows[0]), *("\t".join(row.values()) for row in rows)]
    path.write_text("\n".join([*lines, "x"]), encoding="utf-8")
    return path


def as_workbook(folder: Path, rows: list[Row]) -> Path:
    # numbers among texts, which are read twice
    cells = [[float(cell) if cell.isdigit() else cell for cell in row.values()] for row in rows]
    return workbook(folder / "deals.xlsx", list(rows[0]), *cells)


def as_lines(folder: Path, rows: list[Row]) -> Path:
    path = folder / "deals.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def as_array(folder: Path, rows: list[Row]) -> Path:
    path = folder / "deals.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def as_parquet(folder: Path, rows: list[Row]) -> Path:
    pl.DataFrame(rows).write_parquet(folder / "deals.parquet")
    return folder / "deals.parquet"


def as_feather(folder: Path, rows: list[Row]) -> Path:
    pl.DataFrame(rows).write_ipc(folder / "deals.arrow")
    return folder / "deals.arrow"


def as_nested(_: Path, rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(
        [row | {"^owner$": {"name": "Ann", "id": row["^Deal ID$"]}} for row in rows]
    )


def as_categories(_: Path, rows: list[Row]) -> pl.DataFrame:
    frame = pl.DataFrame(rows).cast(dict.fromkeys(["Stage", "amount"], pl.Categorical))
    return frame.with_columns(pl.Series("^.*amount$", [5.0, 6.0], dtype=pl.Float32))


def as_pandas(_: Path, rows: list[Row]) -> Any:
    # not at the top: each worker imports all tests, and would take half a second for it
    import pandas as pd

    return pd.DataFrame(rows)


READERS: dict[str, Callable[[Path, list[Row]], Any]] = {
    "csv": as_csv,
    "tsv": as_slow_lines,
    "xlsx": as_workbook,
    "lines": as_lines,
    "array": as_array,
    "parquet": as_parquet,
    "feather": as_feather,
    "nested": as_nested,
    "categories": as_categories,
    "polars": lambda _, rows: pl.DataFrame(rows),
    "lazy": lambda _, rows: pl.LazyFrame(rows),
    "pandas": as_pandas,
    "arrow": lambda _, rows: pl.DataFrame(rows).to_arrow(),
    "mappings": lambda _, rows: rows,
    "generator": lambda _, rows: (row for row in rows),
}


@pytest.mark.parametrize("reader", READERS)
def test_headers_that_are_patterns_are_columns(
    db: DealDatabase, tmp_path: Path, reader: str
) -> None:
    report = db.loader.load(READERS[reader](tmp_path, ROWS), bar=False, rejects=False)
    assert report.inserted == 2, report
    assert [each.header for each in report.columns][: len(ROWS[0])] == list(ROWS[0])
    assert report.mapping["^Deal ID$"] == "id"
    assert report.mapping["^.*amount$"] == "amount"
    deals = [db.get_deal(number) for number in (1, 2)]
    assert [deal and deal["amount"] for deal in deals] == [Decimal(5), Decimal(6)]
    for header in ("amount", "*", "^.*$", "Stage"):
        field = report.mapping[header]
        assert [deal and deal[str(field)] for deal in deals] == [row[header] for row in ROWS]
    assert "\u034f" not in f"{report!r}{report}{report.notes}{report.warnings}"
    # once more, nothing is new
    again = db.loader.load(READERS[reader](tmp_path, ROWS), bar=False, rejects=False)
    assert again.unchanged == 2


@pytest.mark.parametrize("reader", ["tsv", "xlsx", "lines", "parquet", "pandas", "generator"])
def test_what_the_caller_says_goes_by_the_header(
    db: DealDatabase, tmp_path: Path, reader: str
) -> None:
    options: dict[str, Any] = {
        "mapping": {"*": "name", "^.*amount$": "size", "amount": None},
        "types": {"^.*amount$": "decimal(3)", "^.*$": "text"},
        "id_from": ["^Deal ID$", "*"],
        "fold": ["name"],
        "bar": False,
        "rejects": False,
    }
    seen = db.loader.load(READERS[reader](tmp_path, ROWS), dry_run=True, **options)
    report = db.loader.load(READERS[reader](tmp_path, ROWS), save_mapping="export", **options)
    assert (seen.inserted, report.inserted) == (2, 2)
    assert report.mapping["amount"] is None
    assert db.query.frame(["name", "size"]).rows() == [
        ("first", Decimal("5.000")),
        ("next", Decimal("6.000")),
    ]
    by_name = db.loader.load(
        READERS[reader](tmp_path, ROWS), mapping="export", bar=False, rejects=False
    )
    assert by_name.unchanged == 2


@pytest.mark.parametrize("reader", ["csv", "xlsx", "lines", "parquet"])
def test_rejected_rows_name_the_header(db: DealDatabase, tmp_path: Path, reader: str) -> None:
    rows = [*ROWS, ROWS[0] | {"^Deal ID$": "3", "^.*amount$": "many"}]
    place = tmp_path / "rejects.csv"
    report = db.loader.load(
        READERS[reader](tmp_path, rows), types={"amount": "decimal(2)"}, rejects=place, bar=False
    )
    assert (report.inserted, report.rejected) == (2, 1)
    assert report.reasons == {"^.*amount$: not-a-number": 1}
    *_, row = csv.DictReader(io.StringIO(place.read_text(encoding="utf-8")))
    assert row["column"] == "^.*amount$"
    assert "\u034f" not in place.read_text(encoding="utf-8")
    # what was mended is loaded from the rejects file itself
    place.write_text(place.read_text(encoding="utf-8").replace("many", "7"), encoding="utf-8")
    if reader != "xlsx":
        mended = db.loader.load(place, types={"^.*amount$": "decimal(2)"}, rejects=False, bar=False)
        assert mended.inserted == 1
        assert db.query.frame(["amount"])["amount"].to_list() == [Decimal(n) for n in (5, 6, 7)]


def test_bad_cells_are_told_by_the_header(db: DealDatabase, tmp_path: Path) -> None:
    rows = [*ROWS, ROWS[0] | {"^Deal ID$": "3", "^.*amount$": "many"}]
    report = db.loader.load(
        as_csv(tmp_path, rows), bad_cells="null", types={"amount": "decimal(2)"}, rejects=False, bar=False
    )  # fmt: skip
    assert report.bad_cells == {"^.*amount$": 1}
    assert any("^.*amount$ 1 (line 4)" in each for each in report.warnings), report.warnings


def test_errors_name_the_header(db: DealDatabase, tmp_path: Path) -> None:
    rows = [row | {"^created$": f"0{n}/02/2026"} for n, row in enumerate(ROWS, start=1)]
    with pytest.raises(LoadError) as caught:
        db.loader.load(as_csv(tmp_path, rows), bar=False)
    assert "column '^created$' can be read" in str(caught.value)
    assert db.loader.load(as_csv(tmp_path, rows), dates="eu", bar=False).inserted == 2


def test_names_of_the_columns_among_the_rows_are_known(db: DealDatabase, tmp_path: Path) -> None:
    rows = [ROWS[0], {header: header for header in ROWS[0]}, ROWS[1]]
    report = db.loader.load(as_csv(tmp_path, rows), bar=False, rejects=False)
    assert report.inserted == 2
    assert report.reasons == {"^Deal ID$: summary-row": 1}


def test_flags_and_stages_by_such_headers(db: DealDatabase, tmp_path: Path) -> None:
    rows = [
        {"^id$": "1", "^stage$": "S9", "^IsWon$": "true", "^IsClosed$": "true"},
        {"^id$": "2", "^stage$": "S8", "^IsWon$": "false", "^IsClosed$": "true"},
    ]
    db.loader.load(as_csv(tmp_path, rows), bar=False)
    assert {stage.name: str(stage.kind) for stage in db.pipeline} == {"S9": "won", "S8": "lost"}
    stages = [{"^id$": "S9", "^label$": "Gained"}, {"^id$": "S8", "^label$": "Gone"}]
    db.loader.load(as_csv(tmp_path, rows), stages=stages, bar=False)
    assert db.query.frame(["stage"])["stage"].to_list() == ["Gained", "Gone"]


def test_history_by_such_headers(db: DealDatabase, tmp_path: Path) -> None:
    db.loader.load(as_csv(tmp_path, ROWS), bar=False)
    rows = [
        {"^id$": "1", "^at$": "2026-01-05", "^stage$": "Lead", "^.*$": "p", "^x$": "q"},
        {"^id$": "1", "^at$": "2026-01-09", "^stage$": "Won", "^.*$": "r", "^x$": "q"},
    ]
    report = db.history.load(as_csv(tmp_path, rows), rejects=tmp_path / "rejects.csv")
    assert (report.rejected, report.new) == (0, 5)
    told = db.query.sql("SELECT field, after FROM history WHERE id = '1'")
    assert {"Lead", "p", "q", "r"} <= set(told["after"].to_list())
    assert not any(name.startswith("^") for name in db.schema)


def test_tables_beside_the_deals_by_such_headers(db: DealDatabase, tmp_path: Path) -> None:
    rows = [{"^x$": "1", "*": "b", "x": "9"}]
    for table in (rows, as_csv(tmp_path, rows), pl.DataFrame(rows)):
        found = db.query.sql('SELECT t."^x$" AS n, t."*" AS star, t.x FROM t', tables={"t": table})
        assert found.cast(pl.String).rows() == [("1", "b", "9")]
    quotas = [
        {
            "^key$": "Ann",
            "key": "Ann",
            "period_start": "2026-01-01",
            "period": "quarter",
            "amount": "5",
            "*": "x",
        }
    ]
    assert db.quotas.load(as_csv(tmp_path, quotas)).read == 1
