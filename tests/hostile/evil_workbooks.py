# ruff: noqa: E501, RUF028  # the texts of formats are long
"""Hostile workbooks, and archives that seem to be some."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable

MB = 1024 * 1024


def workbook(
    sheet: str | bytes,
    *,
    strings: bytes = b"",
    parts: dict[str, bytes] | None = None,
    styles: bytes = b"",
) -> bytes:
    """A workbook of one sheet, whose XML is given."""
    body = sheet.encode() if isinstance(sheet, str) else sheet
    ns = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    rel = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    found = {
        "[Content_Types].xml": b'<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        b'<Default Extension="xml" ContentType="application/xml"/><Default Extension="rels" ContentType='
        b'"application/vnd.openxmlformats-package.relationships+xml"/></Types>',
        "_rels/.rels": b'<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        b'<Relationship Id="rId1" Type="%b/officeDocument" Target="xl/workbook.xml"/></Relationships>'
        % rel,
        "xl/workbook.xml": b'<?xml version="1.0"?><workbook %b xmlns:r="%b"><sheets><sheet name="Deals" sheetId="1" r:id="rId1"/>'
        b"</sheets></workbook>" % (ns, rel),
        "xl/_rels/workbook.xml.rels": b'<?xml version="1.0"?><Relationships '
        b'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="%b/worksheet" '
        b'Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="%b/sharedStrings" Target="sharedStrings.xml"/>'
        b'<Relationship Id="rId3" Type="%b/styles" Target="styles.xml"/></Relationships>'
        % (rel, rel, rel),
        "xl/worksheets/sheet1.xml": b'<?xml version="1.0"?><worksheet %b>%b</worksheet>'
        % (ns, body),
    }
    if strings:
        found["xl/sharedStrings.xml"] = b'<?xml version="1.0"?><sst %b>%b</sst>' % (ns, strings)
    if styles:
        found["xl/styles.xml"] = b'<?xml version="1.0"?><styleSheet %b>%b</styleSheet>' % (
            ns,
            styles,
        )
    return packed(found | (parts or {}))


def packed(parts: dict[str, bytes]) -> bytes:
    """A zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def text_cell(place: str, text: str) -> str:
    """A cell with a text of its own."""
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


HEAD = f'<row r="1">{text_cell("A1", "id")}{text_cell("B1", "name")}</row>'


