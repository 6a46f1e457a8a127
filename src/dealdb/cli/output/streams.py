"""
What goes to which stream, and in which form: data to standard output, messages to standard error.

All that commands print goes through here, through ``pager`` or through ``printing``, so that no text of a file, a deal
or a server can steer the terminal. A command that calls ``print`` itself fails a test.
"""

from __future__ import annotations

import os
import re
import sys
from codecs import getincrementaldecoder
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum

from dealdb.formats.controls import visible

# exit code of a program whose output nobody reads: 128 and the number of SIGPIPE, as a shell has it
CLOSED_PIPE = 141

_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"
_CLEARED = "\x1b[H\x1b[2J\x1b[3J"
_PAINT = re.compile(f"({re.escape(_BOLD)}|{re.escape(_PLAIN)})")

_raw: ContextVar[bool] = ContextVar("raw", default=False)


class Output(StrEnum):
    """How a command prints its data."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    MD = "md"


def note(message: str) -> None:
    """Print something that is not data, for the person at the terminal."""
    # if both streams go to one place, they keep their order
    if sys.stdout is not None:
        sys.stdout.flush()
    print(visible(message), file=sys.stderr)


def say(line: str = "", *, end: str = "\n") -> None:
    """Print a line of words for people on standard output."""
    print(painted(line), end=end)


def data(text: str) -> None:
    """Write text that is data: a pipe and a file get its very bytes, a terminal what it can show."""
    sys.stdout.write(visible(text) if sys.stdout.isatty() else text)


def clear_screen() -> None:
    """Clear the terminal, if there is one."""
    if sys.stdout.isatty():
        print(_CLEARED, end="", flush=True)


class Sink:
    """Standard output for data, as a file of text."""

    def write(self, text: str) -> int:
        """Write it as ``data`` does."""
        data(text)
        return len(text)


class TerminalSink:
    """The terminal for what is written as bytes: it gets what it can show."""

    name = "stdout"

    def __init__(self) -> None:
        self._decoder = getincrementaldecoder("utf-8")("replace")

    def write(self, some: bytes) -> int:
        """Write text in UTF-8."""
        sys.stdout.write(visible(self._decoder.decode(some)))
        return len(some)

    def flush(self) -> None:
        """Show what is held back."""
        sys.stdout.flush()


def agrees(question: str) -> bool:
    """Whether the person at the terminal says yes."""
    # not at the top: most runs ask nothing
    import typer

    return typer.confirm(visible(question), err=True)


def bold(text: str) -> str:
    """Text in bold on a terminal, plain in a pipe and where NO_COLOR is set."""
    plain = (
        not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    )
    return text if plain else f"{_BOLD}{text}{_PLAIN}"


def painted(line: str) -> str:
    """Line that a terminal only shows, but for what ``bold`` put into it."""
    return "".join(
        part if part in (_BOLD, _PLAIN) else visible(part) for part in _PAINT.split(line)
    )


@contextmanager
def writing(*, raw: bool) -> Iterator[None]:
    """Leave texts of CSV as they are meanwhile, even if a spreadsheet would run them."""
    token = _raw.set(raw)
    try:
        yield
    finally:
        _raw.reset(token)


def is_raw() -> bool:
    """Whether texts of CSV are left as they are."""
    return _raw.get()


def note_escaped(n_texts: int) -> None:
    """Say that texts were changed, if any were."""
    if n_texts:
        one = n_texts == 1
        texts, formula = (
            ("1 text", "it as a formula") if one else (f"{n_texts:,} texts", "them as formulas")
        )
        note(f"{texts} got a leading apostrophe, so that no spreadsheet runs {formula}; see --raw")


def note_as_text(n_cells: int) -> None:
    """Say that a workbook has texts in place of numbers and times, if it has any."""
    if n_cells:
        cells = "1 cell is" if n_cells == 1 else f"{n_cells:,} cells are"
        note(
            f"{cells} text: XLSX keeps 15 digits of a number, milliseconds, and days since March 1900"
        )
