"""
Hostile files, made when they are tried: each kind of lie, bomb and damage, in each format that can be loaded.

All are small, none is random from run to run, and the name of each says what it is.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet

MB = 1024 * 1024
_CSV = b"id,name,amount\n" + b"".join(b"%d,Deal %d,%d.50\n" % (n, n, n) for n in range(500))


class EvilFile(NamedTuple):
    """A file by its name, and what makes its bytes."""

    name: str
    make: Callable[[], bytes]


def evil_files() -> Iterator[EvilFile]:
    """All of them."""
    for kinds in (_texts, _packed, _jsons, _workbooks, _archives, _columnars):
        for name, make in kinds().items():
            yield EvilFile(name, make)
    yield from _damaged()


def _texts() -> dict[str, Callable[[], bytes]]:
    wide = {
        n: b"id," + b",".join(b"c%d" % c for c in range(n))
        for n in (600, 2_500, 4_000, 5_000, 20_000)
    }
    files: dict[str, Callable[[], bytes]] = {
        f"{n:,} columns.csv": lambda header=header: header + b"\n1\n"
        for n, header in wide.items()  # type: ignore[misc]
    }
    files |= {
        f"{n:,} columns with cells.csv": lambda n=n: (  # type: ignore[misc]
            wide[n] + b"\n" + b"1" + b",2" * n + b"\n1" + b",x" * n + b"\n"
        )
        for n in (600, 2_500, 4_000)
    }
    return files | {
        "a million columns.csv": lambda: b"id" + b",c" * MB + b"\n1\n",
        "five million names.csv": lambda: b"id," + b",".join(b"%d" % n for n in range(5 * MB)),
        "ten million empty names.csv": lambda: b"id" + b"," * (10 * MB) + b"\n1\n",
        "4,000 names that are one.csv": lambda: (
            b"id" + b",a" * 4_000 + b"\n1" + b",2" * 4_000 + b"\n"
        ),
        "a name of 1 MB.csv": lambda: b"id," + b"x" * MB + b"\n1,2\n",
        "a cell of 30 MB.csv": lambda: b"id,name\n1," + b"x" * (30 * MB) + b"\n2,y\n",
        "a cell of 100 MB.csv": lambda: b"id,name\n1," + b"x" * (100 * MB) + b"\n2,y\n",
        "an endless quoted cell.csv": lambda: b'id,name\n1,"' + b"x,y\n" * 100_000,
        "an endless quoted cell of one line.csv": lambda: b'id,name\n1,"' + b"x," * (20 * MB),
        "a quote in each line.csv": lambda: b"id,name\n" + b'1,"x\n' * 100_000,
        "quotes only.csv": lambda: b"id,name\n" + b'"' * (8 * MB),
        "two quotes a cell.csv": lambda: b"id,name\n" + b'1,"""\n' * 100_000,
        "separators only.csv": lambda: b"id,name\n" + b"," * (8 * MB),
        "blank lines only.csv": lambda: b"id,name\n" + b"\n" * (16 * MB),
        "returns only.csv": lambda: b"id,name\r" + b"\r" * (8 * MB),
        "stray returns.csv": lambda: b"id,name\n" + b"1,a\rb\n" * 50_000,
        "blanks only.csv": lambda: b" " * (8 * MB),
        "zeros only.csv": lambda: bytes(8 * MB),
        "zeros in cells.csv": lambda: b"id,name\n" + b"1,\0\n" * 100_000,
        "ragged rows.csv": lambda: b"id,name\n" + b"1,2,3\n1\n" * 50_000,
        "rejected rows.csv": lambda: b"id,amount\n" + b"1,x\n2,5\n" * 50_000,
        "200,000 ids only.csv": lambda: b"id\n" + b"1\n" * 200_000,
        "damaged letters.csv": lambda: b"id,name\n" + b"1,\xff\xfe\xc3\n" * 100_000,
        "every byte.csv": lambda: b"id,name\n" + bytes(range(256)) * 4_000,
        "marks of byte order.csv": lambda: b"\xef\xbb\xbf" * 100_000 + b"id,name\n1,x\n",
        "utf-16 of half a letter.csv": lambda: "id,name\n1,x\n".encode("utf-16")[:-1],
        "utf-16 of lone halves.csv": lambda: (
            b"\xff\xfe" + "id,name\n1,".encode("utf-16-le") + b"\x00\xd8" * 50_000
        ),
        "utf-32 beyond its end.csv": lambda: (
            b"\xff\xfe\0\0" + "id\n".encode("utf-32-le") + b"\xff" * 40_000
        ),
        "utf-7.csv": lambda: b"id,name\n1,+AGEAYgBj-\n",
        "numbers of a million digits.csv": lambda: (
            b"id,amount\n1," + b"9" * MB + b"\n2,1e" + b"9" * MB + b"\n"
        ),
        "huge exponents.csv": lambda: b"id,amount\n1,1e999999999\n2,1e-999999999\n3,5\n",
        "10,000 columns of dates.jsonl": lambda: json.dumps(
            {"id": 1} | {f"d{n}": "2026-01-01" for n in range(10_000)}
        ).encode(),
        "long ids.csv": lambda: b"id,name\n" + (b"x" * 900_000 + b",y\n") * 20,
        "a page.csv": lambda: b"<html>" + b"<table>" * MB,
        "entities.xml": lambda: (
            b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "&b;&b;">]><x>&a;</x>'
        ),
        "nothing.csv": lambda: b"",
        "separators told twice.csv": lambda: b"sep=;\n" * 100_000,
        "titles.csv": lambda: b"#" * MB + b"\n" + b"a title\n" * 100_000,
        "tabs.tsv": lambda: b"id\tname\n" + b"\t" * (4 * MB),
        "escapes.csv": lambda: b"id,name\n1,\x1b[31m\x9b2J\n\x1b]0;x\x07,y\n",
    }


