"""
Search for words in the texts of deals: whole words first, then beginnings of words, then typos.

The columns are scanned with patterns; only the candidates that come out are looked at word by word. Where many deals
are searched again and again, an index takes the place of the scan, and finds the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial, reduce
from itertools import chain
from operator import add
from typing import NamedTuple, Protocol

import polars as pl

from dealdb.errors import QueryError
from dealdb.query.results.by_id import best_rows, ids_of, parts_in_order
from dealdb.query.results.rows import ADDED, FOUND_IN, HIGHLIGHT, SCORE
from dealdb.query.results.spelling import as_patterns_read, rows_that_match
from dealdb.query.results.words import (
    Token,
    begins_with_typo,
    is_covered,
    takes_typos,
    tokens_of,
)

MAX_WORDS = 8
MAX_LETTERS = 40
# candidates that are ranked word by word; those that have all words whole come first, then those whose ids do
MAX_RANKED = 2_000
# of none, a typo, the beginning of a word, and a whole one
QUALITIES = (0.0, 0.5, 0.8, 1.0)
_NONE, _TYPO, _PREFIX, _WHOLE = QUALITIES
# how much less a match counts in each further column
_FURTHER = 0.05
IN_ORDER = 0.1
# to make and compile a pattern takes as long as to look at so many rows word by word, and at so many letters
_FEW = 50
_FEW_LETTERS = 20_000


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


class Hit(NamedTuple):
    """How well a deal has the words, and which column shows it best."""

    score: float
    column: str
    text: str
    look: _Look

    @property
    def highlight(self) -> str:
        """The text with marks around what matches."""
        parts, at = [], 0
        for place in self.look.marked:
            begin, end, _ = self.look.tokens[place]
            parts += [self.text[at:begin], "**", self.text[begin:end], "**"]
            at = end
        return "".join([*parts, self.text[at:]])


class Found(Protocol):
    """The rows that have all words; of very many, those that are ranked."""

    def __len__(self) -> int: ...

    def scores(self) -> tuple[list[int], list[float]]:
        """Each of them, and how well it has the words."""

    def hits(self, rows: Sequence[int]) -> list[Hit]:
        """What shows some of them."""


class WordSearch(Protocol):
    """What finds words in the texts: a scan, or an index of them."""

    def found(self, words: Sequence[str], *, typos: bool) -> Found:
        """Rows that have all words."""


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
    index: WordSearch | None = None,
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
        The columns of the frame, then ``_score``, ``_in`` and ``_highlight``; not those of an earlier search.

    Source
    ------
    docs/querying.md#search

    Examples
    --------
    >>> frame = pl.DataFrame({"id": ["1", "2"], "name": ["Acme renewal", "Globex"]})
    >>> searched(frame, ["renwal"], ["name"], 20).select("id", "_highlight").rows()
    [('1', 'Acme **renewal**')]
    """
    ids = ids_of(frame)
    search = index or _Scan(pl.DataFrame([frame[name] for name in names]), kept, ids)
    found = search.found(words, typos=False)
    if len(found) < limit and any(map(takes_typos, words)):
        found = search.found(words, typos=True)
    rows = best_rows(ids, *found.scores(), limit)
    hits, some = found.hits(rows), pl.Series(rows, dtype=pl.UInt32)
    return pl.DataFrame(
        [
            *(each[some] for each in frame.get_columns() if each.name not in ADDED),
            pl.Series(SCORE, [round(hit.score, 4) for hit in hits], dtype=pl.Float64),
            pl.Series(FOUND_IN, [hit.column for hit in hits], dtype=pl.String),
            pl.Series(HIGHLIGHT, [hit.highlight for hit in hits], dtype=pl.String),
        ]
    )


class _Scan:
    """Looks for words in all texts."""

    def __init__(self, texts: pl.DataFrame, kept: pl.Series | None, ids: pl.Series | None) -> None:
        rows = pl.int_range(texts.height, dtype=pl.UInt32, eager=True)
        self._texts = texts
        self._ids = ids
        self._rows = rows if kept is None else rows.filter(kept)

    def found(self, words: Sequence[str], *, typos: bool) -> Found:
        rows = _candidates(self._texts, self._ids, self._rows, words, typos=typos)
        return Looked(hits_of(self._texts, rows, words, typos=typos))


class Looked:
    """Rows that were looked at word by word."""

    def __init__(self, hits: Sequence[tuple[int, Hit]]) -> None:
        self._hits = dict(hits)

    def __len__(self) -> int:
        return len(self._hits)

    def scores(self) -> tuple[list[int], list[float]]:
        """Each of them, and how well it has the words."""
        return [*self._hits], [hit.score for hit in self._hits.values()]

    def hits(self, rows: Sequence[int]) -> list[Hit]:
        """What shows some of them."""
        return [self._hits[row] for row in rows]


