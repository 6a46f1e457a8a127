"""A workbook as spreadsheets write it: numbers, dates and booleans have types, texts are shared."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from workbooks import MAIN, OFFICE, relations

# formats of the cells, by their place in the styles: general, date, date with time
_FORMATS = (0, 14, 22)
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001


def _column(number: int) -> str:
    """A, B ... Z, AA."""
    name = ""
    while True:
        number, rest = divmod(number, 26)
        name = chr(65 + rest) + name
        if not number:
            return name
        number -= 1


def _cell(where: str, value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return f'<c r="{where}" t="b"><v>{int(value)}</v></c>'
        case datetime():
            serial = (value - _EPOCH).total_seconds() / 86_400
            return f'<c r="{where}" s="2"><v>{serial:.10f}</v></c>'
        case date():
            serial = (datetime(value.year, value.month, value.day) - _EPOCH).days  # noqa: DTZ001
            return f'<c r="{where}" s="1"><v>{serial}</v></c>'
        case int() | float() | Decimal():
            return f'<c r="{where}"><v>{float(value):.15g}</v></c>'
        case _:
            text = escape(str(value))
            return f'<c r="{where}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def workbook(path: Path, rows: Sequence[Sequence[Any]]) -> Path:
    """Write rows as the only sheet of a workbook."""
    lines = []
    for number, row in enumerate(rows, start=1):
        cells = "".join(_cell(f"{_column(place)}{number}", cell) for place, cell in enumerate(row))
        lines.append(f'<row r="{number}">{cells}</row>')
    formats = "".join(f'<xf numFmtId="{each}"/>' for each in _FORMATS)
    parts = {
        "_rels/.rels": relations(officeDocument="xl/workbook.xml"),
        "xl/_rels/workbook.xml.rels": relations(worksheet="sheet.xml", styles="styles.xml"),
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
        '<sheet name="Deals" sheetId="1" r:id="worksheet"/></sheets></workbook>',
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><cellXfs>{formats}</cellXfs></styleSheet>',
        "xl/sheet.xml": f'<worksheet xmlns="{MAIN}"><sheetData>{"".join(lines)}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in parts.items():
            # the date of a ZipInfo is always the same, and so is the file of a seed therefore
            file.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return path
