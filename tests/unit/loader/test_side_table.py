"""A table beside the deals has the types that a load would give it, and the names that it has."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from dealdb.errors import LoadError
from dealdb.loader import TextDatesWarning, read_table
from dealdb.loader.export import write_frame

MONEY = pl.Decimal(38, 2)
QUOTAS = pl.DataFrame(
    {
        "owner": ["Ann", "Bob"],
        "quota": pl.Series([Decimal("100000.50"), Decimal("19.99")], dtype=MONEY),
        "year": [2026, 2025],
    }
)


@pytest.mark.parametrize(
    "name", ["q.csv", "q.tsv.gz", "q.jsonl", "q.json", "q.parquet", "q.arrow", "q.xlsx"]
)
def test_each_format_gives_the_same_table(tmp_path: Path, name: str) -> None:
    write_frame(QUOTAS, tmp_path / name)
    table = read_table(tmp_path / name)
    assert table.schema == QUOTAS.schema
    assert table.equals(QUOTAS)


def test_columns_keep_their_names_and_none_is_a_field(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "Owner,Amount,Value,close date,probability,id,nothing,quota_in_cents\n"
        ' Ann ,"$1,200.50",5,2026-01-31,60,007,,5000\nBob,$900,6,2026-02-28,7,8,,7\n'
    )
    table = read_table(path)
    assert table.columns == [
        "Owner", "Amount", "Value", "close date", "probability", "id", "nothing", "quota_in_cents",
    ]  # fmt: skip
    assert table.rows() == [
        ("Ann", Decimal("1200.50"), 5, date(2026, 1, 31), 60, "007", None, 5000),
        ("Bob", Decimal("900.00"), 6, date(2026, 2, 28), 7, "8", None, 7),
    ]


@pytest.mark.parametrize("header", ["id", "Deal ID", "region_id", "OWNER ID", "account-id"])
def test_ids_are_text_as_those_of_deals_are(tmp_path: Path, header: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"{header},paid\n1,2\n")
    assert read_table(path).rows() == [("1", 2)]


def test_the_way_of_writing_numbers_is_found_out(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("Besitzer;Ziel\nAnn;1.750\nBob;2.300\n", encoding="utf-8-sig")
    assert read_table(path)["Ziel"].to_list() == [1750, 2300]


def test_a_workbook_has_whole_numbers_amounts_and_floats(tmp_path: Path) -> None:
    frame = pl.DataFrame({"n": [1.0, 2.0], "paid": [0.1 + 0.2, 5.0], "tiny": [1e-30, 1.0]})
    write_frame(frame, tmp_path / "t.xlsx")
    table = read_table(tmp_path / "t.xlsx")
    assert table.dtypes == [pl.Int64, MONEY, pl.Float64]
    assert table["paid"].to_list() == [Decimal("0.30"), Decimal("5.00")]


def test_rows_of_python_may_come_once_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dealdb.loader.sources.json_files.ROWS_A_CHUNK", 200)
    rows: Iterator[dict[str, object]] = ({"owner": name, "n": n} for n, name in enumerate("ab"))
    assert read_table(rows).rows() == [("a", 0), ("b", 1)]
    many = [{"owner": str(n), "n": n if n < 300 else Decimal("0.125")} for n in range(450)]
    assert read_table(many)["n"].dtype == pl.Decimal(38, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "owner;n\nAnn;1,234\nBob;1.234\n",
            "t.csv: numbers in column 'n' .*; write dates as 2026-01-31",
        ),
        ("owner,quota\nAnn,5,6\nBob,7\n", "t.csv, line 2: expected 2 cells, found 3"),
        ("", "t.csv has no line with column names"),
    ],
)
def test_what_is_not_clear_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(LoadError, match=message):
        read_table(tmp_path / "t.csv")


def test_rows_without_columns_are_no_table() -> None:
    with pytest.raises(LoadError, match="rows has no columns"):
        read_table([])


def test_dates_that_can_be_read_both_ways_are_text_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("owner,due on,d2,day\nAnn,03/04/2026,01/02/2026,2026-01-02\n")
    with pytest.warns(TextDatesWarning) as said:
        table = read_table(path)
    assert table.row(0) == ("Ann", "03/04/2026", "01/02/2026", date(2026, 1, 2))
    first, second = (str(each.message) for each in said)
    assert "t.csv: dates in column 'due on' can be read as either month or day first" in first
    assert "strptime(\"due on\", '%d/%m/%Y')" in first
    assert "'d2'" in second
    path.write_text("owner,d,e\nAnn,03/04/2026,31/12/2026\n")
    assert read_table(path)["d"].to_list() == [date(2026, 4, 3)]
