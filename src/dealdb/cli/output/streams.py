"""What goes to which stream, and in which form: data to standard output, messages to standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum

# exit code of a program whose output nobody reads: 128 and the number of SIGPIPE, as a shell has it
CLOSED_PIPE = 141

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
    sys.stdout.flush()
    print(message, file=sys.stderr)


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
