"""Whether the server answers, known within a second."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import TypeAlias

from dealdb.connection.endpoint import Endpoint
from dealdb.connection.fork import renew_in_child
from dealdb.connection.pool import Pool
from dealdb.connection.protocol.translate import is_missing_right
from dealdb.errors import PoolTimeout, ServerRefused, StoreError

# the caller is promised an answer within a second; the rest is for the thread to start and the verdict to come back
ANSWER_WITHIN_S = 0.8

Find: TypeAlias = Callable[[], Endpoint | None]


class _Ask(threading.Thread):
    """One PING in a thread of its own, for a look-up of a host name can't be given a deadline."""

    def __init__(self, pool: Pool, find: Find) -> None:
        super().__init__(name="dealdb-probe", daemon=True)
        self._pool = pool
        self._find = find
        self.began = time.monotonic()
        self.verdict: bool | None = None

    def run(self) -> None:
        with contextlib.suppress(PoolTimeout):
            self.verdict = self._ping()

    def _ping(self) -> bool:
        try:
            wire = self._pool.checkout(self._pool.db, ANSWER_WITHIN_S, self._find())
        except PoolTimeout:
            raise
        except StoreError:
            return False
        try:
            if not wire.is_sound():
                wire.connect(ANSWER_WITHIN_S)
            wire.ping(ANSWER_WITHIN_S)
        except ServerRefused:
            # it answers, e.g. that its disk is full
            return True
        except StoreError as error:
            return is_missing_right(error)
        finally:
            self._pool.release(wire)
        return True


class Probe:
    """
    Asks a server whether it is there; at most one asking thread and one socket at a time.

    A caller that comes while an earlier question is still open waits for that one: a host that hangs would
    otherwise gather threads, and take one socket of the pool for each.

    Parameters
    ----------
    pool
        Of the sockets.
    find
        Names the node of a cluster to ask; None where there are no nodes.
    """

    def __init__(self, pool: Pool, find: Find = lambda: None) -> None:
        self._pool = pool
        self._find = find
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Begin with no question open."""
        self._lock = threading.Lock()
        self._asking: _Ask | None = None

    def ask(self) -> bool:
        """Whether the server answered within ``ANSWER_WITHIN_S``; never raises."""
        began = time.monotonic()
        while (left := began + ANSWER_WITHIN_S - time.monotonic()) > 0:
            try:
                asking = self._join()
            except RuntimeError:
                # no thread can be started: the limit is reached, or the interpreter is on its way out
                return False
            asking.join(left)
            # an earlier question may have been answered no before the server came back
            if asking.verdict or asking.is_alive() or asking.began >= began:
                break
        return asking.verdict or (asking.verdict is None and self._pool.answered_at >= began)

    def _join(self) -> _Ask:
        with self._lock:
            asking = self._asking
            if asking is None or not asking.is_alive():
                asking = self._asking = _Ask(self._pool, self._find)
                asking.start()
            return asking