def _candidates(
    texts: pl.DataFrame,
    ids: pl.Series | None,
    rows: pl.Series,
    words: Sequence[str],
    *,
    typos: bool,
) -> pl.Series:
    """Rows that may match, at most those that are ranked; ones with all words whole are preferred."""
    rows = rows_with_all(texts, rows, words, typos=typos)
    if len(rows) <= MAX_RANKED:
        return rows
    whole = rows_with_all(texts, rows, words, whole=True)
    whole = first_hits(texts, ids, whole, words, whole=True)
    rest = rows.filter(~rows.is_in(whole.implode()))
    most = MAX_RANKED - len(whole)
    return pl.concat([whole, first_hits(texts, ids, rest, words, most=most, typos=typos)]).sort()


def first_hits(
    texts: pl.DataFrame,
    ids: pl.Series | None,
    rows: pl.Series,
    words: Sequence[str],
    *,
    most: int | None = None,
    typos: bool = False,
    whole: bool = False,
) -> pl.Series:
    """Those of some rows that have all words indeed, by their ids; the first that are ranked, or fewer."""
    most = MAX_RANKED if most is None else most
    found: list[int] = []
    parts = parts_in_order(rows, ids, MAX_RANKED)
    while len(found) < most and (some := next(parts, None)) is not None:
        hits = hits_of(texts, some, words, typos=typos, whole=whole)
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
    if len(rows) <= _FEW and _are_short(texts[rows]):
        return rows
    some = texts if len(rows) == texts.height else texts[rows]
    return rows_that_match(as_patterns_read(some), rows, words, typos=typos, whole=whole)


def _are_short(texts: pl.DataFrame) -> bool:
    """Whether some texts are looked at word by word as soon as by patterns, which then say the same."""
    given = [*filter(None, chain.from_iterable(texts.iter_rows()))]
    return sum(map(len, given)) <= _FEW_LETTERS and all(map(is_covered, given))


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
    rough = [word for word in words if typos and not whole and takes_typos(word)]
    plain = [word for word in words if word not in rough]
    look = cache(
        lambda text: _look(text, words, quality) if rough or _may_have(text, plain) else None
    )
    columns = [(name, weight_of(place)) for place, name in enumerate(texts.columns)]
    hits = []
    # column by column in this thread: on a busy machine the threads of a gather of the frame are waited for
    values_of = (each[rows].to_list() for each in texts.get_columns())
    for row, *values in zip(rows, *values_of, strict=True):
        hit = _hit(columns, values, words, look)
        if hit is not None:
            hits.append((row, hit))
    return hits


def _may_have(text: str, words: Sequence[str]) -> bool:
    """Whether a text may have one of some words, at a glance."""
    if not text.isascii():
        return True
    lower = text.lower()
    return any(word in lower for word in words)


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
    columns: Sequence[tuple[str, float]],
    texts: Sequence[str | None],
    words: Sequence[str],
    look: Callable[[str], _Look | None],
) -> Hit | None:
    """How well one deal has the words; None when one is missing."""
    best = [0.0] * len(words)
    shown: Hit | None = None
    for (name, weight), text in zip(columns, texts, strict=True):
        found = look(text) if text else None
        if text is None or found is None:
            continue
        best = [max(b, quality * weight) for b, (quality, _) in zip(best, found.tops, strict=True)]
        score = _added(quality for quality, _ in found.tops) * weight
        if shown is None or score > shown.score:
            places = [i for quality, i in found.tops if quality]
            follows = len(places) == len(words) > 1 and places == sorted(set(places))
            shown = Hit(score + IN_ORDER * follows, name, text, found)
    if shown is None or not all(best):
        return None
    total = _added(best)
    in_order = IN_ORDER * (shown.score > total)
    return shown._replace(score=total / len(words) + in_order)


def _added(parts: Iterable[float]) -> float:
    """The sum, one after the other: ``sum`` of later Pythons corrects the last digits, which would part ties."""
    return reduce(add, parts, 0.0)


def _look(text: str, words: Sequence[str], quality: Callable[[str, str], float]) -> _Look | None:
    """What a text has of the words; None for nothing."""
    tokens = tokens_of(text)
    tops, marked = [], set()
    for word in words:
        top, place = _NONE, 0
        for i, token in enumerate(tokens):
            how_well = quality(token.word, word)
            if how_well:
                marked.add(i)
            if how_well > top:
                top, place = how_well, i
        tops.append((top, place))
    return _Look(tokens, tops, sorted(marked)) if marked else None


def _quality(token: str, word: str, *, typos: bool, whole: bool) -> float:
    if token == word:
        return _WHOLE
    if whole:
        return _NONE
    if token.startswith(word):
        return _PREFIX
    return _TYPO if typos and takes_typos(word) and begins_with_typo(token, word) else _NONE
