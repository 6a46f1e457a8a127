"""What is exported is every deal, with every digit; loaded again it is the same."""

from __future__ import annotations

import csv
import gzip
import io
import json
import string
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dealdb.analytics import Analytics
from dealdb.errors import LoadError
from dealdb.loader import DataLoader
from dealdb.loader.export import EXPORT_FORMATS, write_frame
from dealdb.model.schema import Field, FieldType
from dealdb.model.values import encode
from dealdb.query import QueryEngine
from examples import of_profile
from recorder import Recorder

FIELDS = [
    Field("seats", FieldType.INT),
    Field("score", FieldType.FLOAT),
    Field("rate", FieldType.DECIMAL, 18),
    Field("hot", FieldType.BOOL),
    Field("tags", FieldType.LIST),
    Field("value", FieldType.TEXT),
]
# characters that formats, spreadsheets and parsers make something of
ODD = string.ascii_letters + "0123456789 =+-@\t\r\n,;|\"'\\<>&#é€字\U0001f600\u2028\x7f\x85"
TEXTS = st.text(ODD, max_size=8) | st.sampled_from(["NULL", "null", "\\N", "", " ", "007", "1e5"])
IDS = TEXTS.filter(lambda text: text.strip(" \t\r\n\x85\u2028") != "")


def decimals(scale: int, digits: int = 37) -> st.SearchStrategy[Decimal]:
    bound = 10**digits - 1
    return st.integers(-bound, bound).map(lambda n: Decimal((n < 0, tuple(map(int, str(abs(n)))), -scale)))  # fmt: skip


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "name": TEXTS, "owner": TEXTS, "value": TEXTS,
    "amount": decimals(2, 22), "rate": decimals(18),
    "probability": st.integers(0, 100).map(lambda n: Decimal(n) / 100),
    "created": st.dates(date(1000, 1, 1)),
    "updated": st.datetimes(datetime(1000, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC)),  # noqa: DTZ001
    "seats": st.integers(-(2**63), 2**63 - 1),
    "score": st.floats(allow_nan=False, allow_infinity=False),
    "hot": st.booleans(), "tags": st.lists(TEXTS, max_size=3),
}  # fmt: skip
DEALS = st.dictionaries(IDS, st.fixed_dictionaries({}, optional=VALUES), max_size=6)


def recorder(deals: dict[str, dict[str, Any]]) -> Recorder:
    found = Recorder()
    schema = found.declare(FIELDS)
    for deal_id, values in deals.items():
        texts = {name: encode(value, schema[name]) for name, value in values.items()}
        found.deals[deal_id] = texts
    return found


@pytest.mark.parametrize(
    ("name", "exporting", "loading"),
    [
        ("deals.csv", {"raw": True, "null": "\\0"}, {"null": "\\0"}),
        ("deals.tsv.gz", {"raw": True, "null": "\\0"}, {"null": "\\0"}),
        ("deals.jsonl", {}, {}),
        ("deals.json.zst", {}, {}),
        ("deals.parquet", {}, {}),
        ("deals.arrow", {}, {}),
    ],
)
@settings(
    max_examples=of_profile(0.25), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(deals=DEALS)
def test_what_was_exported_loads_as_the_same_deals(
    tmp_path: Path,
    name: str,
    exporting: dict[str, Any],
    loading: dict[str, Any],
    deals: dict[str, dict[str, Any]],
) -> None:
    source = recorder(deals)
    report = write_frame(source.frame(), tmp_path / name, **exporting)
    assert (report.rows, report.bytes) == (len(deals), (tmp_path / name).stat().st_size)
    again = recorder({})
    assert again.load(tmp_path / name, **loading).rejected == 0
    assert again.deals == source.deals
    # and nothing changes where the deals still are
    assert source.load(tmp_path / name, **loading).unchanged == len(deals)


FRAME = pl.DataFrame(
    {
        "id": ["1", "-2", "3"],
        "name": ["=cmd|' /C calc'!A0", "Ann | <b>\nBob", None],
        "amount": pl.Series([Decimal("-12.50"), None, Decimal(10**19)], dtype=pl.Decimal(38, 2)),
        "n": [-1, 0, None],
    }
)


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "\0", "\uff1d"])
def test_no_text_of_a_table_begins_like_a_formula(first: str) -> None:
    frame = pl.DataFrame({"id": ["1"], first + "name": [first + "1"], "n": [-5]})
    file = io.BytesIO()
    assert write_frame(frame, file).escaped == 1
    header, row = csv.reader(io.StringIO(file.getvalue().decode(), newline=""))
    assert header == ["id", "'" + first + "name", "n"]
    assert row == ["1", "'" + first + "1", "-5"]
    raw = io.BytesIO()
    assert write_frame(frame, raw, raw=True).escaped == 0
    assert list(csv.reader(io.StringIO(raw.getvalue().decode(), newline="")))[1][1] == first + "1"


