"""Reading the columns that nobody has asked for yet, so that no query has to wait for them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from dealdb.store.log.reader import HistoryReset
from dealdb.store.replica.replica import Replica

logger = logging.getLogger(__name__)
# how often who waits for the lock looks whether that is still worth while
_LOOK_S = 0.1


class ReadingAhead:
    """
    A thread that reads the columns that wait, one after the other, and holds the lock only to put each in.

    All but ``stop`` is called by the holder of the lock.

    Parameters
    ----------
    lock
        Of the columns.
    replica
        Gives the state as it is now.

    Attributes
    ----------
    has_failed
        Whether the columns could not be read: who needs them reads them, and meets the same error.
    """

    def __init__(self, lock: threading.Lock, replica: Callable[[], Replica]) -> None:
        self._lock = lock
        self._replica = replica
        self._thread: threading.Thread | None = None
        self._stopped = False
        self.has_failed = False

    def begin(self) -> None:
        """Read what waits, unless that is under way."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._stopped = self.has_failed = False
        # not a daemon, which the end of the interpreter would stop in the middle of another library's work
        self._thread = threading.Thread(target=self._run, name="dealdb-read-ahead")
        try:
            self._thread.start()
        except RuntimeError:
            # there may be no more threads, or the interpreter ends
            self._thread, self.has_failed = None, True

    def stop(self) -> None:
        """Have it end after the column that it reads; doesn't wait for that."""
        self._stopped = True

    def _run(self) -> None:
        try:
            while self._read_one():
                pass
        except BaseException as problem:  # noqa: BLE001  # an interrupt, too, which Polars raises in any thread
            self.has_failed = True
            # the words of the problem may quote values
            logger.debug("columns were not read ahead: %s", type(problem).__name__)

    def _read_one(self) -> bool:
        """Read a column that waits; False if there is none, or nobody needs it any more."""
        if not self._take_lock():
            return False
        try:
            ahead = self._replica().ahead()
        finally:
            self._lock.release()
        if ahead is None:
            return False
        found = ahead.read()
        if found is None:
            msg = "the checkpoint that this process began with is gone"
            raise HistoryReset(msg)
        if not self._take_lock():
            return False
        try:
            self._replica().put(ahead, found)
        finally:
            self._lock.release()
        return True

    def _take_lock(self) -> bool:
        """Take the lock, unless nobody needs the columns any more: who has it may wait for a server that hangs."""
        while self._is_needed:
            if self._lock.acquire(timeout=_LOOK_S):
                return True
        return False

    @property
    def _is_needed(self) -> bool:
        return not self._stopped and threading.main_thread().is_alive()
