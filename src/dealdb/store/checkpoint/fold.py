"""
The columns that a checkpoint is made of: those of a replica, whole or as far as they differ from one before.

A load adds to a collection that may be far larger than itself. So what it has added is folded into the newest
checkpoint without the older rows: chunks that nothing has changed keep their digests, and only the last one, which had
room left, and those with a changed row are read, made anew and written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Protocol

import polars as pl

from dealdb.connection import Link
from dealdb.model.columns import nulls
from dealdb.store.archive.chunks import Columns, encoded, encoded_parts
from dealdb.store.archive.unpacking import CHUNK_ROWS
from dealdb.store.keys import Keys
from dealdb.store.log.reader import HistoryReset
from dealdb.store.replica.changing import with_values
from dealdb.store.replica.replica import Replica

# chunks of a column that are changed together: bounds the memory that they take
_CHANGED_AT_ONCE = 8
# field, number, digest and bytes
Chunk = tuple[str, int, str, bytes]
Known = Mapping[str, Mapping[int, str]]


class Made(Protocol):
    """What the columns of a checkpoint are made of; gives rows as ``HeldRows`` does."""

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
        self._changes = replica.waiting.changes
        self._height = replica.waiting.height
        # where the rows begin that no full chunk of the base has
        self._n_full, n_behind = divmod(self._height, CHUNK_ROWS)
        self._start = self._height - n_behind
        # columns from there on
        self._tails: dict[str, pl.Series] = {}

    def known(self) -> dict[str, dict[int, str]]:
        """Those of the base that nothing has changed."""
        known = Whole(self._replica).known()
        for name in self._changes:
            changed = self._changed(name)
            digests = enumerate(self._base.digests[name])
            known[name] = {n: digest for n, digest in digests if n not in changed}
        return known

    def chunks(self, known: Known) -> Iterator[Chunk]:
        """All others."""
        yield from encoded(self._replica.rows(self._replica.columns), known)
        self._tails = self._read_tails()
        for name in self._tails:
            yield from self._chunks_of(name, known[name])

    def part(self, name: str, first: int, stop: int) -> pl.Series | None:
        """Some rows of a column; None where only the server has them."""
        if name in self._replica.columns:
            return self._replica.columns[name][first:stop]
        start = self._start
        return self._tails[name][first - start : stop - start] if first >= start else None

    def _changed(self, name: str) -> set[int]:
        """Numbers of the base's chunks that are not as they were."""
        found = {self._n_full} if self._replica.height > self._height else set()
        for rows, _ in self._changes[name]:
            if rows is not None:
                found.update((rows // CHUNK_ROWS).unique())
        return {number for number in found if number * CHUNK_ROWS < self._height}

    def _chunks_of(self, name: str, known: Collection[int]) -> Iterator[Chunk]:
        """Chunks of a column that waits; the changes of one column at a time are put together."""
        scattered = _Scattered(self._changes[name])
        changed = [n for n in range(self._n_full) if n not in known]
        for start in range(0, len(changed), _CHANGED_AT_ONCE):
            some = changed[start : start + _CHANGED_AT_ONCE]
            parts = [self._read([name], n * CHUNK_ROWS, (n + 1) * CHUNK_ROWS)[name] for n in some]
            into = zip(parts, some, strict=True)
            parts = [scattered.put_into(part, n * CHUNK_ROWS) for part, n in into]
            yield from encoded_parts(name, some, parts)
        tail = self._tails[name] = scattered.put_into(self._tails[name], self._start)
        n_chunks = -(-self._replica.height // CHUNK_ROWS)
        last = [n for n in range(self._n_full, n_chunks) if n not in known]
        starts = [(n - self._n_full) * CHUNK_ROWS for n in last]
        yield from encoded_parts(name, last, [tail[at : at + CHUNK_ROWS] for at in starts])

    def _read_tails(self) -> dict[str, pl.Series]:
        """What is behind the last full chunk of the base, and what was appended, of all columns that wait."""
        names = list(self._changes)
        if self._height > self._start:
            tails = self._read(names, self._start, self._height)
        else:
            tails = {name: nulls(self._replica.schema[name], 0) for name in names}
        for name, tail in tails.items():
            appended = [values for rows, values in self._changes[name] if rows is None]
            tails[name] = pl.concat([tail, *appended]).rechunk()
        return tails

    def _read(self, names: list[str], first: int, stop: int) -> dict[str, pl.Series]:
        """Rows of the base, which begin with a chunk and end with one."""
        found = self._base.part(names, first, stop - 1).read(self._link, self._keys)
        if found is None or any(len(column) != stop - first for column in found.values()):
            msg = "a chunk of the checkpoint that a load is folded into was removed, or is damaged"
            raise HistoryReset(msg)
        return found


class _Scattered:
    """
    Changes of single rows of one column.

    Parameters
    ----------
    changes
        In their order; as ``Waiting`` has them.
    """

    def __init__(self, changes: Iterable[tuple[pl.Series | None, pl.Series]]) -> None:
        some = [
            (rows.rename(""), values.rename("")) for rows, values in changes if rows is not None
        ]
        self._rows = pl.Series([], dtype=pl.UInt32)
        if some:
            rows, values = (pl.concat(each) for each in zip(*some, strict=True))
            last = rows.is_last_distinct()
            rows, values = rows.filter(last), values.filter(last)
            order = rows.arg_sort()
            self._rows, self._values = rows.gather(order), values.gather(order)

    def put_into(self, column: pl.Series, first: int) -> pl.Series:
        """The column, whose rows are those from ``first`` on, with what was changed in them."""
        start, stop = (self._rows.search_sorted(at) for at in (first, first + len(column)))
        if start == stop:
            return column
        return with_values(column, self._rows[start:stop] - first, self._values[start:stop])