def _packed() -> dict[str, Callable[[], bytes]]:
    def zst(data: bytes) -> bytes:
        return bytes(pa.compress(data, codec="zstd", asbytes=True))

    rows = b"id,name\n" + b"1,x\n" * 3_000_000
    # what unpacks to less than 64 MB does no harm by its size, so its rows must not either
    short = b"id,name\n" + b"x" * 15 + b"\n" + b"1\n" * 1_900_000
    return {
        "zeros.csv.gz": lambda: gzip.compress(bytes(300 * MB), 1),
        "zeros.csv.zst": lambda: zst(bytes(100 * MB)),
        "3 million rows.csv.gz": lambda: gzip.compress(rows, 1),
        "3.9 million short rows.csv.gz": lambda: gzip.compress(
            b"id,amount\n" + b"1,2.50,x,y,z,123\n" * 3_900_000, 1
        ),
        "4 million rows of ids.csv.gz": lambda: gzip.compress(short * 2, 1),
        "packed twice.csv.gz": lambda: gzip.compress(gzip.compress(bytes(100 * MB), 9), 9),
        "100,000 parts.csv.gz": lambda: gzip.compress(b"") * 100_000 + gzip.compress(_CSV),
        "a long name.csv.gz": lambda: b"\x1f\x8b\x08\x08" + bytes(6) + b"x" * (4 * MB),
        "json of zeros.json.gz": lambda: gzip.compress(b"[" + b"0," * (30 * MB) + b"0]", 1),
        "json of brackets.json.gz": lambda: gzip.compress(b"[" * (60 * MB), 1),
        "a line without an end.jsonl.gz": lambda: gzip.compress(b'{"id": "' + b"x" * (60 * MB), 1),
        "endless lines.jsonl.zst": lambda: zst(b"{}\n" * (20 * MB)),
        "a header of gzip.csv.gz": lambda: b"\x1f\x8b\x08",
        "a header of zstd.csv.zst": lambda: b"\x28\xb5\x2f\xfd",
        "a window of 4 GB.csv.zst": lambda: b"\x28\xb5\x2f\xfd\xc0\xff" + b"\xff" * 64,
        "a wrong sum.csv.gz": lambda: gzip.compress(_CSV)[:-8] + bytes(8),
    }


