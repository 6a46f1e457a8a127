"""Texts as patterns read them, with letters that these don't know written as what they fold to; and what they find."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import polars as pl

from dealdb.query.filters.comparisons import text_test
from dealdb.query.filters.operands import column, computed
from dealdb.query.results.words import covered, folded, pattern

# letters of Chinese, each of which folds to itself
_IDEOGRAPHS = r"\x{3400}-\x{9fff}"


def as_patterns_read(texts: pl.DataFrame) -> pl.DataFrame:
    """
    Texts in which a ``pattern`` finds all that folding does, such as words in Hangul or in wide letters.

    Examples
    --------
    >>> as_patterns_read(pl.DataFrame({"name": ["Café", None, "ﬁrm ①②"]}))["name"].to_list()
    ['Café', None, 'firm 12']
    """
    # one query for all columns: most texts are ASCII, which is seen much sooner than any letter is found
    have_others = texts.select(_has_others(*each) for each in texts.schema.items()).row(0)
    if not any(have_others):
        return texts
    columns = zip(texts, have_others, strict=True)
    return pl.DataFrame([_respelled(each) if others else each for each, others in columns])


def rows_that_match(
    here: pl.DataFrame, rows: pl.Series, words: Sequence[str], *, typos: bool, whole: bool
) -> pl.Series:
    """Those of some rows, whose texts ``here`` are ``as_patterns_read``, in which patterns find all words."""
    # each word is looked for where the ones before it were found
    for word in words:
        found = [
            _with_one(name, dtype, pattern(word, typos=typos, whole=whole))
            for name, dtype in here.schema.items()
        ]
        have = here.select(pl.any_horizontal(found)).to_series()
        rows, here = rows.filter(have), here.filter(have)
    return rows


def _with_one(name: str, dtype: pl.DataType, wanted: str) -> pl.Expr:
    item = computed(column(name), dtype, 0)
    return text_test(item, lambda texts: texts.str.contains(wanted)).fill_null(value=False)


def _has_others(name: str, dtype: pl.DataType) -> pl.Expr:
    texts = column(name)
    if dtype != pl.String:
        texts = texts.unique().cast(pl.String)
    return (texts.str.len_bytes() != texts.str.len_chars()).any().alias(name)


def _respelled(given: pl.Series) -> pl.Series:
    # without its name, which older collections may have as a pattern of names
    texts = given.alias("").cast(pl.String)
    rows = (texts.str.len_bytes() != texts.str.len_chars()).fill_null(value=False).arg_true()
    rows = rows.filter(texts[rows].str.contains(_other_letters()))
    others = texts[rows]
    plain = _plain(set("".join(others)))
    if not plain:
        return given
    return texts.clone().scatter(rows, others.str.replace_many(plain)).alias(given.name)


def _plain(letters: set[str]) -> dict[str, str]:
    """What some letters fold to, of those that patterns don't know."""
    others = {c: folded(c) for c in letters if c.isalnum() and c not in covered()}
    return {c: plain for c, plain in others.items() if not c.isascii() and c != plain}


@cache
def _other_letters() -> str:
    return rf"[^\x00-\x7f{letters_of_patterns()}{_IDEOGRAPHS}]"


@cache
def letters_of_patterns() -> str:
    """What is ``covered``, as part of a regular expression."""
    return "".join(rf"\x{{{ord(c):x}}}" for c in sorted(covered()))
