"""
Texts that a spreadsheet would run as a formula, made harmless.

A name such as ``=HYPERLINK(...)`` in a CSV file is executed by the program that opens it (CWE-1236).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

# the wide forms of = + - @ count too: some spreadsheets fold them
_FORMULA_STARTS = "=+-@\t\r\n\0\uff1d\uff0b\uff0d\uff20"
_FORMULA = "^[{}]".format(_FORMULA_STARTS.replace("-", "\\-"))


# those, and what has become one by an apostrophe: it gets one more, so that it can be told apart
_GUARDED = _FORMULA.replace("^", "^'*")
# what a loader takes for a slip of another program: blanks around an id, a formula around it, a number's point and zero
ODD_NAME = r"^[\s\p{Z}\u200b-\u200d\u2060\ufeff]|[\s\p{Z}\u200b-\u200d\u2060\ufeff]$"
ODD_ID = ODD_NAME + r"|^=\"|\.0$|[eE]\+?[0-9]+$"


# name of a sheet whose ids and names are as they are, as a mark says it in delimited text
OWN_SHEET = "Deals of dealdb"
# a field's name, which never needs quotes
_QUOTED_NAME = re.compile(r'"[^\W\dA-Z_]\w*"')


class WriterMark(Enum):
    """How delimited text shows that dealdb wrote it: one name of a column is in quotes that it doesn't need."""

    #: The first one: texts that begin like a formula have an apostrophe before them.
    GUARDED = "guarded"
    #: The last one: all texts are as they are.
    RAW = "raw"


def mark_of(cells: Sequence[bytes]) -> WriterMark | None:
    """
    WriterMark that the line of names has, given with their quotes.

    Examples
    --------
    >>> mark_of([b'"id"', b"name"]), mark_of([b"id", b'"name"']), mark_of([b"id", b"name"])
    (<WriterMark.GUARDED: 'guarded'>, <WriterMark.RAW: 'raw'>, None)
    """
    quoted = [_QUOTED_NAME.fullmatch(cell.decode()) is not None for cell in cells]
    if sum(quoted) != 1:
        return None
    if quoted[0]:
        return WriterMark.GUARDED
    return WriterMark.RAW if quoted[-1] else None


def marked(line: str, separator: str, mark: WriterMark) -> str:
    r"""
    Line of names with a mark, where they are those of fields.

    Examples
    --------
    >>> marked("id,name\n", ",", WriterMark.RAW)
    'id,"name"\n'
    """
    names = line.rstrip("\n").split(separator)
    place = 0 if mark is WriterMark.GUARDED else -1
    if mark is WriterMark.RAW and len(names) == 1:
        return line
    names[place] = f'"{names[place]}"'
    changed = separator.join(names)
    return f"{changed}\n" if mark_of([name.encode() for name in names]) is mark else line


def needs_mark(texts: pl.Series) -> bool:
    """Whether ``defused`` changes some of these."""
    return bool(texts.str.contains(_GUARDED).any())


def undefused(frame: pl.DataFrame) -> pl.DataFrame:
    """Texts as they were before ``defused``."""
    import polars as pl

    plain = pl.all().str.strip_prefix("'")
    return frame.select(pl.when(pl.all().str.contains(_GUARDED)).then(plain).otherwise(pl.all()))


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
    dangerous = texts.str.contains(_GUARDED).fill_null(value=False)
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
    return text[:1] in _FORMULA_STARTS and text != ""


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
