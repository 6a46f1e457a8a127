"""Workbooks: the first sheet, with the types that its cells have."""

from __future__ import annotations

import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from dealdb.errors import LoadError, MissingExtra
from recorder import Recorder
from workbooks import workbook


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
