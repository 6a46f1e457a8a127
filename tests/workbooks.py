"""XLSX workbooks for tests."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

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


def sheets(path: Path, **texts: str) -> Path:
    """A workbook of several sheets, each given as XML of its rows and what follows; hidden ones begin with ``_``."""
    states = {name: ' state="hidden"' if name.startswith("_") else "" for name in texts}
    entries = "".join(
        f'<sheet name="{name}" sheetId="{number}"{state} r:id="s{number}"/>'
        for number, (name, state) in enumerate(states.items(), start=1)
    )
    links = "".join(
        f'<Relationship Id="s{number}" Type="{OFFICE}/worksheet" Target="s{number}.xml"/>'
        for number in range(1, len(texts) + 1)
    )
    styles = f'<Relationship Id="styles" Type="{OFFICE}/styles" Target="styles.xml"/>'
    parts = {
        "_rels/.rels": relations(officeDocument="xl/workbook.xml"),
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}">{links}{styles}</Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{entries}</sheets></workbook>',
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/>'
        '<xf numFmtId="46"/></cellXfs></styleSheet>',
    }
    for number, text in enumerate(texts.values(), start=1):
        rows, _, rest = text.partition("|")
        parts[f"xl/s{number}.xml"] = (
            f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData>{rest}</worksheet>'
        )
    with zipfile.ZipFile(path, "w") as file:
        for name, text in parts.items():
            file.writestr(name, text)
    return path


def row(number: int, *cells: str | float | None, first: str = "A") -> str:
    """A row whose cells have their places; ``=1+1`` is a formula without a value, 40000 a date, 0.5 a duration."""

    def cell(place: int, value: str | float | None) -> str:
        name = f"{chr(ord(first) + place)}{number}"
        if value is None:
            return f'<c r="{name}"/>'
        if isinstance(value, str) and value.startswith("="):
            return f'<c r="{name}"><f>{value[1:]}</f></c>'
        if isinstance(value, str):
            return f'<c r="{name}" t="inlineStr"><is><t>{value}</t></is></c>'
        style = 1 if value >= 40_000 else 2 if value == 0.5 else 0
        return f'<c r="{name}" s="{style}"><v>{value}</v></c>'

    cells_text = "".join(cell(place, value) for place, value in enumerate(cells))
    return f'<row r="{number}">{cells_text}</row>'
