"""The replica of one process: fresh at every query, rebuilt when the server's history is another one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial

import polars as pl

from dealdb.connection import Link
from dealdb.connection.fork import renew_in_child
from dealdb.errors import StoreDamaged
from dealdb.model.columns import bytes_of
from dealdb.model.pipeline import Pipeline
from dealdb.store.archive.chunk_cache import ChunkCache
from dealdb.store.archive.first_look import FirstLook, first_look
from dealdb.store.archive.manifest import read_manifest
from dealdb.store.archive.unpacking import CHUNK_ROWS
from dealdb.store.checkpoint.read import open_checkpoint, read_checkpoint
from dealdb.store.checkpoint.recent import Recent
from dealdb.store.checkpoint.schedule import CheckpointSchedule
from dealdb.store.checkpoint.turns import Turns, by_itself
from dealdb.store.keys import Keys
from dealdb.store.live.reading_ahead import ReadingAhead
from dealdb.store.live.rebuild import Read, rebuilt
from dealdb.store.log.entry import Entry, LogPage, Position
from dealdb.store.log.reader import HistoryReset, News, read_since
from dealdb.store.replica.replica import Replica
from dealdb.store.replica.snapshot import Snapshot, snapshot_of

logger = logging.getLogger(__name__)
# a history that is reset again and again while it is read is nothing that a reader can wait for
_MAX_REBUILDS = 5
# of these, the last ones don't need the log: it may lack an entry, and not be another one
_BY_LOG = 2
# a row alone in its chunk takes a third of the time of the chunk
_ROWS_A_CHUNK = 2


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
    only_settles
        Whether no query asks for the columns: then a load is folded without the older rows.
    turns
        With which checkpoints of other columns this one's are written in turn; None for a thread of their own.

    Attributes
    ----------
    may_publish
        Whether a query may begin a checkpoint.
    """

    def __init__(
        self,
        link: Link,
        keys: Keys,
        anchor: Callable[[], None],
        cache: ChunkCache | None = None,
        *,
        only_settles: bool = False,
        turns: Turns | None = None,
    ) -> None:
        self._link = link
        self._keys = keys
        self._anchor = anchor
        self._cache = cache
        self._folds = only_settles
        self._begin_checkpoint = turns.begin if turns else by_itself
        self._start_empty()
        self.may_publish = True
        renew_in_child(self)

    def renew(self) -> None:
        """Begin empty in a forked child: another thread of the parent may have been in the middle of a change."""
        self._start_empty()

    def _start_empty(self) -> None:
        self._lock = threading.Lock()
        self._replica = Replica()
        self._snapshot: Snapshot | None = None
        self._has_read_rows = False
        self._ahead = ReadingAhead(self._lock, lambda: self._replica)
        self._recent = Recent()
        self._schedule = CheckpointSchedule(self._link, self._keys, self._begin_checkpoint)

    def snapshot(
        self,
        names: Collection[str] | None = None,
        look: FirstLook | None = None,
        *,
        news: News | None = None,
    ) -> Snapshot:
        """
        The deals as of now.

        Parameters
        ----------
        names
            Columns that it must have, in lower or upper case; None for all. Others may be missing.
        look
            What the caller has just seen of the collection, if it has.
        news
            What the caller has just seen of the log: where the columns have it all, nothing is asked for.

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
            self._sync(names, look, news=news)
            if self.may_publish:
                self._schedule.begin_if_due(self._replica)
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
            if replica.position != position or many or self._ahead.has_failed:
                return None
            found = replica.some_rows(rows)
            if self._has_read_rows:
                # not at the first time: a command that asks once is done before the columns are there
                self._ahead.begin()
            self._has_read_rows = True
            return found

    @property
    def position(self) -> Position:
        """The last commit that was read."""
        return self._replica.position

    @property
    def pipeline(self) -> Pipeline:
        """Stages as of the last commit that was read; waits for whoever is reading."""
        with self._lock:
            # in the middle of a change there are none
            return self._replica.pipeline

    def replica(self) -> Replica:
        """The state as of now with all columns, which stays as it is. Costs as ``snapshot`` does."""
        with self._lock:
            self._sync(None)
            return self._replica.twin()

    def columns_bytes(self) -> int:
        """Memory of the columns that have been read so far."""
        # without the lock, which a failing checkpoint holds for seconds: the replica is exchanged whole
        return sum(map(bytes_of, list(self._replica.columns.values())))

    def settle(self, *, so_far: bool = False) -> None:
        """
        Fold a load into a checkpoint, so that the server need not keep its log, if it was a large one.

        Parameters
        ----------
        so_far
            Whether the load still runs: then only where new deals have filled some chunks, up to the commit that
            filled the last of them.

        Cost
        ----
        A read of the log since the last time; then, if a checkpoint is due, that of one. Queries of these columns wait
        for all of it.
        """
        self.finish()
        with self._lock:
            done = self._settle(so_far=so_far)
            if self._folds and not done:
                # the checkpoint that it is to be folded into is gone or damaged: with all columns, or from the hashes
                self._folds, self._replica = False, Replica()
                self._settle(so_far=so_far)

    def _settle(self, *, so_far: bool) -> bool:
        """Settle; whether the checkpoint at the end of a load is there, if it was due."""
        follow = partial(self._follow_settling, so_far=so_far)
        done = True
        try:
            self._sync(None, follow=follow)
            if not so_far:
                done = self._schedule.write_after_load(self._replica, self._recent)
        except BaseException:
            self._recent.clear()
            raise
        if not so_far:
            self._recent.clear()
        return done

    def give_up_recent(self) -> None:
        """Free what ``settle`` has kept for the next checkpoint. No round trip."""
        with self._lock:
            self._recent.clear()

    def finish(self) -> None:
        """Wait for a checkpoint that a query has begun, if one is under way."""
        self._schedule.finish()

    def stop_reading(self) -> None:
        """Have the thread end that reads columns ahead, if one does; it isn't waited for."""
        self._ahead.stop()

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
        news: News | None = None,
        follow: Callable[[Iterator[LogPage]], None] | None = None,
    ) -> None:
        """Bring the replica up to date, and have these columns in it."""
        began, origin = time.monotonic(), ""
        pages = self._new_pages(news)
        least = news.newest.seq if news is not None else 0
        read: Read = open_checkpoint
        for n_tries in range(_MAX_REBUILDS):
            try:
                if pages is None:
                    pages, origin = self._rebuilt(read, look, least, by_log=n_tries < _BY_LOG)
                (follow or self._follow)(pages)
                if not (follow and self._folds):
                    self._need(names)
            except HistoryReset:
                # with all columns: what waits may be gone again before it is asked for
                pages, read, look = None, read_checkpoint, None
            else:
                if origin:
                    self._log_rebuilt(origin, time.monotonic() - began)
                return
        msg = f"{self._link.settings.where}: the history of {self._keys.collection!r} changed on every try to read it"
        raise StoreDamaged(msg)

    def _new_pages(self, news: News | None) -> Iterator[LogPage] | None:
        position = self._replica.position
        if not position.seq:
            return None
        if news is not None and news.newest == position:
            return iter(())
        asked = news.entries if news is not None and news.since == position else None
        least = news.newest.seq if news is not None else 0
        return read_since(self._link, self._keys.log, position, asked, least)

    def _follow(self, pages: Iterator[LogPage]) -> None:
        for page in pages:
            self._apply(page)

    def _follow_settling(self, pages: Iterator[LogPage], *, so_far: bool) -> None:
        """Follow, and keep at hand what the next checkpoint is to seal; ``so_far`` as for ``settle``."""
        for page in pages:
            for part in _at_full_chunks(page, self._replica.height) if so_far else [page]:
                entries = [entry.with_deals() for entry in part]
                self._apply(entries)
                self._recent.add(entries)
                if so_far and self._schedule.write_during_load(self._replica, self._recent):
                    self._let_go()

    def _let_go(self) -> None:
        """Have the columns wait again, after a checkpoint of them was written, where no query needs them."""
        manifest = read_manifest(self._link, self._keys) if self._folds else None
        newest = manifest.generations[0] if manifest else None
        # another's may be newer, or older by an interrupt
        if newest and newest.position == self._replica.position:
            replica = open_checkpoint(self._link, self._keys, newest, self._cache)
            replica.chunks = self._replica.chunks
            self._replica = replica

    def _apply(self, page: Sequence[Entry]) -> None:
        # given up first: a column that a frame refers to is copied before it is changed
        self._snapshot = None
        replica, self._replica = self._replica, Replica()
        replica.apply(page)
        # only now: an interrupt in the middle leaves columns that are neither the old ones nor the new ones
        self._replica = replica
        logger.debug(
            "log of %r read; commits: %d, up to: %d",
            *(self._keys.collection, len(page), replica.position.seq),
        )

    def _need(self, names: Collection[str] | None) -> None:
        """Have these columns in the replica, and what says which rows count and which stages there are."""
        some, replica = self._columns_of(names), self._replica
        replica.need(some if some is None else [*some, *(["id"] if replica.has_deleted else [])])
        replica.read_stages()

    def _rebuilt(
        self, read: Read, look: FirstLook | None, least: int, *, by_log: bool
    ) -> tuple[Iterator[LogPage], str]:
        """Begin again, and return what the log has after that, and what this began from."""
        look = look or first_look(self._link, self._keys)
        self._snapshot = None
        # they are of another history, or lie before what the checkpoint has
        self._recent.clear()
        self._replica, pages, origin = rebuilt(
            self._link,
            self._keys,
            self._cache,
            look.manifest,
            read=read,
            anchor=self._anchor,
            least=least,
            by_log=by_log,
        )
        return pages, origin

    def _log_rebuilt(self, origin: str, took_s: float) -> None:
        replica = self._replica
        # an empty collection is begun at every query
        if replica.position.seq:
            logger.info(
                "columns of %r rebuilt from %s; rows: %d, commit: %d, seconds: %.3f",
                *(self._keys.collection, origin, replica.height, replica.position.seq, took_s),
            )


def _at_full_chunks(page: LogPage, height: int) -> Iterator[LogPage]:
    """A page in parts: each but the last ends with the commit that fills a chunk of a replica of this height."""
    start = 0
    for place, before in enumerate(page.heights):
        if before // CHUNK_ROWS > height // CHUNK_ROWS:
            yield page[start:place]
            start, height = place, before
    yield page[start:]
