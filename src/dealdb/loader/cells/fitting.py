"""Cells of a column, counted: those that are there, and those of them that look like what a field has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, auto
from functools import cache, reduce
from operator import and_

import polars as pl

from dealdb.loader.cells.currencies import is_currency
from dealdb.loader.cells.truth_words import FALSE_WORDS, TRUE_WORDS

_DATE = (
    r"^\W*[0-9]{1,4}\s*[-/.\s年]\s*[0-9]{1,2}\s*[-/.\s月]\s*[0-9]{1,4}|^[0-9]{4}-?[0-9]{2}$"
    r"|[0-9]{1,2}\W*\p{L}{3,}|\p{L}{3,}\W*[0-9]|^[0-9]{5}(?:\.[0-9]+)?$|^[0-9]{8}$"
    r"|^-?[0-9]{9,10}(?:\.[0-9]+)?$|^[0-9]{12,14}$"
)
# a currency and a word for thousands may stand around the digits, no more
_NUMBER = r"^[^\p{L}0-9]*(?:\p{L}{1,4}[^\p{L}0-9]*)?[0-9](?:[0-9.,]*[eE][+-]?[0-9]+)?[^\p{L}]*(?:\p{L}{1,4}\W*)?$"
_DAY = r"^[0-9]{1,4}[-/][0-9]{1,2}[-/]"
_WORD = r"\p{L}|[$€£¥₹]"
_ID = (
    r"^(?:[0-9]+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[0-9a-fA-F]{24,}|00[0-9A-Za-z]{13}|00[0-9A-Za-z]{16}"
    r"|[a-z]{4}_[0-9A-Za-z]{20,})$"
)
# what programs call a record by: no id elsewhere is a name
_CODE = r"^[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*-[0-9]{3,}(?:-[0-9]+)?$"
# what people number their deals with
_NUMBERED = r"^\W*\w[^\n]{0,39}$"
_REGION = "^[A-Z]{2,3}$"


class Look(Enum):
    """What cells look like."""

    DAY = auto()
    NUMBER = auto()
    CURRENCY = auto()
    # where the name of the amounts says one too
    SURE_CURRENCY = auto()
    NAME = auto()
    CODE = auto()
    # in a column that no name is in
    NUMBERED = auto()
    STAGE = auto()
    NOT_AN_ID = auto()


# patterns that a cell has to match, and those that it must not
_PATTERNS: dict[Look, tuple[tuple[str, ...], tuple[str, ...]]] = {
    Look.DAY: ((_DATE,), ()),
    Look.NUMBER: ((_NUMBER,), (_DAY,)),
    Look.CURRENCY: ((_WORD,), ()),
    Look.NAME: ((r"\p{L}",), ()),
    Look.CODE: ((_CODE,), ()),
    Look.NUMBERED: ((_NUMBERED, "[0-9]"), ()),
    Look.STAGE: ((), (_REGION,)),
    Look.NOT_AN_ID: ((), (_ID,)),
}
_NOTHING = frozenset(("", "null", "none", "n/a", "na", "#n/a", "-", "--", "nan", "nat", r"\n"))
_FLAGS = frozenset((*TRUE_WORDS, *FALSE_WORDS))
# the blanks of ASCII, as Polars strips them: Python takes four more characters for blanks
_BLANKS = " \t\n\r\v\f"
# Python's patterns take their time with long texts that nearly match
_MOST_LETTERS = 100


def counts(frame: pl.DataFrame, header: str, look: Look) -> pl.Expr:
    """Of a column, as one value: cells that are not empty, those of them with the look, and of days flags, too."""
    texts = pl.col(header).str.strip_chars()
    words = texts.str.to_lowercase()
    is_there = words.is_not_null() & ~words.is_in(list(_NOTHING))
    if look is Look.SURE_CURRENCY:
        cells = frame[header].drop_nulls().str.strip_chars().unique().to_list()
        fitting = texts.is_in([text for text in cells if is_currency(text)])
    else:
        fitting = _fitting(look, texts)
    flags = words.is_in(list(_FLAGS)) if look is Look.DAY else pl.lit(value=False)
    found = [is_there.sum(), (is_there & fitting).sum(), flags.sum()]
    return pl.concat_list(each.cast(pl.Int64) for each in found)


def _fitting(look: Look, texts: pl.Expr) -> pl.Expr:
    wanted, unwanted = _PATTERNS[look]
    matches = [texts.str.contains(pattern) for pattern in wanted]
    return reduce(and_, [*matches, *(~texts.str.contains(pattern) for pattern in unwanted)])


def simple_texts(cells: pl.Series) -> list[str] | None:
    """
    The cells that are not null, without blanks around them, if all are short texts of ASCII letters; else None.

    Of these Python's patterns say the same as those of Polars.

    Examples
    --------
    >>> simple_texts(pl.Series([" Ann", None])), simple_texts(pl.Series(["Zo\u00eb"]))
    (['Ann'], None)
    """
    texts = [text for text in cells.to_list() if text is not None]
    if not "".join(texts).isascii() or max(map(len, texts), default=0) > _MOST_LETTERS:
        return None
    return [text.strip(_BLANKS) for text in texts]


def counts_of_few(texts: Sequence[str], look: Look) -> tuple[int, int, int]:
    """
    What ``counts`` counts, of ``simple_texts``: of few it takes a tenth of the time of a query.

    Examples
    --------
    >>> counts_of_few(["2026-01-31", "soon", "-", "yes"], Look.DAY)
    (3, 1, 1)
    """
    there = [text for text in texts if text.lower() not in _NOTHING]
    n_flags = sum(text.lower() in _FLAGS for text in texts) if look is Look.DAY else 0
    return len(there), len(_fitting_of_few(there, look)), n_flags


def _fitting_of_few(texts: list[str], look: Look) -> list[str]:
    if look is Look.SURE_CURRENCY:
        return [text for text in texts if is_currency(text)]
    wanted, unwanted = _PATTERNS[look]
    for pattern in wanted:
        search = _python(pattern).search
        texts = [text for text in texts if search(text)]
    for pattern in unwanted:
        search = _python(pattern).search
        texts = [text for text in texts if not search(text)]
    return texts


@cache
def _python(pattern: str) -> re.Pattern[str]:
    """The same pattern for texts of ASCII letters."""
    pattern = pattern.replace(r"[^\p{L}", "[^A-Za-z").replace(r"\p{L}", "[A-Za-z]")
    # in Python an end may also be before a last newline
    return re.compile(re.sub(r"\$(?=[|)]|$)", r"\\Z", pattern), re.ASCII)
