"""A workbook has every deal with every digit, and nothing in it that a spreadsheet would run."""

from __future__ import annotations

import io
import re
import sys
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dealdb.errors import LoadError, MissingExtra
from dealdb.formats import workbook
from dealdb.loader.export import write_frame
from dealdb.loader.sources.workbooks import WorkbookSource
from dealdb.model.schema import Field, FieldType
from dealdb.model.values import encode
from examples import of_profile
from recorder import Recorder

FIELDS = [
    Field("seats", FieldType.INT),
    Field("score", FieldType.FLOAT),
    Field("rate", FieldType.DECIMAL, 18),
    Field("hot", FieldType.BOOL),
    Field("tags", FieldType.LIST),
    Field("value", FieldType.TEXT),
    Field("seen", FieldType.DATETIME),
]
# no text is empty or has blanks around it: of these, a workbook knows nothing, as CSV does not
LETTERS = "abcXYZ0189 =+-@<>&\"'/;,.#é€字\U0001f600_x\r\n\t\0\x07"
TEXTS = st.text(LETTERS, min_size=1, max_size=8).filter(lambda text: text == text.strip(" \t\r\n\0\x07")) | (
    st.sampled_from(["007", "1e5", "<r>x</r>", "_x0041_", "=1+1", "http://a.example/", "2026-01-31", "true", "0.30"])
)  # fmt: skip
NUMBERS = st.integers(-(10**18), 10**18) | st.integers(-(10**15), 10**15)
FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.floats(-1e6, 1e6)
MOMENTS = st.datetimes(datetime(1000, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "name": TEXTS, "owner": TEXTS, "value": TEXTS,
    "amount": NUMBERS.map(lambda n: Decimal(n).scaleb(-2)),
    "rate": (NUMBERS.map(lambda n: Decimal(n).scaleb(-18))
             | st.integers(0, 10**6).map(lambda n: Decimal(n).scaleb(-6))),
    "created": st.dates(date(1000, 1, 1)) | st.dates(date(1890, 1, 1), date(1910, 1, 1)),
    "seen": MOMENTS | MOMENTS.map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)),
    "seats": st.integers(-(2**63), 2**63 - 1) | st.integers(-9, 9),
    "score": FLOATS, "hot": st.booleans(), "tags": st.lists(TEXTS, max_size=3),
}  # fmt: skip
DEALS = st.dictionaries(TEXTS, st.fixed_dictionaries({}, optional=VALUES), min_size=1, max_size=6)


@settings(max_examples=of_profile(0.5), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deals=DEALS)
def test_a_workbook_loads_as_the_same_deals(
    tmp_path: Path, deals: dict[str, dict[str, Any]]
) -> None:
    source = Recorder()
    schema = source.declare(FIELDS)
    for deal_id, values in deals.items():
        texts = {name: encode(value, schema[name]) for name, value in values.items()}
        source.deals[deal_id] = texts
    before = {deal_id: dict(texts) for deal_id, texts in source.deals.items()}
    write_frame(source.frame(), tmp_path / "deals.xlsx")
    report = source.load(tmp_path / "deals.xlsx")
    assert (report.unchanged, report.rejected) == (len(deals), 0)
    assert source.deals == before


def cells_of(frame: pl.DataFrame) -> str:
    file = io.BytesIO()
    write_frame(frame, file, format="xlsx")
    with zipfile.ZipFile(file) as parts:
        assert not [
            name for name in parts.namelist() if "hyperlink" in name or "rels/sheet" in name
        ]
        return parts.read("xl/worksheets/sheet1.xml").decode()


def test_nothing_in_a_workbook_is_run() -> None:
    odd = [
        "=1+1",
        "{=1}",
        "+1",
        "@x",
        "http://a.example/",
        "mailto:a@b",
        "internal:A1",
        "<r><t>x</t></r>",
    ]
    text = cells_of(pl.DataFrame({"id": odd, "=1+1": odd}))
    assert "<f>" not in text
    assert "hyperlink" not in text
    assert text.count('t="inlineStr"') == 2 * len(odd) + 2
    assert "&lt;r&gt;" in text


def test_cells_have_the_type_of_their_column() -> None:
    text = cells_of(
        pl.DataFrame(
            {
                "id": ["00123"],
                "amount": pl.Series([Decimal("1234.50")], dtype=pl.Decimal(38, 2)),
                "closed": [date(2026, 1, 31)],
                "hot": [True],
                "score": [0.1 + 0.2],
                "tags": [["a", "b"]],
            }
        )
    )
    assert '<c r="A2" t="inlineStr"><is><t>00123</t></is></c>' in text
    assert "<v>1234.50</v>" in text
    assert "<v>46053</v>" in text
    assert '<c r="D2" t="b"><v>1</v></c>' in text
    assert "<v>0.30000000000000004</v>" in text
    assert '["a","b"]' in text
    assert 'state="frozen"' in text
    assert text.count("<col ") == 6


