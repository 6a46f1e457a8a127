"""``Analytics``: one method a metric, over whatever deals a filter selects."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TypeAlias

import polars as pl

from dealdb.analytics.flags import KEPT
from dealdb.analytics.metrics import (
    concentration,
    deal_size,
    leaderboard,
    pipeline_by_stage,
    sales_cycle,
    summary,
    trend,
    velocity,
    win_rate,
)
from dealdb.analytics.options import By, Day
from dealdb.analytics.result import MetricResult
from dealdb.engines import all_on_engines
from dealdb.pipeline import Pipeline
from dealdb.store.replica.snapshot import Snapshot

Where: TypeAlias = str | pl.Expr | None


@all_on_engines()
class Analytics:
    """
    Figures about deals; each call sees every change that was acknowledged before it began.

    Every metric takes ``by``, a column or a list of columns to group by, and ``where``, a filter as SQL text or a
    Polars expression. ``since`` and ``until`` bound the closing date (``until`` itself outside); ``as_of`` is the
    day on which open deals are judged. Dates may be texts like ``"2026-01-31"``. A deal is open, won or lost
    by what the pipeline says of its stage. Amounts in several currencies are never summed: each gets a row.

    Every method costs one round trip when nothing big changed, and a scan of the columns that it reads. All raise
    ``QueryError`` for a filter or an option that can't be understood and for amounts too large to be summed
    exactly, and ``StoreError`` when the server can't be reached. What each figure means is in ``docs/metrics.md``.

    Parameters
    ----------
    select
        Gives the deals to which a filter applies.
    today
        The day that ``as_of`` is by default; None for the present one, UTC.

    Examples
    --------
    >>> from dealdb.pipeline import Pipeline
    >>> from dealdb.schema import Schema
    >>> deals = pl.DataFrame({"owner": ["Ann", "Ann", "Bob"], "stage": ["Won", "Lost", "Won"]})
    >>> stages = Pipeline().covering(["Won", "Lost"])
    >>> snapshot = Snapshot(frame=deals, schema=Schema.standard(), pipeline=stages, seq=1)
    >>> analytics = Analytics(lambda where: snapshot)
    >>> analytics.win_rate(by="owner").rows()
    [('Ann', 2, 1, 1, 0.5), ('Bob', 1, 1, 0, 1.0)]
    """

    def __init__(self, select: Callable[[Where], Snapshot], *, today: date | None = None) -> None:
        self._select = select
        self._today = today

    def _deals(self, where: Where) -> tuple[pl.DataFrame, Pipeline]:
        """Deals to which a filter applies, as rows with a mark: metrics copy less of them than ``frame`` would."""
        deals = self._select(where)
        marks = [] if deals.kept is None else [deals.kept.alias(KEPT)]
        return deals.rows.with_columns(marks), deals.pipeline

    def summary(
        self,
        by: By = None,
        *,
        where: Where = None,
        since: Day = None,
        until: Day = None,
        as_of: Day = None,
    ) -> MetricResult:
        """
        The main figures on one row: deals, pipeline, won value, win rate, size, cycle, velocity, dates.

        The figures are those of ``dealdb.analytics.metrics.summary.summary``.

        Source
        ------
        docs/metrics.md#summary
        """
        frame, pipeline = self._deals(where)
        return summary(frame, pipeline, by, since=since, until=until, as_of=as_of or self._today)

    def pipeline(self, by: By = None, *, where: Where = None, as_of: Day = None) -> MetricResult:
        """
        Deals of each stage in order: number, value, weighted value, age, rotting, overdue.

        The figures are those of ``dealdb.analytics.metrics.pipeline.pipeline_by_stage``.

        Source
        ------
        docs/metrics.md#pipeline
        """
        frame, pipeline = self._deals(where)
        return pipeline_by_stage(frame, pipeline, by, as_of=as_of or self._today)

    def win_rate(
        self,
        by: By = None,
        *,
        where: Where = None,
        since: Day = None,
        until: Day = None,
        measure: str = "count",
    ) -> MetricResult:
        """
        Share of closed deals that were won, by count or (``measure="value"``) also by value.

        The figures are those of ``dealdb.analytics.metrics.win_rate.win_rate``.

        Source
        ------
        docs/metrics.md#win-rate
        """
        frame, pipeline = self._deals(where)
        return win_rate(frame, pipeline, by, since=since, until=until, measure=measure)

    def deal_size(
        self, by: By = None, *, where: Where = None, since: Day = None, until: Day = None
    ) -> MetricResult:
        """
        Mean and median amount of won deals.

        The figures are those of ``dealdb.analytics.metrics.deal_size.deal_size``.

        Source
        ------
        docs/metrics.md#deal-size
        """
        frame, pipeline = self._deals(where)
        return deal_size(frame, pipeline, by, since=since, until=until)

    def sales_cycle(
        self,
        by: By = None,
        *,
        where: Where = None,
        since: Day = None,
        until: Day = None,
        outcome: str = "won",
    ) -> MetricResult:
        """
        Days from creation to closing of won (or ``outcome="lost"``) deals.

        The figures are those of ``dealdb.analytics.metrics.sales_cycle.sales_cycle``.

        Source
        ------
        docs/metrics.md#sales-cycle
        """
        frame, pipeline = self._deals(where)
        return sales_cycle(frame, pipeline, by, since=since, until=until, outcome=outcome)

    def velocity(
        self,
        by: By = None,
        *,
        where: Where = None,
        since: Day = None,
        until: Day = None,
        basis: str = "closed",
    ) -> MetricResult:
        """
        Money per day and its four levers; ``basis="open"`` counts the deals open now instead of those closed.

        The figures are those of ``dealdb.analytics.metrics.velocity.velocity``.

        Source
        ------
        docs/metrics.md#velocity
        """
        frame, pipeline = self._deals(where)
        return velocity(frame, pipeline, by, since=since, until=until, basis=basis)

    def leaderboard(
        self, by: By = "owner", *, where: Where = None, since: Day = None, until: Day = None
    ) -> MetricResult:
        """
        Owners (or other groups) ranked by what they won, with the figures behind it.

        The figures are those of ``dealdb.analytics.metrics.leaderboard.leaderboard``.

        Source
        ------
        docs/metrics.md#leaderboard
        """
        frame, pipeline = self._deals(where)
        return leaderboard(frame, pipeline, by, since=since, until=until)

    def concentration(
        self,
        by: By = "company",
        *,
        where: Where = None,
        since: Day = None,
        until: Day = None,
        of: str = "won",
        k: int = 5,
    ) -> MetricResult:
        """
        Share of the ``k`` largest companies (or other groups) in the won or weighted open value, and the HHI.

        The figures are those of ``dealdb.analytics.metrics.concentration.concentration``.

        Source
        ------
        docs/metrics.md#concentration
        """
        frame, pipeline = self._deals(where)
        return concentration(frame, pipeline, by, since=since, until=until, of=of, k=k)

    def trend(
        self,
        by: By = None,
        *,
        where: Where = None,
        since: Day = None,
        until: Day = None,
        period: str = "month",
        fiscal_year_start: int = 1,
    ) -> MetricResult:
        """
        What was created, won and lost per day, week, month, quarter or year.

        The figures are those of ``dealdb.analytics.metrics.trend.trend``.

        Source
        ------
        docs/metrics.md#trend
        """
        frame, pipeline = self._deals(where)
        return trend(
            frame,
            pipeline,
            by,
            since=since,
            until=until,
            period=period,
            fiscal_year_start=fiscal_year_start,
        )
