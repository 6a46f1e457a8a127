"""``Saving``: saves of open deals, each of which is a commit and changes what a board shows."""

from __future__ import annotations

import random

import polars as pl

from benchmarks.bench import Loaded
from dealdb.model.pipeline import Kind

# of a column, about as many as have cards
_TOP = 20
# more than a deal of the collection has
_LARGE = 10_000_000


class Saving:
    """
    Saves of open deals, in turn of any and of one whose card is among the first of its column.

    A save that changes nothing makes no commit, and whoever waited for it would wait for ever: so each amount is
    another one.

    Parameters
    ----------
    at
        The deals.

    Attributes
    ----------
    saves
        How many there were.
    """

    def __init__(self, at: Loaded) -> None:
        open_ = [stage.name for stage in at.writer.pipeline if stage.kind is Kind.OPEN]
        deals = at.deals.frame.filter(pl.col("stage").is_in(open_)).sort("amount", descending=True)
        self._save = at.writer.save_deal
        self._any = deals["id"]
        self._top = deals.group_by("stage", maintain_order=True).head(_TOP)["id"]
        self._draw = random.Random(at.n)
        self.saves = 0

    def __call__(self) -> int:
        """Number of the commit."""
        while True:
            self.saves += 1
            ids, least = (self._top, _LARGE) if self.saves % 2 else (self._any, 0)
            deal = ids[self._draw.randrange(len(ids))]
            saved = self._save({"id": deal, "amount": least + self.saves})
            if saved.outcome != "unchanged":
                return saved.rev
