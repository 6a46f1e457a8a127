"""Which postings of an index a word matches, and how well: whole, as the beginning of a word, or with a typo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dealdb.query.index.token_index import LAST_PLACE, PLACE_BITS, TokenIndex
from dealdb.query.results.words import takes_typos, variants

if TYPE_CHECKING:
    from numpy.typing import NDArray

TYPO, PREFIX, WHOLE = 1, 2, 3
_LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Postings:
    """
    Postings that match a word equally well.

    Attributes
    ----------
    rank
        ``TYPO``, ``PREFIX`` or ``WHOLE``.
    rows, marks
        As in the index; of whole words the rows ascend.
    """

    rank: int
    rows: NDArray[np.uint32]
    marks: NDArray[np.unsignedinteger]


@dataclass(frozen=True, slots=True)
class Matches:
    """
    What a word matches.

    Attributes
    ----------
    postings
        In the columns that have postings.
    values
        Of each other column in which it occurs, the value of each of its texts (see ``value_of``).
    size
        Most rows there may be.
    """

    postings: Sequence[Postings]
    values: Mapping[str, NDArray[np.uint8]]
    size: int


def value_of(rank: int, place: int) -> int:
    """
    How well a word of a text matches as one number: the larger the better, and of equals the first.

    Examples
    --------
    >>> value_of(WHOLE, 5) > value_of(PREFIX, 0) > value_of(PREFIX, 1) > 0
    True
    """
    return (rank << PLACE_BITS) | (LAST_PLACE - place)


def matches_of(
    index: TokenIndex, words: Sequence[str], columns: Sequence[str], *, typos: bool
) -> list[Matches]:
    """What each of some words matches in some columns of an index."""
    edited = [
        variants(word, index.alphabet) if typos and takes_typos(word) else [] for word in words
    ]
    numbers = [n for n, name in enumerate(index.columns) if name in columns]
    is_wanted = None
    if len(numbers) < len(index.columns):
        is_wanted = np.zeros(len(index.columns), np.bool_)
        is_wanted[numbers] = True
    found = []
    for word, edits, spans in zip(words, edited, _spans(index, words, edited), strict=True):
        postings = list(_postings(index, spans, is_wanted))
        values = {
            name: each
            for name in columns
            if name in index.categories
            and (each := _values(index.categories[name].words, word, frozenset(edits))).any()
        }
        size = sum(len(each.rows) for each in postings)
        size += sum(int(index.categories[n].counts[v > 0].sum()) for n, v in values.items())
        found.append(Matches(postings, values, size))
    return found


def _spans(
    index: TokenIndex, words: Sequence[str], edited: Sequence[Sequence[str]]
) -> Iterator[list[tuple[int, int, int]]]:
    """Of each word, the ranges of postings with their ranks."""
    begins = [each for word, edits in zip(words, edited, strict=True) for each in (word, *edits)]
    bounds = pl.Series([*begins, *(each + _LAST for each in begins)], dtype=pl.String)
    at = index.tokens.search_sorted(bounds).to_numpy().reshape(2, -1)
    place = 0
    for word, edits in zip(words, edited, strict=True):
        first, end = int(at[0, place]), int(at[1, place])
        is_whole = first < end and index.tokens[first] == word
        spans = [(WHOLE, first, first + is_whole), (PREFIX, first + is_whole, end)]
        part = at[:, place + 1 : place + 1 + len(edits)]
        spans += [(TYPO, int(a), int(b)) for a, b in part[:, part[0] < part[1]].T]
        place += 1 + len(edits)
        yield [(rank, int(index.starts[a]), int(index.starts[b])) for rank, a, b in spans if a < b]


def _postings(
    index: TokenIndex, spans: Sequence[tuple[int, int, int]], is_wanted: NDArray[np.bool_] | None
) -> Iterator[Postings]:
    for rank, begin, end in spans:
        rows, marks = index.rows[begin:end], index.marks[begin:end]
        if is_wanted is not None:
            inside = is_wanted[marks >> PLACE_BITS]
            rows, marks = rows[inside], marks[inside]
        if len(rows):
            yield Postings(rank, rows, marks)


def _values(texts: Sequence[Sequence[str]], word: str, edits: frozenset[str]) -> NDArray[np.uint8]:
    found = np.zeros(len(texts) + 1, np.uint8)
    for code, tokens in enumerate(texts):
        for place, token in enumerate(tokens):
            rank = _rank(token, word, edits)
            if rank:
                found[code] = max(found[code], value_of(rank, place))
    return found


def _rank(token: str, word: str, edits: frozenset[str]) -> int:
    if token == word:
        return WHOLE
    if token.startswith(word):
        return PREFIX
    # an edit makes a word longer or shorter by a letter
    lengths = range(len(word) - 1, len(word) + 2)
    return TYPO if edits and any(token[:n] in edits for n in lengths) else 0
