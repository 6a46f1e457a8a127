"""
The columns that a checkpoint is made of: those of a replica, whole or as far as they differ from one before.

A load adds to a collection that may be far larger than itself. So what it has added is folded into the newest
checkpoint without the older rows: chunks that nothing has changed keep their digests, and only the last one, which had
room left, and those with a changed row are read, made anew and written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import polars as pl

from dealdb.connection import Link
from dealdb.model.columns import dtype_of
from dealdb.store.archive.chunks import Columns, encoded, encoded_parts
from dealdb.store.archive.unpacking import CHUNK_ROWS
from dealdb.store.keys import Keys
from dealdb.store.log.reader import HistoryReset
from dealdb.store.replica.deferred import with_values
from dealdb.store.replica.replica import Replica

# chunks of a column that are changed together: bounds the memory that they take
_CHANGED_AT_ONCE = 8
# field, number, digest and bytes
Chunk = tuple[str, int, str, bytes]
Known = Mapping[str, Mapping[int, str]]


class Made(Protocol):
    """What the columns of a checkpoint are made of; gives rows as ``Rows`` does."""

    def known(self) -> dict[str, dict[int, str]]:
        """Digests of the chunks that are on the server as they are to be, by field and number."""
        ...

    def chunks(self, known: Known) -> Iterator[Chunk]:
        """All others."""
        ...

    def part(self, name: str, first: int, stop: int) -> pl.Series | None:
        """Some rows of a column; None where they can't be had."""
        ...


class Whole:
    """
    All rows of a replica.

    Parameters
    ----------
    replica
        None of its columns waits.
    """

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    def known(self) -> dict[str, dict[int, str]]:
        """Those that its last checkpoint wrote, and that nothing has changed since."""
        return {name: dict(self._replica.chunks.get(name, {})) for name in self._replica.schema}

    def chunks(self, known: Known) -> Iterator[Chunk]:
        """All others."""
        return encoded(self._replica.all_rows(), known)

    def part(self, name: str, first: int, stop: int) -> pl.Series:
        """Some rows of a column."""
        return self._replica.columns[name][first:stop]


class Folded:
    """
    What a replica has changed in the columns that it waits for.

    Columns that it has are written as they are.

    Parameters
    ----------
    link, keys
        The collection.
    replica
        Some of its columns wait.
    base
        Where these are; the server has all of its chunks.

    Raises
    ------
    HistoryReset
        From every method that reads, if a chunk is not what was written.
    """

    def __init__(self, link: Link, keys: Keys, replica: Replica, base: Columns) -> None:
        self._link = link
        self._keys = keys
        self._replica = replica
        self._base = base
        waiting = replica.waiting
        self._height = waiting.height
        self._n_full = waiting.height // CHUNK_ROWS
        self._appended = {
            name: [values for rows, values in changes if rows is None]
            for name, changes in waiting.changes.items()
        }
        self._scattered = {
            name: _together([(rows, values) for rows, values in changes if rows is not None])
            for name, changes in waiting.changes.items()
        }
        self._tails: dict[str, pl.Series] = {}

    def known(self) -> dict[str, dict[int, str]]:
        """Those of the base that nothing has changed."""
        known = Whole(self._replica).known()
        for name in self._appended:
            changed = {*self._changed(name)}
            digests = enumerate(self._base.digests[name])
            known[name] = {n: digest for n, digest in digests if n not in changed}
        return known

    def chunks(self, known: Known) -> Iterator[Chunk]:
        """All others."""
        yield from encoded(self._replica.rows(self._replica.columns), known)
        self._read_tails()
        for name, tail in self._tails.items():
            numbers = [n for n in self._changed(name) if n < self._n_full]
            for start in range(0, len(numbers), _CHANGED_AT_ONCE):
                some = numbers[start : start + _CHANGED_AT_ONCE]
                yield from encoded_parts(name, some, [self._changed_chunk(name, n) for n in some])
            n_chunks = -(-self._replica.height // CHUNK_ROWS)
            last = [n for n in range(self._n_full, n_chunks) if n not in known[name]]
            starts = [(n - self._n_full) * CHUNK_ROWS for n in last]
            yield from encoded_parts(name, last, [tail[at : at + CHUNK_ROWS] for at in starts])

    def part(self, name: str, first: int, stop: int) -> pl.Series | None:
        """Some rows of a column; None where only the server has them."""
        if name in self._replica.columns:
            return self._replica.columns[name][first:stop]
        start = self._n_full * CHUNK_ROWS
        return self._tails[name][first - start : stop - start] if first >= start else None

    def _changed(self, name: str) -> list[int]:
        """Numbers of the base's chunks that are not as they were."""
        rows, _ = self._scattered[name]
        numbers = set((rows // CHUNK_ROWS).unique())
        if self._replica.height > self._height:
            numbers.add(self._n_full)
        return sorted(n for n in numbers if n * CHUNK_ROWS < self._height)

    def _changed_chunk(self, name: str, number: int) -> pl.Series:
        first = number * CHUNK_ROWS
        [column] = self._read([name], first, first + CHUNK_ROWS).values()
        return self._with_scattered(column, first)

    def _read_tails(self) -> None:
        """Have the rows behind the last full chunk of the base, of all columns that wait."""
        start, names = self._n_full * CHUNK_ROWS, list(self._appended)
        if self._height > start:
            before = self._read(names, start, self._height)
        else:
            before = {name: pl.Series(name, [], self._dtype(name)) for name in names}
        for name, column in before.items():
            tail = pl.concat([column, *self._appended[name]]).rechunk()
            self._tails[name] = self._with_scattered(tail, start)
            if len(tail) != self._replica.height - start:
                raise _not_as_written()

    def _dtype(self, name: str) -> pl.DataType:
        return dtype_of(self._replica.schema[name])

    def _read(self, names: list[str], first: int, stop: int) -> dict[str, pl.Series]:
        """Rows of the base, which begin with a chunk and end with one."""
        found = self._base.part(names, first, stop - 1).read(self._link, self._keys)
        if found is None or any(len(column) != stop - first for column in found.values()):
            raise _not_as_written()
        return found

    def _with_scattered(self, column: pl.Series, first: int) -> pl.Series:
        """Rows from ``first`` on with what was changed in them."""
        rows, values = self._scattered[column.name]
        start, stop = (rows.search_sorted(at) for at in (first, first + len(column)))
        if start == stop:
            return column
        return with_values(column, rows[start:stop] - first, values[start:stop])


def _together(changes: list[tuple[pl.Series, pl.Series]]) -> tuple[pl.Series, pl.Series]:
    """Changes of one column in their order as one: rows, ascending, and what each has in the end."""
    if not changes:
        return pl.Series([], dtype=pl.UInt32), pl.Series([])
    rows = pl.concat([rows.rename("") for rows, _ in changes])
    values = pl.concat([values.rename("") for _, values in changes])
    last = rows.is_last_distinct()
    rows, values = rows.filter(last), values.filter(last)
    order = rows.arg_sort()
    return rows.gather(order), values.gather(order)


def _not_as_written() -> HistoryReset:
    msg = "a chunk of the checkpoint that a load is folded into was removed, or is damaged"
    return HistoryReset(msg)
