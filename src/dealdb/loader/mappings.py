"""
Rows that are mappings: JSON Lines, JSON arrays, and any iterable of dicts.

JSON numbers never pass through a float: an amount arrives with the digits that the file has.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import chain

import polars as pl

from dealdb.errors import LoadError
from dealdb.loader.bytestream import ByteStream
from dealdb.loader.chunks import Chunk, Reject, merged_type
from dealdb.schema import FieldType

CHUNK_ROWS = 20_000
_SPACE = re.compile(r"[\s,]*")


@dataclass(slots=True)
class _Rows:
    """Rows of the chunk that is being gathered."""

    rows: list[Mapping[str, object]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    raw: list[str] | None = None
    rejects: list[Reject] = field(default_factory=list)

    def reject(self, line: int, code: str, expected: str, raw: str) -> None:
        message = f"expected {expected}"
        self.rejects.append(Reject(line=line, code=code, message=message, raw=raw))

    def add(self, row: object, line: int, raw: str | None = None) -> None:
        if not isinstance(row, Mapping):
            self.reject(line, "not-an-object", "an object of names and values", raw or as_json(row))
            return
        self.rows.append(row)
        self.lines.append(line)
        if raw is not None:
            if self.raw is None:
                self.raw = []
            self.raw.append(raw)

    def chunk(self, bytes_done: int | None, *, dates_are_text: bool = False) -> Chunk:
        if not _named(dict.fromkeys(chain.from_iterable(self.rows))):
            self._drop(lambda row: not _named(row), "not-a-name", "names that are text")
        columns = self._columns()
        kinds = {name: set(map(type, cells)) for name, cells in columns.items()}
        if not all(issubclass(kind, _STORABLE) for found in kinds.values() for kind in found):
            self._drop(_unstorable, "type", "text, numbers, bools, dates, lists or objects")
            return self.chunk(bytes_done, dates_are_text=dates_are_text)
        try:
            texts = {name: _texts(name, cells, kinds[name]) for name, cells in columns.items()}
        except UnicodeEncodeError:
            self._drop(_has_surrogates, "encoding", "text that UTF-8 can hold")
            return self.chunk(bytes_done, dates_are_text=dates_are_text)
        declared = {name: merged_type(set(map(_kind, kinds[name] - {_NULL}))) for name in columns}
        types = {
            name: kind
            for name, kind in declared.items()
            if kind and (kind is not FieldType.TEXT or dates_are_text or not _all_iso(texts[name]))
        }
        shape, shapes = self._shapes()
        return Chunk(
            frame=pl.DataFrame(list(texts.values())),
            locate=self._locator(),
            rejects=self.rejects,
            bytes_done=bytes_done,
            types=types,
            shape=shape,
            shapes=shapes,
        )

    def _columns(self) -> dict[str, list[object]]:
        headers = dict.fromkeys(chain.from_iterable(dict.fromkeys(map(tuple, self.rows))))
        return {name: [row.get(name) for row in self.rows] for name in headers}

    def _shapes(self) -> tuple[pl.Series, list[frozenset[str]]]:
        keys = list(map(tuple, self.rows))
        number = {names: n for n, names in enumerate(dict.fromkeys(keys))}
        shape = pl.Series([number[names] for names in keys], dtype=pl.Int32)
        return shape, list(map(frozenset, number))

    def _locator(self) -> Callable[[Sequence[int]], list[tuple[int, str]]]:
        rows, lines, raw = self.rows, self.lines, self.raw

        def locate(wanted: Sequence[int]) -> list[tuple[int, str]]:
            return [(lines[i], raw[i] if raw else as_json(rows[i])) for i in wanted]

        return locate

    def _drop(self, bad: Callable[[Mapping[str, object]], bool], code: str, expected: str) -> None:
        found = self._locator()
        drop = {place for place, row in enumerate(self.rows) if bad(row)}
        for line, raw in found(sorted(drop)):
            self.reject(line, code, expected, raw)
        keep = [place for place in range(len(self.rows)) if place not in drop]
        self.rows = [self.rows[place] for place in keep]
        self.lines = [self.lines[place] for place in keep]
        self.raw = [self.raw[place] for place in keep] if self.raw else None


class JsonLinesSource:
    """One JSON object a line; a line that isn't one is rejected."""

    format = "jsonl"
    repeatable = True
    rows_total = None

    def __init__(self, stream: ByteStream) -> None:
        self.name = stream.name
        self.bytes_total = stream.bytes_total
        self.notes = [] if stream.encoding == "utf-8" else [f"encoding {stream.encoding}"]
        self._stream = stream

    def chunks(self) -> Iterator[Chunk]:
        """Rows of the file, a block at a time."""
        line, rest, done = 1, b"", 0
        for block, done in self._stream.blocks():
            *complete, rest = (rest + block).split(b"\n")
            yield self._chunk(complete, line, done)
            line += len(complete)
        yield self._chunk([rest], line, done)

    def _chunk(self, lines: Sequence[bytes], first: int, done: int) -> Chunk:
        gathered = _Rows()
        for number, raw in enumerate(lines, start=first):
            if not raw.strip():
                continue
            text = raw.decode(errors="backslashreplace").rstrip("\r")
            try:
                row = _DECODER.decode(raw.decode())
            except UnicodeError:
                gathered.reject(number, "encoding", "text in UTF-8", text)
            except (ValueError, RecursionError):
                gathered.reject(number, "not-json", "one JSON object", text)
            else:
                gathered.add(row, number, text)
        return gathered.chunk(done)


