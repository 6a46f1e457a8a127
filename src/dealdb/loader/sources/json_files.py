"""
Rows that are mappings: JSON Lines, JSON arrays, and any iterable of dicts.

JSON numbers never pass through a float: an amount arrives with the digits that the file has.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from dealdb.errors import LoadError
from dealdb.loader.chunk import ROWS_A_CHUNK, Chunk, RowPlace
from dealdb.loader.sources.rows import Rows
from dealdb.loader.sources.text_file import ByteStream, check_row

# members under which programs answer with an array of deals: HubSpot, Pipedrive, Salesforce, and the usual
WRAPPERS = ("results", "data", "records", "deals", "items", "value", "objects")
_SPACE = re.compile(r"[\s,]*")
_CONSTANTS = {"NaN": None, "Infinity": float("inf"), "-Infinity": float("-inf")}
_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_CONSTANTS.__getitem__)


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
        self._stream = stream

    def chunks(self) -> Iterator[Chunk]:
        """Rows of the file, a block at a time."""
        line, rest, done, at = 1, b"", 0, self._stream.first_offset
        for block, done in self._stream.blocks():
            text = rest + block
            *complete, rest = text.split(b"\n")
            check_row(self.name, line, rest)
            yield chunk_of_lines(complete, RowPlace(line, "", at), done)
            line += len(complete)
            at = None if at is None else at + len(text) - len(rest)
        yield chunk_of_lines([rest], RowPlace(line, "", at), done)


def chunk_of_lines(lines: Sequence[bytes], first: RowPlace, done: int | None) -> Chunk:
    """Rows of lines that are each one JSON object; ``first`` is where the first one is."""
    gathered = Rows()
    after = first.offset
    for number, raw in enumerate(lines, start=first.line):
        offset = after
        after = None if after is None else after + len(raw) + 1
        if not raw.strip():
            continue
        text = raw.decode(errors="backslashreplace").rstrip("\r")
        try:
            row = _DECODER.decode(raw.decode())
        except UnicodeError:
            gathered.reject(RowPlace(number, text, offset), "encoding", "text in UTF-8")
        except (ValueError, RecursionError):
            gathered.reject(RowPlace(number, text, offset), "not-json", "one JSON object")
        else:
            gathered.add(row, RowPlace(number, text, offset))
    return gathered.chunk(done)


class JsonArraySource:
    """One JSON array of objects, read element by element; also as a member of an object."""

    format = "json"
    repeatable = True
    rows_total = None
    header = None

    def __init__(self, stream: ByteStream) -> None:
        self.name = stream.name
        self.bytes_total = stream.bytes_total
        self.notes = [] if stream.encoding == "utf-8" else [f"encoding {stream.encoding}"]
        self._stream = stream

    def chunks(self) -> Iterator[Chunk]:
        """
        Elements of the array, some thousand at a time.

        Raises
        ------
        LoadError
            If the text is not JSON, or not an array.
        """
        gathered, done = Rows(), 0
        for element, place, done in self._elements():
            gathered.add(_lifted(element), place)
            if len(gathered.rows) >= ROWS_A_CHUNK:
                yield gathered.chunk(done)
                gathered = Rows()
        yield gathered.chunk(done)

    def _elements(self) -> Iterator[tuple[object, RowPlace, int]]:
        text, line, at, begun = "", 1, self._stream.first_offset, False
        for piece, done in self._texts():
            text += piece
            check_row(self.name, line, text[: -len(piece)])
            start = before = 0
            if not begun:
                found = self._opening(text)
                if found is None:
                    continue
                start, begun = found, True
                line += text.count("\n", 0, start)
            while True:
                after = self._blanks(text, start)
                line += text.count("\n", start, after)
                start = after
                if text[start : start + 1] == "]":
                    return
                if start == len(text):
                    break
                try:
                    element, end = _DECODER.raw_decode(text, start)
                except json.JSONDecodeError:
                    break
                except (ValueError, RecursionError) as problem:
                    msg = f"{self.name}, line {line}: {problem}"
                    raise LoadError(msg) from problem
                # a number at the very end of the piece may continue in the next one
                if end == len(text):
                    break
                raw = text[start:end]
                at = self._moved(at, text[before:start])
                yield element, RowPlace(line, raw, at), done
                line += raw.count("\n")
                at = self._moved(at, raw)
                start = before = end
            at = self._moved(at, text[before:start])
            text = text[start:]
        if not begun and text.strip():
            raise self._no_array()
        msg = f"{self.name}, line {line}: this is not JSON, or the array ends too early"
        raise LoadError(msg)

    def _texts(self) -> Iterator[tuple[str, int]]:
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            for block, done in self._stream.blocks():
                yield decoder.decode(block), done
        except UnicodeDecodeError as problem:
            msg = f"{self.name} is not text in UTF-8"
            raise LoadError(msg) from problem

    def _opening(self, text: str) -> int | None:
        """Where the elements begin, in the array or in one that is a member of an object; None if that comes later."""
        place = self._blanks(text, 0)
        match text[place : place + 1]:
            case "[":
                return place + 1
            case "{":
                return self._member(text, place + 1)
            case "":
                return None
        raise self._no_array()

    def _no_array(self) -> LoadError:
        return LoadError(
            f"{self.name} is JSON but not an array: expected [{{...}}, ...], an object with an array under one of "
            f"{', '.join(WRAPPERS)}, or one object a line (format='jsonl')"
        )

    def _member(self, text: str, start: int) -> int | None:
        """Where the array begins that a member of an object is, or None where there is none yet."""
        place = self._blanks(text, start)
        while text[place : place + 1] == '"':
            try:
                name, place = _DECODER.raw_decode(text, place)
                place = self._blanks(text, place)
                if text[place : place + 1] != ":":
                    return None
                place = self._blanks(text, place + 1)
                if name in WRAPPERS and text[place : place + 1] == "[":
                    return place + 1
                _, place = _DECODER.raw_decode(text, place)
            except (ValueError, RecursionError):
                return None
            place = self._blanks(text, place)
        return None

    @staticmethod
    def _blanks(text: str, start: int) -> int:
        """Where the blanks and commas end that begin there."""
        found = _SPACE.match(text, start)
        return found.end() if found else start

    @staticmethod
    def _moved(offset: int | None, text: str) -> int | None:
        """Byte behind a text that begins at this one."""
        return None if offset is None else offset + len(text.encode())


def is_wrapped(row: object) -> bool:
    """
    Whether an object is not a row, but has the rows in an array.

    Examples
    --------
    >>> is_wrapped({"results": [{"id": "1"}], "paging": None})
    True
    """
    return isinstance(row, dict) and any(_is_table(row.get(name)) for name in WRAPPERS)


def _is_table(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _lifted(element: object) -> object:
    """Row of an answer of HubSpot, which has all but the id in an object of its own."""
    if not isinstance(element, dict) or not isinstance(element.get("properties"), dict):
        return element
    around = {name: value for name, value in element.items() if name != "properties"}
    return {**around, **element["properties"]}


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
        self._rows = rows

    def chunks(self) -> Iterator[Chunk]:
        """Rows of the iterable, some thousand at a time; an element that is not a mapping is rejected."""
        gathered = Rows()
        for number, row in enumerate(self._rows, start=1):
            gathered.add(row, RowPlace(number, ""))
            if len(gathered.rows) >= ROWS_A_CHUNK:
                yield gathered.chunk(None, dates_are_text=True)
                gathered = Rows()
        yield gathered.chunk(None, dates_are_text=True)
