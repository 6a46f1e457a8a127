"""
Delimited text split into records, carefully: every row of the file is either a row or a reject.

This is the slow road, taken for blocks in which the fast one (``csv_files``) sees anything unusual.
A record that can't be read costs its first line only: reading continues at the next line, so that an
unclosed quote never swallows the rows after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from dealdb.loader.chunk import Reject, RowPlace

# records of a block that are split at once: a byte or two may be a row, and each costs some hundred here
MOST_RECORDS = 20_000
# far more than a table has columns
MOST_CELLS = 10_000
# lines without anything in them
_BLANK = re.compile(rb"(?:[ \t]*+\r?\n)++")
# a quoted cell that is still open after this many bytes is an unclosed quote
MAX_RECORD_BYTES = 1024 * 1024


@dataclass(slots=True)
class Split:
    """
    What a block of text was split into.

    Attributes
    ----------
    rows
        Cells of each good record.
    spans
        For each good record its line, and where it begins and ends in the block.
    rejects
        What could not be split.
    consumed
        Bytes of the block that were used; the rest is the beginning of a record that continues, where ``is_full`` is
        false.
    lines
        Line ends in the consumed part.
    is_full
        Whether there may be more records in the rest.
    """

    rows: list[list[str]] = field(default_factory=list)
    spans: list[tuple[int, int, int]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    consumed: int = 0
    lines: int = 0
    is_full: bool = False


class Dialect:
    r"""
    How cells and rows are told apart.

    Parameters
    ----------
    delimiter
        The one byte between two cells.

    Examples
    --------
    >>> Dialect(b",").split(b'1,"a, b"\n2,c\n', width=2).rows
    [['1', 'a, b'], ['2', 'c']]
    """

    def __init__(self, delimiter: bytes) -> None:
        self.delimiter = delimiter
        edge = re.escape(delimiter)
        # a quote inside an unquoted cell is a character like any other: 12" disc
        bare = rb'(?:[^"\r\n%b][^\r\n%b]*+)?' % (edge, edge)
        # some programs write a blank between separator and quote
        blank = rb' ++"(?:[^"\r\n]++|"")*+" *+(?=%b|\r?\n|\r?\Z)' % edge
        quoted_before_blank = rb'"(?:[^"]++|"")*+"(?: ++(?=%b|\r?\n|\r?\Z))?' % edge
        cell = rb"(?:%b|%b|%b)" % (quoted_before_blank, blank, bare)
        # each repetition takes memory while it is matched
        times = b"{0,%d}+" % MOST_CELLS
        self._record = re.compile(rb"%b(?:%b%b)%b(?=\r?\n|\r?\Z)" % (cell, edge, cell, times))
        self._unclosed = re.compile(rb'(?:%b%b)%b"(?:[^"]++|"")*+"?\Z' % (cell, edge, times))
        self._cell = re.compile(rb"(%b)(?:%b|\Z)" % (cell, edge))
        # every quoted cell of a block that keeps to RFC 4180; what is left then has no quotes
        self._regular = re.compile(rb'"(?<![^%b\n]")(?:[^"]++|"")*+"(?![^%b\r\n])' % (edge, edge))

    def skeleton(self, block: bytes) -> bytes | None:
        """Block without its quoted cells: only what separates is left. None if a quote is not that of a whole cell."""
        if b'"' not in block:
            return block
        rest = self._regular.sub(b"", block)
        return None if b'"' in rest else rest

    def split(
        self,
        block: bytes,
        *,
        width: int | None,
        line: int = 1,
        final: bool = True,
        most: int | None = None,
        first_offset: int | None = 0,
    ) -> Split:
        """
        Records of a block.

        Parameters
        ----------
        block
            UTF-8 text that begins at the beginning of a record.
        width
            Cells that a record must have, or None for any number.
        line
            Number of the first line.
        final
            Whether the block ends where the file does.
        most
            Records after which it stops, or None.
        first_offset
            Byte of the file where the block begins, or None where nobody knows.
        """
        split = Split()
        position = 0
        while position < len(block):
            if most is not None and len(split.spans) + len(split.rejects) >= most:
                split.is_full = True
                break
            end, row, fault = self._next(block, position, width, final=final)
            if end is None:
                break
            if fault:
                offset = None if first_offset is None else first_offset + position
                split.rejects.append(fault.reject(line, offset))
            elif row is not None:
                split.rows.append(row)
                split.spans.append((line, position, end))
            ends = block.count(b"\n", position, end)
            line, split.lines, position = line + ends, split.lines + ends, end
        split.consumed = position
        return split

    def _next(
        self, block: bytes, start: int, width: int | None, *, final: bool
    ) -> tuple[int | None, list[str] | None, _Fault | None]:
        """End of the record at ``start`` (None: it continues after the block), its cells (None: blank), its fault."""
        if blank := _BLANK.match(block, start):
            return blank.end(), None, None
        found = self._record.match(block, start)
        if found is None:
            open_end = not final and self._unclosed.match(block, start)
            if open_end and len(block) - start < MAX_RECORD_BYTES:
                return None, None, None
            end = _line_end(block, start)
            raw = block[start:end]
            if raw.count(self.delimiter) > MOST_CELLS:
                return end, None, _Fault(raw, "columns", f"at most {MOST_CELLS:,} cells")
            return (
                end,
                None,
                _Fault(raw, "quotes", "quotes that are closed by the end of their cell"),
            )
        end = _line_end(block, found.end())
        raw = block[start : found.end()]
        if not raw.strip():
            return end, None, None
        # a record of several lines that is wrong was most likely opened by a stray quote
        first_end = _line_end(block, start)
        first = block[start:first_end]
        if b"\0" in raw:
            return first_end, None, _Fault(first, "nul", "text without NUL bytes")
        try:
            row = self._texts(raw)
        except UnicodeDecodeError:
            return first_end, None, _Fault(first, "encoding", "text in UTF-8")
        if width is not None and len(row) != width:
            return first_end, None, _Fault(first, "columns", f"{width} cells, found {len(row)}")
        return end, row, None

    def _texts(self, record: bytes) -> list[str]:
        if b'"' not in record:
            return record.decode().split(self.delimiter.decode())
        return [_unquoted(cell) for cell in self.cells(record)]

    def cells(self, record: bytes) -> Iterator[bytes]:
        """Cells of one record, with their quotes."""
        for found in self._cell.finditer(record):
            yield found[1]
            if found.end() == len(record) and not found[0].endswith(self.delimiter):
                return


def located(
    block: bytes,
    spans: Sequence[tuple[int, int, int]],
    rows: Sequence[int],
    first_offset: int | None,
) -> list[RowPlace]:
    """Places of rows of a block, whose spans are lines with their begin and end in it."""
    return [
        RowPlace(
            line,
            block[start:end].decode().rstrip("\r\n"),
            None if first_offset is None else first_offset + start,
        )
        for line, start, end in (spans[row] for row in rows)
    ]


class _Fault(NamedTuple):
    """Why a record can't be split: its first line, and what the rejects file says."""

    raw: bytes
    code: str
    expected: str

    def reject(self, line: int, offset: int | None) -> Reject:
        text = self.raw.decode(errors="backslashreplace").rstrip("\r\n")
        message = f"expected {self.expected}"
        return Reject(line=line, code=self.code, message=message, raw=text, offset=offset)


_QUOTED = re.compile(rb'"(?:[^"\r\n]++|"")*+"')


def _line_end(block: bytes, start: int) -> int:
    end = block.find(b"\n", start)
    return len(block) if end < 0 else end + 1


def _unquoted(cell: bytes) -> str:
    bare = cell.strip(b" ") if cell.lstrip(b" ")[:1] == b'"' else cell
    if bare[:1] == b'"' and (cell[:1] == b'"' or _QUOTED.fullmatch(bare)):
        cell = bare[1:-1].replace(b'""', b'"')
    return cell.decode()
