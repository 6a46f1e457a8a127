"""``ByPostings``: rows that are ranked by the postings of an index, without a look at their texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dealdb.query.index.matching import Matches, Postings
from dealdb.query.index.token_index import LAST_PLACE, PLACE_BITS, TokenIndex
from dealdb.query.results.search import IN_ORDER, QUALITIES, Hit, hits_of, weight_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

# rows are looked for one by one among so many times as many
_SPARSE = 50
_QUALITIES = np.array(QUALITIES)


@dataclass(frozen=True, slots=True)
class ByPostings:
    """
    Rows that have all words.

    Attributes
    ----------
    index
        The index.
    texts
        The columns that are searched.
    rows
        Rows of the index, ascending.
    matches
        What each word matches.
    apart
        Rows of the frame that were looked at, and what was seen.
    words, typos
        What was looked for.
    """

    index: TokenIndex
    texts: pl.DataFrame
    rows: NDArray[np.uint32]
    matches: Sequence[Matches]
    apart: Mapping[int, Hit]
    words: Sequence[str]
    typos: bool

    def __len__(self) -> int:
        return len(self.rows) + len(self.apart)

    def scores(self) -> tuple[list[int], list[float]]:
        """Each of them, and how well it has the words."""
        scores = [*self._scores(), *(hit.score for hit in self.apart.values())]
        return [*self.index.order.in_frame(self.rows).tolist(), *self.apart], scores

    def hits(self, rows: Sequence[int]) -> list[Hit]:
        """What shows some of them."""
        some = pl.Series(rows, dtype=pl.UInt32)
        return [hit for _, hit in hits_of(self.texts, some, self.words, typos=self.typos)]

    def _scores(self) -> list[float]:
        """How well each row has the words: what ``hits_of`` computes row by row."""
        names, index, rows = self.texts.columns, self.index, self.rows
        values = np.zeros((len(self.matches), len(names), len(rows)), np.uint8)
        place_of = np.full(len(index.columns), -1, np.int16)
        for place, name in enumerate(names):
            place_of[index.columns.index(name)] = place
        for word, each in enumerate(self.matches):
            for name, known in each.values.items():
                values[word, names.index(name)] = known[index.categories[name].codes[rows]]
            for postings in each.postings:
                at, of = _common(rows, postings)
                marks = postings.marks[of]
                value = (postings.rank << PLACE_BITS) | (LAST_PLACE - (marks & LAST_PLACE))
                np.maximum.at(
                    values[word], (place_of[marks >> PLACE_BITS], at), value.astype(np.uint8)
                )
        return _total(values)


def _common(
    rows: NDArray[np.uint32], postings: Postings
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Places in ``rows``, which ascend, and in postings of what is the same; a row may be there several times."""
    among = postings.rows
    if postings.ascends:
        begin, end = np.searchsorted(among, rows[0]), np.searchsorted(among, rows[-1], "right")
        if end - begin > _SPARSE * len(rows):
            return _common_of_few(rows, among)
        of = np.arange(begin, end)
    else:
        of = np.flatnonzero((among >= rows[0]) & (among <= rows[-1]))
    place_of = np.full(int(rows[-1] - rows[0]) + 1, -1, np.int16)
    place_of[rows - rows[0]] = np.arange(len(rows), dtype=np.int16)
    places = place_of[among[of] - rows[0]]
    are_common = places >= 0
    return places[are_common].astype(np.intp), of[are_common]


def _common_of_few(
    rows: NDArray[np.uint32], among: NDArray[np.uint32]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    begin, end = np.searchsorted(among, rows, "left"), np.searchsorted(among, rows, "right")
    counts = end - begin
    at = np.repeat(np.arange(len(rows)), counts)
    within = np.arange(len(at)) - np.repeat(np.cumsum(counts) - counts, counts)
    return at, np.repeat(begin, counts) + within


def _total(values: NDArray[np.uint8]) -> list[float]:
    """Score of each row, from the values by word, column and row; added in the order of the scan, for the same ties."""
    n_words, n_columns, n_rows = values.shape
    weights = np.array([weight_of(place) for place in range(n_columns)])
    qualities = _QUALITIES[values >> PLACE_BITS]
    places = LAST_PLACE - (values & LAST_PLACE).astype(np.int16)
    best = (qualities * weights[None, :, None]).max(axis=1)
    sums = _added(qualities) * weights[:, None]
    follows = (values > 0).all(axis=0) & (n_words > 1)
    follows &= (places[1:] > places[:-1]).all(axis=0)
    shown = np.zeros(n_rows)
    for each, follow in zip(sums, follows, strict=True):
        shown = np.where(each > shown, each + IN_ORDER * follow, shown)
    total = _added(best)
    scores: list[float] = (total / n_words + IN_ORDER * (shown > total)).tolist()
    return scores


def _added(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum over the first axis, one after the other as the scan adds: another order may end in other last digits."""
    total = np.zeros(parts.shape[1:])
    for part in parts:
        total = total + part
    return total