def _jsons() -> dict[str, Callable[[], bytes]]:
    files: dict[str, Callable[[], bytes]] = {}
    for deep in (60, 200, 500, 900, 990, 2_000, 200_000):
        nest = b"[" * deep + b"]" * deep
        objects = b'{"a":' * deep + b"1" + b"}" * deep
        files |= {
            f"lists {deep:,} deep.jsonl": lambda nest=nest: (
                b'{"id":1,"x":%b}\n{"id":2,"x":1}\n' % nest
            ),  # type: ignore[misc]
            f"objects {deep:,} deep.jsonl": lambda objects=objects: b'{"id":1,"x":%b}\n' % objects,  # type: ignore[misc]
            f"lists {deep:,} deep.json": lambda nest=nest: b'[{"id":1,"x":%b}]' % nest,  # type: ignore[misc]
            f"objects {deep:,} deep.json": lambda objects=objects: objects,  # type: ignore[misc]
            f"properties {deep:,} deep.json": lambda deep=deep: (  # type: ignore[misc]
                b'[{"id":1,"properties":' * 1
                + b'{"properties":' * deep
                + b"1"
                + b"}" * deep
                + b"}]"
            ),
            f"results {deep:,} deep.json": lambda deep=deep: (  # type: ignore[misc]
                b'{"results":[' * deep + b'{"id":1}' + b"]}" * deep
            ),
            f"pages {deep:,} deep.json": lambda deep=deep: b'{"data":' * deep + b"1" + b"}" * deep,  # type: ignore[misc]
        }
    many = {f"k{n}": n for n in range(100_000)}
    return files | {
        "an integer of 5,000 digits.jsonl": lambda: b'{"id":1,"amount":' + b"9" * 5_000 + b"}\n",
        "an integer of a million digits.json": lambda: b'[{"id":1,"amount":' + b"9" * MB + b"}]",
        "a fraction of a million digits.jsonl": lambda: b'{"id":1,"amount":0.' + b"3" * MB + b"}\n",
        "huge exponents.jsonl": lambda: (
            b'{"id":1,"amount":1e999999999}\n{"id":2,"amount":-1e-999999999}\n'
        ),
        "exponents beyond all.jsonl": lambda: (
            b'{"id":1,"amount":1e' + b"9" * 30 + b'}\n{"id":2,"amount":5}\n'
        ),
        "micros of huge numbers.json": lambda: (
            b'[{"id":1,"amount":{"amountMicros":1e999999,"currencyCode":"EUR"}}]'
        ),
        "a list of numbers of 5,000 digits.jsonl": lambda: (
            b'{"id":1,"x":[' + b"9" * 5_000 + b"]}\n"
        ),
        "constants.jsonl": lambda: (
            b'{"id":1,"amount":NaN}\n{"id":2,"amount":-Infinity}\n{"id":NaN}\n'
        ),
        "100,000 keys.jsonl": lambda: json.dumps({"id": 1} | many).encode(),
        "100,000 keys.json": lambda: json.dumps([{"id": 1} | many]).encode(),
        "100,000 keys in an object.json": lambda: json.dumps(
            [{"id": 1, "properties": many}]
        ).encode(),
        "other keys in each row.jsonl": lambda: b"".join(
            b'{"id":%d,"k%d":1}\n' % (n, n) for n in range(50_000)
        ),
        "20 other keys in each row.jsonl": lambda: b"".join(
            b'{"id":%d,%b}\n' % (n, b",".join(b'"k%d":1' % (n * 20 + k) for k in range(20)))
            for n in range(20_000)
        ),
        "one key a hundred thousand times.jsonl": lambda: b'{"id":1' + b',"a":2' * 100_000 + b"}\n",
        "keys of 1 MB.jsonl": lambda: b'{"id":1,"' + b"k" * MB + b'":2}\n',
        "empty keys.jsonl": lambda: b'{"":1}\n{" ":2}\n' * 1_000,
        "lone halves.jsonl": lambda: b'{"id":"\\ud800","\\udfff":1}\n{"id":1}\n',
        "an id that is a list.jsonl": lambda: b'{"id":[[1]]}\n{"id":{"a":{}}}\n',
        "brackets.json": lambda: b"[" * (4 * MB),
        "braces.json": lambda: b"{" * (4 * MB),
        "commas.json": lambda: b"[" + b"," * (8 * MB) + b"]",
        "an open text.json": lambda: b'[{"id":"' + b"x" * (30 * MB),
        "an open list.json": lambda: b'[{"id":1,"x":[' + b"1," * (8 * MB),
        "an open number.json": lambda: b"[" + b"1" * (8 * MB),
        "empty objects.json": lambda: b"[" + b"{}," * MB + b"{}]",
        "numbers.jsonl": lambda: b"1\n" * 500_000,
        "lists of nothing.json": lambda: b"[" + b"[]," * MB + b"[]]",
        "answers in answers.json": lambda: (
            b'{"results":[' + b'{"results":[{"id":1}]},' * 10_000 + b"{}]}"
        ),
        "a million owners.json": lambda: json.dumps(
            {
                "deals": [{"id": 1, "owner_id": 1}],
                "users": [{"id": n, "name": "x"} for n in range(300_000)],
            }
        ).encode(),
        "a text of 20 MB.jsonl": lambda: json.dumps({"id": 1, "name": "x" * (20 * MB)}).encode(),
    }


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


