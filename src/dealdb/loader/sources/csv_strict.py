"""
Delimited text split into records, carefully: every row of the file is either a row or a reject.

This is the slow road, taken for blocks in which the fast one (``csv_files``) sees anything unusual.
A record that can't be read costs its first line only: reading continues at the next line, so that an
unclosed quote never swallows the rows after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from dealdb.loader.chunk import Reject

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
        What could not be split; their offsets are in the block.
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
        """
        split = Split()
        position = 0
        while position < len(block):
            if most is not None and len(split.spans) + len(split.rejects) >= most:
                split.is_full = True
                break
            end, row, reject = self._next(block, position, width, line, final=final)
            if end is None:
                break
            if reject:
                split.rejects.append(replace(reject, offset=position))
            elif row is not None:
                split.rows.append(row)
                split.spans.append((line, position, end))
            ends = block.count(b"\n", position, end)
            line, split.lines, position = line + ends, split.lines + ends, end
        split.consumed = position
        return split

    def _next(
        self, block: bytes, start: int, width: int | None, line: int, *, final: bool
    ) -> tuple[int | None, list[str] | None, Reject | None]:
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
                return end, None, _reject(raw, line, "columns", f"at most {MOST_CELLS:,} cells")
            expected = "quotes that are closed by the end of their cell"
            return end, None, _reject(raw, line, "quotes", expected)
        end = _line_end(block, found.end())
        raw = block[start : found.end()]
        if not raw.strip():
            return end, None, None
        problem = self._problem(raw, width, line)
        if problem:
            # a record of several lines that is wrong was most likely opened by a stray quote
            return _line_end(block, start), None, problem
        return end, [_unquoted(cell) for cell in self.cells(raw)], None

    def cells(self, record: bytes) -> Iterator[bytes]:
        """Cells of one record, with their quotes."""
        for found in self._cell.finditer(record):
            yield found[1]
            if found.end() == len(record) and not found[0].endswith(self.delimiter):
                return

    def _problem(self, raw: bytes, width: int | None, line: int) -> Reject | None:
        if b"\0" in raw:
            return _reject(_first_line(raw), line, "nul", "text without NUL bytes")
        try:
            raw.decode()
        except UnicodeDecodeError:
            return _reject(_first_line(raw), line, "encoding", "text in UTF-8")
        n_cells = sum(1 for _ in self.cells(raw))
        if width is None or n_cells == width:
            return None
        return _reject(_first_line(raw), line, "columns", f"{width} cells, found {n_cells}")


_QUOTED = re.compile(rb'"(?:[^"\r\n]++|"")*+"')


def _line_end(block: bytes, start: int) -> int:
    end = block.find(b"\n", start)
    return len(block) if end < 0 else end + 1


def _first_line(raw: bytes) -> bytes:
    return raw.split(b"\n", 1)[0]


def _unquoted(cell: bytes) -> str:
    bare = cell.strip(b" ") if cell.lstrip(b" ")[:1] == b'"' else cell
    if bare[:1] == b'"' and (cell[:1] == b'"' or _QUOTED.fullmatch(bare)):
        cell = bare[1:-1].replace(b'""', b'"')
    return cell.decode()


def _reject(raw: bytes, line: int, code: str, expected: str) -> Reject:
    text = raw.decode(errors="backslashreplace").rstrip("\r\n")
    return Reject(line=line, code=code, message=f"expected {expected}", raw=text)
