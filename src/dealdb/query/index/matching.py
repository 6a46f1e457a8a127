"""Which postings of an index a word matches, and how well: whole, as the beginning of a word, or with a typo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dealdb.query.index.token_index import LAST_PLACE, PLACE_BITS, TokenIndex
from dealdb.query.index.vocabulary import TYPO, Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

# of so few words each has its own postings, whose rows ascend
_FEW = 16


@dataclass(frozen=True, slots=True)
class Postings:
    """
    Postings that match a word equally well.

    Attributes
    ----------
    rank
        ``TYPO``, ``PREFIX`` or ``WHOLE``.
    rows, marks
        As in the index.
    ascends
        Whether the rows do.
    span
        Which postings of the index they are; None where some of these are left out.
    """

    rank: int
    rows: NDArray[np.uint32]
    marks: NDArray[np.unsignedinteger]
    ascends: bool
    span: tuple[int, int] | None


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
    has_typos
        Whether any of it matches but for a typo.
    """

    postings: Sequence[Postings]
    values: Mapping[str, NDArray[np.uint8]]
    size: int
    has_typos: bool


def value_of(rank: int, place: int) -> int:
    """
    How well a word of a text matches as one number: the larger the better, and of equals the first.

    Examples
    --------
    >>> from dealdb.query.index.vocabulary import PREFIX, WHOLE
    >>> value_of(WHOLE, 5) > value_of(PREFIX, 0) > value_of(PREFIX, 1) > 0
    True
    """
    return (rank << PLACE_BITS) | (LAST_PLACE - place)


def matches_of(
    index: TokenIndex, words: Sequence[str], columns: Sequence[str], *, typos: bool
) -> list[Matches]:
    """What each of some words matches in some columns of an index."""
    is_wanted = None
    if len(columns) < len(index.columns):
        is_wanted = np.array([name in columns for name in index.columns])
    return [_matches(index, word, columns, is_wanted, typos=typos) for word in words]


def _matches(
    index: TokenIndex,
    word: str,
    columns: Sequence[str],
    is_wanted: NDArray[np.bool_] | None,
    *,
    typos: bool,
) -> Matches:
    spans = index.vocabulary.spans(word, typos=typos)
    postings = list(_postings(index, spans, is_wanted))
    labels = index.labels.vocabulary.spans(word, typos=typos)
    values = _values(index, labels, columns)
    size = sum(len(each.rows) for each in postings)
    size += sum(int(index.categories[name].counts[v > 0].sum()) for name, v in values.items())
    has_typos = any(each.rank == TYPO for each in (*spans, *labels))
    return Matches(postings, values, size, has_typos)


def _postings(
    index: TokenIndex, spans: Sequence[Span], is_wanted: NDArray[np.bool_] | None
) -> Iterator[Postings]:
    for rank, first, end in spans:
        step = 1 if end - first <= _FEW else end - first
        for number in range(first, end, step):
            span = int(index.starts[number]), int(index.starts[number + step])
            rows, marks = index.rows[slice(*span)], index.marks[slice(*span)]
            if is_wanted is not None:
                inside = is_wanted[marks >> PLACE_BITS]
                rows, marks = rows[inside], marks[inside]
            if len(rows):
                yield Postings(rank, rows, marks, step == 1, span if is_wanted is None else None)


def _values(
    index: TokenIndex, spans: Sequence[Span], columns: Sequence[str]
) -> dict[str, NDArray[np.uint8]]:
    found: dict[str, NDArray[np.uint8]] = {}
    for rank, first, end in spans:
        for name, code, place in index.labels.places[
            index.labels.starts[first] : index.labels.starts[end]
        ]:
            if name not in columns:
                continue
            if name not in found:
                found[name] = np.zeros(len(index.categories[name].counts), np.uint8)
            found[name][code] = max(found[name][code], value_of(rank, place))
    return found
