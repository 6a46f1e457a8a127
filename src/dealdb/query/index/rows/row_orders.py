"""``RowOrders``: the rows of replicas that each grew at its end, in an order that an index of before still has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import polars as pl

from dealdb.query.results.search import Found, Hit, WordSearch

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T", pl.DataFrame, pl.Series)


class RowOrders:
    """
    Two orders of the same rows: of a frame, replica by replica, and one in which new rows are behind all of before.

    Parameters
    ----------
    before
        Rows that each replica had, when an index was made.
    now
        Rows that it has in the frame.

    Examples
    --------
    >>> orders = RowOrders([2, 1], [3, 1])
    >>> orders.in_frame(np.array([0, 1, 2, 3])).tolist()
    [0, 1, 3, 2]
    >>> orders.relaid(pl.Series(["a", "b", "new", "c"])).to_list()
    ['a', 'b', 'c', 'new']
    """

    def __init__(self, before: Sequence[int], now: Sequence[int]) -> None:
        old, all_ = np.array(before, np.int64), np.array(now, np.int64)
        firsts = np.cumsum(all_) - all_
        begins = np.concatenate([firsts, firsts + old])
        sizes = np.concatenate([old, all_ - old])
        # runs of rows that are neighbours in both: where they begin in the frame, and how long they are
        self._begins, self._sizes = begins[sizes > 0], sizes[sizes > 0]
        self._places = np.cumsum(self._sizes) - self._sizes
        self._by_begin = np.argsort(self._begins)

    @property
    def are_same(self) -> bool:
        """Whether both orders are the same."""
        return bool(np.all(self._begins == self._places))

    def relaid(self, of_rows: T) -> T:
        """What there is of each row of the frame, in the other order; nothing is copied."""
        runs = zip(self._begins.tolist(), self._sizes.tolist(), strict=True)
        return pl.concat([of_rows.slice(*run) for run in runs], rechunk=False)

    def in_frame(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which rows of the frame some rows are."""
        run = np.searchsorted(self._places, rows, "right") - 1
        found: NDArray[np.int64] = rows - self._places[run] + self._begins[run]
        return found

    def of_frame(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which rows some rows of the frame are."""
        begins = self._begins[self._by_begin]
        run = self._by_begin[np.searchsorted(begins, rows, "right") - 1]
        found: NDArray[np.int64] = rows - self._begins[run] + self._places[run]
        return found


@dataclass(frozen=True, slots=True)
class RelaidSearch:
    """Searches texts that were laid out anew, and tells rows of the frame."""

    search: WordSearch
    orders: RowOrders

    def found(self, words: Sequence[str], *, typos: bool) -> Found:
        """Rows that have all words."""
        return _InFrame(self.search.found(words, typos=typos), self.orders)


@dataclass(frozen=True, slots=True)
class _InFrame:
    found: Found
    orders: RowOrders

    def __len__(self) -> int:
        return len(self.found)

    def scores(self) -> tuple[list[int], list[float]]:
        """Each of them, and how well it has the words."""
        rows, scores = self.found.scores()
        return self.orders.in_frame(np.array(rows, np.int64)).tolist(), scores

    def hits(self, rows: Sequence[int]) -> list[Hit]:
        """What shows some of them."""
        return self.found.hits(self.orders.of_frame(np.array(rows, np.int64)).tolist())