def workbooks() -> dict[str, Callable[[], bytes]]:
    def two(far: str, row: int | None = None) -> Callable[[], bytes]:
        number = row or int("".join(filter(str.isdigit, far)))
        return lambda: workbook(
            f'<sheetData>{HEAD}<row r="{number}"><c r="{far}"><v>1</v></c></row></sheetData>'
        )

    files = {
        f"a cell at {far}.xlsx": two(far)
        for far in (
            "XFD1048576", "XFD4096", "XFD2", "A1048576", "C1048576", "Z1048576", "IV65536", "ZZZZ9999999",
            "A4294967295", "A4294967296", "A18446744073709551615", "SR100000", "FXSHRXX1",
        )
    }  # fmt: skip
    head = HEAD

    def strings(size: int, cells: int) -> Callable[[], bytes]:
        rows = "".join(
            f'<row r="{n}"><c r="A{n}"><v>{n}</v></c><c r="B{n}" t="s"><v>0</v></c></row>'
            for n in range(2, cells + 2)
        )
        return lambda: workbook(
            f"<sheetData>{head}{rows}</sheetData>", strings=b"<si><t>%b</t></si>" % (b"x" * size)
        )

    def rows_of(row: Callable[[int], str], n: int) -> Callable[[], bytes]:
        return lambda: workbook(
            f"<sheetData>{head}{''.join(map(row, range(2, n + 2)))}</sheetData>"
        )

    return files | {
        "a far cell without quotes of its own.xlsx": lambda: workbook(
            f"<sheetData>{head}<row r='1048576'><c r='XFD1048576'><v>1</v></c></row></sheetData>"
        ),
        "a far cell in another row's element.xlsx": lambda: workbook(
            f'<sheetData>{head}<row r="2"><c s="0" r = "XFD1048576" ><v>1</v></c></row></sheetData>'
        ),
        "a far row whose cells have no place.xlsx": lambda: workbook(
            f'<sheetData>{head}<row r="1048570"><c><v>1</v></c></row></sheetData>'
        ),
        "a far row and a far column.xlsx": lambda: workbook(
            f'<sheetData>{head}<row r="2"><c r="FZZ2"><v>1</v></c></row><row r="900000"><c r="A900000"><v>1</v></c></row></sheetData>'
        ),
        "a far cell with a prefix.xlsx": lambda: workbook(
            f'<sheetData>{head}<row r="1048576"><x:c xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
            'r="XFD1048576"><x:v>1</x:v></x:c></row></sheetData>'
        ),
        "a far cell in capitals of entities.xlsx": lambda: workbook(
            f'<sheetData>{head}<row r="2"><c r="&#88;FD1048576"><v>1</v></c></row></sheetData>'
        ),
        "a far cell in small letters.xlsx": lambda: workbook(
            f'<sheetData>{head}<row r="2"><c r="xfd1048576"><v>1</v></c></row></sheetData>'
        ),
        "a far text.xlsx": lambda: workbook(
            f'<sheetData>{head}<row r="1048576">{text_cell("XFD1048576", "x")}</row></sheetData>'
        ),
        "a dimension that lies.xlsx": lambda: workbook(
            f'<dimension ref="A1:XFD1048576"/><sheetData>{head}</sheetData>'
        ),
        "a dimension backwards.xlsx": lambda: workbook(
            f'<dimension ref="XFD1048576:A1"/><sheetData>{head}</sheetData>'
        ),
        "a text of 1 MB in 3,000 cells.xlsx": strings(MB, 3_000),
        "a text of 30 kB in 100,000 cells.xlsx": strings(30_000, 100_000),
        "a text of 50 MB.xlsx": strings(50 * MB, 1),
        "a text of 5 MB in its cell.xlsx": lambda: workbook(
            f'<sheetData>{head}<row r="2"><c r="A2"><v>1</v></c>{text_cell("B2", "x" * 5 * MB)}</row></sheetData>'
        ),
        "an index beyond all texts.xlsx": lambda: workbook(
            f'<sheetData>{head}<row r="2"><c r="A2" t="s"><v>99999999999</v></c></row></sheetData>',
            strings=b"<si><t>x</t></si>",
        ),
        "two million texts.xlsx": lambda: workbook(
            f"<sheetData>{head}</sheetData>", strings=b"<si><t>x</t></si>" * 2_000_000
        ),
        "two million cells.xlsx": rows_of(lambda n: f"<row>{'<c><v>1</v></c>' * 200}</row>", 10_000),
        "six million cells.xlsx": rows_of(lambda n: f"<row>{'<c><v>1</v></c>' * 600}</row>", 10_000),
        "4 million empty cells.xlsx": rows_of(lambda n: f"<row>{'<c/>' * 400}</row>", 10_000),
        "a million empty rows.xlsx": rows_of(lambda n: "<row/>", 1_000_000),
        "a million merged cells.xlsx": lambda: workbook(
            f"<sheetData>{head}</sheetData><mergeCells>"
            + "".join(f'<mergeCell ref="A{n}:B{n + 1}"/>' for n in range(1, 1_000_000, 2))
            + "</mergeCells>"
        ),
        "merged cells over the whole sheet.xlsx": lambda: workbook(
            f"<sheetData>{head}<row r=\"2\">{text_cell('A2', '1')}{text_cell('B2', 'x')}</row></sheetData><mergeCells>"
            + '<mergeCell ref="A2:XFD1048576"/>' * 20_000
            + "</mergeCells>"
        ),
        "merged cells one over the other.xlsx": lambda: workbook(
            f"<sheetData>{head}"
            + "".join(f'<row r="{n}">{text_cell(f"A{n}", str(n))}{text_cell(f"B{n}", "x")}</row>' for n in range(2, 5_000))
            + "</sheetData><mergeCells>"
            + "".join(f'<mergeCell ref="B{n}:B1048576"/>' for n in range(2, 5_000))
            + "</mergeCells>"
        ),
        "a million styles.xlsx": lambda: workbook(
            f"<sheetData>{head}</sheetData>", styles=b"<cellXfs>" + b'<xf numFmtId="14"/>' * 1_000_000 + b"</cellXfs>"
        ),
        "a million formats.xlsx": lambda: workbook(
            f"<sheetData>{head}</sheetData>",
            styles=b"<numFmts>" + b"".join(b'<numFmt numFmtId="%d" formatCode="y"/>' % n for n in range(1_000_000)) + b"</numFmts>",
        ),
        "formulas without values.xlsx": rows_of(lambda n: f'<row r="{n}"><c r="A{n}"><f>1</f></c><c r="B{n}"><v>{n}</v></c></row>', 50_000),
        "shared formulas.xlsx": rows_of(
            lambda n: f'<row r="{n}"><c r="A{n}"><f t="shared" ref="A1:XFD1048576" si="0">A1</f><v>{n}</v></c></row>', 1_000
        ),
        "elements 100,000 deep.xlsx": lambda: workbook("<sheetData>" + "<row>" * 100_000),
        "entities in entities.xlsx": lambda: workbook(
            f"<sheetData>{head}</sheetData>",
            parts={"xl/sharedStrings.xml": b'<!DOCTYPE x [<!ENTITY a "' + b"x" * 1_000 + b'"><!ENTITY b "'
                   + b"&a;" * 1_000 + b'">]><sst><si><t>' + b"&b;" * 10_000 + b"</t></si></sst>"},
        ),  # fmt: skip
        "no sheets.xlsx": lambda: workbook("", parts={"xl/workbook.xml": b"<workbook><sheets/></workbook>"}),
        "20,000 sheets.xlsx": lambda: workbook(
            f"<sheetData>{head}</sheetData>",
            parts={"xl/workbook.xml": b'<workbook xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>'
                   + b"".join(b'<sheet name="s%d" sheetId="%d" r:id="rId1"/>' % (n, n) for n in range(1, 20_001))
                   + b"</sheets></workbook>"},
        ),  # fmt: skip
        "a sheet that is not there.xlsx": lambda: workbook(
            "", parts={"xl/_rels/workbook.xml.rels": b"<Relationships/>"}
        ),
        "a sheet outside.xlsx": lambda: workbook(
            "", parts={"xl/_rels/workbook.xml.rels": b'<Relationships><Relationship Id="rId1" Target="../../../etc/passwd"/></Relationships>'}
        ),
        "a sheet of nothing.xlsx": lambda: workbook(""),
        "a sheet of zeros.xlsx": lambda: workbook(bytes(50 * MB)),
        "a sheet without an end.xlsx": lambda: workbook(f"<sheetData>{head}<row r=\"2\"><c r=\"A2\" t=\"inlineStr\"><is><t>"),
        "numbers that are none.xlsx": lambda: workbook(
            f'<sheetData>{head}<row r="2"><c r="A2"><v>1e999999</v></c><c r="B2"><v>x</v></c></row></sheetData>'
        ),
        "dates beyond the calendar.xlsx": lambda: workbook(
            f'<sheetData>{head}<row r="2"><c r="A2"><v>1</v></c><c r="B2" s="1"><v>1e15</v></c></row>'
            '<row r="3"><c r="A3"><v>2</v></c><c r="B3" t="d"><v>999999-99-99T99:99:99</v></c></row></sheetData>',
            styles=b'<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>',
        ),
        "columns of 2,000 headers.xlsx": lambda: workbook(
            '<sheetData><row r="1">' + text_cell("A1", "id") + "<c><v>1</v></c>" * 2_000 + "</row></sheetData>"
        ),
    }  # fmt: skip


