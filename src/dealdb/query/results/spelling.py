"""Texts as patterns read them: letters that these don't know are written as what they fold to."""

from __future__ import annotations

from functools import cache

import polars as pl

from dealdb.query.results.words import covered, folded

# letters of Chinese, each of which folds to itself
_IDEOGRAPHS = r"\x{3400}-\x{9fff}"


def as_patterns_read(texts: pl.Series) -> pl.Series:
    """
    Texts in which a ``pattern`` finds all that folding does, such as words in Hangul or in wide letters.

    Examples
    --------
    >>> as_patterns_read(pl.Series(["Café", None, "ﬁrm ①②"])).to_list()
    ['Café', None, 'firm 12']
    """
    # without its name, which older collections may have as a pattern of names
    bare = texts.alias("")
    if texts.dtype != pl.String:
        if _respelled(bare.unique().cast(pl.String)) is None:
            return texts
        bare = bare.cast(pl.String)
    respelled = _respelled(bare)
    return texts if respelled is None else respelled.alias(texts.name)


def _respelled(texts: pl.Series) -> pl.Series | None:
    """The same texts, some of them written otherwise; None where none is."""
    # most texts are ASCII, which is seen much sooner than any letter is found
    rows = (texts.str.len_bytes() != texts.str.len_chars()).fill_null(value=False).arg_true()
    if rows.is_empty():
        return None
    rows = rows.filter(texts[rows].str.contains(_other_letters()))
    others = texts[rows]
    plain = _plain(set("".join(others)))
    if not plain:
        return None
    return texts.clone().scatter(rows, others.str.replace_many(plain))


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