_HEAD = f'<row r="1">{text_cell("A1", "id")}{text_cell("B1", "name")}</row>'


def _workbooks() -> dict[str, Callable[[], bytes]]:
    def two(far: str, row: int | None = None) -> Callable[[], bytes]:
        number = row or int("".join(filter(str.isdigit, far)))
        return lambda: workbook(
            f'<sheetData>{_HEAD}<row r="{number}"><c r="{far}"><v>1</v></c></row></sheetData>'
        )

    files = {
        f"a cell at {far}.xlsx": two(far)
        for far in (
            "XFD1048576", "XFD4096", "XFD2", "A1048576", "C1048576", "Z1048576", "IV65536", "ZZZZ9999999",
            "A4294967295", "A4294967296", "A18446744073709551615", "SR100000", "FXSHRXX1",
        )
    }  # fmt: skip
    head = _HEAD

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


def _archives() -> dict[str, Callable[[], bytes]]:
    good = workbook(
        f'<sheetData>{_HEAD}<row r="2">{text_cell("A2", "1")}{text_cell("B2", "x")}</row></sheetData>'
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


def parquet(table: Any, **options: Any) -> bytes:
    """A Parquet file."""
    file = io.BytesIO()
    pyarrow.parquet.write_table(table, file, **{"compression": "zstd", **options})
    return file.getvalue()


def arrow(table: Any, compression: str | None = "zstd") -> bytes:
    """An Arrow file."""
    file = io.BytesIO()
    with pyarrow.ipc.new_file(
        file, table.schema, options=pyarrow.ipc.IpcWriteOptions(compression=compression)
    ) as writer:
        writer.write_table(table)
    return file.getvalue()


def _tables() -> dict[str, Callable[[], Any]]:
    def repeated(size: int, rows: int) -> Any:
        index = pa.array([0] * rows, pa.int32())
        texts = pa.DictionaryArray.from_arrays(index, pa.array(["x" * size]))
        return pa.table({"id": pa.array(map(str, range(rows))), "name": texts})

    def nested(deep: int) -> Any:
        value = pa.array([1])
        for _ in range(deep):
            value = pa.StructArray.from_arrays([value], ["a"])
        return pa.table({"id": ["1"], "x": value})

    def lists(deep: int) -> Any:
        value = pa.array([1])
        for _ in range(deep):
            value = pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), value)
        return pa.table({"id": ["1"], "x": value})

    big = pa.large_string()
    return {
        "2,000 rows of 5 MB": lambda: repeated(5 * MB, 2_000),
        "2,000 rows of 500 kB": lambda: repeated(500_000, 2_000),
        "200,000 rows of 20 kB": lambda: repeated(20_000, 200_000),
        "a cell of 50 MB": lambda: pa.table({"id": ["1"], "name": pa.array(["x" * (50 * MB)], big)}),
        "a cell of bytes of 50 MB": lambda: pa.table({"id": ["1"], "name": pa.array([bytes(50 * MB)])}),
        "400 MB of zeros": lambda: pa.table({"id": ["1"] * 200, "name": pa.array(["\0" * (2 * MB)] * 200, big)}),
        "100 MB of numbers": lambda: pa.table({"id": pa.array([0] * (12 * MB), pa.int64())}),
        "20 million nulls": lambda: pa.table({"id": pa.nulls(20_000_000, pa.string())}),
        "20 million nulls of no type": lambda: pa.table({"id": pa.nulls(20_000_000)}),
        "a list of 20 million numbers": lambda: pa.table({"id": ["1"], "x": pa.array([[0] * 20_000_000], pa.list_(pa.int8()))}),
        "lists of 10,000 lists": lambda: pa.table({"id": ["1"] * 100, "x": pa.array([[[0] * 100] * 100] * 100)}),
        "20,000 columns": lambda: pa.table({f"c{n}": ["1"] for n in range(20_000)}),
        "4,000 columns": lambda: pa.table({"id": ["1"]} | {f"c{n}": ["1"] for n in range(4_000)}),
        "objects 60 deep": lambda: nested(60),
        
        "lists 50 deep": lambda: lists(50),
        "names that are one": lambda: pa.Table.from_arrays([pa.array(["1"])] * 3, ["id", "id", "id"]),
        "a name of 5 MB": lambda: pa.table({"id": ["1"], "x" * (5 * MB): ["1"]}),
        "no columns": lambda: pa.table({}),
        "no rows": lambda: pa.table({"id": pa.array([], pa.string())}),
        "dates beyond the calendar": lambda: pa.table({"id": ["1"], "closed": pa.array([2**31 - 1], pa.int32()).cast(pa.date32())}),
        "moments beyond the calendar": lambda: pa.table({"id": ["1"], "at": pa.array([2**50], pa.int64()).cast(pa.timestamp("ms"))}),
        "infinite numbers": lambda: pa.table({"id": ["1", "2"], "amount": [float("inf"), float("nan")]}),
        "bytes": lambda: pa.table({"id": ["1"], "x": pa.array([b"\xff\xfe"], pa.binary())}),
    }  # fmt: skip


