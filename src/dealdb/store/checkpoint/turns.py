"""Checkpoints of several partitions in one process: written by one thread, one after the other."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from dealdb.connection.fork import renew_in_child


class Begun(Protocol):
    """Something that a thread does."""

    def is_alive(self) -> bool:
        """Whether it is still to be done, or being done."""
        ...

    def join(self, timeout: float) -> None:
        """Wait until it is done, for so many seconds at most."""
        ...


def by_itself(work: Callable[[], None]) -> Begun:
    """
    Have a thread of its own do something.

    Raises
    ------
    RuntimeError
        If no thread can be had, as at the end of the interpreter.
    """
    thread = threading.Thread(target=work, name="dealdb-checkpoint")
    thread.start()
    return thread


class _Turn:
    """Something that is done when what was begun before is done."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work: Callable[[], None] | None = work
        self._done = threading.Event()

    def is_alive(self) -> bool:
        return not self._done.is_set()

    def join(self, timeout: float) -> None:
        self._done.wait(timeout)

    def take(self) -> None:
        """Do it; an error is told as that of a thread is."""
        # it holds a good deal of memory, which nobody needs once it is done
        work, self._work = self._work, None
        try:
            if work is not None:
                work()
        except BaseException as problem:  # noqa: BLE001 the next ones have to be done all the same
            told = (type(problem), problem, problem.__traceback__, threading.current_thread())
            threading.excepthook(threading.ExceptHookArgs(told))
        finally:
            self._done.set()


class Turns:
    """
    A thread for as long as there is something to do, which does one thing after the other.

    Each for itself, the threads of many partitions would fight for a few cores, with the queries too.
    """

    def __init__(self) -> None:
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Begin with nothing to do in a forked child, which has not got the thread."""
        self._lock = threading.Lock()
        self._waiting: deque[_Turn] = deque()
        self._is_running = False

    def begin(self, work: Callable[[], None]) -> Begun:
        """Have it do something, once what was begun before is done; raises as ``by_itself`` does."""
        turn = _Turn(work)
        with self._lock:
            if not self._is_running:
                by_itself(self._run)
                self._is_running = True
            self._waiting.append(turn)
        return turn

    def _run(self) -> None:
        while (turn := self._next()) is not None:
            turn.take()

    def _next(self) -> _Turn | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._is_running = False
            return None
