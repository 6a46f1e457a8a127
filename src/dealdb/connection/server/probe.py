"""Whether the server answers, known within a second."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Protocol

from dealdb.connection.endpoint import Endpoint
from dealdb.connection.fork import renew_in_child
from dealdb.connection.pool import Pool
from dealdb.connection.protocol.translate import is_missing_right
from dealdb.errors import PoolTimeout, ServerRefused, StoreError

# the caller is promised an answer within a second; the rest is for the thread to start and the verdict to come back
ANSWER_WITHIN_S = 0.8


class Nodes(Protocol):
    """Who knows the nodes of a cluster."""

    def primaries(self) -> list[Endpoint]:
        """Those that have keys."""
        ...

    def refresh(self, avoid: Endpoint | None = None) -> None:
        """Look again who they are, where one has just failed."""
        ...


class _Ask(threading.Thread):
    """A PING to each server, in a thread of its own, for a look-up of a host name can't be given a deadline."""

    def __init__(self, pool: Pool, slots: Nodes | None) -> None:
        super().__init__(name="dealdb-probe", daemon=True)
        self._pool = pool
        self._slots = slots
        self.began = time.monotonic()
        self.verdict: bool | None = None
        # whether the answers to other callers say as much as its own would
        self.is_like_others = True

    def run(self) -> None:
        with contextlib.suppress(PoolTimeout):
            self.verdict = self._ping(None) if self._slots is None else self._ping_all(self._slots)

    def _ping_all(self, slots: Nodes) -> bool:
        try:
            nodes = slots.primaries()
        except StoreError:
            return False
        gone = next((node for node in nodes if not self._ping(node)), None)
        if gone is None:
            return True
        # another one may have its place, and is asked the next time
        with contextlib.suppress(StoreError):
            slots.refresh(avoid=gone)
        return False

    def _ping(self, node: Endpoint | None) -> bool:
        try:
            wire = self._pool.checkout(self._pool.db, ANSWER_WITHIN_S, node)
        except PoolTimeout:
            raise
        except StoreError:
            return False
        # others may have been answered by another node
        self.is_like_others = node is None
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
        self.is_like_others = True
        return True


class Probe:
    """
    Asks a server, or each node of a cluster, whether it is there; at most one asking thread and one socket at a time.

    A caller that comes while an earlier question is still open waits for that one: a host that hangs would
    otherwise gather threads, and take one socket of the pool for each.

    Parameters
    ----------
    pool
        Of the sockets.
    slots
        Of a cluster, who has them; else None.
    """

    def __init__(self, pool: Pool, slots: Nodes | None = None) -> None:
        self._pool = pool
        self._slots = slots
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
        if asking.verdict is None and asking.is_like_others:
            return self._pool.answered_at >= began
        return bool(asking.verdict)

    def _join(self) -> _Ask:
        with self._lock:
            asking = self._asking
            if asking is None or not asking.is_alive():
                asking = self._asking = _Ask(self._pool, self._slots)
                asking.start()
            return asking
