"""
What a workbook would take in memory: looked at in its XML, part by part, before a library opens it.

A library makes room for all cells between the first and the last one, and for each text as often as cells show it; two
cells, or one text, in a file of a few kilobytes can be gigabytes.
"""

from __future__ import annotations

import re
import zlib
from array import array
from collections.abc import Iterator
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from dealdb.errors import LoadError
from dealdb.loader.chunk import MAX_CELL_BYTES, MAX_COLUMNS
from dealdb.loader.sources.text_file import BLOCK_BYTES, check_expansion, may_unpack_to

# a workbook has some hundred parts, a sheet one of them
_MOST_PARTS = 10_000
_MOST_SHEETS = 1_000
# cells that any sheet may have room for, and of the expansion that is allowed the part that cells may be of: 2 a byte
_HARMLESS_CELLS = 1_000_000
_CELLS_A_SHARE = 100
# a tag of a sheet has some hundred bytes
_MOST_OF_A_TAG = 1024 * 1024
_MOST_STYLES = 200_000
# with what is around it, in a block that has more
_MOST_OF_A_TEXT = 2 * MAX_CELL_BYTES + 2 * BLOCK_BYTES
_ODS = "an ODS workbook: save it as XLSX or CSV"
_OF_TWO_BYTES = (b"\xff\xfe<\0", b"\xfe\xff\0<", b"<\0?\0", b"\0<\0?")

# as nearly all programs write a cell, and whether there is nothing in it
_USUAL = re.compile(rb'<c r="([A-Z]{1,3})([0-9]{1,7})"[^>/]*+(/?)>')
_ANY = re.compile(
    rb"""<(?:\w+:)?(?:c|row)\s(?:[^>]*?\s)?r\s*=\s*["']\s*([A-Za-z]*)([0-9]+)[^>]*+(?<!/)>"""
)
_CELL = re.compile(rb"<(?:\w+:)?c[\s/>]")
_ROW = re.compile(rb"<(?:\w+:)?row\b")
_IS_SHARED = re.compile(rb"""\st\s*=\s*["']s["']""")
_SHARED = re.compile(
    rb"""<(?:\w+:)?c\s[^>]*?\bt\s*=\s*["']s["'][^>]*>\s*(?:<(?:\w+:)?f\b.*?(?:/>|</(?:\w+:)?f>)\s*)?<(?:\w+:)?v[^>]*>\s*([0-9]+)""",
    re.DOTALL,
)
_SHEET = re.compile(rb"<(?:\w+:)?sheet\s")
_TEXT = re.compile(rb"<(?:\w+:)?si\b")


def check_workbook(path: Path, name: str, most: int) -> None:
    """
    Refuse a workbook that takes far more than its size.

    Parameters
    ----------
    path, name
        The file, and what messages call it.
    most
        Times its size that it may have unpacked.

    Raises
    ------
    LoadError
        If it is none, or its parts, cells or texts are too many or too long.
    """
    # the sizes that an archive gives for its parts need not be true
    try:
        with ZipFile(path) as archive:
            _check_names(archive, name)
            seen = _Seen(name, path.stat().st_size, most)
            for part in archive.infolist():
                seen.begin(part.filename)
                with archive.open(part) as stream:
                    while block := stream.read(BLOCK_BYTES):
                        seen.add(block)
                seen.end()
            if not seen.texts_fit(seen.n_shared * max(seen.lengths, default=0)):
                seen.check_texts(_shared_indexes(archive))
    # of the archive, of how a part is packed, of its bytes, of a password that it wants, of an end that is missing
    except (
        BadZipFile,
        NotImplementedError,
        zlib.error,
        RuntimeError,
        EOFError,
        ValueError,
    ) as problem:
        if isinstance(problem, LoadError):
            raise
        msg = f"{name} can't be read as an XLSX workbook: {str(problem).splitlines()[0] if str(problem) else 'damaged'}"
        raise LoadError(msg) from problem


