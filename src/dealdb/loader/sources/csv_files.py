"""
CSV and its relatives.

Blocks of the file go to Polars' parser, and what comes back is counted against the bytes that went in:
Polars pads a short row with nulls without a word. A block that is unusual in any way (ragged rows, blank
lines, quotes inside cells, NUL bytes, damaged UTF-8) goes through ``carefully`` instead, one record at a time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import polars as pl

from dealdb.engines import is_interrupt
from dealdb.errors import LoadError
from dealdb.formats.formulas import WriterMark, mark_of, undefused
from dealdb.loader.chunk import MAX_COLUMNS, Chunk, RowPlace, marked
from dealdb.loader.sources.csv_strict import MOST_CELLS, MOST_RECORDS, Dialect, Split, located
from dealdb.loader.sources.table_start import (
    DELIMITERS,
    MOST_ABOVE,
    extra_cells,
    header_place,
    sniff_delimiter,
)
from dealdb.loader.sources.text_file import ByteStream, check_row, check_rows
from dealdb.model.schema import FieldType

# a line end in a quoted cell may be the last of the block: how many to step back before giving up
_MAX_STEPS_BACK = 1000
# some hundred rows: enough to compare delimiters
_SNIFF_BYTES = 16 * 1024
# 512 fields with the longest of names have less
_MAX_HEADER_BYTES = 512 * 1024
# the line that says which character separates the cells, for Excel
_TOLD = re.compile(rb'"?sep=([,;|\t])"?\r?\n', re.IGNORECASE)


class _Used(NamedTuple):
    """How far a block was read: bytes, the line that comes next, and how many chunks there were."""

    end: int
    line: int
    n_chunks: int


class DelimitedSource:
    """
    Rows of a CSV or TSV file.

    Parameters
    ----------
    stream
        The text.
    delimiter
        One character, or None to find it out.
    null
        Cell that stands for nothing, or None for an empty one and ``NULL``.
    id_names
        Headers that are ids besides the usual ones.

    Raises
    ------
    LoadError
        If the text is empty, or its names of columns can't be read.
    """

    repeatable = True
    rows_total = None

    def __init__(
        self,
        stream: ByteStream,
        delimiter: str | None = None,
        null: str | None = None,
        id_names: Collection[str] | None = (),
    ) -> None:
        # a delimited file has no other way to write "nothing"; databases export NULL in capitals
        self._nulls = ["", "NULL"] if null is None else [null]
        self.name = stream.name
        self.bytes_total = stream.bytes_total
        self._stream = stream
        sample = stream.sample(_MAX_HEADER_BYTES)
        # old programs of the Mac end their lines so
        self._only_returns = b"\r" in sample and b"\n" not in sample
        if self._only_returns:
            sample = sample.replace(b"\r", b"\n")
        # a text file of Windows, into which a program wrote the line ends of Windows
        self._doubled_returns = sample[: sample.find(b"\n") + 1].endswith(b"\r\r\n")
        if self._doubled_returns:
            sample = sample.replace(b"\r\r\n", b"\r\n")
        told = _TOLD.match(sample)
        self._header_start = told.end() if told else 0
        if told:
            delimiter = delimiter or told[1].decode()
        self.delimiter = delimiter or sniff_delimiter(sample[:_SNIFF_BYTES])
        self._dialect = Dialect(self.delimiter.encode())
        self.format = "tsv" if self.delimiter == "\t" else "csv"
        self.notes: list[str] = []
        self._read_header(sample, id_names)

    def chunks(self) -> Iterator[Chunk]:
        """Rows of the file, a block at a time."""
        line, rest, done, in_header, empty = 1, b"", 0, True, True
        self._n_rows = 0
        # where the rest begins in the text
        at = 0
        for block, done in self._blocks():
            rest += block
            check_row(self.name, line, rest[: -len(block)])
            if in_header and len(rest) < self._header_end:
                continue
            if in_header:
                line, rest, in_header = self._header_line, rest[self._header_end :], False
                at = self._header_end
            used = yield from self._parsed(rest, line, at, done, final=False)
            empty, line, rest, at = (
                empty and not used.n_chunks,
                used.line,
                rest[used.end :],
                at + used.end,
            )
        if rest:
            used = yield from self._parsed(rest, line, at, done, final=True)
            empty = empty and not used.n_chunks
        if empty:
            # what the columns are is asked of a table without rows too
            yield Chunk(frame=self._slow_frame(Split()), locate=lambda _: [], bytes_done=done)

    def _too_wide(self, n_columns: str) -> LoadError:
        return LoadError(
            f"{self.name} has {n_columns} columns; a table has at most {MAX_COLUMNS:,}: is it what its name says?"
        )

    def _parsed(
        self, block: bytes, line: int, at: int, done: int, *, final: bool
    ) -> Generator[Chunk, None, _Used]:
        """Chunks of the complete records of a block that begins there in the text."""
        end = len(block) if final else _last_record_end(block)
        frame = self._fast_frame(block[:end])
        if frame is not None:
            locate = self._locator(block[:end], line, self._offset(at))
            yield self._counted(
                Chunk(
                    frame=self._with_nulls(frame), locate=locate, bytes_done=done, **self._own_ids()
                )
            )
            return _Used(end, line + block.count(b"\n", 0, end), 1)
        text = block if final else block[: block.rfind(b"\n") + 1]
        used = _Used(0, line, 0)
        while True:
            piece = text[used.end :]
            offset = self._offset(at + used.end)
            split = self._dialect.split(
                piece,
                width=len(self.headers),
                line=used.line,
                final=final,
                most=MOST_RECORDS,
                first_offset=offset,
            )
            if split.rows or split.rejects:
                yield self._counted(self._slow_chunk(piece, split, offset, done))
                used = used._replace(n_chunks=used.n_chunks + 1)
            used = used._replace(end=used.end + split.consumed, line=used.line + split.lines)
            if not split.is_full:
                return used

    def _slow_chunk(self, text: bytes, split: Split, offset: int | None, done: int) -> Chunk:
        text, spans = text[: split.consumed], split.spans
        return Chunk(
            frame=self._with_nulls(self._slow_frame(split)),
            locate=lambda rows: located(text, spans, rows, offset),
            rejects=split.rejects,
            bytes_done=done,
            **self._own_ids(),
        )

    def _counted(self, chunk: Chunk) -> Chunk:
        self._n_rows += chunk.frame.height + len(chunk.rejects)
        check_rows(self.name, self._n_rows, self.bytes_total, self._stream.max_expansion)
        return chunk

    def _blocks(self) -> Iterator[tuple[bytes, int]]:
        if self._doubled_returns:
            yield from self._without_doubled_returns()
            return
        for block, done in self._stream.blocks():
            yield (block.replace(b"\r", b"\n") if self._only_returns else block), done

    def _without_doubled_returns(self) -> Iterator[tuple[bytes, int]]:
        held, done = b"", 0
        for block, done in self._stream.blocks():
            text = held + block
            held = text[len(text.rstrip(b"\r")) :]
            yield text[: len(text) - len(held)].replace(b"\r\r\n", b"\r\n"), done
        yield held, done

    def _offset(self, at: int) -> int | None:
        """Byte of the file for a place in the text, where there is one."""
        first = None if self._doubled_returns else self._stream.first_offset
        return None if first is None else first + at

    def _read_header(self, sample: bytes, id_names: Collection[str] | None) -> None:
        """Find the names of the columns, below titles and comments that a report may begin with."""
        spans = list(self._first_records(sample))
        if not spans:
            msg = f"{self.name} has no line with column names; there is nothing to load"
            raise LoadError(msg)
        rows = [row for row, _, _ in spans]
        place = header_place(rows, id_names)
        cells, start, self._header_end = spans[place]
        record = sample[start : self._header_end]
        self._header_line = 1 + sample.count(b"\n", 0, self._header_end)
        self.header = (self.delimiter, record.decode().rstrip("\r\n"))
        self.mark = mark_of(list(self._dialect.cells(record.rstrip(b"\r\n"))))
        self._spaced = len(cells) > 1 and all(cell[:1] == " " for cell in cells[1:])
        self._note_form(cells, place)
        extra = extra_cells(cells, rows[place + 1 :])
        if extra:
            more = "more" if extra > 0 else "less"
            self.notes.append(f"one empty cell {more} in each row than in the line of names")
        self.headers = self._checked_headers([*cells, ""] if extra > 0 else cells[: extra or None])

    def _first_records(self, sample: bytes) -> Iterator[tuple[list[str], int, int]]:
        """Cells of the first records that aren't blank, and where each begins and ends."""
        start, line, found = self._header_start, 1 + sample.count(b"\n", 0, self._header_start), 0
        while start < len(sample) and found <= MOST_ABOVE:
            try:
                record = self._first_record(sample, start, line)
            except LoadError:
                if found:
                    return
                raise
            end = start + len(record)
            for row in self._dialect.split(record, width=None).rows:
                found += 1
                yield [row[0].removeprefix("\ufeff"), *row[1:]], start, end
            start, line = end, line + record.count(b"\n")

    def _first_record(self, sample: bytes, start: int, line: int) -> bytes:
        """
        The record that begins there: a line, or several if a quoted cell continues.

        It has to be certain where it ends: what is taken for the names of columns is not loaded.
        """
        end, n_quotes, expected = start, 0, "quotes that are closed by the end of their cell"
        while end < len(sample):
            begin, end = end, (sample.find(b"\n", end) + 1) or len(sample)
            n_quotes += sample.count(b'"', begin, end)
            # a quote that opens nothing leaves an odd number on a line that is whole
            if begin > start and n_quotes % 2:
                continue
            rejects = self._dialect.split(sample[start:end], width=None).rejects
            if rejects and rejects[0].code == "columns":
                raise self._too_wide(f"more than {MOST_CELLS:,}")
            if not rejects and (sample[end - 1 : end] == b"\n" or len(sample) < _MAX_HEADER_BYTES):
                return sample[start:end]
            if rejects and (n_quotes % 2 == 0 or rejects[0].code != "quotes"):
                expected = rejects[0].message.removeprefix("expected ")
                break
        if len(sample) == _MAX_HEADER_BYTES and end == len(sample):
            expected = f"names of columns of at most {_MAX_HEADER_BYTES >> 10} KB"
        msg = (
            f"{self.name}, line {line}: the names of the columns can't be read: expected {expected}"
        )
        raise LoadError(msg)

    def _note_form(self, cells: list[str], n_above: int) -> None:
        if self._stream.encoding != "utf-8" or self._stream.has_bom:
            mark = " with a byte order mark" if self._stream.has_bom else ""
            self.notes.append(f"encoding {self._stream.encoding}{mark}")
        self.notes.append(f"{DELIMITERS.get(self.delimiter, repr(self.delimiter))} between cells")
        if n_above:
            self.notes.append(f"lines above the names of the columns left out: {n_above}")
        repeated = [name for name, n in Counter(cell.strip() for cell in cells).items() if n > 1]
        if repeated:
            self.notes.append(f"several columns have one name: {', '.join(map(repr, repeated))}")

    def _checked_headers(self, cells: list[str]) -> list[str]:
        if len(cells) > MAX_COLUMNS:
            raise self._too_wide(f"{len(cells):,}")
        return unique_headers([marked(cell.strip()) for cell in cells])

    def _own_ids(self) -> dict[str, Any]:
        """Ids that dealdb wrote are ids already, whatever they look like."""
        is_own = self.mark and "id" in self.headers
        return {"types": {"id": FieldType.TEXT}, "encoded": {"id"}} if is_own else {}

    def _fast_frame(self, block: bytes) -> pl.DataFrame | None:
        """Frame of a block by Polars, or None unless it is certain that every row of the text is in it as it is."""
        plain = (
            block
            and len(self.headers) > 1
            and b"\0" not in block
            and (b"\r" not in block or block.count(b"\r") == block.count(b"\r\n"))
        )
        skeleton = self._dialect.skeleton(block) if plain else None
        if skeleton is None or not self._is_even(skeleton):
            return None
        try:
            frame = pl.read_csv(
                block,
                has_header=False,
                separator=self.delimiter,
                schema=dict.fromkeys(self.headers, pl.String()),
                quote_char=None if skeleton is block else '"',
            )
        except pl.exceptions.PolarsError as error:
            if is_interrupt(error):
                raise
            return None
        return frame if frame.height == _n_lines(skeleton) else None

    def _is_even(self, skeleton: bytes) -> bool:
        """Whether there are as many separators as rows of this width have; others take much memory to be parsed."""
        n_edges = skeleton.count(self.delimiter.encode())
        return n_edges == _n_lines(skeleton) * (len(self.headers) - 1)

    def _slow_frame(self, split: Split) -> pl.DataFrame:
        columns = zip(*split.rows, strict=True) if split.rows else ([] for _ in self.headers)
        return pl.DataFrame(
            [
                pl.Series(header, list(cells), dtype=pl.String)
                for header, cells in zip(self.headers, columns, strict=True)
            ]
        )

    def _with_nulls(self, frame: pl.DataFrame) -> pl.DataFrame:
        first = frame.columns[0]
        if frame[first].str.starts_with("\ufeff").any():
            # the second of two files that were put together begins with its own byte order mark
            frame = frame.with_columns(pl.col(first).str.replace('^\ufeff+"?(.*?)"?$', "$1"))
        if self._spaced:
            frame = frame.select(pl.all().str.strip_chars_start(" "))
        frame = frame.select(pl.when(~pl.all().is_in(self._nulls)).then(pl.all()))
        return undefused(frame) if self.mark is WriterMark.GUARDED else frame

    def _locator(
        self, block: bytes, line: int, offset: int | None
    ) -> Callable[[Sequence[int]], list[RowPlace]]:
        def locate(rows: Sequence[int]) -> list[RowPlace]:
            if not rows:
                return []
            if b'"' in block:
                split = self._dialect.split(block, width=len(self.headers), line=line)
                return located(block, split.spans, rows, offset)
            # each line of a block that Polars has read is a row
            ends = list(accumulate(len(each) for each in block.splitlines(keepends=True)))
            spans = [(line + n, start, end) for n, (start, end) in enumerate(pairwise([0, *ends]))]
            return located(block, spans, rows, offset)

        return locate


def unique_headers(names: Sequence[str]) -> list[str]:
    """
    Headers, the nameless ones numbered and repeated ones told apart.

    Examples
    --------
    >>> unique_headers(["id", "note", "note", ""])
    ['id', 'note', 'note (2)', 'column 4']
    """
    taken: dict[str, None] = {}
    copies: Counter[str] = Counter()
    for place, name in enumerate(names, start=1):
        base = name or f"column {place}"
        header = base
        while header in taken:
            copies[base] += 1
            header = f"{base} ({copies[base] + 1})"
        taken[header] = None
    return list(taken)


def _n_lines(text: bytes) -> int:
    return text.count(b"\n") + (not text.endswith(b"\n"))


def _last_record_end(block: bytes) -> int:
    """End of the last line end that is not inside a quoted cell; 0 if that can't be found quickly."""
    end = block.rfind(b"\n") + 1
    quotes = block.count(b'"', 0, end)
    for _ in range(_MAX_STEPS_BACK):
        if end == 0 or quotes % 2 == 0:
            return end
        before = block.rfind(b"\n", 0, end - 1) + 1
        quotes -= block.count(b'"', before, end)
        end = before
    return 0
