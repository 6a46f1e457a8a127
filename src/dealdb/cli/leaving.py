"""
How a signal ends the program, at any moment: 130 for Ctrl-C, 143 for SIGTERM, 129 for the end of the terminal.

It imports next to nothing, since it has to be there before all that is worth interrupting.
"""

from __future__ import annotations

import _thread
import atexit
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# a second Ctrl-C as soon as this after the first is the same wish, and must not cut short what the first one cleans up
SAME_WISH_S = 1.0
# until an interrupt comes again that Python could not raise where it came
_AGAIN_S = 0.01
# names of threads that make pages of the board; those that pages are told by have it, too
_ABANDONED = ("dealdb-board", "AnyIO")


class Interrupts:
    """Handler of SIGINT while a command runs: raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self._last = float("-inf")

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        """Raise it, unless the last one was raised a moment ago."""
        if not self.are_recent():
            self._last = time.monotonic()
            raise KeyboardInterrupt

    def are_recent(self) -> bool:
        """Whether one was raised a moment ago."""
        return time.monotonic() - self._last < SAME_WISH_S

    def forget(self) -> None:
        """Raise the next one in any case."""
        self._last = float("-inf")


INTERRUPTS = Interrupts()


def leave_at_once() -> None:
    """From now on a signal ends the process on the spot: nothing is begun yet, or all is done."""
    _handle(dict.fromkeys(SIGNALS, _end))
    # an interrupt in code that was a text, such as the methods of a dataclass, makes the interpreter end itself by
    # that signal, even where it was caught; the next text that is run makes it forget
    exec("")  # noqa: S102  # nosec B102  # nothing is run


def end_as_it_is() -> None:
    """When all else is done, let Ctrl-C come too late: at its end the interpreter hands it back to the system."""
    # what is registered first runs last
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)


def leave_in_order() -> None:
    """From now on a signal raises, so that a command cleans up, and leaves an embedded server."""
    sys.unraisablehook = _unraisable
    _handle({signal.SIGINT: INTERRUPTS, signal.SIGTERM: _leave, signal.SIGHUP: _leave})


def _unraisable(lost: sys.UnraisableHookArgs) -> None:
    """Send a signal again that came where Python can't raise, as in a finalizer; tell of all else."""
    number = _number_of(lost.exc_value)
    if number is None:
        sys.__unraisablehook__(lost)
        return
    # Python can't raise in here either, and starting a thread may take long on a busy machine
    all_but_left = _thread.allocate_lock()
    with all_but_left:
        _thread.start_new_thread(_send_again, (number, all_but_left))


def _send_again(number: int, all_but_left: _thread.LockType) -> None:
    with all_but_left:
        time.sleep(_AGAIN_S)
    INTERRUPTS.forget()
    os.kill(os.getpid(), number)


def _number_of(error: BaseException | None) -> int | None:
    """Signal whose handler raised this, if one did."""
    if isinstance(error, KeyboardInterrupt):
        return signal.SIGINT
    ends = {128 + number: number for number in SIGNALS}
    return ends.get(error.code) if isinstance(error, SystemExit) else None  # type: ignore[arg-type]


def end(code: int) -> NoReturn:
    """
    End the process with a code, as all is done.

    A page of the board may still be in the making. The interpreter can't end a thread in the middle of
    a query, and nobody waits any more: then the process ends on the spot.
    """
    # not at the top: where nobody has imported it there are no threads
    threading = sys.modules.get("threading")
    if threading is None or not any(
        each.name.startswith(_ABANDONED) for each in threading.enumerate()
    ):
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _handle(handlers: dict[signal.Signals, Callable[[int, FrameType | None], None]]) -> None:
    for number, handler in handlers.items():
        # what nohup, or a shell for a job in the background, has us ignore stays ignored
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _end(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
