"""
Rows that are mappings, gathered into a chunk of columns.

Whatever Python or JSON holds becomes text here, with every digit that it has.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from typing import TypeAlias

import polars as pl

from dealdb.errors import LoadError
from dealdb.formats.exact_json import MOST_DEEP, as_json, is_too_deep
from dealdb.loader.chunk import MAX_COLUMNS, Chunk, Reject, RowPlace, marked, merged_type
from dealdb.loader.objects.nested import plain
from dealdb.model.schema import FieldType

# cells of a chunk, those of names that a row lacks among them
_MOST_CELLS = 4_000_000
# sets of names that are remembered
_MOST_SHAPES = 10_000
# stands for a row that nobody could read
_DEEP = "[[...]]"

# what one element of a source is made into: most are one row
Unfold: TypeAlias = Callable[[object], Iterable[object]]


def one_row(element: object) -> Iterable[object]:
    """Element as the one row that it is."""
    return (element,)


class Spellings:
    """One spelling for names that differ in nothing but case: the one that comes first in the source."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        # a source has few sets of names: none is looked at twice
        self._renamed: dict[tuple[object, ...], dict[str, str]] = {}

    def unified(self, row: Mapping[str, object]) -> Mapping[str, object]:
        """
        A row with the names that earlier ones have.

        Examples
        --------
        >>> spellings = Spellings()
        >>> [dict(spellings.unified(row)) for row in ({"ID": 1}, {"id": 2})]
        [{'ID': 1}, {'ID': 2}]
        """
        names = tuple(row)
        if len(self._renamed) > _MOST_SHAPES:
            self._renamed.clear()
        if names not in self._renamed:
            self._renamed[names] = self._look(names)
        renamed = self._renamed[names]
        return {renamed.get(name, name): cell for name, cell in row.items()} if renamed else row

    def _look(self, names: tuple[object, ...]) -> dict[str, str]:
        texts = [name for name in names if isinstance(name, str)]
        folded = [name.casefold() for name in texts]
        n_folded = Counter(folded)
        return {
            name: self._first.setdefault(key, name)
            for name, key in zip(texts, folded, strict=True)
            # a row that has both means two things
            if n_folded[key] == 1 and self._first.setdefault(key, name) != name
        }


