"""When a checkpoint is due, and who writes it: a thread next to the queries of a process, or a load itself."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from dealdb.connection import Link
from dealdb.errors import StoreError
from dealdb.store.archive.manifest import read_manifest
from dealdb.store.archive.unpacking import CHUNK_ROWS
from dealdb.store.checkpoint.lease import is_taken
from dealdb.store.checkpoint.recent import Recent
from dealdb.store.checkpoint.turns import Begun, by_itself
from dealdb.store.keys import Keys
from dealdb.store.log.entry import Position
from dealdb.store.replica.replica import Replica

logger = logging.getLogger(__name__)
# changes after which a checkpoint saves more than it costs, at least
MIN_CHANGES = 4_096
# to a new process a change in the log costs as much as so many deals cost the writer of a checkpoint
_DEALS_A_CHANGE = 8
# what a load leaves in the log is as large as what it loaded
_DEALS_A_LOADED_CHANGE = 20
# while it runs: what is less than a chunk is packed again each time
_CHANGES_SO_FAR = 2 * CHUNK_ROWS
_DEALS_A_CHANGE_SO_FAR = 16
# changes that a fold waits for a full chunk with, at most, since it holds them: new deals alone fill one before
_MOST_HELD = 5 * CHUNK_ROWS // 2
# waited after each failure of the checkpoint that ends a load: nobody may ever query in its process
_SETTLING_PAUSES_S = (0.1, 0.4, 1.6, 0.0)
# a server that hangs is not waited for again
_SETTLING_S = 4.0
# after a failure the next query tries again, and then one after so long, four times as long, and so on
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 300.0
_GROWTH = 4
# one that takes long is not to be begun all the time
_PAUSE_BY_DURATION = 4
# how often a waiting caller looks whether there is anything left to wait for
_LOOK_S = 0.02


class CheckpointSchedule:
    """
    Has the columns of one process written as checkpoints, when that saves others more than it costs.

    What queries begin is written by a thread, one at a time, and tried again where it fails. All but ``finish`` is
    called by the holder of the columns' lock.

    Parameters
    ----------
    link, keys
        The collection.
    begin
        Has a thread write one.
    """

    def __init__(
        self, link: Link, keys: Keys, begin: Callable[[Callable[[], None]], Begun] = by_itself
    ) -> None:
        self._link = link
        self._keys = keys
        self._begin_job = begin
        # of this process alone: a child that was forked makes a schedule of its own
        self._owner = secrets.token_hex(8)
        self._thread: Begun | None = None
        self._has_failed = False
        self._missed: Position | None = None
        self._changes = self._given_back = 0
        self._n_failed = 0
        self._last_reason = ""
        self._not_before = 0.0

    def begin_if_due(self, replica: Replica) -> None:
        """
        Have a thread write a checkpoint: queries continue, and only ``finish`` waits for it.

        Never fails: others can read without it.
        """
        replica.changes += self._take_given_back()
        if not _is_due(replica, _DEALS_A_CHANGE) or not self._may_begin:
            return
        try:
            # a process that may not write one must not gather changes of waiting columns for ever
            replica.need()
            self._begin(replica.twin(), replica.changes)
            replica.changes = 0
        except (StoreError, RuntimeError) as problem:
            # RuntimeError: no thread can be had, as at the end of the interpreter
            self._log_failure(problem)
            self._note_failure()

    def write_during_load(self, replica: Replica, recent: Recent) -> bool:
        """Write what a load has filled some chunks with, if it is enough, while the load runs; whether it was done."""
        is_fold = not replica.has_all
        # the history keeps the chunks that its deals are in, and so any that is not full
        filled = replica.height % CHUNK_ROWS <= CHUNK_ROWS // 10
        if replica.changes <= (_CHANGES_SO_FAR if filled else _MOST_HELD):
            return False
        if filled or is_fold:
            # what a fold costs does not grow with the deals
            deals_a_change = max(replica.height, 1) if is_fold else _DEALS_A_CHANGE_SO_FAR
            self._write_if_due(replica, recent, deals_a_change, tries=1)
        return not replica.changes

    def write_after_load(self, replica: Replica, recent: Recent) -> bool:
        """Write what a load has left in the log, if it was a large one; False where another way may help."""
        # where most chunks are there already, a checkpoint costs little: however few the changes are
        is_cheap = bool(replica.chunks)
        deals_a_change = replica.height if is_cheap else _DEALS_A_LOADED_CHANGE
        if not _is_due(replica, deals_a_change):
            return True
        self._write_if_due(replica, recent, deals_a_change, tries=len(_SETTLING_PAUSES_S))
        # what the server refuses, it refuses whatever is done otherwise
        if not replica.changes or self._last_reason:
            return True
        is_busy = is_taken(self._link, self._keys)
        if is_busy:
            collection = self._keys.collection
            logger.info("no checkpoint of %r: another process is writing one", collection)
        return is_busy

    def finish(self) -> None:
        """Wait until the checkpoint that is under way is there, or has failed."""
        thread = self._thread
        while thread is not None and thread.is_alive() and not self._has_failed:
            # giving the lease back is not waited for: a server that hangs takes its time for that too
            thread.join(_LOOK_S)

    @property
    def _may_begin(self) -> bool:
        """Whether none is under way, and the pause after one that failed is over."""
        busy = self._thread is not None and self._thread.is_alive()
        return not busy and time.monotonic() >= self._not_before

    def _begin(self, replica: Replica, changes: int) -> None:
        """Have a thread publish a replica, which nobody else may change; ``changes`` since the last checkpoint."""
        self._changes, self._has_failed = changes, False
        self._thread = self._begin_job(partial(self._run, replica))

    def _take_given_back(self) -> int:
        """Changes that are in no checkpoint after all, because the one that was begun has failed; returned once."""
        changes, self._given_back = self._given_back, 0
        return changes

    def _note_failure(self, took_s: float = 0.0) -> None:
        """Have a pause before the next try, longer each time."""
        growing = _FIRST_PAUSE_S * _GROWTH ** (self._n_failed - 1) if self._n_failed else 0.0
        if growing:
            growing = max(growing, took_s * _PAUSE_BY_DURATION)
        self._not_before = time.monotonic() + min(growing, _LONGEST_PAUSE_S)
        # no higher power than it takes to reach the longest pause
        self._n_failed = min(self._n_failed + 1, 10)

    def _run(self, replica: Replica) -> None:
        began = time.monotonic()
        done = False
        try:
            done = self._has_been_done() or self._write_beside(replica)
        finally:
            if done:
                self._n_failed, self._missed, self._last_reason = 0, None, ""
            else:
                self._missed, self._given_back = replica.position, self._changes
                self._note_failure(time.monotonic() - began)

    def _has_been_done(self) -> bool:
        """Whether another process has meanwhile written what this one could not."""
        with suppress(StoreError):
            return self._missed is not None and self._is_covered(self._missed)
        return False

    def _write_beside(self, replica: Replica) -> bool:
        """Write one in the background, unless there is one as new; whether there is one now."""
        # most processes never write one, and it brings many modules
        from dealdb.store.checkpoint.write import write_checkpoint

        try:
            return write_checkpoint(
                self._link, self._keys, replica, owner=self._owner, on_failure=self._fail
            ) or self._is_covered(replica.position)
        except StoreError as problem:
            # for others: a process that may not write one, or can't just now, reads all the same
            self._log_failure(problem)
            return False
        except KeyboardInterrupt:
            # Polars answers Ctrl-C in whichever thread it works; the main thread has its own, and this is tried again
            return False

    def _fail(self) -> None:
        """Called as soon as it has failed, though the thread may still tidy up."""
        self._has_failed = True

    def _write_if_due(
        self, replica: Replica, recent: Recent, deals_a_change: int, *, tries: int
    ) -> None:
        """Write a checkpoint without the chunks that the last one wrote."""
        if not _is_due(replica, deals_a_change):
            return
        ends_at = time.monotonic() + _SETTLING_S
        for pause_s in _SETTLING_PAUSES_S[-tries:]:
            if self._write_settling(replica, recent):
                self._last_reason = ""
                recent.clear()
                replica.changes = 0
            if not replica.changes or time.monotonic() > ends_at:
                return
            time.sleep(pause_s)

    def _write_settling(self, replica: Replica, recent: Recent) -> bool:
        """Write one for a load, unless there is one as new; whether there is one now."""
        from dealdb.store.checkpoint.write import write_checkpoint

        try:
            return write_checkpoint(
                self._link, self._keys, replica, anew=False, recent=recent, owner=self._owner
            ) or self._is_covered(replica.position)
        except StoreError as problem:
            self._log_failure(problem)
            return False

    def _log_failure(self, problem: Exception) -> None:
        """Say why there is no checkpoint; once, since a process that may not write one tries again and again."""
        reason = str(problem)
        level = logging.DEBUG if reason == self._last_reason else logging.WARNING
        self._last_reason = reason
        logger.log(level, "no checkpoint of %r: %s", self._keys.collection, reason)

    def _is_covered(self, position: Position) -> bool:
        """Whether there is a checkpoint as new as a commit, be it another's."""
        manifest = read_manifest(self._link, self._keys)
        return manifest is not None and manifest.generations[0].position.seq >= position.seq


def _is_due(replica: Replica, deals_a_change: int) -> bool:
    return replica.changes > max(MIN_CHANGES, replica.height // deals_a_change)
