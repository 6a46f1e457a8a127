"""Rows that are mappings: JSON Lines, JSON arrays and the answers of programs, and any iterable of dicts."""

from __future__ import annotations

import codecs
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from dealdb.errors import LoadError
from dealdb.loader.chunk import ROWS_A_CHUNK, Chunk, RowPlace
from dealdb.loader.objects.answers import (
    WRAPPERS,
    is_answer,
    may_be_table,
    may_hold_table,
    rows_in,
    rows_of_object,
)
from dealdb.loader.objects.pages import Pages
from dealdb.loader.objects.side_lists import SideLists
from dealdb.loader.sources.json_text import DECODER, JsonText
from dealdb.loader.sources.rows import Rows, Spellings, Unfold, one_row
from dealdb.loader.sources.text_file import ByteStream, check_row, check_rows

# an answer that is larger is no page of one
_MOST_READ_AGAIN = 64 * 1024 * 1024


class JsonLinesSource:
    """One JSON object a line; a line that isn't one is rejected."""

    format = "jsonl"
    repeatable = True
    rows_total = None
    header = None

    def __init__(self, stream: ByteStream) -> None:
        self.name = stream.name
        self.bytes_total = stream.bytes_total
        self.notes = [] if stream.encoding == "utf-8" else [f"encoding {stream.encoding}"]
        self.unfold: Unfold = one_row
        self._stream = stream

    def chunks(self) -> Iterator[Chunk]:
        """Rows of the file, a block at a time."""
        line, rest, done, at = 1, b"", 0, self._stream.first_offset
        self._n_rows = 0
        spellings = Spellings()
        for block, done in self._stream.blocks():
            text = rest + block
            *complete, rest = text.split(b"\n")
            check_row(self.name, line, rest)
            yield from self._counted(
                chunks_of_lines(complete, RowPlace(line, "", at), done, spellings, self.unfold)
            )
            line += len(complete)
            at = None if at is None else at + len(text) - len(rest)
        yield from self._counted(
            chunks_of_lines([rest], RowPlace(line, "", at), done, spellings, self.unfold)
        )

    def _counted(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        for chunk in chunks:
            self._n_rows += chunk.frame.height + len(chunk.rejects)
            check_rows(self.name, self._n_rows, self.bytes_total, self._stream.max_expansion)
            yield chunk


def chunks_of_lines(
    lines: Sequence[bytes],
    first: RowPlace,
    done: int | None,
    spellings: Spellings | None = None,
    unfold: Unfold = one_row,
) -> Iterator[Chunk]:
    """Rows of lines that are each one JSON object; ``first`` is where the first one is."""
    spellings = spellings or Spellings()
    gathered = Rows(spellings=spellings, unfold=unfold)
    after = first.offset
    for number, raw in enumerate(lines, start=first.line):
        if gathered.is_full(ROWS_A_CHUNK):
            yield gathered.chunk(done)
            gathered = Rows(spellings=spellings, unfold=unfold)
        offset = after
        after = None if after is None else after + len(raw) + 1
        if not raw.strip():
            continue
        text = raw.decode(errors="backslashreplace").rstrip("\r")
        try:
            # a file that was put together of several has marks of byte order in the middle
            row = DECODER.decode(raw.decode().removeprefix("\ufeff"))
        except UnicodeError:
            gathered.reject(RowPlace(number, text, offset), "encoding", "text in UTF-8")
        except (ValueError, RecursionError):
            gathered.reject(RowPlace(number, text, offset), "not-json", "one JSON object")
        else:
            gathered.add(row, RowPlace(number, text, offset))
    yield gathered.chunk(done)


class JsonArraySource:
    """
    JSON of arrays and objects, one document or several: arrays of rows, answers that have one, and single rows.

    An array is read element by element.
    """

    format = "json"
    repeatable = True
    rows_total = None
    header = None

    def __init__(self, stream: ByteStream) -> None:
        self.name = stream.name
        self.bytes_total = stream.bytes_total
        self._encoding = [] if stream.encoding == "utf-8" else [f"encoding {stream.encoding}"]
        self.unfold: Unfold = one_row
        self._stream = stream
        self._lacking = ""
        self._lists: SideLists | None = None

    @property
    def notes(self) -> list[str]:
        """What was detected."""
        return [*self._encoding, *([self._lacking] if self._lacking else [])]

    def chunks(self) -> Iterator[Chunk]:
        """
        Rows, some thousand at a time.

        Raises
        ------
        LoadError
            If the text is not JSON to its end, or neither arrays nor objects.
        """
        lists = self._side_lists()
        text = self._text()
        pages, spellings, n_rows = Pages(), Spellings(), 0
        gathered = Rows(spellings=spellings, unfold=self.unfold)
        for row, place in self._rows(text, pages):
            gathered.add(lists.explained(row) if lists else row, place)
            n_rows += 1
            if gathered.is_full(ROWS_A_CHUNK):
                check_rows(self.name, n_rows, self.bytes_total, self._stream.max_expansion)
                yield gathered.chunk(text.done)
                gathered = Rows(spellings=spellings, unfold=self.unfold)
        self._lacking = pages.lacking(n_rows)
        yield replace(gathered.chunk(text.done), incomplete=self._lacking)

    def _side_lists(self) -> SideLists:
        """What stands beside the rows: mostly behind them, so an answer is read once more for it."""
        if self._lists is None:
            self._lists = SideLists()
            if self.bytes_total <= _MOST_READ_AGAIN and self._has_answers():
                for _ in self._rows(self._text(), Pages(self._lists)):
                    pass
        return self._lists

    def _has_answers(self) -> bool:
        text = self._text()
        if text.next_character() != "[":
            return text.next_character() == "{"
        first = next(_elements(text), None)
        return first is not None and is_answer(first[0])

    def _text(self) -> JsonText:
        return JsonText(self.name, self._texts(), self._stream.first_offset)

    def _texts(self) -> Iterator[tuple[str, int]]:
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            for block, done in self._stream.blocks():
                # a block may end in a character; an empty text would be taken for the end
                if text := decoder.decode(block):
                    yield text, done
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as problem:
            msg = f"{self.name} is not text in UTF-8"
            raise LoadError(msg) from problem

    def _rows(self, text: JsonText, pages: Pages) -> Iterator[_Placed]:
        if not text.next_character():
            raise text.not_json()
        while character := text.next_character():
            match character:
                case "[":
                    for element, place in _elements(text):
                        yield from _unpacked(element, place, pages)
                case "{":
                    place = text.place
                    members, found = yield from _object(text, pages, 0)
                    if not found:
                        yield from ((row, place) for row in rows_of_object(members))
                    if found or (members and rows_of_object(members) == []):
                        pages.add(members)
                case _:
                    raise self._neither(text)

    def _neither(self, text: JsonText) -> LoadError:
        place = text.place
        text.value()
        return LoadError(
            f"{self.name}, line {place.line}: JSON but not an array: expected [{{...}}, ...], an object with an array "
            f"under one of {', '.join(WRAPPERS)}, or one object a line (format='jsonl')"
        )


_Placed: TypeAlias = tuple[object, RowPlace]


def _elements(text: JsonText) -> Iterator[_Placed]:
    text.skip("[")
    while text.next_character() != "]":
        yield text.value()
    text.skip("]")


def _unpacked(element: object, place: RowPlace, pages: Pages) -> Iterator[_Placed]:
    """Rows of an element of an array, which may be a page or an answer itself."""
    if not is_answer(element) and not isinstance(element, list):
        yield element, place
        return
    if isinstance(element, dict):
        pages.add(element)
    yield from (
        (row, place if row is element else place._replace(raw="")) for row in rows_in(element)
    )


def _object(
    text: JsonText, pages: Pages, depth: int
) -> Generator[_Placed, None, tuple[dict[str, object], bool]]:
    """Rows of the array that an object has in it; its other members, and whether there was one."""
    members: dict[str, object] = {}
    found = False
    text.skip("{")
    while text.next_character() == '"':
        name = str(text.value()[0])
        text.skip(":")
        character = text.next_character()
        if found:
            members[name] = text.value()[0]
        elif (
            character == "[" and may_be_table(name, depth, members) and text.after_bracket() == "{"
        ):
            found = True
            for element, place in _elements(text):
                yield from _unpacked(element, place, pages)
        elif character == "{" and may_hold_table(name, depth, members):
            members[name], found = yield from _object(text, pages, depth + 1)
        else:
            members[name] = text.value()[0]
    text.skip("}")
    return members, found


class MappingsSource:
    """An iterable of mappings; numbers, dates and bools keep the type they have."""

    format = "mappings"
    bytes_total = None
    header = None

    def __init__(self, rows: Iterable[Mapping[str, object]]) -> None:
        self.name = "rows"
        self.notes: list[str] = []
        self.repeatable = isinstance(rows, Sequence)
        self.rows_total = len(rows) if isinstance(rows, Sequence) else None
        self.unfold: Unfold = one_row
        self._rows = rows

    def chunks(self) -> Iterator[Chunk]:
        """Rows of the iterable, some thousand at a time; an element that is not a mapping is rejected."""
        spellings = Spellings()
        gathered = Rows(spellings=spellings, unfold=self.unfold)
        for number, row in enumerate(self._rows, start=1):
            gathered.add(row, RowPlace(number, ""))
            if gathered.is_full(ROWS_A_CHUNK):
                yield gathered.chunk(None, dates_are_text=True)
                gathered = Rows(spellings=spellings, unfold=self.unfold)
        yield gathered.chunk(None, dates_are_text=True)
