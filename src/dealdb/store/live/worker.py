"""A thread that does one thing after the other for its caller, even when the program has ended."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")


class Worker:
    """
    One thread, until ``close``.

    The executors of the standard library take no work any more once the main thread has ended, though other threads of
    the program continue, and may be in the middle of a load. If no thread can be had at all, the caller does the work.

    Parameters
    ----------
    name
        Of the thread.
    first
        What it does before anything else.

    Examples
    --------
    >>> with Worker("example") as worker:
    ...     worker.submit(max, 2, 3).result()
    3
    """

    def __init__(self, name: str, first: Callable[[], object] = lambda: None) -> None:
        self._tasks: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._first = first
        # one that an interrupt has lost must not keep the program from ending
        thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread: threading.Thread | None = thread
        try:
            thread.start()
        except RuntimeError:
            self._thread = None
            first()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def submit(
        self, work: Callable[_Given, _Made], *given: _Given.args, **more: _Given.kwargs
    ) -> Future[_Made]:
        """Have it do something; what comes of it, or its error, is in the future."""
        future: Future[_Made] = Future()
        task = (future, lambda: work(*given, **more))
        if self._thread is None:
            _do(*task)
        else:
            self._tasks.put(task)
        return future

    def close(self) -> None:
        """Wait until it has done all that it was given, and end it."""
        if self._thread is not None:
            self._tasks.put(None)
            self._thread.join()

    def _run(self) -> None:
        self._first()
        while (task := self._tasks.get()) is not None:
            _do(*task)
            # it may hold a good deal of memory until the next one comes
            del task


def _do(future: Future[Any], work: Callable[[], Any]) -> None:
    try:
        future.set_result(work())
    except BaseException as failure:  # noqa: BLE001 the caller gets it
        future.set_exception(failure)