def test_each_form_has_every_digit(tmp_path: Path) -> None:
    text = {}
    for name in ("csv", "tsv", "jsonl", "json", "md"):
        report = write_frame(FRAME, tmp_path / f"deals.{name}")
        assert (report.format, report.rows) == (name, 3)
        text[name] = (tmp_path / f"deals.{name}").read_text()
    assert text["csv"].endswith("3,,10000000000000000000.00,\n")
    assert text["tsv"].splitlines()[1] == "1\t'=cmd|' /C calc'!A0\t-12.50\t-1"
    rows = json.loads(text["json"], parse_float=Decimal)
    assert rows == [json.loads(line, parse_float=Decimal) for line in text["jsonl"].splitlines()]
    # the digits of a whole amount say that it is one: 5 would be loaded as an integer elsewhere
    assert str(rows[0]["amount"]) == "-12.50"
    assert rows[2] == {"id": "3", "name": None, "amount": 10**19, "n": None}
    assert text["md"].splitlines() == [
        "| id | name | amount | n |",
        "| --- | --- | ---: | ---: |",
        "| 1 | =cmd\\|' /C calc'!A0 | -12.50 | -1 |",
        "| -2 | Ann \\| &lt;b><br>Bob |  | 0 |",
        "| 3 |  | 10000000000000000000.00 |  |",
    ]


@pytest.mark.parametrize("format", EXPORT_FORMATS)
def test_a_frame_without_rows_is_written_in_each_form(tmp_path: Path, format: str) -> None:
    report = write_frame(FRAME.clear(), tmp_path / "deals.out", format=format)
    assert report.rows == 0
    assert (tmp_path / "deals.out").stat().st_size == report.bytes
    if format not in ("md", "xlsx"):
        assert Recorder().load(tmp_path / "deals.out", format=format).read == 0


def test_an_export_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text("before")
    with pytest.raises(LoadError, match="stands for nothing"):
        write_frame(FRAME, path, null="3")
    assert path.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["deals.csv"]


