"""``IndexedSearch``: the rows that have some words, and how well, by an index instead of a scan."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dealdb.query.index.matching import WHOLE, Matches, matches_of
from dealdb.query.index.token_index import (
    LAST_PLACE,
    PLACE_BITS,
    TokenIndex,
    is_covered,
)
from dealdb.query.results.search import (
    IN_ORDER,
    MAX_RANKED,
    QUALITIES,
    first_hits,
    hits_of,
    rows_with_all,
    weight_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

# beyond it a mask of all rows takes less time than numbers of rows
_MOST_NUMBERS = 20_000
# to make and compile a pattern takes as long as to look at so many rows word by word
_FEW = 30
_QUALITIES = np.array(QUALITIES)


class IndexedSearch:
    """
    Searches by an index; what it finds is what a scan of the texts finds.

    Parameters
    ----------
    index
        Of a frame that has all the columns, and had as many rows or fewer.
    texts
        The columns to search, as they are now; earlier ones count more.
    kept
        Boolean a row, true for the rows to search; None for all.
    changed
        Rows whose texts have changed since the index was made.
    """

    def __init__(
        self,
        index: TokenIndex,
        texts: pl.DataFrame,
        kept: pl.Series | None,
        changed: NDArray[np.uint32],
    ) -> None:
        self._index = index
        self._texts = texts
        self._kept = None if kept is None else kept.to_numpy()
        added = np.arange(index.height, texts.height, dtype=np.uint32)
        self._is_changed: NDArray[np.bool_] | None = None
        if len(changed):
            self._is_changed = np.zeros(index.height, np.bool_)
            self._is_changed[changed[changed < index.height]] = True
        apart = _distinct(np.concatenate([index.apart, changed, added]))
        self._apart = pl.Series(apart if self._kept is None else apart[self._kept[apart]])

    def scores(self, words: Sequence[str], *, typos: bool) -> list[tuple[int, float]]:
        """Rows that have all words, and how well; at most those that are ranked, ones with whole words first."""
        matches = matches_of(self._index, words, self._texts.columns, typos=typos)
        rows = self._rows(matches)
        apart = self._scanned(words, typos=typos)
        if len(rows) + len(apart) > MAX_RANKED:
            rows, apart = self._preferred(rows, apart, matches, words, typos=typos)
        found = list(zip(rows.tolist(), self._scores(rows, matches), strict=True))
        if len(apart):
            hits = hits_of(self._texts, apart, words, typos=typos)
            found += [(row, hit.score) for row, hit in hits]
        return found

    def _scanned(self, words: Sequence[str], *, typos: bool) -> pl.Series:
        """Those of the rows apart that have all words."""
        rows = self._apart
        if len(rows) <= _FEW:
            found = [row for row, _ in hits_of(self._texts, rows, words, typos=typos)]
            rows = pl.Series(found, dtype=pl.UInt32)
            texts = chain.from_iterable(self._texts[rows].iter_rows()) if found else ()
            if all(map(is_covered, filter(None, texts))):
                return rows
        return rows_with_all(self._texts, rows, words, typos=typos)

    def _preferred(
        self,
        rows: NDArray[np.uint32],
        apart: pl.Series,
        matches: Sequence[Matches],
        words: Sequence[str],
        *,
        typos: bool,
    ) -> tuple[NDArray[np.uint32], pl.Series]:
        """The rows that are ranked, where there are too many."""
        whole = self._rows(matches, WHOLE)
        whole_apart = rest_apart = apart
        if len(apart):
            whole_apart = rows_with_all(self._texts, apart, words, whole=True)
            whole_apart = first_hits(self._texts, whole_apart, words, whole=True)
            rest_apart = first_hits(self._texts, apart, words, typos=typos)
        scanned = _distinct(np.concatenate([rest_apart.to_numpy(), whole_apart.to_numpy()]))
        first = _merged(whole, whole_apart.to_numpy())
        # among so many rows there are enough others
        every = _merged(rows, scanned)
        rest = every[~np.isin(every, first)][: MAX_RANKED - len(first)]
        chosen = np.sort(np.concatenate([first, rest]))
        is_scanned = np.isin(chosen, scanned)
        return chosen[~is_scanned], pl.Series(chosen[is_scanned])

    def _rows(self, matches: Sequence[Matches], least: int = 0) -> NDArray[np.uint32]:
        """Rows in the index that have all words, ascending; as good as ``least``, at least."""
        if not all(each.size for each in matches):
            return np.empty(0, np.uint32)
        smallest, *others = sorted(matches, key=lambda each: each.size)
        if smallest.size > _MOST_NUMBERS:
            mask = self._mask(smallest, least)
            for each in others:
                mask &= self._mask(each, least)
            rows = np.flatnonzero(mask).astype(np.uint32)
        else:
            rows = self._numbers(smallest, least)
            for each in others:
                rows = rows[self._has(each, rows, least)]
        if self._is_changed is not None:
            rows = rows[~self._is_changed[rows]]
        return rows if self._kept is None else rows[self._kept[rows]]

    def _mask(self, matches: Matches, least: int) -> NDArray[np.bool_]:
        mask = np.zeros(self._index.height, np.bool_)
        for each in matches.postings:
            if each.rank >= least:
                mask[each.rows] = True
        for name, values in matches.values.items():
            mask |= _is_as_good(values, least)[self._codes(name)]
        return mask

    def _numbers(self, matches: Matches, least: int) -> NDArray[np.uint32]:
        parts = [each.rows for each in matches.postings if each.rank >= least]
        for name, values in matches.values.items():
            is_in = _is_as_good(values, least)[self._codes(name)]
            parts.append(np.flatnonzero(is_in).astype(np.uint32))
        return _distinct(np.concatenate([np.empty(0, np.uint32), *parts]))

    def _has(self, matches: Matches, rows: NDArray[np.uint32], least: int) -> NDArray[np.bool_]:
        """Of rows, which have a word."""
        found = np.zeros(len(rows), np.bool_)
        for each in matches.postings:
            if each.rank < least:
                continue
            if each.rank == WHOLE:
                at = np.searchsorted(each.rows, rows)
                found |= each.rows[np.minimum(at, len(each.rows) - 1)] == rows
            else:
                found |= np.isin(rows, each.rows)
        for name, values in matches.values.items():
            found |= _is_as_good(values, least)[self._codes(name)[rows]]
        return found

    def _codes(self, name: str) -> NDArray[np.unsignedinteger]:
        return self._index.categories[name].codes

    def _scores(self, rows: NDArray[np.uint32], matches: Sequence[Matches]) -> list[float]:
        """How well each row has the words: what ``hits_of`` computes row by row."""
        names = self._texts.columns
        values = np.zeros((len(matches), len(names), len(rows)), np.uint8)
        place_of = np.full(len(self._index.columns), -1, np.int16)
        for place, name in enumerate(names):
            place_of[self._index.columns.index(name)] = place
        for word, each in enumerate(matches):
            for name, known in each.values.items():
                values[word, names.index(name)] = known[self._codes(name)[rows]]
            for postings in each.postings:
                at, of = _common(
                    rows, postings.rows, self._index.height, is_sorted=postings.rank == WHOLE
                )
                marks = postings.marks[of]
                value = (postings.rank << PLACE_BITS) | (LAST_PLACE - (marks & LAST_PLACE))
                np.maximum.at(
                    values[word], (place_of[marks >> PLACE_BITS], at), value.astype(np.uint8)
                )
        return _total(values)


def _merged(rows: NDArray[np.uint32], others: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The first of two lists that ascend, at most as many as are ranked."""
    return np.sort(np.concatenate([rows[:MAX_RANKED], others[:MAX_RANKED]]))[:MAX_RANKED]


