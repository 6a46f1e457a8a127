"""``MadeIndex``: an index of the texts of replicas as they once were, which searches them as they are now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING
from weakref import ref

import numpy as np
import polars as pl

from dealdb.query.index.indexed_search import IndexedSearch
from dealdb.query.index.joined_texts import JoinedTexts
from dealdb.query.index.last_used import LastUsed
from dealdb.query.index.rows.row_orders import RelaidSearch, RowOrders
from dealdb.query.results.by_id import ids_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dealdb.query.index.token_index import TokenIndex
    from dealdb.query.results.search import WordSearch
    from dealdb.store.replica.row_log import RowLog, TextState


@dataclass(frozen=True, slots=True)
class MadeIndex:
    """
    An index of the texts of one replica, or of several whose rows follow one another.

    Attributes
    ----------
    index
        Of all rows that there were.
    logs
        Of each replica, what is changed in it; the index keeps none alive.
    lengths, heights
        How many changes there were of each, and how many rows.
    joined
        Texts of the rows that are apart from it, as the last search needed them.
    """

    index: TokenIndex
    logs: Sequence[ref[RowLog]]
    lengths: Sequence[int]
    heights: Sequence[int]
    joined: LastUsed[JoinedTexts] = field(default_factory=lambda: LastUsed(1))

    @classmethod
    def of(cls, index: TokenIndex, states: Sequence[TextState]) -> MadeIndex:
        """An index of texts as they are in a snapshot."""
        return cls(
            index=index,
            logs=[ref(each.log) for each in states],
            lengths=[each.length for each in states],
            heights=[each.height for each in states],
        )

    def goes_with(self, states: Sequence[TextState], names: Sequence[str]) -> bool:
        """Whether it has these columns, and the rows that differ from other texts of the replicas are known."""
        return (
            len(states) == len(self.logs)
            and all(
                log() is each.log or height == each.height == 0
                for log, height, each in zip(self.logs, self.heights, states, strict=True)
            )
            and {*names} <= {*self.index.columns}
        )

    def has_more(self, states: Sequence[TextState]) -> bool:
        """Whether it has rows that are not in the texts."""
        return any(each.height < height for height, each in zip(self.heights, states, strict=True))

    def changed(self, states: Sequence[TextState]) -> NDArray[np.uint32]:
        """Those of its rows that have other texts."""
        found, first = [np.empty(0, np.uint32)], 0
        for length, height, each in zip(self.lengths, self.heights, states, strict=True):
            # the texts of an older snapshot differ from those of the index in the same rows
            rows = each.log.since(*sorted((length, each.length))).to_numpy()
            # of those that are new the index has none
            found.append(rows[rows < height] + np.uint32(first))
            first += height
        return np.concatenate(found)

    def search(
        self,
        frame: pl.DataFrame,
        states: Sequence[TextState],
        names: Sequence[str],
        kept: pl.Series | None,
        changed: NDArray[np.uint32],
    ) -> WordSearch:
        """
        What searches some columns of a frame.

        Parameters
        ----------
        frame, states
            Rows of the replicas one after the other, and the state of the texts in there.
        names
            Columns of text that the index has.
        kept
            Boolean a row, true for the deals to search; None for all.
        changed
            As ``changed`` gives them.
        """
        # a select would take milliseconds
        texts, ids = pl.DataFrame([frame[name] for name in names]), ids_of(frame)
        orders = RowOrders(self.heights, [each.height for each in states])
        if not orders.are_same:
            texts = orders.relaid(texts)
            kept = None if kept is None else orders.relaid(kept)
            ids = None if ids is None else orders.relaid(ids)
        moment = (*names, *((each.length, each.height) for each in states))
        joined = partial(self.joined.get, moment)
        search = IndexedSearch(self.index, texts, kept, changed, ids, joined)
        return search if orders.are_same else RelaidSearch(search, orders)
