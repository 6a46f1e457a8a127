"""Statements in processes of their own: at most two at once, started when they are needed."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl

from dealdb.errors import QueryError
from dealdb.query.sql.in_process import Asked
from dealdb.query.sql.isolated.process import WorkerProcess
from dealdb.query.sql.tables import SqlTables

# each may take the memory of one statement
MOST_WORKERS = 2


class Isolated:
    """
    DuckDB in a process of its own, or two where two threads ask at once; the processes are kept.

    Parameters
    ----------
    memory_mb
        Megabytes that a statement may take.
    """

    def __init__(self, memory_mb: int) -> None:
        self._memory_mb = memory_mb
        self._changed = threading.Condition()
        self._idle: list[WorkerProcess] = []
        self._all: list[WorkerProcess] = []
        self._users: weakref.WeakSet[object] = weakref.WeakSet()
        weakref.finalize(self, _end_all, self._all)

    def renew(self) -> None:
        """Begin without processes in a forked child; those of its parent are left as they are."""
        self._changed = threading.Condition()
        _end_all(self._all)
        self._idle = []

    def keep_for(self, user: object) -> None:
        """Keep processes, once there are some, for as long as this user lives and has not closed."""
        self._users.add(user)

    def begin(self, user: object) -> None:
        """Start a process, if there is none, and keep it for a user."""
        with self._changed:
            self.keep_for(user)
            if not self._all:
                self._idle.append(self._started())

    def run(self, asked: Asked, given: SqlTables) -> pl.DataFrame:
        """
        Result of a statement.

        Raises
        ------
        QueryError
            If it is refused, fails, or takes too long or too much memory.
        MissingExtra
            If DuckDB or PyArrow is not installed.
        """
        with self._worker(asked, given) as worker:
            return worker.run(asked, given)

    def close(self, user: object) -> None:
        """End the processes, if nobody else uses them; a statement that another thread runs fails."""
        with self._changed:
            self._users.discard(user)
            if self._users:
                return
            for worker in self._all:
                if worker in self._idle:
                    worker.end()
                else:
                    # its thread ends it, once it has seen that
                    worker.stop()
            self._idle.clear()
            self._all[:] = [worker for worker in self._all if not worker.is_over]
            self._changed.notify_all()

    @contextmanager
    def _worker(self, asked: Asked, given: SqlTables) -> Iterator[WorkerProcess]:
        worker = self._taken(asked, given)
        try:
            yield worker
        finally:
            with self._changed:
                worker.owner = None
                if worker in self._all:
                    if worker.is_over:
                        self._all.remove(worker)
                    else:
                        self._idle.append(worker)
                self._changed.notify()

    def _taken(self, asked: Asked, given: SqlTables) -> WorkerProcess:
        until = time.monotonic() + asked.timeout_s
        with self._changed:
            self._clear_away()
            while not self._idle and len(self._all) >= MOST_WORKERS:
                if not self._changed.wait(until - time.monotonic()):
                    msg = (
                        f"{MOST_WORKERS} other statements have been running for {asked.timeout_s:g} s; "
                        "ask again later"
                    )
                    raise QueryError(msg, text=asked.statement)
            if not self._idle:
                worker = self._started()
            else:
                # one that has the columns already
                self._idle.sort(key=lambda worker: worker.has(given.frame))
                worker = self._idle.pop()
            worker.owner = threading.get_ident()
            return worker

    def _clear_away(self) -> None:
        """End processes that somebody else ended, or that an interrupt kept this thread from giving back."""
        here = threading.get_ident()
        for worker in list(self._all):
            is_idle = worker in self._idle
            if is_idle and worker.is_alive and not worker.is_over:
                continue
            if is_idle or worker.owner == here:
                worker.end()
                self._all.remove(worker)
                self._idle = [each for each in self._idle if each is not worker]

    def _started(self) -> WorkerProcess:
        worker = WorkerProcess(self._memory_mb)
        self._all.append(worker)
        return worker


_engines: dict[int, Isolated] = {}
_lock = threading.Lock()


def isolated_engine(memory_mb: int) -> Isolated:
    """The one of this process whose statements may take so much memory."""
    with _lock:
        if memory_mb not in _engines:
            _engines[memory_mb] = Isolated(memory_mb)
        return _engines[memory_mb]


def _end_all(workers: list[WorkerProcess]) -> None:
    for worker in workers:
        worker.end()
    workers.clear()
