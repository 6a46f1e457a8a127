"""The replica of one process: fresh at every query, rebuilt when the server's history is another one."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import TypeAlias

import polars as pl

from dealdb.connection import Link
from dealdb.connection.fork import renew_in_child
from dealdb.errors import StoreDamaged, StoreError
from dealdb.store.archive.chunk_cache import ChunkCache
from dealdb.store.archive.chunks import CHUNK_ROWS
from dealdb.store.archive.first_look import FirstLook, first_look
from dealdb.store.archive.manifest import Generation, Manifest, read_manifest
from dealdb.store.checkpoint.recent import Unsealed
from dealdb.store.checkpoint.write import open_checkpoint, read_checkpoint, write_checkpoint
from dealdb.store.keys import Keys
from dealdb.store.live.schedule import Upkeep
from dealdb.store.log.entry import Entry, LogPage, Position
from dealdb.store.log.reader import HistoryReset, has_position, read_since
from dealdb.store.replica.from_hashes import replica_from_hashes
from dealdb.store.replica.replica import Replica
from dealdb.store.replica.snapshot import Snapshot, snapshot_of

# a history that is reset again and again while it is read is nothing that a reader can wait for
_MAX_REBUILDS = 5
# changes after which a checkpoint saves more than it costs, at least
MIN_CHANGES = 4_096
# to a new process a change in the log costs as much as so many deals cost whoever writes a checkpoint
_DEALS_A_CHANGE = 8
# what a load leaves in the log is as large as what it loaded
_DEALS_A_LOADED_CHANGE = 20
# while it goes on: what is less than a chunk is packed anew each time
_CHANGES_SO_FAR = 2 * CHUNK_ROWS
_DEALS_A_CHANGE_SO_FAR = 16
# a row alone in its chunk takes a third of the time of the chunk
_ROWS_A_CHUNK = 2
# waited after each failure of the checkpoint that ends a load: nobody may ever query in its process
_SETTLING_PAUSES_S = (0.1, 0.4, 1.6, 0.0)
# a server that hangs is not waited for again
_SETTLING_S = 4.0
_Read: TypeAlias = Callable[[Link, Keys, Generation, ChunkCache | None], Replica | None]
# a replica, and what the log has after it
_Begun: TypeAlias = tuple[Replica, Iterator[LogPage]]


class LiveColumns:
    """
    Columns of one collection, as fresh as the last commit that was acknowledged before they are asked for.

    Parameters
    ----------
    link, keys
        The collection.
    anchor
        Called to append a commit that changes nothing, when the log has lost its last entry.
    cache
        Where chunks are looked for first; None for the server alone.
    """

    def __init__(
        self, link: Link, keys: Keys, anchor: Callable[[], None], cache: ChunkCache | None = None
    ) -> None:
        self._link = link
        self._keys = keys
        self._anchor = anchor
        self._cache = cache
        self._lock = threading.Lock()
        self._replica = Replica()
        self._snapshot: Snapshot | None = None
        self._has_read_rows = False
        self._unsealed = Unsealed()
        self._owner = secrets.token_hex(8)
        self._upkeep = Upkeep(self._write_beside, self._is_covered)
        renew_in_child(self)

    def renew(self) -> None:
        """Begin empty in a forked child: another thread of the parent may have been in the middle of a change."""
        self._lock = threading.Lock()
        self._replica = Replica()
        self._snapshot = None
        self._unsealed = Unsealed()
        self._upkeep = Upkeep(self._write_beside, self._is_covered)

    def snapshot(
        self, names: Collection[str] | None = None, look: FirstLook | None = None
    ) -> Snapshot:
        """
        The deals as of now.

        Parameters
        ----------
        names
            Columns that it must have, in lower or upper case; None for all. Others may be missing.
        look
            What the caller has just seen of the collection, if it has.

        Raises
        ------
        StoreDamaged
            If the log holds what dealdb did not write.

        Cost
        ----
        One round trip where fewer than 100 commits are new; at first one more, unless ``look`` is given, and one for
        the columns that were not asked for before.
        """
        with self._lock:
            self._sync(names, look)
            self._begin_checkpoint_if_due()
            some = self._columns_of(names)
            if some is not None and not self._replica.has_all:
                position = self._replica.position
                return snapshot_of(self._replica, some, partial(self._whole_rows, position))
            if self._snapshot is None:
                self._snapshot = snapshot_of(self._replica)
            return self._snapshot

    def _columns_of(self, names: Collection[str] | None) -> list[str] | None:
        if names is None:
            return None
        wanted = {name.casefold() for name in names}
        return [name for name in self._replica.schema if name.casefold() in wanted]

    def _whole_rows(self, position: Position, rows: pl.Series) -> pl.DataFrame | None:
        """All columns of some rows as of a commit; None if that is not the last one any more, or the rows are many."""
        with self._lock:
            replica = self._replica
            many = len(rows) > _ROWS_A_CHUNK * (replica.height // CHUNK_ROWS + 1)
            # who asks again is better served by having the columns
            if replica.position != position or many or self._has_read_rows:
                return None
            self._has_read_rows = True
            return replica.some_rows(rows)

    def replica(self) -> Replica:
        """The state as of now with all columns, which stays as it is. Costs as ``snapshot`` does."""
        with self._lock:
            self._sync(None)
            return self._replica.twin()

    def columns_bytes(self) -> int:
        """Memory of the columns that have been read so far."""
        with self._lock:
            return sum(int(column.estimated_size()) for column in self._replica.columns.values())

    def settle(self, *, so_far: bool = False) -> None:
        """
        Fold a load into a checkpoint, so that the server need not keep its log, if it was a large one.

        Parameters
        ----------
        so_far
            Whether the load goes on: then only where new deals have filled some chunks, up to the commit that
            filled the last of them.

        Cost
        ----
        A read of the log since the last time; then, if a checkpoint is due, that of one.
        """
        self.finish()
        with self._lock:
            try:
                self._sync(None, follow=partial(self._follow_settling, so_far=so_far))
            except BaseException:
                self._unsealed.clear()
                raise
            if not so_far:
                # where most chunks are there already, a checkpoint costs little: however few the changes are
                is_cheap = bool(self._replica.chunks)
                deals_a_change = self._replica.height if is_cheap else _DEALS_A_LOADED_CHANGE
                self._checkpoint_if_due(deals_a_change, tries=len(_SETTLING_PAUSES_S))
                self._unsealed.clear()

    def give_up_unsealed(self) -> None:
        """Free what ``settle`` has kept for the next checkpoint. No round trip."""
        with self._lock:
            self._unsealed.clear()

    def finish(self) -> None:
        """Wait for a checkpoint that a query has begun, if one is under way."""
        self._upkeep.finish()

    def snapshot_with_rows(self) -> tuple[Snapshot, pl.Series]:
        """Snapshot, and the row number of each of its deals. Costs as ``snapshot`` does."""
        snapshot = self.snapshot()
        with self._lock:
            rows = self._replica.row_numbers()
            if self._replica.position.seq == snapshot.seq:
                return snapshot, rows
        return self.snapshot_with_rows()

    def _sync(
        self,
        names: Collection[str] | None,
        look: FirstLook | None = None,
        *,
        follow: Callable[[Iterator[LogPage]], None] | None = None,
    ) -> None:
        """Bring the replica up to date, and have these columns in it."""
        pages = self._new_pages()
        read: _Read = open_checkpoint
        for _ in range(_MAX_REBUILDS):
            try:
                pages = self._rebuilt(read, look) if pages is None else pages
                (follow or self._follow)(pages)
                self._need(names)
            except HistoryReset:
                # with all columns: what waits may be gone again before it is asked for
                pages, read, look = None, read_checkpoint, None
            else:
                return
        msg = f"{self._link.settings.where}: the history of {self._keys.collection!r} changed on every try to read it"
        raise StoreDamaged(msg)

    def _new_pages(self) -> Iterator[LogPage] | None:
        position = self._replica.position
        return read_since(self._link, self._keys.log, position) if position.seq else None

    def _follow(self, pages: Iterator[LogPage]) -> None:
        for page in pages:
            self._apply(page)

    def _follow_settling(self, pages: Iterator[LogPage], *, so_far: bool) -> None:
        """Follow, and keep at hand what the next checkpoint is to seal; ``so_far`` as for ``settle``."""
        for page in pages:
            for part in _at_full_chunks(page, self._replica.height) if so_far else [page]:
                entries = [entry.with_deals() for entry in part]
                self._apply(entries)
                self._unsealed.add(entries)
                # the history keeps the chunks that its deals are in, and so any that is not full
                filled = self._replica.height % CHUNK_ROWS < CHUNK_ROWS // 10
                if so_far and filled and self._replica.changes > _CHANGES_SO_FAR:
                    self._checkpoint_if_due(_DEALS_A_CHANGE_SO_FAR)

    def _apply(self, page: Sequence[Entry]) -> None:
        # given up first: a column that a frame refers to is copied before it is changed
        self._snapshot = None
        replica, self._replica = self._replica, Replica()
        replica.apply(page)
        # only now: an interrupt in the middle leaves columns that are neither the old ones nor the new ones
        self._replica = replica

    def _need(self, names: Collection[str] | None) -> None:
        """Have these columns in the replica, and what tells which rows count and which stages there are."""
        some, replica = self._columns_of(names), self._replica
        replica.need(some if some is None else [*some, *(["id"] if replica.has_deleted else [])])
        replica.stages  # noqa: B018

    def _rebuilt(self, read: _Read, look: FirstLook | None) -> Iterator[LogPage]:
        """Begin anew, and return what the log has after that."""
        look = look or first_look(self._link, self._keys)
        self._snapshot = None
        # they are of another history, or lie before what the checkpoint has
        self._unsealed.clear()
        self._replica, pages = (
            self._from_checkpoint(read, look.manifest) or self._from_start() or self._from_hashes()
        )
        return pages

    def _from_checkpoint(self, read: _Read, manifest: Manifest | None) -> _Begun | None:
        tried = None
        # one that has come meanwhile has taken chunks of the one before away
        while manifest is not None and manifest != tried:
            for generation in manifest.generations:
                pages = read_since(self._link, self._keys.log, generation.position)
                if pages is not None:
                    replica = read(self._link, self._keys, generation, self._cache)
                    if replica is not None:
                        return replica, pages
            tried, manifest = manifest, read_manifest(self._link, self._keys)
        return None

    def _from_start(self) -> _Begun | None:
        pages = read_since(self._link, self._keys.log, Position())
        if pages is None:
            return None
        first = next(pages, None)
        if first is not None:
            return Replica(), chain([first], pages)
        # an empty log is the beginning, or all that is left of a longer one
        exists = self._link.call("EXISTS", self._keys.meta, retry=True)
        return None if exists else (Replica(), pages)

    def _from_hashes(self) -> _Begun:
        seq, digest = self._link.call("HMGET", self._keys.meta, "seq", "hash", retry=True)
        if seq is None:
            msg = f"{self._link.settings.where}: the meta data of {self._keys.collection!r} is gone"
            raise HistoryReset(msg)
        if not has_position(self._link, self._keys.log, Position(int(seq), digest)):
            self._anchor()
        replica = replica_from_hashes(self._link, self._keys)
        pages = read_since(self._link, self._keys.log, replica.position)
        if pages is None:
            msg = f"{self._link.settings.where}: the log of {self._keys.collection!r} was reset while it was read"
            raise HistoryReset(msg)
        return replica, pages

    def _begin_checkpoint_if_due(self) -> None:
        """Have a thread write a checkpoint: queries go on, and nobody waits for it but ``finish``."""
        upkeep = self._upkeep
        self._replica.changes += upkeep.given_back()
        if not self._is_due(_DEALS_A_CHANGE) or not upkeep.may_begin:
            return
        try:
            # who may not write one must not gather changes of waiting columns for ever
            self._replica.need()
            upkeep.begin(self._replica.twin(), self._replica.changes)
            self._replica.changes = 0
        except (StoreError, RuntimeError):
            # RuntimeError: no thread can be had, as at the end of the interpreter
            upkeep.note_failure()

    def _checkpoint_if_due(self, deals_a_change: int, *, tries: int = 1) -> None:
        """Write a checkpoint without the chunks that the last one wrote, as a load does."""
        if not self._is_due(deals_a_change):
            return
        ends_at = time.monotonic() + _SETTLING_S
        for pause_s in _SETTLING_PAUSES_S[-tries:]:
            if self._write_settling():
                self._unsealed.clear()
                self._replica.changes = 0
            if not self._replica.changes or time.monotonic() > ends_at:
                return
            time.sleep(pause_s)

    def _is_due(self, deals_a_change: int) -> bool:
        return self._replica.changes > max(MIN_CHANGES, self._replica.height // deals_a_change)

    def _write_settling(self) -> bool:
        """Write one, unless there is one as new; whether there is one now."""
        replica = self._replica
        with suppress(StoreError):
            return write_checkpoint(
                self._link, self._keys, replica,
                anew=False, unsealed=self._unsealed, owner=self._process,
            ) or self._is_covered(replica.position)  # fmt: skip
        return False

    def _write_beside(self, replica: Replica, on_failure: Callable[[], object]) -> bool:
        return write_checkpoint(
            self._link, self._keys, replica, owner=self._process, on_failure=on_failure
        )

    @property
    def _process(self) -> str:
        """Names this process: a child that was forked is another one."""
        return f"{self._owner}-{os.getpid()}"

    def _is_covered(self, position: Position) -> bool:
        manifest = read_manifest(self._link, self._keys)
        return manifest is not None and manifest.generations[0].position.seq >= position.seq


def _at_full_chunks(page: LogPage, height: int) -> Iterator[LogPage]:
    """A page in parts: each but the last ends with the commit that fills a chunk of a replica of this height."""
    start = 0
    for place, before in enumerate(page.heights):
        if before // CHUNK_ROWS > height // CHUNK_ROWS:
            yield page[start:place]
            start, height = place, before
    yield page[start:]