def _columnars() -> dict[str, Callable[[], bytes]]:
    files: dict[str, Callable[[], bytes]] = {}
    for name, table in _tables().items():
        files[f"{name}.parquet"] = lambda table=table: parquet(table())  # type: ignore[misc]
        files[f"{name}.arrow"] = lambda table=table: arrow(table())  # type: ignore[misc]
    small = pa.table({"id": ["1", "2"], "name": ["a", "b"]})
    good = parquet(small)
    return files | {
        "a footer of 4 GB.parquet": lambda: good[:-8] + b"\xff\xff\xff\xff" + b"PAR1",
        "a footer of nothing.parquet": lambda: good[:-8] + b"\0\0\0\0" + b"PAR1",
        "a footer of the whole.parquet": lambda: good[:-8] + struct.pack("<I", len(good) - 8) + b"PAR1",
        "a footer of ones.parquet": lambda: b"PAR1" + b"\xff" * 1_000 + struct.pack("<I", 1_000) + b"PAR1",
        "a footer of zeros.parquet": lambda: b"PAR1" + bytes(1_000) + struct.pack("<I", 1_000) + b"PAR1",
        "a footer of lists.parquet": lambda: b"PAR1" + b"\x19\xfc\xff\xff\xff\xff\x0f" * 100 + struct.pack("<I", 700) + b"PAR1",
        "a footer of depth.parquet": lambda: b"PAR1" + b"\x1c" * 100_000 + struct.pack("<I", 100_000) + b"PAR1",
        "many rows said.parquet": lambda: _more_rows(good),
        "encrypted.parquet": lambda: b"PARE" + bytes(100) + struct.pack("<I", 90) + b"PARE",
        "marks only.parquet": lambda: b"PAR1PAR1",
        "a million row groups.parquet": lambda: parquet(pa.table({"id": list(map(str, range(3_000)))}), row_group_size=1),
        "a mark only.arrow": lambda: b"ARROW1\0\0",
        "a stream.arrow": lambda: b"\xff\xff\xff\xff" + struct.pack("<i", 2**31 - 1) + bytes(100),
        "a footer of 2 GB.arrow": lambda: arrow(small)[:-10] + struct.pack("<i", 2**31 - 1) + b"ARROW1",
        "a footer below zero.arrow": lambda: arrow(small)[:-10] + struct.pack("<i", -5) + b"ARROW1",
        "lz4 of zeros.arrow": lambda: arrow(_tables()["400 MB of zeros"](), "lz4"),
        "orc.orc": lambda: b"ORC" + bytes(100),
        "avro.avro": lambda: b"Obj\x01" + bytes(100),
        "snappy of zeros.parquet": lambda: parquet(_tables()["400 MB of zeros"](), compression="snappy"),
        "gzip of zeros.parquet": lambda: parquet(_tables()["400 MB of zeros"](), compression="gzip", use_dictionary=False),
        "brotli of zeros.parquet": lambda: parquet(_tables()["400 MB of zeros"](), compression="brotli", use_dictionary=False),
        "delta of one number.parquet": lambda: parquet(
            pa.table({"id": pa.array(range(10_000_000))}), use_dictionary=False, column_encoding={"id": "DELTA_BINARY_PACKED"}
        ),
        "delta of one text.parquet": lambda: parquet(
            pa.table({"id": ["1"] * 3_000, "name": ["x" * 300_000] * 3_000}),
            use_dictionary=False,
            column_encoding={"id": "PLAIN", "name": "DELTA_BYTE_ARRAY"},
        ),
    }  # fmt: skip