def _check_names(archive: ZipFile, name: str) -> None:
    parts = archive.namelist()
    if len(parts) > _MOST_PARTS:
        msg = f"{name} has {len(parts):,} parts; a workbook has at most {_MOST_PARTS:,}"
        raise LoadError(msg)
    if len(set(parts)) < len(parts):
        msg = f"{name} has two parts of one name, as no workbook has; save it with a spreadsheet"
        raise LoadError(msg)
    if "xl/workbook.bin" in parts:
        msg = f"{name} is an XLSB workbook: save it as XLSX or CSV"
        raise LoadError(msg)
    if not any(part.startswith("xl/") for part in parts):
        is_open = "content.xml" in parts or "mimetype" in parts
        what = "a zip archive: unpack it, and load the file in it"
        msg = f"{name} is {_ODS if is_open else what}"
        raise LoadError(msg)


class _Seen:
    """What the parts of a workbook have in them, as far as they were read."""

    def __init__(self, name: str, packed: int, most: int) -> None:
        self._name, self._packed, self._most = name, packed, most
        self._unpacked = 0
        self.n_shared = 0
        # of each text that cells share, in bytes of XML
        self.lengths = array("Q")

    def begin(self, part: str) -> None:
        """Go on to another part."""
        self._part = part
        self._rest, self._text, self._is_begun, self._has_texts = b"", b"", False, False
        self._columns: set[int] = set()
        self._rows: set[int] = set()
        self._n_cells = self._n_rows = self._in_row = self._n_sheets = self._n_styles = 0

    def add(self, block: bytes) -> None:
        """Look at some more of the part."""
        self._unpacked += len(block)
        check_expansion(self._name, self._unpacked, self._packed, self._most)
        if not self._is_begun and block.startswith(_OF_TWO_BYTES):
            self._refuse("is not text in UTF-8")
        self._is_begun = True
        text = self._rest + block
        cut = text.rfind(b"<")
        self._rest = text[cut:] if cut >= 0 and b">" not in text[cut:] else b""
        if len(self._rest) > _MOST_OF_A_TAG:
            self._refuse("has a tag without an end")
        text = text[: len(text) - len(self._rest)]
        self._look(text)
        self._measure(text)

    def end(self) -> None:
        """The part ends here."""
        if self._has_texts:
            self.lengths.append(len(self._text))
        self._check_extent()

    def texts_fit(self, n_bytes: int) -> bool:
        """Whether the texts of all cells may take so much."""
        return may_unpack_to(n_bytes, self._packed, self._most)

    def check_texts(self, indexes: Iterator[list[bytes]]) -> None:
        """Refuse texts that are long and shown often, by the numbers of those that are shown."""
        total = n_found = 0
        for some in indexes:
            n_found += len(some)
            total += sum(
                self.lengths[int(each)]
                for each in some
                if len(each) < 10 and int(each) < len(self.lengths)
            )
            if not self.texts_fit(total):
                break
        total += max(0, self.n_shared - n_found) * max(self.lengths)
        if not self.texts_fit(total):
            msg = (
                f"{self._name} shows its texts so often that they come to more than {self._most} times its size of "
                f"{self._packed:,} bytes, as those of no table do: if you trust it, raise max_expansion"
            )
            raise LoadError(msg)

    def _look(self, text: bytes) -> None:
        found = _USUAL.findall(text)
        # no tag is as short as that of a cell, but for a few of other parts
        n_tags = len(found)
        if n_tags != text.count(b"<c ") or b":c" in text or b"<c>" in text or b"<c/" in text:
            n_tags = len(_CELL.findall(text))
        if n_tags > len(found):
            self._look_closely(text)
        elif found:
            if b"/>" in text:
                found = [each for each in found if not each[2]]
            self._take(found)
            self._n_cells += len(found)
        if n_tags:
            self.n_shared += text.count(b't="s"')
            return
        self._n_sheets += len(_SHEET.findall(text)) if b"sheetId" in text else 0
        self._n_styles += text.count(b"<xf") + text.count(b"<numFmt") + text.count(b":xf")
        if self._n_sheets > _MOST_SHEETS:
            self._refuse(f"has more than {_MOST_SHEETS:,} sheets")
        if self._n_styles > _MOST_STYLES:
            self._refuse(f"has more than {_MOST_STYLES:,} styles")

    def _look_closely(self, text: bytes) -> None:
        """Cells that are written in another way, or don't say where they are: those come after one another."""
        self._take(_ANY.findall(text))
        self.n_shared += max(0, len(_IS_SHARED.findall(text)) - text.count(b't="s"'))
        in_rows = [len(_CELL.findall(row)) for row in _ROW.split(text)]
        self._n_cells += sum(in_rows)
        self._n_rows += len(in_rows) - 1
        in_rows[0] += self._in_row
        self._in_row = in_rows[-1]
        self._columns |= {1, max(in_rows)}
        self._rows |= {1, max(self._n_rows, 1)}

    def _take(self, found: list[tuple[bytes, ...]]) -> None:
        columns, rows, *_ = zip(*found, strict=True) if found else ((), ())
        self._columns.update(map(_number, set(columns)))
        self._rows.update(int(row[:20]) for row in set(rows))
        if len(self._rows) > 1:
            self._rows = {min(self._rows), max(self._rows)}
        if len(self._columns) > 1:
            self._columns = {min(self._columns), max(self._columns)}

    def _check_extent(self) -> None:
        columns, rows = self._columns - {0}, self._rows
        width = max(columns) - min(columns) + 1 if columns else 1
        height = max(rows) - min(rows) + 1 if rows else 1
        room = max(_HARMLESS_CELLS, self._most * self._packed // _CELLS_A_SHARE)
        if width > MAX_COLUMNS and self._n_cells:
            self._refuse(
                f"has {width:,} columns from its first cell to its last; a table has at most {MAX_COLUMNS:,}: "
                "delete what is far from the table"
            )
        if max(width * height, self._n_cells) > room:
            self._refuse(
                f"has {width:,} columns and {height:,} rows from its first cell to its last, more than so small a file "
                "holds: delete what is far from the table, or save it as CSV; if you trust it, raise max_expansion"
            )

    def _measure(self, text: bytes) -> None:
        """Lengths of the texts that cells share."""
        if not self._has_texts and b"<si" not in text and b":si" not in text:
            return
        *whole, self._text = _TEXT.split(self._text + text)
        if not whole and not self._has_texts:
            self._text = b""
            return
        # what stands before the first one is none
        first = 0 if self._has_texts else 1
        self._has_texts = True
        self.lengths.extend(map(len, whole[first:]))
        if max((*map(len, whole), len(self._text))) > _MOST_OF_A_TEXT:
            self._refuse(f"has a text of more than {MAX_CELL_BYTES >> 20} MB in a cell")

    def _refuse(self, what: str) -> None:
        msg = f"{self._name} can't be loaded: its part {self._part[:80]!r} {what}"
        raise LoadError(msg)


def _shared_indexes(archive: ZipFile) -> Iterator[list[bytes]]:
    """Numbers of the texts that cells show."""
    for part in archive.infolist():
        rest = b""
        with archive.open(part) as stream:
            while block := stream.read(BLOCK_BYTES):
                text = rest + block
                cut = max(text.rfind(b"<c "), text.rfind(b":c "), len(text) - BLOCK_BYTES)
                rest = text[cut:]
                yield _SHARED.findall(text[:cut])
        yield _SHARED.findall(rest)


def _number(column: bytes) -> int:
    """Number of a column that is named by letters."""
    number = 0
    for letter in column.upper()[:12]:
        number = number * 26 + letter - ord("A") + 1
    return number
