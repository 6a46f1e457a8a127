"""Workbooks: the sheet with the deals, with the types that its cells have."""

from __future__ import annotations

import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from dealdb.errors import LoadError, MissingExtra
from recorder import Recorder
from workbooks import row, sheets, workbook


def test_a_workbook_loads(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "deals.xlsx",
        ["Deal ID", "Deal Name", "Amount", "Create Date", "Seats"],
        [7, "Acme", 1234.5, 46053, 3],
        [8, "Böll", None, 46054, None],
    )
    store = Recorder()
    report = store.load(path)
    assert (report.format, report.inserted, report.rejected) == ("xlsx", 2, 0)
    assert report.notes[0] == "sheet 'Deals'"
    assert store.values("7") == {
        "name": "Acme", "amount": Decimal("1234.50"), "created": date(2026, 1, 31), "seats": 3,
    }  # fmt: skip
    assert store.values("8") == {"name": "Böll", "created": date(2026, 2, 1)}


def test_what_only_looks_like_a_workbook(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="can't be read as an XLSX workbook"):
        Recorder().load_text(tmp_path, b"PK\x03\x04rest", "deals.xlsx")


def test_without_the_extra_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fastexcel", None)
    with pytest.raises(MissingExtra, match=r"dealdb\[xlsx\]"):
        Recorder().load(workbook(tmp_path / "deals.xlsx", ["id"], ["1"]))


HEADER = row(1, "Deal ID", "Amount", "Stage", "Owner")


def test_the_first_visible_sheet_with_an_id_is_loaded(tmp_path: Path) -> None:
    path = sheets(
        tmp_path / "x.xlsx",
        Cover=row(1, "Hello"),
        _meta=row(1, "id") + row(2, "9"),
        Deals=HEADER + row(2, 7, 5, "Won"),
        Empty="",
    )
    store = Recorder()
    report = store.load(path)
    assert store.deals == {"7": {"amount": "5", "stage": "Won"}}
    assert report.notes[:2] == (
        "sheet 'Deals'",
        "other sheets left out: 'Cover', '_meta', 'Empty'",
    )


def test_a_sheet_that_is_named(tmp_path: Path) -> None:
    path = sheets(tmp_path / "x.xlsx", A=row(1, "id") + row(2, "1"), _b=row(1, "id") + row(2, "2"))
    store = Recorder()
    store.load(path, sheet="_B")
    assert list(store.deals) == ["2"]
    with pytest.raises(LoadError, match=r"has no sheet 'C'; its sheets are 'A', '_b'"):
        store.load(path, sheet="C")


def test_without_an_id_the_sheets_are_named(tmp_path: Path) -> None:
    path = sheets(
        tmp_path / "x.xlsx", A=row(1, "x") + row(2, "1"), B=row(1, "Nr", "y") + row(2, "1", "2")
    )
    with pytest.raises(LoadError, match=r"its sheets are 'A', 'B': name one with sheet="):
        Recorder().load(path)
    store = Recorder()
    store.load(path, mapping={"Nr": "id"})
    assert store.deals == {"1": {"y": "2"}}


def test_titles_above_the_table(tmp_path: Path) -> None:
    rows = row(2, "Deals report", first="B") + row(4, "Deal ID", "Amount", first="B")
    store = Recorder()
    report = store.load(sheets(tmp_path / "x.xlsx", A=rows + row(5, 7, 5, first="B")))
    assert store.deals == {"7": {"amount": "5"}}
    assert "lines above the names of the columns left out: 2" in report.notes


def test_a_formula_without_a_value_clears_nothing(tmp_path: Path) -> None:
    store = Recorder()
    store.load([{"id": "7", "amount": "1000.5"}, {"id": "8", "amount": "1"}])
    path = sheets(
        tmp_path / "x.xlsx",
        A=HEADER + row(2, 7, "=500*3", "Won") + row(3, 8, 2, "Won") + row(4, 9, "=1", "Won"),
    )
    report = store.load(path)
    assert [deal.get("amount") for deal in store.deals.values()] == ["1000.5", "2", None]
    assert any(note.startswith("formulas without a value in 'Amount': 2;") for note in report.notes)


def test_merged_cells(tmp_path: Path) -> None:
    merged = (
        '<mergeCells><mergeCell ref="C2:C3"/><mergeCell ref="B2:B3"/><mergeCell ref="C4:D4"/>'
        "</mergeCells>"
    )
    rows = HEADER + row(2, 7, 5, "Won", "Pat") + row(3, 8, None, None, "Pat") + row(4, 9, 1, "Lost")
    store = Recorder()
    report = store.load(sheets(tmp_path / "x.xlsx", A=f"{rows}|{merged}"))
    assert [deal.get("stage") for deal in store.deals.values()] == ["Won", "Won", "Lost"]
    assert [deal.get("amount") for deal in store.deals.values()] == ["5", None, "1"]
    assert "merged cells in 'Stage': each row has the value" in report.notes
    assert "merged cells in 'Amount': the first row has the value" in report.notes


def test_columns_of_several_types_and_of_none_are_text(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = row(1, "id", "when", "size", "x") + row(2, 1, 46053, 5) + row(3, 2, 0.5, "L")
    store = Recorder()
    store.load(sheets(tmp_path / "x.xlsx", A=rows))
    assert store.deals["2"] == {"when": "1899-12-31 12:00:00", "size": "L"}
    assert store.deals["1"]["size"] == "5"
    assert capfd.readouterr().err == ""
