"""Checkpoints that queries begin: written by a thread, one at a time, and tried again where one fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

from dealdb.errors import StoreError
from dealdb.store.log.entry import Position
from dealdb.store.replica.replica import Replica

# after a failure the next query tries again, and then one after so long, four times as long, and so on
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 300.0
_GROWTH = 4
# one that takes long is not to be begun all the time
_PAUSE_BY_DURATION = 4
# how often whoever waits looks whether there is anything left to wait for
_LOOK_S = 0.02
# publishes a replica; calls the function as soon as that has failed, though it may go on to tidy up
_Write: TypeAlias = Callable[[Replica, Callable[[], object]], bool]


class Upkeep:
    """
    Writes checkpoints beside the queries of a process.

    Parameters
    ----------
    write
        Publishes a replica as a checkpoint; False when it could not.
    is_covered
        Whether there is a checkpoint as new as a commit, be it another's.
    """

    def __init__(self, write: _Write, is_covered: Callable[[Position], bool]) -> None:
        self._write = write
        self._is_covered = is_covered
        self._thread: threading.Thread | None = None
        self._has_failed = False
        self._missed: Position | None = None
        self._changes = self._given_back = 0
        self._n_failed = 0
        self._not_before = 0.0

    @property
    def may_begin(self) -> bool:
        """Whether none is under way, and the pause after one that failed is over."""
        busy = self._thread is not None and self._thread.is_alive()
        return not busy and time.monotonic() >= self._not_before

    def begin(self, replica: Replica, changes: int) -> None:
        """
        Have a thread publish a replica, which nobody else may change.

        Parameters
        ----------
        changes
            How many there are since the last checkpoint.

        Raises
        ------
        RuntimeError
            If no thread can be had, as at the end of the interpreter.
        """
        thread = threading.Thread(target=self._run, args=(replica,), name="dealdb-checkpoint")
        self._changes, self._has_failed = changes, False
        thread.start()
        self._thread = thread

    def given_back(self) -> int:
        """Changes that are in no checkpoint after all, since the one that was begun has failed; told once."""
        changes, self._given_back = self._given_back, 0
        return changes

    def note_failure(self, took_s: float = 0.0) -> None:
        """Have a pause before the next try, longer each time."""
        growing = _FIRST_PAUSE_S * _GROWTH ** (self._n_failed - 1) if self._n_failed else 0.0
        if growing:
            growing = max(growing, took_s * _PAUSE_BY_DURATION)
        self._not_before = time.monotonic() + min(growing, _LONGEST_PAUSE_S)
        # no higher power than it takes to reach the longest pause
        self._n_failed = min(self._n_failed + 1, 10)

    def finish(self) -> None:
        """Wait until the checkpoint that is under way is there, or has failed."""
        thread = self._thread
        while thread is not None and thread.is_alive() and not self._has_failed:
            # giving the lease back is not waited for: a server that hangs takes its time for that too
            thread.join(_LOOK_S)

    def _run(self, replica: Replica) -> None:
        began = time.monotonic()
        done = False
        try:
            done = self._has_been_done() or self._publish(replica)
        finally:
            if done:
                self._n_failed, self._missed = 0, None
            else:
                self._missed, self._given_back = replica.position, self._changes
                self.note_failure(time.monotonic() - began)

    def _has_been_done(self) -> bool:
        """Whether another process has meanwhile written what this one could not."""
        with suppress(StoreError):
            return self._missed is not None and self._is_covered(self._missed)
        return False

    def _publish(self, replica: Replica) -> bool:
        # for others: a process that may not write one, or can't just now, reads all the same
        with suppress(StoreError):
            return self._write(replica, self._fail) or self._is_covered(replica.position)
        return False

    def _fail(self) -> None:
        self._has_failed = True