@dataclass(slots=True)
class Rows:
    """
    Rows of the chunk that is being gathered.

    Attributes
    ----------
    rows, places
        Good rows, and where each is in its source; without a text where the source has none.
    rejects
        Rows that are not mappings of names to values that have a text.
    spellings
        How the names of the source are spelled.
    unfold
        Makes rows of an element of the source that holds several.
    """

    rows: list[Mapping[str, object]] = field(default_factory=list)
    places: list[RowPlace] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    spellings: Spellings = field(default_factory=Spellings)
    unfold: Unfold = one_row
    _beside: dict[str, str] = field(default_factory=dict)
    _names: set[object] = field(default_factory=set)

    def is_full(self, most: int) -> bool:
        """Whether it is time for a chunk: there are so many rows, or some of many different names."""
        n_rows = len(self.rows)
        return n_rows + len(self.rejects) >= most or n_rows * len(self._names) > _MOST_CELLS

    def reject(self, place: RowPlace, code: str, expected: str) -> None:
        """Set a row aside."""
        line, raw, offset = place
        message = f"expected {expected}"
        self.rejects.append(Reject(line=line, code=code, message=message, raw=raw, offset=offset))

    def add(self, element: object, place: RowPlace) -> None:
        """
        Take the rows of an element, or reject those that are not mappings, or none that a table could have.

        Raises
        ------
        LoadError
            If the rows have more names than a table has columns.
        """
        if is_too_deep(element):
            found = place if place.raw else place._replace(raw=_DEEP)
            self.reject(
                found, "type", f"lists and objects in one another at most {MOST_DEEP} times"
            )
            return
        for row in self.unfold(element):
            self._add(row, place)

    def _add(self, row: object, place: RowPlace) -> None:
        if not isinstance(row, Mapping):
            found = place if place.raw else place._replace(raw=as_json(row))
            self.reject(found, "not-an-object", "an object of names and values")
            return
        flat = plain(row)
        if len(flat) > MAX_COLUMNS:
            self.reject(place, "columns", f"at most {MAX_COLUMNS:,} names, found {len(flat):,}")
            return
        self._names.update(flat)
        if len(self._names) > MAX_COLUMNS:
            msg = (
                f"the rows have more than {MAX_COLUMNS:,} different names, as no table has columns; "
                "is the source what its name says?"
            )
            raise LoadError(msg)
        if flat is not row:
            added = [name for name in flat if name not in row]
            self._beside |= {name: name.rpartition(".")[0] for name in added if "." in name}
        self.rows.append(self.spellings.unified(flat))
        self.places.append(place)

    def chunk(self, bytes_done: int | None, *, dates_are_text: bool = False) -> Chunk:
        """
        Chunk of all rows so far.

        Parameters
        ----------
        bytes_done
            Bytes of the source read so far, or None.
        dates_are_text
            Whether a column of texts that are all ISO dates is declared text: the source has dates of its own.
        """
        if not _named(dict.fromkeys(chain.from_iterable(self.rows))):
            self._drop(lambda row: not _named(row), "not-a-name", "names that are text")
        if not any(self.rows):
            # a table has no rows where it has no columns
            self._drop(lambda row: not row, "missing-id", "an id that is not empty")
        if self._beside:
            self.rows = [self._with_beside(row) for row in self.rows]
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
        except (ValueError, RecursionError):
            self._drop(_is_endless, "type", "numbers, lists and objects that are not endless")
            return self.chunk(bytes_done, dates_are_text=dates_are_text)
        declared = {
            name: _declared(cells, kinds[name] - {_NULL}) for name, cells in columns.items()
        }
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

    def _with_beside(self, row: Mapping[str, object]) -> Mapping[str, object]:
        """Nothing is known of an owner's id either where a row says that it has no owner."""
        none = {
            name: None
            for name, base in self._beside.items()
            if name not in row and row.get(base, "") is None
        }
        return {**row, **none} if none else row

    def _columns(self) -> dict[str, list[object]]:
        headers = dict.fromkeys(chain.from_iterable(dict.fromkeys(map(tuple, self.rows))))
        return {marked(name): [row.get(name) for row in self.rows] for name in headers}

    def _shapes(self) -> tuple[pl.Series, list[frozenset[str]]]:
        keys = list(map(tuple, self.rows))
        number = {names: n for n, names in enumerate(dict.fromkeys(keys))}
        shape = pl.Series([number[names] for names in keys], dtype=pl.Int32)
        return shape, [frozenset(map(marked, names)) for names in number]

    def _locator(self) -> Callable[[Sequence[int]], list[RowPlace]]:
        rows, places = self.rows, self.places

        def locate(wanted: Sequence[int]) -> list[RowPlace]:
            return [
                places[i] if places[i].raw else places[i]._replace(raw=_shown(rows[i]))
                for i in wanted
            ]

        return locate

    def _drop(self, bad: Callable[[Mapping[str, object]], bool], code: str, expected: str) -> None:
        found = self._locator()
        drop = {place for place, row in enumerate(self.rows) if bad(row)}
        for place in found(sorted(drop)):
            self.reject(place, code, expected)
        keep = [place for place in range(len(self.rows)) if place not in drop]
        self.rows = [self.rows[place] for place in keep]
        self.places = [self.places[place] for place in keep]


_NULL = type(None)


_STORABLE = (str, bool, int, float, Decimal, datetime, date, dict, list, tuple, _NULL)
_ISO = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.]+(?:Z|[+-][0-9:]+)?)?$"


def _declared(cells: Sequence[object], kinds: AbstractSet[type]) -> FieldType | None:
    if kinds and kinds <= {list, tuple}:
        items = chain.from_iterable(cell for cell in cells if isinstance(cell, list | tuple))
        return FieldType.LIST if all(isinstance(item, str) for item in items) else FieldType.TEXT
    return merged_type(set(map(_kind, kinds)))


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


def _all_iso(texts: pl.Series) -> bool:
    return bool(texts.drop_nulls().str.contains(_ISO).all())


def _named(names: Iterable[object]) -> bool:
    return all(isinstance(name, str) and name.strip() for name in names)


def _unstorable(row: Mapping[str, object]) -> bool:
    return not all(isinstance(value, _STORABLE) for value in row.values())


def _has_surrogates(row: Mapping[str, object]) -> bool:
    return isinstance(_unwritable(row), UnicodeError)


def _is_endless(row: Mapping[str, object]) -> bool:
    problem = _unwritable(row)
    # Python turns no integer of more than 4,300 digits into text, and goes some 1,000 levels deep
    return problem is not None and not isinstance(problem, UnicodeError)


def _unwritable(row: Mapping[str, object]) -> Exception | None:
    """Why there is no text for a row."""
    try:
        as_json(dict(row)).encode()
    except (ValueError, RecursionError) as problem:
        return problem
    return None


def _shown(row: Mapping[str, object]) -> str:
    """A row for people, where the source has no text."""
    return as_json(dict.fromkeys(row, "...") if _is_endless(row) else row)