def _distinct(rows: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Each row once, ascending; ``numpy.unique`` takes several times as long."""
    rows = np.sort(rows)
    distinct: NDArray[np.uint32] = rows[
        np.append(rows[:-1] != rows[1:], np.ones(min(len(rows), 1), np.bool_))
    ]
    return distinct


def _is_as_good(values: NDArray[np.uint8], least: int) -> NDArray[np.bool_]:
    """Of the texts of a column, which match as well as a rank."""
    found: NDArray[np.bool_] = values >= max(least << PLACE_BITS, 1)
    return found


def _common(
    rows: NDArray[np.uint32], among: NDArray[np.uint32], height: int, *, is_sorted: bool
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Places in ``rows``, which ascend, and in ``among`` of what is the same; a row may be there several times."""
    if is_sorted and len(among) > 4 * len(rows):
        begin, end = np.searchsorted(among, rows, "left"), np.searchsorted(among, rows, "right")
        counts = end - begin
        at = np.repeat(np.arange(len(rows)), counts)
        within = np.arange(len(at)) - np.repeat(np.cumsum(counts) - counts, counts)
        return at, np.repeat(begin, counts) + within
    place_of = np.full(height, -1, np.int16)
    place_of[rows] = np.arange(len(rows), dtype=np.int16)
    places = place_of[among]
    of = np.flatnonzero(places >= 0)
    return places[of].astype(np.intp), of


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
