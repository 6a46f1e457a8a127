"""
Texts that a spreadsheet would run as a formula, made harmless.

A name such as ``=HYPERLINK(...)`` in a CSV file is executed by the program that opens it (CWE-1236).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

# the wide forms of = + - @ count too: some spreadsheets fold them
_FORMULA = "^[=+\\-@\t\r\n\0\uff1d\uff0b\uff0d\uff20]"


def defused(texts: pl.Series) -> tuple[pl.Series, int]:
    """
    Column in which no text begins like a formula, and the number of texts that had to be changed.

    Examples
    --------
    >>> import polars as pl
    >>> column, changed = defused(pl.Series(["=1+1", "Acme", "-", None]))
    >>> column.to_list(), changed
    (["'=1+1", 'Acme', "'-", None], 2)
    """
    dangerous = texts.str.contains(_FORMULA).fill_null(value=False)
    changed = int(dangerous.sum())
    return (("'" + texts).zip_with(dangerous, texts), changed) if changed else (texts, 0)


def defused_name(name: str) -> str:
    """A header that doesn't begin like a formula; the name of a column is written by people too."""
    return "'" + name if begins_like_formula(name) else name


def begins_like_formula(text: str) -> bool:
    """
    Whether a spreadsheet would run a text.

    Examples
    --------
    >>> begins_like_formula("=1+1"), begins_like_formula("Acme")
    (True, False)
    """
    return re.match(_FORMULA, text) is not None


def guarded(text: str) -> str:
    """
    Text that no spreadsheet runs; ``unguarded`` gives it back.

    Examples
    --------
    >>> guarded("=1+1"), guarded("'tis"), unguarded(guarded("'tis"))
    ("'=1+1", "''tis", "'tis")
    """
    return "'" + text if begins_like_formula(text) or text.startswith("'") else text


def unguarded(text: str) -> str:
    """Text that ``guarded`` was given."""
    return text.removeprefix("'")
