"""
``IndexedSearch``: the rows that have some words, and how well, by an index instead of a scan.

The rows of an index are others than those of the frame: see ``IdOrder``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from operator import call
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dealdb.query.index.by_postings import ByPostings
from dealdb.query.index.joined_texts import JoinedTexts
from dealdb.query.index.matching import Matches, Postings, matches_of
from dealdb.query.index.rows.row_bits import are_in, bits_of, rows_of
from dealdb.query.index.token_index import PLACE_BITS, TokenIndex
from dealdb.query.index.vocabulary import WHOLE
from dealdb.query.results.by_id import in_order
from dealdb.query.results.search import (
    MAX_RANKED,
    Found,
    Looked,
    first_hits,
    hits_of,
    rows_with_all,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

# sets of more rows are kept, and compared, one bit a row
_MOST_NUMBERS = 20_000
# to look at so few rows word by word takes less time than to rank them by their postings
_FEW = 40
_NONE = np.empty(0, np.uint32)


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
        Rows of the frame whose texts have changed since the index was made.
    ids
        Of all rows, by which the first are chosen where very many are found; None to choose them by their numbers.
    joined
        Gives what another search has made of the same texts and rows, or has it made.
    """

    def __init__(
        self,
        index: TokenIndex,
        texts: pl.DataFrame,
        kept: pl.Series | None,
        changed: NDArray[np.uint32],
        ids: pl.Series | None,
        joined: Callable[[Callable[[], JoinedTexts]], JoinedTexts] = call,
    ) -> None:
        self._index = index
        self._texts = texts
        self._kept = kept
        self._ids = ids
        self._joined = joined
        self._last: tuple[Sequence[str], Found] | None = None
        self._is_changed: NDArray[np.bool_] | None = None
        if len(changed):
            self._is_changed = np.zeros(index.height, np.bool_)
            self._is_changed[changed[changed < index.height]] = True
        apart = index.apart
        if len(changed) or texts.height > index.height:
            added = np.arange(index.height, texts.height, dtype=np.uint32)
            apart = _distinct(np.concatenate([apart, changed, added]))
        self._every_apart = pl.Series(apart, dtype=pl.UInt32)
        self._apart = pl.Series(apart[self._are_kept(apart)], dtype=pl.UInt32)

    def found(self, words: Sequence[str], *, typos: bool) -> Found:
        """Rows that have all words; of very many those that are ranked, ones with whole words first."""
        matches = matches_of(self._index, words, self._texts.columns, typos=typos)
        has_typos = len(self._apart) or any(each.has_typos for each in matches)
        if self._last and self._last[0] == words and typos and not has_typos:
            return self._last[1]
        found = self._found(matches, words, typos=typos)
        self._last = None if typos else (words, found)
        return found

    def _found(self, matches: Sequence[Matches], words: Sequence[str], *, typos: bool) -> Found:
        rows, apart = self._rows(matches), self._apart
        if len(apart):
            apart = self._with_all(apart, words, typos=typos)
        if len(rows) + len(apart) > MAX_RANKED:
            rows, apart = self._preferred(rows, apart, matches, words, typos=typos)
        hits = hits_of(self._texts, apart, words, typos=typos) if len(apart) else []
        if len(rows) <= _FEW:
            few = pl.Series(self._index.order.in_frame(rows))
            looked = hits_of(self._texts, few, words, typos=typos) if len(few) else []
            return Looked(looked + hits)
        return ByPostings(self._index, self._texts, rows, matches, dict(hits), words, typos)

    def _with_all(
        self, apart: pl.Series, words: Sequence[str], *, typos: bool = False, whole: bool = False
    ) -> pl.Series:
        """Those of some rows apart that may have all words."""
        if len(apart) <= _FEW:
            return rows_with_all(self._texts, apart, words, typos=typos, whole=whole)
        joined = self._joined(lambda: JoinedTexts.of(self._texts, self._every_apart))
        return joined.with_all(apart, words, typos=typos, whole=whole)

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
        whole = self._rows(matches, WHOLE) if len(rows) else rows
        whole_apart = rest_apart = apart
        if len(apart):
            whole_apart = self._with_all(apart, words, whole=True)
            whole_apart = first_hits(self._texts, self._ids, whole_apart, words, whole=True)
            rest_apart = first_hits(self._texts, self._ids, apart, words, typos=typos)
        scanned = _distinct(np.concatenate([rest_apart.to_numpy(), whole_apart.to_numpy()]))
        if len(whole) >= MAX_RANKED and not len(scanned):
            return whole[:MAX_RANKED], apart
        first = self._merged(whole, whole_apart.to_numpy())
        if len(first) < MAX_RANKED:
            # among so many rows there are enough others
            every = self._merged(rows, scanned)
            rest = every[~np.isin(every, first)][: MAX_RANKED - len(first)]
            first = np.concatenate([first, rest])
        indexed = _distinct(np.concatenate([whole[:MAX_RANKED], rows[:MAX_RANKED]]))
        are_first = np.isin(self._index.order.in_frame(indexed), first)
        return indexed[are_first], pl.Series(scanned[np.isin(scanned, first)])

    def _merged(self, rows: NDArray[np.uint32], others: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Of rows of the index, and others of the frame, the first by their ids: as rows of the frame."""
        rows = self._index.order.in_frame(rows[:MAX_RANKED])
        if not len(others):
            return rows
        both = pl.Series(np.sort(np.concatenate([rows, others])))
        return in_order(both, self._ids).head(MAX_RANKED).to_numpy()

    def _rows(self, matches: Sequence[Matches], least: int = 0) -> NDArray[np.uint32]:
        """
        Rows of the index that have all words, ascending; as good as ``least``, at least.

        Of more than are ranked, the first of them.
        """
        if not all(each.size for each in matches):
            return _NONE
        smallest, *others = sorted(matches, key=lambda each: each.size)
        if smallest.size > _MOST_NUMBERS:
            return self._rows_by_bits([smallest, *others], least)
        rows = self._numbers(smallest, least)
        for each in others:
            rows = rows[self._has(each, rows, least)]
        return self._searched_of(rows)

    def _searched_of(self, rows: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Of rows of the index, those that are to be searched."""
        if self._is_changed is None and self._kept is None:
            return rows
        in_frame = self._index.order.in_frame(rows)
        are_in = self._are_kept(in_frame)
        if self._is_changed is not None:
            are_in &= ~self._is_changed[in_frame]
        return rows[are_in]

    def _are_kept(self, rows: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """Of rows of the frame, which are to be searched."""
        if self._kept is None or not len(rows):
            return np.ones(len(rows), np.bool_)
        are_kept: NDArray[np.bool_] = self._kept[pl.Series(rows)].to_numpy()
        return are_kept

    def _rows_by_bits(self, matches: Sequence[Matches], least: int) -> NDArray[np.uint32]:
        first, *others = (self._bits(each, least) for each in matches)
        found = first.copy()
        for each in others:
            found &= each
        if self._n_left_out <= _MOST_NUMBERS:
            some = rows_of(found, MAX_RANKED + 1 + self._n_left_out)
            return self._searched_of(some)[: MAX_RANKED + 1]
        if found.any():
            found &= self._searched
        return rows_of(found, MAX_RANKED + 1)

    @cached_property
    def _n_left_out(self) -> int:
        """Rows of the index that are not to be searched, or more."""
        n_changed = 0 if self._is_changed is None else int(np.count_nonzero(self._is_changed))
        return n_changed + (0 if self._kept is None else len(self._kept) - int(self._kept.sum()))

    @cached_property
    def _searched(self) -> NDArray[np.uint64]:
        """Rows of the index that are to be searched, as bits."""
        are_in = np.ones(self._index.height, np.bool_)
        if self._is_changed is not None:
            are_in &= ~self._is_changed
        if self._kept is not None:
            are_in &= self._kept.head(self._index.height).to_numpy()
        return bits_of(self._index.order.in_index(are_in))

    def _bits(self, matches: Matches, least: int) -> NDArray[np.uint64]:
        """Rows that have a word, as bits."""
        parts, mask = [], None
        for each in matches.postings:
            if each.rank < least:
                continue
            if self._is_kept(each):
                parts.append(self._kept_bits(each))
                continue
            if mask is None:
                mask = np.zeros(self._index.height, np.bool_)
            mask[each.rows] = True
        parts += [
            self._label_bits(name, values >= _value(least))
            for name, values in matches.values.items()
        ]
        if mask is not None or not parts:
            parts.append(bits_of(np.zeros(self._index.height, np.bool_) if mask is None else mask))
        found, *others = parts
        for other in others:
            found = found | other
        return found

    def _is_kept(self, postings: Postings) -> bool:
        return postings.span is not None and len(postings.rows) > _MOST_NUMBERS

    def _kept_bits(self, postings: Postings) -> NDArray[np.uint64]:
        def make() -> NDArray[np.uint64]:
            mask = np.zeros(self._index.height, np.bool_)
            mask[postings.rows] = True
            return bits_of(mask)

        return self._index.bits.get(postings.span, make)

    def _label_bits(self, name: str, is_in: NDArray[np.bool_]) -> NDArray[np.uint64]:
        codes = self._index.categories[name].codes
        return self._index.bits.get((name, is_in.tobytes()), lambda: bits_of(is_in[codes]))

    def _numbers(self, matches: Matches, least: int) -> NDArray[np.uint32]:
        parts = [each for each in matches.postings if each.rank >= least]
        if len(parts) == 1 and parts[0].ascends and not matches.values:
            return _without_repeats(parts[0].rows)
        numbers = [each.rows for each in parts]
        for name, values in matches.values.items():
            is_in = (values >= _value(least))[self._index.categories[name].codes]
            numbers.append(np.flatnonzero(is_in).astype(np.uint32))
        return _distinct(np.concatenate([_NONE, *numbers]))

    def _has(self, matches: Matches, rows: NDArray[np.uint32], least: int) -> NDArray[np.bool_]:
        """Of rows, which have a word."""
        found = np.zeros(len(rows), np.bool_)
        for each in matches.postings:
            if each.rank >= least:
                found |= self._are_in(each, rows)
        for name, values in matches.values.items():
            found |= (values >= _value(least))[self._index.categories[name].codes[rows]]
        return found

    def _are_in(self, postings: Postings, rows: NDArray[np.uint32]) -> NDArray[np.bool_]:
        if postings.ascends and len(rows) <= _FEW:
            at = np.searchsorted(postings.rows, rows)
            found: NDArray[np.bool_] = postings.rows[np.minimum(at, len(postings.rows) - 1)] == rows
            return found
        if self._is_kept(postings):
            return are_in(self._kept_bits(postings), rows)
        mask = np.zeros(self._index.height, np.bool_)
        mask[postings.rows] = True
        return mask[rows]


def _distinct(rows: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Each row once, ascending; ``numpy.unique`` takes several times as long."""
    return _without_repeats(np.sort(rows))


def _without_repeats(rows: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Rows that ascend, each once."""
    is_last = np.ones(len(rows), np.bool_)
    np.not_equal(rows[:-1], rows[1:], out=is_last[:-1])
    distinct: NDArray[np.uint32] = rows[is_last]
    return distinct


def _value(least: int) -> int:
    """The least value (see ``value_of``) of what matches as well as a rank."""
    return max(least << PLACE_BITS, 1)
