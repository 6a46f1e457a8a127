"""The deals as they were at a moment: queries and metrics of the past."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from dealdb.engines import on_engines
from dealdb.model.fiscal import time_zone
from dealdb.model.moments import as_utc
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.model.values import encode_id
from dealdb.query.limits import SQL_LIMITS, SqlLimits
from dealdb.store import Deal

if TYPE_CHECKING:
    import polars as pl

    from dealdb.analytics import Analytics
    from dealdb.analytics.methods.base import FactSource
    from dealdb.query import QueryEngine
    from dealdb.store.replica.snapshot import Snapshot

# what is said of a moment of which there is nothing
EMPTY = "is before the first commit: there were no deals"


@dataclass(frozen=True)
class DealView:
    """
    A collection as it was at a moment; read-only. Only metrics on history, and rates and quotas, ask the server again.

    Attributes
    ----------
    when
        The moment; a date means the end of that day in the pipeline's zone.
    snapshot
        The deals, their fields and stages at that moment.
    limits
        What a statement of ``query.sql`` may take.
    rates
        Gives the rates known at a day, None for now; asks the server.
    facts
        Gives what happened to the deals, as far as it was known; asks the server.
    quotas
        Gives the quotas; asks the server.
    before
        Facts before this datetime count, or up to the end of this date; ``when`` by default.
    """

    when: datetime | date
    snapshot: Snapshot
    limits: SqlLimits = field(default=SQL_LIMITS, repr=False, compare=False)
    rates: Callable[[date | None], pl.DataFrame] | None = field(
        default=None, repr=False, compare=False
    )
    facts: FactSource | None = field(default=None, repr=False, compare=False)
    quotas: Callable[[], pl.DataFrame] | None = field(default=None, repr=False, compare=False)
    before: datetime | date | None = field(default=None, repr=False, compare=False)

    @cached_property
    def query(self) -> QueryEngine:
        """Filters, SQL and frames over the deals of then."""
        from dealdb.query import FixedDeals, QueryEngine

        return QueryEngine(
            FixedDeals(self.snapshot), **asdict(self.limits), read_table=read_side_table
        )

    @cached_property
    def analytics(self) -> Analytics:
        """Metrics of the deals of then; open deals are judged on that day, and history is what had happened by then."""
        from dealdb.analytics import Analytics

        return Analytics(
            self.query.select,
            today=self.day,
            warning=self.notice,
            of=self,
            rates=self.rates,
            facts=self.facts,
            compile=compiled,
            quotas=self.quotas,
            moment=self.when if self.before is None else self.before,
        )

    @property
    def notice(self) -> str | None:
        """Why the view is empty, where its moment is before the first commit; None elsewhere."""
        if self.snapshot.seq:
            return None
        return f"{self.when.isoformat()} {EMPTY}"

    @property
    def day(self) -> date:
        """Day of that moment, in the pipeline's zone."""
        if not isinstance(self.when, datetime):
            return self.when
        return as_utc(self.when).astimezone(time_zone(self.pipeline.zone)).date()

    @property
    def schema(self) -> Schema:
        """Fields and their types at that moment."""
        return self.snapshot.schema

    @property
    def pipeline(self) -> Pipeline:
        """Stages and what they meant at that moment."""
        return self.snapshot.pipeline

    @on_engines
    def get_deal(self, id: str | int) -> Deal | None:
        """
        One deal as it was, or None; its ``rev`` is 0, since nothing can be saved against the past.

        Parameters
        ----------
        id
            Of the deal.

        Raises
        ------
        SchemaError
            If ``id`` can't be one: an empty text, for example.

        Cost
        ----
        No round trip.

        Examples
        --------
        >>> from dealdb import DealDatabase
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.save_deal({"id": 42, "stage": "Lead"})
        ...     db.as_of("2999-12-31").get_deal(42)
        {'id': '42', 'stage': 'Lead'}
        """
        rows = self.snapshot.frame.filter(id=encode_id(id)).to_dicts()
        return Deal({n: v for n, v in rows[0].items() if v is not None}, rev=0) if rows else None

    @on_engines
    def __len__(self) -> int:
        return self.snapshot.height

    def __bool__(self) -> bool:
        return True

    def __contains__(self, id: object) -> bool:
        return isinstance(id, str | int) and self.get_deal(id) is not None

    def __repr__(self) -> str:
        last = f"commit {self.snapshot.seq}" if self.snapshot.seq else "before the first commit"
        return f"<DealView of {self.when.isoformat()}: {len(self)} deals, {last}>"


def compiled(where: str | pl.Expr | None, schema: pl.Schema, zone: str) -> pl.Expr | None:
    """A filter as an expression over columns of these types, of the days of a zone; None where there is none."""
    # not at the top: most reads filter nothing
    from dealdb.query.filters.where import compile_where

    return compile_where(where, schema, {}, zone=zone)


def read_side_table(source: object) -> pl.DataFrame:
    """Table of ``sql`` that is no data frame, read as deals are loaded."""
    # not at the top: most queries load nothing
    from dealdb.loader import read_table

    return read_table(source)