def _more_rows(good: bytes) -> bytes:
    """Its number of rows, said to be much larger: 2 as a zigzag number of one byte follows the list of columns."""
    start = len(good) - 8 - struct.unpack("<I", good[-8:-4])[0]
    footer = good[start:-8]
    place = footer.find(b"\x16\x04")
    footer = footer[: place + 1] + b"\xfe\xff\xff\xff\xff\x7f" + footer[place + 2 :]
    return good[:start] + footer + struct.pack("<I", len(footer)) + b"PAR1"


def _damaged() -> Iterator[EvilFile]:
    """Whole files that were cut, or have some other bytes in them."""
    table = pa.table({"id": [str(n) for n in range(300)], "name": ["x" * n for n in range(300)]})
    whole: dict[str, bytes] = {
        "csv": _CSV,
        "csv.gz": gzip.compress(_CSV),
        "csv.zst": bytes(pa.compress(_CSV, codec="zstd", asbytes=True)),
        "json": json.dumps([{"id": n, "name": "x", "tags": ["a"]} for n in range(300)]).encode(),
        "jsonl": b'{"id": 1, "name": "x", "amount": 5.5}\n' * 300,
        "parquet": parquet(table),
        "arrow": arrow(table),
        "xlsx": workbook(
            f"<sheetData>{_HEAD}"
            + "".join(f'<row r="{n}">{text_cell(f"A{n}", str(n))}{text_cell(f"B{n}", "x")}</row>' for n in range(2, 200))
            + "</sheetData>"
        ),
    }  # fmt: skip
    for kind, data in whole.items():
        for share in (25, 60, 99):
            yield EvilFile(
                f"{share} % of it.{kind}",
                lambda data=data, share=share: data[: len(data) * share // 100],
            )  # type: ignore[misc]
        for seed in range(8):
            yield EvilFile(
                f"damage {seed}.{kind}", lambda data=data, seed=seed: _changed(data, seed)
            )  # type: ignore[misc]


def _changed(data: bytes, seed: int) -> bytes:
    chance = random.Random(seed)
    found = bytearray(data)
    for _ in range(1 + seed * 3):
        found[chance.randrange(len(found))] = chance.choice(
            (0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256))
        )
    return bytes(found)
