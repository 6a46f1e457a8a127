"""
Search for words in the texts of deals: whole words first, then beginnings of words, then typos.

The columns are scanned with patterns; only the candidates that come out are looked at word by word. Where many deals
are searched again and again, an index takes the place of the scan, and finds the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial, reduce
from heapq import nlargest
from operator import add
from typing import NamedTuple, Protocol

import polars as pl

from dealdb.errors import QueryError
from dealdb.query.filters.comparisons import text_test
from dealdb.query.filters.operands import column, computed
from dealdb.query.results.words import Token, begins_with_typo, pattern, takes_typos, tokens_of

MAX_WORDS = 8
MAX_LETTERS = 40
# candidates that are ranked word by word; those that have all words whole come first
MAX_RANKED = 2_000
# of none, a typo, the beginning of a word, and a whole one
QUALITIES = (0.0, 0.5, 0.8, 1.0)
_NONE, _TYPO, _PREFIX, _WHOLE = QUALITIES
# how much less a match counts in each further column
_FURTHER = 0.05
IN_ORDER = 0.1


class Hit(NamedTuple):
    """How well a deal has the words, and which column shows it best."""

    score: float
    column: str
    highlight: str


class WordIndex(Protocol):
    """What has an index of the texts."""

    def scores(self, words: Sequence[str], *, typos: bool) -> list[tuple[int, float]]:
        """Rows that have all words, at most those that are ranked, and the score of each."""


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
    index: WordIndex | None = None,
) -> pl.DataFrame:
    """
    Deals that have every word in one of some columns, best first; of equals, by their ids.

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
    index
        Of these columns and of the rows that are kept; None to scan the texts.

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
    texts = pl.DataFrame([frame[name] for name in names])
    best = _best(frame, _scores_of(texts, words, kept, index, typos=False), limit)
    typos = len(best) < limit and any(map(takes_typos, words))
    if typos:
        best = _best(frame, _scores_of(texts, words, kept, index, typos=True), limit)
    hits = dict(hits_of(texts, best, words, typos=typos))
    shown = [hits[row] for row in best]
    return frame[best].hstack(
        [
            pl.Series("_score", [round(hit.score, 4) for hit in shown], dtype=pl.Float64),
            pl.Series("_in", [hit.column for hit in shown], dtype=pl.String),
            pl.Series("_highlight", [hit.highlight for hit in shown], dtype=pl.String),
        ]
    )


def _scores_of(
    texts: pl.DataFrame,
    words: Sequence[str],
    kept: pl.Series | None,
    index: WordIndex | None,
    *,
    typos: bool,
) -> list[tuple[int, float]]:
    if index is not None:
        return index.scores(words, typos=typos)
    rows = pl.int_range(texts.height, dtype=pl.UInt32, eager=True)
    rows = _candidates(texts, rows if kept is None else rows.filter(kept), words, typos=typos)
    return [(row, hit.score) for row, hit in hits_of(texts, rows, words, typos=typos)]


def _best(frame: pl.DataFrame, scores: list[tuple[int, float]], limit: int) -> pl.Series:
    """Rows with the best scores; of equal ones those come first whose ids do, as texts."""
    least = min(nlargest(limit, (score for _, score in scores)), default=0.0)
    best = [(row, score) for row, score in scores if score >= least]
    rows = pl.Series([row for row, _ in best], dtype=pl.UInt32)
    ids = frame["id"][rows].to_list() if "id" in frame.columns else rows.to_list()
    # rows that are in no database may have no id
    keys = [
        (-score, ids[i] is None, "" if ids[i] is None else ids[i], row)
        for i, (row, score) in enumerate(best)
    ]
    order = sorted(range(len(best)), key=keys.__getitem__)
    return pl.Series([best[i][0] for i in order[:limit]], dtype=pl.UInt32)


def _candidates(
    texts: pl.DataFrame, rows: pl.Series, words: Sequence[str], *, typos: bool
) -> pl.Series:
    """Rows that may match, at most those that are ranked; ones with all words whole are preferred."""
    rows = rows_with_all(texts, rows, words, typos=typos)
    if len(rows) <= MAX_RANKED:
        return rows
    whole = first_hits(texts, rows_with_all(texts, rows, words, whole=True), words, whole=True)
    rest = rows.filter(~rows.is_in(whole.implode()))
    most = MAX_RANKED - len(whole)
    return pl.concat([whole, first_hits(texts, rest, words, most=most, typos=typos)]).sort()


