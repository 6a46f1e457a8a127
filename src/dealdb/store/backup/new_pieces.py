"""New partitions that a backup is made into, until each is written."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha1
from itertools import islice
from typing import IO

import polars as pl

from dealdb.store.backup.contents import Head, pack_entry, unpack_entry
from dealdb.store.backup.taking import PieceWriter
from dealdb.store.log.entry import Entry, Position
from dealdb.store.replica.replica import Replica

# commits applied together
_AT_ONCE = 500


class NewRows:
    """New rows by old ones, of each old piece; a deal is in one new partition, so one list does for all of these."""

    def __init__(self) -> None:
        self._of: dict[int, array[int]] = {}

    def get(self, piece: int, row: int) -> int | None:
        """The new row, or None where it has none yet."""
        known = self._of.get(piece, ())
        return known[row] if row < len(known) and known[row] >= 0 else None

    def put(self, piece: int, row: int, new: int) -> None:
        """Give it one."""
        known = self._of.setdefault(piece, array("q"))
        known.extend([-1] * (row + 1 - len(known)))
        known[row] = new


class Spool:
    """Keeps commits in a file until all were gone through."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._end = 0

    def put(self, entry: Entry) -> int:
        """Append a commit; returns where it is. None is read before the last one is there."""
        blob = pack_entry(entry)
        start, self._end = self._end, self._end + 8 + len(blob)
        self._file.write(len(blob).to_bytes(8) + blob)
        return start

    def get(self, start: int) -> Entry:
        """The commit that is there."""
        self._file.seek(start)
        return unpack_entry(self._file.read(int.from_bytes(self._file.read(8))))


class NewHistory:
    """
    One new partition, with its history.

    Parameters
    ----------
    head
        Of the backup, for what does not change.
    spool
        Keeps its commits, and those of the partitions that are made with it.
    new_rows
        Of this partition and of those that are made with it.
    """

    def __init__(self, head: Head, spool: Spool, new_rows: NewRows) -> None:
        self._head = head
        self._spool = spool
        self._places = array("q")
        self._last: Entry | None = None
        self._height = 0
        self._genesis = ""
        self._new_rows = new_rows

    def rows_of(self, piece: int, rows: Sequence[int]) -> list[int]:
        """New rows of some old ones: those that it has not seen are given the next ones, in their order."""
        found = []
        given = 0
        for row in rows:
            new = self._new_rows.get(piece, row)
            if new is None:
                new = self._height + given
                self._new_rows.put(piece, row, new)
                given += 1
            found.append(new)
        return found

    def append(self, entry: Entry, rows: bytes, data: bytes, n_new: int) -> None:
        """Have one more commit, which gives out so many rows."""
        last = self._last.position if self._last else Position()
        self._genesis = self._genesis or entry.writer
        before = last.hash.decode() if last.seq else self._genesis
        text = f"{before} {last.seq + 1} {entry.writer} {entry.counter} {entry.time_ms}"
        chain = sha1(text.encode(), usedforsecurity=False).hexdigest()[:16]
        self._last = entry._replace(
            position=Position(last.seq + 1, chain.encode()),
            height=self._height,
            packed_rows=rows,
            data=data,
            deals=None,
        )
        self._height += n_new
        self._places.append(self._spool.put(self._last))

    @property
    def height(self) -> int:
        """Rows that were given out."""
        return self._height

    def _entries(self) -> Iterator[Entry]:
        return map(self._spool.get, self._places)

    def write(self, writer: PieceWriter) -> None:
        """Write all of it."""
        replica = Replica()
        entries = self._entries()
        while some := list(islice(entries, _AT_ONCE)):
            replica.apply(some)
        ids = replica.columns["id"].drop_nulls() if replica.columns else pl.Series()
        head = replace(
            self._head,
            genesis=self._genesis,
            seq=replica.position.seq,
            hash=replica.position.hash.decode(),
            time=replica.time_ms,
            rows=replica.height,
            deals=ids.n_unique(),
            history=replica.position.seq > 0,
        )
        writer.write(head, replica, self._last, self._entries() if head.history else None)


class NewState:
    """One new partition of a backup without history: its deals, and a commit that says nothing else."""

    def __init__(self, head: Head, replica: Replica, last: Entry | None) -> None:
        self._head, self._replica, self._last = head, replica, last

    def write(self, writer: PieceWriter) -> None:
        """Write all of it."""
        replica = self._replica
        ids = replica.columns["id"].drop_nulls() if replica.columns else pl.Series()
        head = replace(
            self._head,
            genesis=self._last.writer if self._last else "",
            seq=replica.position.seq,
            hash=replica.position.hash.decode(),
            time=replica.time_ms,
            rows=replica.height,
            deals=ids.n_unique(),
            history=False,
        )
        writer.write(head, replica, self._last, None)