class JsonArraySource:
    """One JSON array of objects, read element by element."""

    format = "json"
    repeatable = True
    rows_total = None

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
        gathered, done = _Rows(), 0
        for element, line, raw, done in self._elements():
            gathered.add(element, line, raw)
            if len(gathered.rows) >= CHUNK_ROWS:
                yield gathered.chunk(done)
                gathered = _Rows()
        yield gathered.chunk(done)

    def _elements(self) -> Iterator[tuple[object, int, str, int]]:
        text, line, done, begun = "", 1, 0, False
        for piece, done in self._texts():
            text += piece
            start = 0
            if not begun:
                start, begun = self._opening(text), True
            while True:
                gap = _SPACE.match(text, start)
                after = gap.end() if gap else start
                line += text.count("\n", start, after)
                start = after
                if text[start : start + 1] in ("]", ""):
                    break
                try:
                    element, end = _DECODER.raw_decode(text, start)
                except json.JSONDecodeError:
                    break
                except (ValueError, RecursionError) as problem:
                    msg = f"{self.name}, line {line}: {problem}"
                    raise LoadError(msg) from problem
                # a number at the very end of the piece may go on in the next one
                if end == len(text):
                    break
                raw = text[start:end]
                yield element, line, raw, done
                line += raw.count("\n")
                start = end
            text = text[start:]
        if not text.lstrip().startswith("]"):
            msg = f"{self.name}, line {line}: what stands here is not JSON, or the array ends too early"
            raise LoadError(msg)

    def _texts(self) -> Iterator[tuple[str, int]]:
        import codecs

        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            for block, done in self._stream.blocks():
                yield decoder.decode(block), done
        except UnicodeDecodeError as problem:
            msg = f"{self.name} is not text in UTF-8"
            raise LoadError(msg) from problem

    def _opening(self, text: str) -> int:
        place = len(text) - len(text.lstrip())
        if text[place : place + 1] == "[":
            return place + 1
        msg = (
            f"{self.name} is JSON but not an array: expected [{{...}}, ...], or one object a line "
            "(format='jsonl')"
        )
        raise LoadError(msg)


class MappingsSource:
    """An iterable of mappings; numbers, dates and bools keep the type they have."""

    format = "mappings"
    bytes_total = None

    def __init__(self, rows: Iterable[Mapping[str, object]]) -> None:
        self.name = "rows"
        self.notes: list[str] = []
        self.repeatable = isinstance(rows, Sequence)
        self.rows_total = len(rows) if isinstance(rows, Sequence) else None
        self._rows = rows

    def chunks(self) -> Iterator[Chunk]:
        """Rows of the iterable, some thousand at a time; an element that is no mapping is rejected."""
        gathered = _Rows()
        for number, row in enumerate(self._rows, start=1):
            gathered.add(row, number)
            if len(gathered.rows) >= CHUNK_ROWS:
                yield gathered.chunk(None, dates_are_text=True)
                gathered = _Rows()
        yield gathered.chunk(None, dates_are_text=True)


_NULL = type(None)


_STORABLE = (str, bool, int, float, Decimal, datetime, date, dict, list, tuple, _NULL)
_CONSTANTS = {"NaN": None, "Infinity": float("inf"), "-Infinity": float("-inf")}
_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_CONSTANTS.__getitem__)
_ISO = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.]+(?:Z|[+-][0-9:]+)?)?$"


def _kind(kind: type) -> FieldType:
    # bool is an int and datetime a date, so the order counts
    for parent, found in _KINDS:
        if issubclass(kind, parent):
            return found
    return FieldType.TEXT


_KINDS: tuple[tuple[type, FieldType], ...] = (
    (bool, FieldType.BOOL),
    (int, FieldType.INT),
    (float, FieldType.FLOAT),
    (Decimal, FieldType.DECIMAL),
    (datetime, FieldType.DATETIME),
    (date, FieldType.DATE),
)


def _texts(name: str, cells: Sequence[object], kinds: AbstractSet[type]) -> pl.Series:
    if not kinds <= {str, _NULL}:
        cells = [_text(cell) for cell in cells]
    return pl.Series(name, cells, dtype=pl.String)


def _text(cell: object) -> str | None:
    match cell:
        case None:
            return None
        case str():
            return str.__str__(cell)
        case bool():
            return "true" if cell else "false"
        case float():
            return None if math.isnan(cell) else repr(float(cell))
        case datetime() | date():
            return cell.isoformat()
        case dict() | list() | tuple():
            return as_json(cell)
    return str(cell)


def as_json(row: object) -> str:
    """
    Compact JSON of anything; what JSON has no form for is written as its text.

    Examples
    --------
    >>> as_json({"tags": ["a", "b"]})
    '{"tags":["a","b"]}'
    """
    match row:
        case Decimal() if row.is_finite():
            # json itself would have to make it a float or a string
            return str(row)
        case dict():
            pairs = (f"{_JSON.encode(str(name))}:{as_json(cell)}" for name, cell in row.items())
            return "{" + ",".join(pairs) + "}"
        case list() | tuple():
            return "[" + ",".join(map(as_json, row)) + "]"
    return _JSON.encode(row)


_JSON = json.JSONEncoder(ensure_ascii=False, default=str)


def _all_iso(texts: pl.Series) -> bool:
    return bool(texts.drop_nulls().str.contains(_ISO).all())


def _named(names: Iterable[object]) -> bool:
    return all(isinstance(name, str) and name.strip() for name in names)


def _unstorable(row: Mapping[str, object]) -> bool:
    return not all(isinstance(value, _STORABLE) for value in row.values())


def _has_surrogates(row: Mapping[str, object]) -> bool:
    try:
        as_json(dict(row)).encode()
    except UnicodeEncodeError:
        return True
    return False
