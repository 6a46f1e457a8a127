"""What DuckDB does for one statement, stopped at a deadline and at an interrupt."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from dealdb.errors import QueryError

if TYPE_CHECKING:
    import duckdb

_Result = TypeVar("_Result")

# how long a stopped statement may take to notice; some steps of DuckDB don't look for it at all
GRACE_S = 2.0
# between two attempts to interrupt a statement that may not have begun yet
_INTERRUPT_EVERY_S = 0.02
# statements that were stopped and run on; each has two threads and a database of its own
MOST_STUCK = 2
_stuck: list[Job] = []


def forget_stuck() -> None:
    """Begin to count anew, in a forked child: none of its parent's threads is there."""
    _stuck.clear()


def _check_stuck(statement: str) -> None:
    _stuck[:] = [job for job in list(_stuck) if job.is_stuck]
    if len(_stuck) >= MOST_STUCK:
        msg = (
            f"{len(_stuck)} statements that were stopped are still running in this process: ask again later, or have "
            "statements run in a process of their own, which can be ended (sql_isolated=True)"
        )
        raise QueryError(msg, text=statement)


class Job:
    """
    What DuckDB does for one statement, in threads of its own, so that the caller can stop it at a deadline.

    An interrupt stops it too, and comes out as what it is: in the caller's thread DuckDB would look at signals
    only between its own steps, which may be half a minute apart, and turn what a handler raises into its own error.
    """

    def __init__(
        self, cursor: Callable[[], duckdb.DuckDBPyConnection], statement: str, timeout_s: float
    ) -> None:
        _check_stuck(statement)
        self._open = cursor
        self._statement = statement
        self._ends_at = time.monotonic() + timeout_s
        self._timeout_s = timeout_s
        self._cursor: duckdb.DuckDBPyConnection | None = None
        # not Thread.join: one that a signal interrupted takes the thread for ended
        self._done = threading.Event()
        self._done.set()

    def result(self, work: Callable[[duckdb.DuckDBPyConnection], _Result]) -> _Result:
        """Result of a step, or the error that it ended with; one that is too slow is stopped."""
        outcomes: list[_Result | BaseException] = []
        self._done.clear()
        try:
            self._start(work, outcomes)
            late = not self._done.wait(max(0.0, self._ends_at - time.monotonic()))
        finally:
            self._stop()
            if self.is_stuck:
                _stuck.append(self)
        if late:
            msg = f"the statement took longer than {self._timeout_s:g} s and was stopped"
            raise QueryError(msg, text=self._statement)
        [outcome] = outcomes
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _start(
        self,
        work: Callable[[duckdb.DuckDBPyConnection], _Result],
        outcomes: list[_Result | BaseException],
    ) -> None:
        def run() -> None:
            try:
                if self._cursor is None:
                    self._cursor = self._open()
                outcomes.append(work(self._cursor))
            except BaseException as error:  # noqa: BLE001  # raised again in the caller's thread
                outcomes.append(error)
            finally:
                self._done.set()

        threading.Thread(target=run, name="dealdb-sql", daemon=True).start()

    @property
    def is_stuck(self) -> bool:
        """Whether a step was stopped but keeps running."""
        return not self._done.is_set()

    def close(self) -> None:
        """Give the cursor back."""
        if self._cursor is not None:
            self._cursor.close()

    def _stop(self) -> None:
        deadline = time.monotonic() + GRACE_S
        while not self._done.is_set() and time.monotonic() < deadline:
            # again and again: it may not have begun when the first interrupt came
            if self._cursor is not None:
                self._cursor.interrupt()
            self._done.wait(_INTERRUPT_EVERY_S)