def first_hits(
    texts: pl.DataFrame,
    rows: pl.Series,
    words: Sequence[str],
    *,
    most: int | None = None,
    typos: bool = False,
    whole: bool = False,
) -> pl.Series:
    """The first of some rows that have all words indeed; at most as many as are ranked, or fewer."""
    most = MAX_RANKED if most is None else most
    found: list[int] = []
    for some in rows.to_frame().iter_slices(MAX_RANKED):
        if len(found) >= most:
            break
        hits = hits_of(texts, some.to_series(), words, typos=typos, whole=whole)
        found += [row for row, _ in hits]
    return pl.Series(found[:most], dtype=pl.UInt32)


def rows_with_all(
    texts: pl.DataFrame,
    rows: pl.Series,
    words: Sequence[str],
    *,
    typos: bool = False,
    whole: bool = False,
) -> pl.Series:
    """
    Those of some rows whose texts may have all words; a few that haven't may be among them.

    Parameters
    ----------
    typos, whole
        As for ``pattern``.
    """
    # each word is looked for where the ones before it were found
    for word in words:
        here = texts if len(rows) == texts.height else texts[rows]
        found = [
            _with_one(name, dtype, pattern(word, typos=typos, whole=whole))
            for name, dtype in here.schema.items()
        ]
        rows = rows.filter(here.select(pl.any_horizontal(found)).to_series())
    return rows


def _with_one(name: str, dtype: pl.DataType, pattern: str) -> pl.Expr:
    item = computed(column(name), dtype, 0)
    return text_test(item, lambda texts: texts.str.contains(pattern)).fill_null(value=False)


def hits_of(
    texts: pl.DataFrame,
    rows: pl.Series,
    words: Sequence[str],
    *,
    typos: bool,
    whole: bool = False,
) -> list[tuple[int, Hit]]:
    """Those of some rows that have all words, or have them as whole ones, and how well."""
    # the same texts come again and again, and even more so the same tokens
    quality = cache(partial(_quality, typos=typos, whole=whole))
    look = cache(lambda text: _look(text, words, quality))
    hits = []
    for row, values in zip(rows, texts[rows].rows(), strict=True):
        hit = _hit(dict(zip(texts.columns, values, strict=True)), words, look)
        if hit is not None:
            hits.append((row, hit))
    return hits


def weight_of(place: int) -> float:
    """
    How much a match in a column counts, by the place of the column.

    Examples
    --------
    >>> weight_of(0), weight_of(1), weight_of(20)
    (1.0, 0.95, 0.5)
    """
    return max(1 - _FURTHER * place, 0.5)


def _hit(
    texts: dict[str, str | None], words: Sequence[str], look: Callable[[str], _Look]
) -> Hit | None:
    """How well one deal has the words; None when one is missing."""
    best = dict.fromkeys(words, 0.0)
    shown = Hit(0.0, "", "")
    for place, (name, text) in enumerate(texts.items()):
        found = look(text or "")
        weight = weight_of(place)
        for word, (quality, _) in zip(words, found.tops, strict=True):
            best[word] = max(best[word], quality * weight)
        score = _added(quality for quality, _ in found.tops) * weight
        if score > shown.score:
            places = [i for quality, i in found.tops if quality]
            follows = len(places) == len(words) > 1 and places == sorted(set(places))
            marked = _marked(text or "", found.tokens, found.marked)
            shown = Hit(score + IN_ORDER * follows, name, marked)
    if not all(best.values()):
        return None
    total = _added(best.values())
    in_order = IN_ORDER * (shown.score > total)
    return shown._replace(score=total / len(words) + in_order)


def _added(parts: Iterable[float]) -> float:
    """The sum, one after the other: ``sum`` of later Pythons corrects the last digits, which would part ties."""
    return reduce(add, parts, 0.0)


def _look(text: str, words: Sequence[str], quality: Callable[[str, str], float]) -> _Look:
    tokens = tokens_of(text)
    matches = [[(quality(token.word, word), i) for i, token in enumerate(tokens)] for word in words]
    tops = [max(found, key=lambda each: (each[0], -each[1]), default=(0.0, 0)) for found in matches]
    marked = [i for i, _ in enumerate(tokens) if any(found[i][0] for found in matches)]
    return _Look(tokens, tops, marked)


def _quality(token: str, word: str, *, typos: bool, whole: bool) -> float:
    if token == word:
        return _WHOLE
    if whole:
        return _NONE
    if token.startswith(word):
        return _PREFIX
    return _TYPO if typos and takes_typos(word) and begins_with_typo(token, word) else _NONE


def _marked(text: str, tokens: Sequence[Token], places: Sequence[int]) -> str:
    parts, at = [], 0
    for place in places:
        begin, end, _ = tokens[place]
        parts += [text[at:begin], "**", text[begin:end], "**"]
        at = end
    return "".join([*parts, text[at:]])
