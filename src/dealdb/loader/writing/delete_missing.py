"""Deals that a source doesn't have any more: ``delete_missing``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from dealdb.errors import ConflictError, LoadError
from dealdb.loader.store_protocol import LoadTarget
from dealdb.store.commit.change import Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """
    What the caller of a load allows to be deleted.

    Attributes
    ----------
    among
        Ids of the deals that the source is to have, as they were before the load.
    n_deals
        Deals that the source is to have, before the load.
    revs
        Latest revision that these had then, in each piece of the collection.
    force
        Whether also after rows were rejected.
    everything
        Whether also more than half of these deals, or all that there are because the source has no rows.
    """

    among: pl.Series
    n_deals: int
    revs: Sequence[int]
    force: bool = False
    everything: bool = False

    def find(self, loaded: Sequence[pl.Series]) -> list[str]:
        """Ids that are not among those loaded, which are given by their hashes."""
        if not loaded:
            return self.among.to_list()
        # two ids with one hash would keep a deal, and never delete one too many
        return self.among.filter(~self.among.hash().is_in(pl.concat(loaded).implode())).to_list()

    def refusal(
        self, ids: Sequence[str], n_rejected: int, *, n_rows: int, incomplete: str = ""
    ) -> str:
        """
        Why these must not be deleted; empty where they may.

        Parameters
        ----------
        ids
            Deals that would be deleted.
        n_rejected, n_rows
            Rows of the source that were rejected, and rows that were not.
        incomplete
            Why the source can't be all, by its own words.
        """
        if incomplete:
            # nothing overrides this: with the other pages there will be an answer
            return f"{incomplete}; put all pages into one file"
        if not n_rows and not n_rejected and not self.everything:
            return (
                f"the source has no rows, and {len(ids)} deals would be missing; "
                "everything=True deletes them"
            )
        if n_rejected and not self.force:
            return (
                f"rejected rows: {n_rejected}, whose deals may be among the {len(ids)} missing ones; "
                "force=True deletes all the same"
            )
        if 2 * len(ids) > self.n_deals and not self.everything:
            return (
                f"{len(ids)} of {self.n_deals} deals are missing from the source, more than half; "
                "everything=True deletes them"
            )
        return ""

    def delete(self, store: LoadTarget, piece: int, ids: Sequence[str], mark: Mark | None) -> int:
        """
        Delete some deals of one piece that nobody has changed since the load began; how many these were.

        Cost
        ----
        A round trip, and two more where somebody has changed some of them.
        """
        latest = self.revs[piece]
        while ids:
            try:
                return store.delete_many(ids, max_rev=latest, mark=mark)
            except ConflictError:
                # what somebody has changed meanwhile is theirs
                found = zip(ids, store.get_many(ids), strict=True)
                ids = [deal_id for deal_id, deal in found if deal and deal.rev <= latest]
        return 0


def refuse(reason: str, *, n_rows: int) -> None:
    """
    Stop before anything is deleted.

    Raises
    ------
    LoadError
        Always.
    """
    loaded = "the rows were loaded, but " if n_rows else ""
    msg = f"{loaded}nothing was deleted: {reason}"
    raise LoadError(msg)
