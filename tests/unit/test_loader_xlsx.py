"""Workbooks: the first sheet, with the types that its cells have."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from dealdb.errors import LoadError, MissingExtra
from recorder import Recorder

PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def relations(**targets: str) -> str:
    links = (
        f'<Relationship Id="{kind}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        for kind, target in targets.items()
    )
    return f'<Relationships xmlns="{PACKAGE}">{"".join(links)}</Relationships>'


def workbook(path: Path, *rows: Sequence[str | float | None]) -> Path:
    """A workbook as programs write it; whole numbers from 40000 up are shown as dates."""

    def cell(value: str | float | None) -> str:
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
        style = ' s="1"' if value is not None and value >= 40_000 else ""
        return "<c/>" if value is None else f"<c{style}><v>{value}</v></c>"

    sheet = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    parts = {
        "_rels/.rels": relations(officeDocument="xl/workbook.xml"),
        "xl/_rels/workbook.xml.rels": relations(worksheet="sheet.xml", styles="styles.xml"),
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
        '<sheet name="Deals" sheetId="1" r:id="worksheet"/></sheets></workbook>',
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/>'
        "</cellXfs></styleSheet>",
        "xl/sheet.xml": f'<worksheet xmlns="{MAIN}"><sheetData>{sheet}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w") as file:
        for name, text in parts.items():
            file.writestr(name, text)
    return path


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
