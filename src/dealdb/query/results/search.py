"""
Search for words in the texts of deals: whole words first, then beginnings of words, then typos.

The columns are scanned with patterns, which is fast enough that no index has to be kept up with the changes; only the
candidates that come out are looked at word by word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import polars as pl

from dealdb.errors import QueryError
from dealdb.query.filters.comparisons import text_test
from dealdb.query.filters.operands import column, computed
from dealdb.query.results.words import Token, begins_with_typo, pattern, takes_typos, tokens_of

MAX_WORDS = 8
MAX_LETTERS = 40
# candidates that are ranked word by word; those that have all words whole come first
MAX_RANKED = 2_000
_WHOLE, _PREFIX, _TYPO = 1.0, 0.8, 0.5
# how much less a match counts in each further column
_FURTHER = 0.05
_IN_ORDER = 0.1


class _Hit(NamedTuple):
    score: float
    column: str
    highlight: str


class _Look(NamedTuple):
    """
    What a text has of the words.

    Attributes
    ----------
    tops
        For each word how well the best token matches, and which one that is.
    marked
        Tokens that match any word.
    """

    tokens: list[Token]
    tops: list[tuple[float, int]]
    marked: list[int]


def words_of(text: str) -> list[str]:
    """
    Words to search for.

    Raises
    ------
    QueryError
        If the text has none, or too many, or one that is too long.

    Examples
    --------
    >>> words_of("Zürich renewal!")
    ['zurich', 'renewal']
    """
    if not isinstance(text, str):
        msg = f"search takes text, not a {type(text).__name__}"
        raise QueryError(msg)
    words = list(dict.fromkeys(token.word for token in tokens_of(text) if token.word))
    if not words or len(words) > MAX_WORDS or max(map(len, words)) > MAX_LETTERS:
        msg = f"write 1 to {MAX_WORDS} words to search for, of at most {MAX_LETTERS} letters each"
        raise QueryError(msg, text=text)
    return words


def searched(
    frame: pl.DataFrame,
    words: Sequence[str],
    names: Sequence[str],
    limit: int,
    kept: pl.Series | None = None,
) -> pl.DataFrame:
    """
    Deals that have every word in one of some columns, best first.

    Parameters
    ----------
    frame
        Deals to search.
    words
        As ``words_of`` gives them.
    names
        Columns of text; earlier ones count more.
    limit
        Most deals.
    kept
        Boolean a row, true for the deals to search; None for all.

    Returns
    -------
    polars.DataFrame
        The columns of the frame, then ``_score``, ``_in`` and ``_highlight``.

    Source
    ------
    docs/querying.md#search

    Examples
    --------
    >>> frame = pl.DataFrame({"id": ["1", "2"], "name": ["Acme renewal", "Globex"]})
    >>> searched(frame, ["renwal"], ["name"], 20).select("id", "_highlight").rows()
    [('1', 'Acme **renewal**')]
    """
    rows = pl.int_range(frame.height, dtype=pl.UInt32, eager=True)
    rows = rows if kept is None else rows.filter(kept)
    texts = frame.select([column(name) for name in names])
    found = _ranked(texts, _candidates(texts, rows, words, typos=False), words)
    if len(found) < limit and any(map(takes_typos, words)):
        found = _ranked(texts, _candidates(texts, rows, words, typos=True), words)
    best = found[:limit]
    chosen = frame[pl.Series([row for row, _ in best], dtype=pl.UInt32)]
    return chosen.with_columns(
        pl.Series("_score", [round(hit.score, 4) for _, hit in best], dtype=pl.Float64),
        pl.Series("_in", [hit.column for _, hit in best], dtype=pl.String),
        pl.Series("_highlight", [hit.highlight for _, hit in best], dtype=pl.String),
    )


def _candidates(
    texts: pl.DataFrame, rows: pl.Series, words: Sequence[str], *, typos: bool
) -> pl.Series:
    """Rows that may match, at most those that are ranked; ones with all words whole are preferred."""
    rows = _with_all(texts, rows, [pattern(word, typos=typos) for word in words])
    if len(rows) <= MAX_RANKED:
        return rows
    whole = _with_all(texts, rows, [pattern(word, whole=True) for word in words])
    rest = rows.filter(~rows.is_in(whole.implode()))
    return pl.concat([whole, rest]).head(MAX_RANKED).sort()


def _with_all(texts: pl.DataFrame, rows: pl.Series, patterns: Sequence[str]) -> pl.Series:
    # each pattern is looked for where the ones before it were found
    for each in patterns:
        here = texts if len(rows) == texts.height else texts[rows]
        found = [_with_one(name, dtype, each) for name, dtype in here.schema.items()]
        rows = rows.filter(here.select(pl.any_horizontal(found)).to_series())
    return rows


def _with_one(name: str, dtype: pl.DataType, pattern: str) -> pl.Expr:
    item = computed(column(name), dtype, 0)
    return text_test(item, lambda texts: texts.str.contains(pattern)).fill_null(value=False)


def _ranked(texts: pl.DataFrame, rows: pl.Series, words: Sequence[str]) -> list[tuple[int, _Hit]]:
    # the same texts come again and again, and even more so the same tokens
    quality = cache(_quality)
    look = cache(lambda text: _look(text, words, quality))
    hits = []
    for row, values in zip(rows, texts[rows].rows(), strict=True):
        hit = _hit(dict(zip(texts.columns, values, strict=True)), words, look)
        if hit is not None:
            hits.append((row, hit))
    # rows are in the order of first saving, and sorting keeps it among equals
    return sorted(hits, key=lambda item: -item[1].score)


def _hit(
    texts: dict[str, str | None], words: Sequence[str], look: Callable[[str], _Look]
) -> _Hit | None:
    """How well one deal has the words; None when one is missing."""
    best = dict.fromkeys(words, 0.0)
    shown = _Hit(0.0, "", "")
    for place, (name, text) in enumerate(texts.items()):
        found = look(text or "")
        weight = max(1 - _FURTHER * place, 0.5)
        for word, (quality, _) in zip(words, found.tops, strict=True):
            best[word] = max(best[word], quality * weight)
        score = sum(quality for quality, _ in found.tops) * weight
        if score > shown.score:
            places = [i for quality, i in found.tops if quality]
            follows = len(places) == len(words) > 1 and places == sorted(set(places))
            marked = _marked(text or "", found.tokens, found.marked)
            shown = _Hit(score + _IN_ORDER * follows, name, marked)
    if not all(best.values()):
        return None
    in_order = _IN_ORDER * (shown.score > sum(best.values()))
    return shown._replace(score=sum(best.values()) / len(words) + in_order)


def _look(text: str, words: Sequence[str], quality: Callable[[str, str], float]) -> _Look:
    tokens = tokens_of(text)
    matches = [[(quality(token.word, word), i) for i, token in enumerate(tokens)] for word in words]
    tops = [max(found, key=lambda each: (each[0], -each[1]), default=(0.0, 0)) for found in matches]
    marked = [i for i, _ in enumerate(tokens) if any(found[i][0] for found in matches)]
    return _Look(tokens, tops, marked)


def _quality(token: str, word: str) -> float:
    if token == word:
        return _WHOLE
    if token.startswith(word):
        return _PREFIX
    return _TYPO if takes_typos(word) and begins_with_typo(token, word) else 0.0


def _marked(text: str, tokens: Sequence[Token], places: Sequence[int]) -> str:
    parts, at = [], 0
    for place in places:
        begin, end, _ = tokens[place]
        parts += [text[at:begin], "**", text[begin:end], "**"]
        at = end
    return "".join([*parts, text[at:]])
