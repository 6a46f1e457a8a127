"""
What Polars and DuckDB do to the process that they run in, made harmless at the methods that call them.

**Fork.** Their threads don't live on in a forked child, which would wait for them for ever. Whether they have
run in this process is noted, and a child of such a process gets an error immediately.

**Interrupts.** A signal's handler may run, and raise, in a piece of Python that Polars calls from Rust. Polars
then panics, complains of something else, or goes on with a wrong value, and what the handler raised is lost. Polars
also answers Ctrl-C with an interrupt of its own besides Python's. The caller gets one exception, the one that the
handler raised.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, TracebackType
from typing import ParamSpec, TypeVar

from dealdb.errors import ForkError

_P = ParamSpec("_P")
_R = TypeVar("_R")
_Class = TypeVar("_Class", bound=type)

# where Linux has the names of this process's threads
_THREADS = Path("/proc/self/task")
_POOL_THREAD = re.compile(r"polars-\d+")
# what Polars says of an exception that came out of Python where it expected none
_RAISED_INSIDE = re.compile(r"PyErr \{ type: <class '([\w.]+)'>")
# what it takes for a value that it could not read, since an exception was raised meanwhile
_LOST_INSIDE = re.compile(r"<unprintable \w+ object>")
# its own interrupt, where nothing of its own catches it, is a panic without a text
_PANIC_WITHOUT_TEXT = "panic from Rust code"


class _Lost:
    """
    Interrupts that Python can't raise where they come, and only tells of in ``sys.unraisablehook``.

    One that comes while Polars reads a text makes it go on with another text, and nobody would know. They can come in
    the main thread alone.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._before = sys.unraisablehook
        self._error: BaseException | None = None

    def watch(self) -> None:
        """Note them from now on; may be called again before ``given``."""
        if _is_main_thread():
            if not self._depth:
                self._before, sys.unraisablehook = sys.unraisablehook, self._note
            self._depth += 1

    def given(self) -> BaseException | None:
        """What was lost since ``watch``; None for nothing."""
        if not _is_main_thread():
            return None
        self._depth -= 1
        # whoever has put another one in its place meanwhile goes on with that
        if not self._depth and sys.unraisablehook == self._note:
            sys.unraisablehook = self._before
        error, self._error = self._error, None
        return error

    def _note(self, lost: sys.UnraisableHookArgs) -> None:
        error = lost.exc_value
        if error is None or not _is_raised_by_handler(error):
            self._before(lost)
            return
        # without its frames: they would keep alive what is being collected
        self._error = error.with_traceback(None)


_LOST = _Lost()


class _Engines:
    """The one context in which Polars and DuckDB may be called; may be entered again inside."""

    def __init__(self) -> None:
        self._have_run = False
        self._are_lost = False

    def __enter__(self) -> None:
        if self._are_lost:
            msg = (
                "no queries in this process: it was forked from one in which Polars had run, and its threads are "
                "missing here; start processes by multiprocessing's spawn or forkserver, or fork before the first query"
            )
            raise ForkError(msg)
        # before the call: a fork during it is as bad as one after it
        self._have_run = True
        _LOST.watch()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # a signal that Polars has answered by itself is raised here by its handler, in place of Polars' answer
        meant = _LOST.given() or _first_interrupt(error)
        if meant is not None:
            try:
                raise meant from None
            finally:
                # whatever goes wrong while it is handled would else seem to be it
                meant.__context__ = None

    def before_fork(self) -> None:
        self._have_run = self._have_run or _pool_has_started()

    def after_fork(self) -> None:
        self._are_lost = self._have_run


ENGINES = _Engines()
os.register_at_fork(before=ENGINES.before_fork, after_in_child=ENGINES.after_fork)


def on_engines(method: Callable[_P, _R]) -> Callable[_P, _R]:
    """Have a function or method run with ``ENGINES``."""

    @functools.wraps(method)
    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with ENGINES:
            return method(*args, **kwargs)

    return guarded


def all_on_engines(*others: str) -> Callable[[_Class], _Class]:
    """Have all public methods of a class run with ``ENGINES``, but for these."""

    def decorate(cls: _Class) -> _Class:
        for name, member in list(vars(cls).items()):
            if not name.startswith("_") and name not in others and callable(member):
                setattr(cls, name, on_engines(member))
        return cls

    return decorate


def _pool_has_started() -> bool:
    """Whether Polars' threads are there, whoever started them; False where the system does not say."""
    if "polars" not in sys.modules:
        return False
    with contextlib.suppress(OSError):
        for thread in _THREADS.iterdir():
            # one may end meanwhile
            with contextlib.suppress(OSError):
                if _POOL_THREAD.fullmatch((thread / "comm").read_text().rstrip()):
                    return True
    return False


def _first_interrupt(error: BaseException | None) -> BaseException | None:
    """The interrupt behind an error, or behind what was being handled when it was raised, as by a word of our own."""
    while error is not None:
        meant = interrupt_behind(error)
        if meant is not None:
            return meant
        error = error.__context__
    return None


def is_interrupt(error: BaseException) -> bool:
    """Whether an error is what an engine has made of an interrupt of the program."""
    return interrupt_behind(error) is not None


def interrupt_behind(error: BaseException) -> BaseException | None:
    """
    What a signal's handler raised and an engine has turned into this error; None where it is what it seems.

    Of an exception that is lost the class is known at best.
    """
    text = str(error)
    if type(error).__name__ == "PanicException":
        raised = _RAISED_INSIDE.search(text)
        if raised:
            return _anew(raised[1]) if _is_by_handler(raised[1], text) else None
        return KeyboardInterrupt() if text == _PANIC_WITHOUT_TEXT else None
    # not by its class: Polars is not imported here
    is_of_polars = type(error).__module__.startswith("polars")
    if (is_of_polars or isinstance(error, TypeError)) and _LOST_INSIDE.search(text):
        return KeyboardInterrupt()
    if is_of_polars and "KeyboardInterrupt" in text:
        return KeyboardInterrupt()
    return None


def _is_raised_by_handler(error: BaseException) -> bool:
    if isinstance(error, KeyboardInterrupt):
        return True
    frames = error.__traceback__
    while frames is not None and frames.tb_next is not None:
        frames = frames.tb_next
    return frames is not None and frames.tb_frame.f_code in _codes_of_handlers()


def _is_by_handler(name: str, text: str) -> bool:
    """Whether the exception that a panic reports was raised by a signal's handler."""
    # as the last line of the traceback has it
    return name == "KeyboardInterrupt" or any(
        f"in {code.co_name}" in text for code in _codes_of_handlers()
    )


def _codes_of_handlers() -> Iterator[CodeType]:
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        code = getattr(handler, "__code__", None)
        if isinstance(code, CodeType):
            yield code


def _is_main_thread() -> bool:
    return threading.get_ident() == threading.main_thread().ident


def _anew(name: str) -> BaseException:
    """An exception of a class of this name; the one that was raised can't be had any more."""
    module, _, qualified = name.rpartition(".")
    kind = getattr(sys.modules.get(module or "builtins"), qualified, None)
    # a class that asks for arguments, or one that can't be found
    with contextlib.suppress(Exception):
        if isinstance(kind, type) and issubclass(kind, BaseException):
            return kind()
    return KeyboardInterrupt()
