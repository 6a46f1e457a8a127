"""``AtOnce``: all that a page shows, from the deals as of one commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dealdb.database import LiveDeals
from dealdb.query import FixedDeals, QueryEngine
from dealdb.store.partitions.vector import token_at

if TYPE_CHECKING:
    from collections.abc import Collection

    import polars as pl

    from dealdb.database import DealDatabase
    from dealdb.model.pipeline import Pipeline
    from dealdb.model.schema import Schema


class AtOnce:
    """
    The deals as of now, for several questions that have to agree while others write.

    Parameters
    ----------
    db
        The collection.
    names
        The columns that the questions need; None for all.

    Cost
    ----
    One round trip.
    """

    def __init__(self, db: DealDatabase, names: Collection[str] | None = None) -> None:
        snapshot = LiveDeals(db).snapshot(names)
        # the very object is had again until there is another commit
        self.snapshot = snapshot
        self._deals = snapshot
        self.query = QueryEngine(FixedDeals(snapshot))
        self.schema: Schema = snapshot.schema
        self.pipeline: Pipeline = snapshot.pipeline
        self.seq = snapshot.seq
        position = snapshot.position
        # names the history, too: another one has the same numbers
        self.token = None if position is None else token_at(position)

    def narrow(self, where: pl.Expr) -> None:
        """Leave out all deals that a filter does not keep."""
        self._deals = self.query.select(where)
        self.query = QueryEngine(FixedDeals(self._deals))

    def filled(self) -> set[str]:
        """Names of the columns in which some deal has a value."""
        rows = self._deals.frame
        return {name for name in rows.columns if rows[name].null_count() < rows.height}