def test_a_file_keeps_its_mode_and_a_link_its_target(tmp_path: Path) -> None:
    path, link = tmp_path / "deals.csv", tmp_path / "link.csv"
    path.write_text("before")
    path.chmod(0o600)
    link.symlink_to(path)
    write_frame(FRAME, link)
    assert link.is_symlink()
    assert path.read_text().startswith('"id",')
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_same_deals_give_the_same_compressed_bytes(tmp_path: Path) -> None:
    for name in ("a.csv.gz", "b.csv.gz"):
        write_frame(FRAME, tmp_path / name)
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()).startswith(b'"id",name,amount,n\n')


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("deals.xyz", {}, "doesn't show the format; give format= with one of csv, tsv"),
        ("deals.csv", {"format": "xls"}, "there is no format 'xls'"),
        ("deals.parquet.gz", {}, "parquet is already compressed: drop the .gz"),
        ("none/deals.csv", {}, "can't be written: No such file"),
        (".", {"format": "csv"}, "is a folder"),
        (io.StringIO(), {}, "opened with 'wb'"),
    ],
)
def test_a_target_that_makes_no_sense_is_refused(
    tmp_path: Path, target: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(LoadError, match=message):
        write_frame(FRAME, tmp_path / target if isinstance(target, str) else target, **options)


def test_standard_output_and_pipes_take_every_form(
    capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    write_frame(FRAME, "-")
    assert capfdbinary.readouterr().out.startswith(b'"id",name,amount,n\n1,')
    for format in ("parquet", "arrow"):
        assert write_frame(FRAME, "-", format=format).target == "stdout"
        (tmp_path / "out").write_bytes(capfdbinary.readouterr().out)
        again = Recorder()
        assert again.load(tmp_path / "out").inserted == 3


def test_what_only_sql_gives_has_the_text_that_the_command_line_gives_it() -> None:
    moment = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    frame = pl.DataFrame({"raw": [b"\xff"], "many": [[1.5, float("nan")]], "at": [[moment]]})
    file = io.BytesIO()
    write_frame(frame, file, format="jsonl")
    assert file.getvalue().decode() == (
        '{"raw":"ff","many":[1.5,null],"at":["2026-01-31T09:30:00Z"]}\n'
    )


def test_a_result_of_sql_is_written_too(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "_n": [1.5, float("inf")],
            "nested": [{"a": 1}, {"a": 2}],
            "when": [date(2026, 1, 31), None],
        }
    )
    loader = DataLoader(Recorder)
    loader.export(tmp_path / "x.jsonl", frame)
    assert (tmp_path / "x.jsonl").read_text().splitlines() == [
        '{"_n":1.5,"nested":{"a":1},"when":"2026-01-31"}',
        '{"_n":null,"nested":{"a":2},"when":null}',
    ]
    with pytest.raises(LoadError, match="sort is for filters"):
        loader.export(tmp_path / "x.jsonl", frame, sort="_n")
    with pytest.raises(LoadError, match="no query"):
        loader.export(tmp_path / "x.jsonl", "n > 1")


def test_a_field_that_elsewhere_stands_for_another_stays_itself() -> None:
    again = Recorder()
    again.declare([Field("value", FieldType.TEXT)])
    assert again.load([{"id": "1", "value": "x"}]).mapping["value"] == "value"


def test_results_of_every_kind_are_written(tmp_path: Path) -> None:
    query = QueryEngine.over(
        [{"id": "1", "stage": "Won", "seats": 5}, {"id": "2", "stage": "Lost", "seats": 7}]
    )
    loader, path = DataLoader(Recorder, query.find), tmp_path / "r.csv"
    lines: dict[str, Any] = {
        "Won": Analytics(query.select).summary(by="stage"),
        "1,Won,5": query.page(),
        "Won,1,stage = 'Won'": query.facets("stage")["stage"],
        "stage,Won,1,stage = 'Won'": query.facets("stage"),
        "seats,5,1,seats = 5": query.facets(["stage", "seats"]),
    }
    for line, result in lines.items():
        assert loader.export(path, result).rows >= 2
        assert any(each.startswith(line) for each in path.read_text().splitlines()), line
    with pytest.raises(LoadError, match="limit is for filters"):
        loader.export(path, query.page(), limit=1)


@pytest.mark.parametrize("format", EXPORT_FORMATS)
def test_a_column_whose_name_is_a_pattern_is_written_as_others(format: str) -> None:
    columns: list[list[Any]] = [
        [date(2026, 1, 31), None],
        [datetime(2026, 1, 31, tzinfo=UTC), None],
        [2**60, 1],
        [0.5, float("nan")],
        ["=1", "a|b"],
        [["a"], None],
        [{"a": 1}, None],
        [True, None],
        [Decimal("1.50"), None],
    ]
    for values, (name, like) in product(columns, (("^n$", "mmm"), ("*", "m"))):
        # Polars itself can't make such a column of some of these
        frame = pl.DataFrame({"n": [1, 2], like: values})
        expected, found = (written(each, format) for each in (frame, frame.rename({like: name})))
        assert found.replace(name, like) == expected


def written(frame: pl.DataFrame, format: str) -> str:
    target = io.BytesIO()
    write_frame(frame, target, format=format)
    target.seek(0)
    if format == "xlsx":
        return zipfile.ZipFile(target).read("xl/worksheets/sheet1.xml").decode()
    read = {"parquet": pl.read_parquet, "arrow": pl.read_ipc}.get(format)
    return str(read(target)) if read else target.read().decode()
