"""
A pool that blocks: at most ``max_connections`` sockets, whatever threads and changes of database do.

A slot is a live ``Wire`` object, idle or in use, so nothing has to be counted back: a wire that an interrupt
lost between two lines is collected, and its slot is free again; so is the place of a caller in the queue.
Callers that find no slot queue up and are served in order, on a cluster those of each node in theirs. A wire belongs
to one database for good. The pool keeps idle wires of its present database only; one that comes back from another
database is closed, and the server has closed its end before the slot is given to anyone else, so the server too
counts at most ``max_connections``.

After a fork the child begins with an empty pool and new locks; the parent's sockets stay the parent's.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TypeVar

from dealdb.connection.endpoint import Endpoint
from dealdb.connection.fork import renew_in_child
from dealdb.connection.pool_stats import PoolStats
from dealdb.connection.protocol.wire import HANG_UP_TIMEOUT_S, Wire
from dealdb.connection.sentinels import Sentinels
from dealdb.connection.settings import Settings
from dealdb.connection.waiter import Waiter
from dealdb.errors import PoolTimeout, StoreError

T = TypeVar("T")

# a slot can fall free without a release, by a wire that was collected; a waiting caller looks this often
LOST_SLOT_CHECK_S = 0.25
# how long one to a node of a cluster is waited for, before one is taken that leads to another node
PATIENCE_S = 0.02


class Pool:
    """
    At most ``settings.max_connections`` sockets to one server, lent to one caller each.

    Beside them it has one to each Sentinel that says where the server is.

    Parameters
    ----------
    settings
        The server, and the pool's size and patience.
    asks_role
        Whether each exchange asks the server for its role; not so to find out what a proxy passes.

    Attributes
    ----------
    db
        The database that is selected now.
    answered_at
        When the server last completed an exchange, on the monotonic clock; 0 before the first.
    """

    def __init__(self, settings: Settings, *, asks_role: bool = True) -> None:
        self.settings = settings
        self._asks_role = asks_role
        self.db = settings.db
        self.answered_at = 0.0
        self._sentinels = Sentinels(settings) if settings.sentinels else None
        # commands that this user may not run -> until when nobody asks again
        self.denied: dict[str, float] = {}
        self._closed = False
        self._waited = 0
        self._start_empty()
        renew_in_child(self)

    def _start_empty(self) -> None:
        # its holder may take it again: a signal's handler that closes the pool comes at any line
        self._lock = threading.RLock()
        self._idle: list[Wire] = []
        # no set of weak references: what takes the dead out of it is Python code, in which an interrupt is swallowed
        self._wires: list[weakref.ref[Wire]] = []
        self._waiters: deque[weakref.ref[Waiter]] = deque()

    def checkout(
        self, db: int, timeout_s: float | None = None, node: Endpoint | None = None
    ) -> Wire:
        """
        A wire to ``db`` for the caller alone, connected or not; hand it back with ``release``, in the same thread.

        With ``node`` one to that node of a cluster.

        One that the thread had before was lost by an interrupt, and is closed; see ``checkout_more``.

        Raises
        ------
        PoolTimeout
            If none became free within ``timeout_s``, by default ``pool_timeout_s``.
        StoreError
            If the pool is closed.
        """
        wire, waiter = None, Waiter(db, node)
        self._reclaim(waiter)
        try:
            with self._lock:
                # whoever waits goes first, or a busy thread would starve the others
                wire = None if self._is_awaited(waiter) or self._closed else self._take(waiter)
                if wire is None:
                    self._queue_up(waiter)
            if wire is None:
                wire = self._wait(waiter, timeout_s or self.settings.pool_timeout_s)
            if wire.db != db or wire.node != node:
                wire.rebind(db, node)
        except BaseException:
            self._leave_queue(waiter, keep=False)
            if wire is not None:
                self.release(wire)
            raise
        return wire

    def checkout_more(self, node: Endpoint) -> Wire | None:
        """
        A wire to another node for a caller who has one already; None where it would have to wait.

        Whoever holds one and waits for another may wait for somebody who does the same. It is handed back as the first.
        """
        waiter = Waiter(self.db, node)
        with self._lock:
            wire = None if self._is_awaited(waiter) or self._closed else self._take(waiter)
        if wire is not None and wire.node != node:
            try:
                wire.rebind(self.db, node)
            except BaseException:
                self.release(wire)
                raise
        return wire

    def release(self, wire: Wire) -> None:
        """
        Take a wire back: keep it, or close it when another database is selected by now.

        Safe to repeat after an interrupt: a wire that came back already may be another caller's by now.
        """
        with self._lock:
            if wire.holder != threading.get_ident():
                return
            wire.used_at = time.monotonic()
            if wire.ready:
                self.answered_at = wire.used_at
            keep = wire.db == self.db and not self._closed
            if keep:
                if wire not in self._idle:
                    self._idle.append(wire)
                # only now: until then it can be given back once more
                wire.holder = None
                if self._waiters:
                    self._serve()
            # closed by a signal's handler just now; one that was served to another caller is theirs
            if self._closed and _discard(self._idle, wire):
                keep = False
        if not keep:
            self._retire([wire])

    def _reclaim(self, waiter: Waiter) -> None:
        """
        Drop what an interrupt took from a thread before it had it, or gave it back: a thread begins with no wire.

        A traceback may keep such a wire for long, as the prompt of Python keeps the last one.
        """
        if all(wire.holder != waiter.thread for wire in self._held()):
            return
        with self._lock:
            # looked at again: one that came back with its mark on it may be another caller's since
            lost = [
                wire
                for wire in self._held()
                if wire.holder == waiter.thread and wire is not waiter.wire
            ]
            for wire in lost:
                _discard(self._idle, wire)
        self._retire(lost)

    def select(self, db: int) -> None:
        """Lend wires to ``db`` from now on, and close the idle ones of the database before it."""
        with self._lock:
            if db == self.db:
                return
            self.db = db
            stale, self._idle = self._idle, []
        self._retire(stale)

    def close_idle(self) -> None:
        """Close the sockets that nobody uses: they may reach a server that the address does not lead to any more."""
        with self._lock:
            stale, self._idle = self._idle, []
        self._retire(stale)

    def close(self) -> None:
        """Close idle wires now and lent ones when they come back; later use is an error."""
        with self._lock:
            self._closed = True
            stale, self._idle = self._idle, []
            waiters, self._waiters = self._waiters, deque()
            for waiter in filter(None, (place() for place in waiters)):
                waiter.wake()
        for wire in stale:
            wire.close()
        if self._sentinels is not None:
            self._sentinels.close()

    def cut(self) -> None:
        """End lent wires, so that a caller who waits for a reply stops waiting, even if the server hangs."""
        for wire in self._held():
            wire.cut()

    def stats(self) -> PoolStats:
        """The pool's state now."""
        with self._lock:
            held = len(self._held())
            return PoolStats(
                size=self.settings.max_connections,
                open=held,
                in_use=held - len(self._idle),
                waiting=sum(waiter() is not None for waiter in self._waiters),
                waited=self._waited,
            )

    def _take(self, waiter: Waiter) -> Wire | None:
        """
        Take a free wire, or a new one while there are slots; the caller holds the lock.

        It is marked before it is taken, so that an interrupt in between leaves none that nobody reclaims.
        """
        # this list: whoever closes the pool meanwhile leaves it another one
        idle = self._idle
        if waiter.db == self.db and (place := _idle_place(idle, waiter.node)) is not None:
            return _taken(idle, place, waiter)
        if len(held := self._held()) < self.settings.max_connections:
            wire = Wire(
                self.settings,
                waiter.db,
                asks_role=self._asks_role,
                finder=self._sentinels,
                node=waiter.node,
            )
            wire.holder = waiter.thread
            self._wires = [*map(weakref.ref, held), weakref.ref(wire)]
            return wire
        if not idle or (waiter.is_patient and self._has_share(waiter.node, held)):
            return None
        # of a cluster, the one that has been idle for longest leads to another node, and is led to this one
        return _taken(idle, 0, waiter)

    def _has_share(self, node: Endpoint | None, held: Sequence[Wire]) -> bool:
        """
        Whether a node of a cluster has its share of the wires, so that one of them is waited for.

        To lead one from node to node each time costs more than a command.
        """
        nodes = {node, *(wire.node for wire in held)}
        share = max(self.settings.max_connections // len(nodes), 1)
        return sum(wire.node == node for wire in held) >= share

    def _held(self) -> list[Wire]:
        """The wires that there are."""
        return [wire for each in self._wires if (wire := each()) is not None]

    @property
    def is_closed(self) -> bool:
        """Whether it gives no wires any more."""
        return self._closed

    @property
    def is_watched(self) -> bool:
        """Whether Sentinels have said where the primary is, and will name another one when it fails."""
        return self._sentinels is not None and self._sentinels.has_answered

    def refuse_if_closed(self) -> None:
        """Raise the error of who comes too late."""
        if self._closed:
            raise StoreError(f"the connection to {self.settings.where} was closed; connect again")

    def _queue_up(self, waiter: Waiter) -> None:
        self.refuse_if_closed()
        self._waiters.append(weakref.ref(waiter))
        self._waited += 1

    def _is_awaited(self, caller: Waiter) -> bool:
        """Whether somebody waits for what a caller needs: a node of a cluster, where there is one."""
        if self._next_waiter() is None:
            return False
        waiters = [waiter for each in self._waiters if (waiter := each()) is not None]
        return any(waiter.node == caller.node for waiter in waiters)

    def _next_waiter(self) -> Waiter | None:
        """Whoever has waited longest; those whom an interrupt has taken away are forgotten."""
        waiters = self._waiters
        while waiters:
            waiter = waiters[0]()
            if waiter is not None:
                return waiter
            waiters.popleft()
        return None

    def _serve(self) -> None:
        """Give free wires to those who wait, in order; the caller holds the lock."""
        for place in list(self._waiters):
            waiter = place()
            if waiter is not None:
                # in this order an interrupt leaves nobody outside the queue without a wire; it may have come just
                # after one
                waiter.wire = waiter.wire or self._take(waiter)
                if waiter.wire is None:
                    if waiter.node is None:
                        return
                    # there may be one to the node that the next one waits for
                    continue
            # where it is not in there, a signal's handler has closed the pool just now, and woken all of them
            if _discard(self._waiters, place) and waiter is not None:
                waiter.wake()

    def _wait(self, waiter: Waiter, timeout_s: float) -> Wire:
        began = time.monotonic()
        while waiter.wire is None:
            left = began + timeout_s - time.monotonic()
            if left <= 0 or self._closed:
                break
            check_s = PATIENCE_S if waiter.is_patient else LOST_SLOT_CHECK_S
            if not waiter.gate.acquire(timeout=min(left, check_s)):
                waiter.is_patient = False
                self._reclaim(waiter)
                with self._lock:
                    self._serve()
        wire = self._leave_queue(waiter, keep=True)
        if wire is None:
            raise self._timeout(time.monotonic() - began)
        return wire

    def _leave_queue(self, waiter: Waiter, *, keep: bool) -> Wire | None:
        """Drop out of the queue; a wire that came meanwhile is kept, or passed on."""
        with self._lock:
            _discard(self._waiters, weakref.ref(waiter))
            # once: by the next time it may be another caller's
            wire, waiter.wire = waiter.wire, None
        if wire is not None and not keep:
            self.release(wire)
        return wire

    def _timeout(self, waited_s: float) -> StoreError:
        if self._closed:
            return StoreError(f"the connection to {self.settings.where} was closed meanwhile")
        stats = self.stats()
        return PoolTimeout(size=stats.size, in_use=stats.in_use, waited_s=round(waited_s, 3))

    def _retire(self, wires: Iterable[Wire]) -> None:
        """Close wires so that the server has closed its ends too, then give their slots to others."""
        leaving = list(wires)
        for wire in leaving:
            wire.hang_up()
        deadline = time.monotonic() + HANG_UP_TIMEOUT_S
        for wire in leaving:
            wire.finish(max(0.0, deadline - time.monotonic()))
        with self._lock:
            self._wires = [each for each in self._wires if each() not in leaving]
            for wire in leaving:
                wire.holder = None
            self._serve()

    def renew(self) -> None:
        """Begin empty in a forked child; the parent's sockets are closed here without a word to the server."""
        inherited = self._held()
        self._start_empty()
        for wire in inherited:
            wire.close()


def _discard(collection: list[T] | deque[T], item: T) -> bool:
    """
    Take an item out if it is in there; returns whether it was.

    In place, not by a new collection: a signal's handler that closes the pool in between would have emptied the old
    one for nothing.
    """
    try:
        collection.remove(item)
    except ValueError:
        return False
    return True


def _idle_place(idle: Sequence[Wire], node: Endpoint | None) -> int | None:
    """Place of the idle wire to a node that was used last."""
    place = len(idle) - 1
    while place >= 0 and idle[place].node != node:
        place -= 1
    return place if place >= 0 else None


def _taken(idle: list[Wire], place: int, waiter: Waiter) -> Wire:
    idle[place].holder = waiter.thread
    return idle.pop(place)