def archives() -> dict[str, Callable[[], bytes]]:
    good = workbook(
        f'<sheetData>{HEAD}<row r="2">{text_cell("A2", "1")}{text_cell("B2", "x")}</row></sheetData>'
    )

    def patched(signature: bytes, offset: int, data: bytes) -> Callable[[], bytes]:
        at = good.rfind(signature)
        return lambda: good[: at + offset] + data + good[at + offset + len(data) :]

    central, end = b"PK\x01\x02", b"PK\x05\x06"
    return {
        "an archive in an archive.xlsx": lambda: packed({"xl/a.zip": packed({"b": bytes(10 * MB)})}),
        "an archive of zeros.xlsx": lambda: packed({"xl/media/image.png": bytes(300 * MB)}),
        "an archive of 100,000 parts.xlsx": lambda: packed({f"xl/{n}": b"" for n in range(100_000)}),
        "absolute names.xlsx": lambda: packed({"/etc/cron.d/x": b"x", "xl/workbook.xml": b"<workbook/>"}),
        "names that go up.xlsx": lambda: packed({"../../x": b"x", "xl/workbook.xml": b"<workbook/>"}),
        "one name twice.xlsx": lambda: good[:-22] + good,
        "overlapping parts.xlsx": _overlapping,
        "a password.xlsx": patched(central, 8, b"\x01\x00"),
        "a method of packing that nobody has.xlsx": patched(central, 10, b"\x63\x00"),
        "a size of 4 GB.xlsx": patched(central, 24, b"\xff\xff\xff\xff"),
        "a packed size of 4 GB.xlsx": patched(central, 20, b"\xff\xff\xff\xfe"),
        "a size of 0.xlsx": patched(central, 24, b"\0\0\0\0"),
        "a wrong sum.xlsx": patched(central, 16, b"\0\0\0\0"),
        "a directory beyond the end.xlsx": patched(end, 16, b"\xff\xff\xff\x7f"),
        "65,535 parts said.xlsx": patched(end, 8, b"\xff\xff\xff\xff"),
        "zip64 that lies.xlsx": lambda: good[:-22] + b"PK\x06\x06" + struct.pack("<Q", 44) + b"\xff" * 44 + b"PK\x06\x07"
        + struct.pack("<IQI", 0, len(good) - 22, 1) + b"PK\x05\x06" + b"\xff" * 16 + b"\0\0",
        "a comment of 64 kB.xlsx": lambda: good[:-2] + b"\xff\xff" + b"x" * 65_535,
        "something before it.xlsx": lambda: b"PK\x03\x04" + b"x" * 1_000 + good,
        "ods of zeros.ods": lambda: packed({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": bytes(50 * MB)}),
        "ods of a million repeats.ods": lambda: _ods(
            '<table:table-row table:number-rows-repeated="1048576"><table:table-cell table:number-columns-repeated="16384" '
            'office:value-type="float" office:value="1"/></table:table-row>'
        ),
        "ods of repeats.xlsx": lambda: _ods(
            '<table:table-row table:number-rows-repeated="1000000"><table:table-cell table:number-columns-repeated="400" '
            'office:value-type="string"><text:p>id</text:p></table:table-cell></table:table-row>'
        ),
        "xlsb of a far cell.xlsb": lambda: packed({"xl/workbook.bin": bytes(100), "xl/worksheets/sheet1.bin": bytes(1_000)}),
        "xlsb by another name.xlsx": lambda: packed({"[Content_Types].xml": b"<Types/>", "xl/workbook.bin": bytes(100)}),
        "an old workbook.xls": lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1_000),
        "an old workbook by another name.xlsx": lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\xff" * 5_000,
    }  # fmt: skip


def _ods(rows: str) -> bytes:
    names = "".join(
        f' xmlns:{each}="urn:oasis:names:tc:opendocument:xmlns:{each}:1.0"'
        for each in ("office", "table", "text")
    )
    content = (
        f'<office:document-content{names}><office:body><office:spreadsheet><table:table table:name="Deals">{rows}'
        "</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    return packed({
        "mimetype": b"application/vnd.oasis.opendocument.spreadsheet",
        "content.xml": content.encode(),
        "META-INF/manifest.xml": b"<manifest:manifest xmlns:manifest='urn:oasis:names:tc:opendocument:xmlns:manifest:1.0'/>",
    })  # fmt: skip


def _overlapping() -> bytes:
    """Many entries of one packed part, as in the smallest of zip bombs."""
    body = zlib.compress(bytes(20 * MB), 9)[2:-4]
    check = zlib.crc32(bytes(20 * MB))
    local = (
        struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, 0, 8, 0, 0, check, len(body), 20 * MB, 4, 0)
        + b"xl/a"
    )
    entry = struct.pack(
        "<IHHHHHHIIIHHHHHII", 0x02014B50, 20, 20, 0, 8, 0, 0, check, len(body), 20 * MB, 4, 0, 0, 0, 0, 0, 0
    ) + b"xl/a"  # fmt: skip
    n, start = 2_000, len(local) + len(body)
    return (
        local
        + body
        + entry * n
        + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, n, n, len(entry) * n, start, 0)
    )