@pytest.mark.parametrize(
    ("values", "as_text"),
    [
        ([10**15 - 1, 10**15, 123_456_789_012_345_000], 0),
        ([10**15 + 1, -(2**63)], 2),
        ([Decimal("1234567890123.45"), Decimal("0.100000000000000000")], 0),
        ([Decimal("12345678901234.56")], 1),
        ([date(1900, 2, 28), date(1900, 3, 1)], 1),
        ([datetime(2026, 1, 31, 9, 30, 0, 123_000), datetime(2026, 1, 31, 9, 30, 0, 123_456)], 1),  # noqa: DTZ001
        ([1e308, 5e-324, float("inf"), 0.0], 2),
    ],
)
def test_what_a_cell_cannot_hold_is_text_and_counted(values: list[Any], as_text: int) -> None:
    assert write_frame(pl.DataFrame({"x": values}), io.BytesIO(), format="xlsx").as_text == as_text


def test_numbers_among_texts_keep_their_digits(tmp_path: Path) -> None:
    amounts = pl.Series(
        "amount",
        [Decimal("123456789012.34"), Decimal("12345678901234567.89")],
        dtype=pl.Decimal(38, 2),
    )
    frame = pl.DataFrame({"id": ["1", "2"], "amount": amounts, "score": [0.1 + 0.2, 5e-324]})
    write_frame(frame, tmp_path / "deals.xlsx")
    [chunk] = WorkbookSource(tmp_path / "deals.xlsx", "deals.xlsx").chunks()
    assert chunk.frame.rows() == [
        ("1", "123456789012.34", "0.30000000000000004"),
        ("2", "12345678901234567.89", "5e-324"),
    ]


def test_what_a_sheet_cannot_hold_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "deals.xlsx"
    path.write_text("before")
    long = pl.DataFrame({"id": ["1"], "notes": ["\U0001f600" * 16_384]})
    with pytest.raises(LoadError, match="'notes' has a text of more than 32,767 characters"):
        write_frame(long, path)
    write_frame(
        pl.DataFrame({"id": ["1"], "notes": ["\U0001f600" * 16_383]}), tmp_path / "fits.xlsx"
    )
    monkeypatch.setattr(workbook, "MOST_ROWS", 3)
    with pytest.raises(LoadError, match=r"at most 2 rows below .*, not 3; export a part"):
        write_frame(pl.DataFrame({"id": ["1", "2", "3"]}), path)
    assert write_frame(pl.DataFrame({"id": ["1", "2"]}), tmp_path / "fits.xlsx").rows == 2
    monkeypatch.setattr(workbook, "MOST_COLUMNS", 1)
    with pytest.raises(LoadError, match="at most 1 columns, not 2"):
        write_frame(pl.DataFrame({"id": ["1"], "n": [1]}), path)
    assert path.read_text() == "before"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["deals.xlsx", "fits.xlsx"]


def test_without_the_library_the_error_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "dealdb.formats.workbook")
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(MissingExtra, match=r"pip install 'dealdb\[xlsx\]'; or export CSV"):
        write_frame(pl.DataFrame({"id": ["1"]}), tmp_path / "deals.xlsx")


def test_numbers_of_several_kinds_in_one_column_are_each_exact(tmp_path: Path) -> None:
    numbers = [7, Decimal("1234.50"), 2 / 3, None, Decimal("0." + "7" * 16), 10**16 + 1]
    frame = pl.DataFrame({"now": pl.Series(numbers, dtype=pl.Object)})
    file = io.BytesIO()
    assert workbook.write_sheets({"Figures": frame}, file) == 2
    assert workbook.texts_in({"Figures": frame}) == 2
    with zipfile.ZipFile(file) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
        styles = parts.read("xl/styles.xml").decode()
    assert re.findall(r"<v>(.*?)</v>", sheet) == ["7", "1234.50", "0.6666666666666666"]
    assert re.findall(r"<t>(.*?)</t>", sheet) == ["now", "0.7777777777777777", "10000000000000001"]
    # as many digits are shown behind the point as a number has
    assert {"3", "4"} <= {*re.findall(r'numFmtId="(\d+)"', styles)} or "#,##0.00" in styles
