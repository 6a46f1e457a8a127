"""``Analytics``: one method a metric, over whatever deals a filter selects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from typing import Unpack

import polars as pl

from dealdb.analytics.calendar.named import period_named
from dealdb.analytics.conversion import Conversion
from dealdb.analytics.flags import KEPT
from dealdb.analytics.history.outcomes.leaderboard import leaderboard_at_closing
from dealdb.analytics.history.outcomes.trend_events import trend_of_events
from dealdb.analytics.history.past import Compile, Moment, Where
from dealdb.analytics.methods.base import FactSource, PastOptions, PastView
from dealdb.analytics.methods.movement import MovementMetrics
from dealdb.analytics.methods.outcomes import OutcomeMetrics
from dealdb.analytics.methods.predictions import PredictionMetrics
from dealdb.analytics.methods.stages import StageMetrics
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
from dealdb.analytics.options import By, Day, as_of_day, choice
from dealdb.analytics.result import MetricResult
from dealdb.engines import all_on_engines
from dealdb.errors import QueryError
from dealdb.model.pipeline import Pipeline
from dealdb.store.replica.snapshot import Snapshot


@all_on_engines()
class Analytics(StageMetrics, MovementMetrics, OutcomeMetrics, PredictionMetrics):
    """
    Figures about deals; each call sees every change that was acknowledged before it began.

    Every metric takes ``by``, a column or a list of columns to group by, and ``where``, a filter as SQL text or a
    Polars expression. ``since`` and ``until`` bound the closing date (``until`` itself outside); ``as_of`` is the
    day on which open deals are judged. Dates may be texts like ``"2026-01-31"``. A deal is open, won or lost
    by what the pipeline says of its stage. Amounts in several currencies are never summed: each gets a row, unless
    ``to`` names the one to which all are converted.

    Every method costs one round trip when nothing big changed, and a scan of the columns that it reads. All raise
    ``QueryError`` for a filter or an option that can't be understood and for amounts too large to be summed
    exactly, and ``StoreError`` when the server can't be reached. What each figure means is in ``docs/metrics.md``.

    Parameters
    ----------
    select
        Gives the deals to which a filter applies.
    today
        The day that ``as_of`` is by default; None for the present one, in the pipeline's zone.
    warning
        What every result has to say of the deals, if anything.
    of
        The deals, as ``repr`` shows them.
    facts
        Gives what happened to the deals; None where nobody knows.
    compile
        Makes an expression of a filter, for metrics on history.
    quotas
        Gives the quotas.
    rates
        Gives the rates known at the end of a day, None for now, as ``Conversion`` takes them; without it, no money can
        be converted.
    moment
        The moment of deals of the past, up to which their history is known; None for those of now.

    Examples
    --------
    >>> from dealdb.query import QueryEngine
    >>> deals = pl.DataFrame({"owner": ["Ann", "Ann", "Bob"], "stage": ["Won", "Lost", "Won"]})
    >>> analytics = Analytics(QueryEngine.over(deals).select)
    >>> analytics.win_rate(by="owner").rows()
    [('Ann', 2, 1, 1, 0.5), ('Bob', 1, 1, 0, 1.0)]
    """

    def __init__(
        self,
        select: Callable[[Where], Snapshot],
        *,
        today: date | None = None,
        warning: str | None = None,
        of: object = None,
        facts: FactSource | None = None,
        compile: Compile | None = None,
        quotas: Callable[[], pl.DataFrame] | None = None,
        rates: Callable[[date | None], pl.DataFrame] | None = None,
        moment: datetime | date | None = None,
    ) -> None:
        self._moment = moment
        self._rates = rates
        self._of = of
        self._facts = facts
        self._compile = compile
        self._quotas = quotas
        self._select = select
        self._today = today
        self._warning = warning

    def __repr__(self) -> str:
        return f"<Analytics of {self._of!r}>" if self._of is not None else "<Analytics>"

    def period(self, name: str, *, today: Day = None) -> tuple[str, date, date]:
        """
        Label, first day and the day after the last one of a period, as the pipeline divides the time.

        Parameters
        ----------
        name
            ``this``, ``last`` or ``next`` with a week, month, quarter or year (``"last-quarter"``), or a label such as
            ``"2026-Q4"``.
        today
            The day that the words go by; the present one by default.

        Raises
        ------
        QueryError
            If nothing is called so.
        StoreError
            If the server can't be reached.

        Cost
        ----
        One round trip when nothing is new.

        Examples
        --------
        >>> from dealdb.query import QueryEngine
        >>> analytics = Analytics(QueryEngine.over(pl.DataFrame({"stage": ["Won"]})).select)
        >>> label, first, after = analytics.period("last-quarter", today="2026-11-27")
        >>> label, str(first), str(after)
        ('2026-Q3', '2026-07-01', '2026-10-01')
        """
        pipeline = self._select(None).pipeline
        return period_named(name, pipeline, as_of_day(self._day(today), pipeline.zone))

    def _deals(self, where: Where) -> tuple[pl.DataFrame, Pipeline]:
        """Deals to which a filter applies, as rows with a mark: metrics copy less of them than ``frame`` would."""
        deals = self._select(where)
        marks = [] if deals.kept is None else [deals.kept.alias(KEPT)]
        return deals.rows.with_columns(marks), deals.pipeline

    def _said(
        self, result: MetricResult, where: Where = None, types: pl.Schema | None = None
    ) -> MetricResult:
        """A result with the warning of all, whose links keep to a filter."""
        if where is not None and result.links is not None:
            kept = where if isinstance(where, pl.Expr) else None
            if self._compile is not None and types is not None:
                kept = self._compile(where, types, self._select(None).pipeline.zone)
            links = result.links.unread(_unread) if kept is None else result.links.within(kept)
            result = replace(result, links=links)
        if self._warning is None:
            return result
        warnings = (self._warning, *result.basis.warnings)
        return replace(result, basis=replace(result.basis, warnings=warnings))

    def _day(self, as_of: Day) -> Day:
        return self._today if as_of is None else as_of

    def _conversion(
        self, pipeline: Pipeline, to: str | None, rate_day: Day, known: Day, as_of: Day
    ) -> Conversion | None:
        return self._converting(pipeline.zone, to, rate_day, known, self._day(as_of))

    def summary(
        self,
        by: By = None,
        *,
        where: Where = None,
        since: Day = None,
        until: Day = None,
        as_of: Day = None,
        to: str | None = None,
        rate_day: Day = "event",
        rates_known: Day = None,
    ) -> MetricResult:
        """
        The main figures on one row: deals, pipeline, won value, win rate, size, cycle, velocity, dates.

        The figures are those of ``dealdb.analytics.metrics.summary``.

        Parameters
        ----------
        by
            Columns to group by.
        where
            SQL text or a boolean Polars expression; None for all deals.
        since, until
            Window on the closing date, ``until`` itself outside; open deals are those open now.
        as_of
            Day on which overdue is judged; today in the pipeline's zone by default.
        to
            Currency that money is converted to, such as ``"EUR"``, by the rates of ``db.rates``; then there are the
            columns ``currency``, ``unpriced`` (deals without a rate) and ``rates_until`` (the newest rate).
        rate_day
            Whose rate counts: ``"event"`` the closing day of won and lost deals, and the day on which open ones are
            judged; ``"as_of"`` the latter for all; or a date.
        rates_known
            Use the rates that were known at the end of that day; None for those known now.

        Raises
        ------
        QueryError
            If the filter or an option can't be understood, or the amounts can't be summed exactly.
        StoreError
            If the server can't be reached.

        Cost
        ----
        One round trip when nothing big changed, and a scan of the columns that it reads.

        Source
        ------
        docs/metrics.md#summary

        Examples
        --------
        >>> from dealdb.query import QueryEngine
        >>> deals = [{"stage": "Demo", "amount": 100}, {"stage": "Won", "amount": 900}]
        >>> figures = Analytics(QueryEngine.over(deals).select).summary()
        >>> figures["deals"], figures["pipeline_value"], figures["won_value"]
        (2, Decimal('100.00'), Decimal('900.00'))
        """
        frame, pipeline = self._deals(where)
        money = self._conversion(pipeline, to, rate_day, rates_known, as_of)
        return self._said(
            summary(
                frame,
                pipeline,
                by,
                since=since,
                until=until,
                as_of=self._day(as_of),
                conversion=money,
            ),
            where,
            frame.schema,
        )

    def pipeline(
        self,
        by: By = None,
        *,
        where: Where = None,
        as_of: Day = None,
        to: str | None = None,
        rate_day: Day = "event",
        rates_known: Day = None,
    ) -> MetricResult:
        """
        Deals of each stage in order: number, value, weighted value, age, rotting, overdue.

        The figures are those of ``dealdb.analytics.metrics.pipeline_by_stage``.

        Parameters
        ----------
        by
            Columns to group by; each group has all stages.
        where
            SQL text or a boolean Polars expression; None for all deals.
        as_of
            Day on which age, rotting and overdue are judged; today in the pipeline's zone by default.
        to
            Currency that money is converted to, such as ``"EUR"``, by the rates of ``db.rates``; then there are the
            columns ``currency``, ``unpriced`` (deals without a rate) and ``rates_until`` (the newest rate).
        rate_day
            Whose rate counts: ``"event"`` the closing day of won and lost deals, and the day on which open ones are
            judged; ``"as_of"`` the latter for all; or a date.
        rates_known
            Use the rates that were known at the end of that day; None for those known now.

        Raises
        ------
        QueryError
            If the filter or an option can't be understood, or the amounts can't be summed exactly.
        StoreError
            If the server can't be reached.

        Cost
        ----
        One round trip when nothing big changed, and a scan of the columns that it reads.

        Source
        ------
        docs/metrics.md#pipeline

        Examples
        --------
        >>> from dealdb.query import QueryEngine
        >>> deals = [{"stage": "Demo", "amount": 100}, {"stage": "Demo", "amount": 300}]
        >>> stages = Analytics(QueryEngine.over(deals).select).pipeline()
        >>> stages.frame.select("stage", "n", "value", "weighted").rows()
        [('Demo', 2, Decimal('400.00'), Decimal('200.0000'))]
        """
        frame, pipeline = self._deals(where)
        money = self._conversion(pipeline, to, rate_day, rates_known, as_of)
        return self._said(
            pipeline_by_stage(frame, pipeline, by, as_of=self._day(as_of), conversion=money),
            where,
            frame.schema,
        )

    def win_rate(
        self,
        by: By = None,
        *,
        where: Where = None,
        since: Day = None,
        until: Day = None,
        measure: str = "count",
        to: str | None = None,
        rate_day: Day = "event",
        rates_known: Day = None,
    ) -> MetricResult:
        """
        Share of closed deals that were won, by count or (``measure="value"``) also by value.

        The figures are those of ``dealdb.analytics.metrics.win_rate``.

        Parameters
        ----------
        by
            Columns to group by.
        where
            SQL text or a boolean Polars expression; None for all deals.
        since, until
            Window on the closing date, ``until`` itself outside; dates or texts such as ``"2026-01-31"``.
        measure
            ``"count"``, or ``"value"`` for the share of the value as well, a row a currency.
        to
            Currency that money is converted to, such as ``"EUR"``, by the rates of ``db.rates``; then there are the
            columns ``currency``, ``unpriced`` (deals without a rate) and ``rates_until`` (the newest rate).
        rate_day
            Whose rate counts: ``"event"`` the closing day of won and lost deals, and the day on which open ones are
            judged; ``"as_of"`` the latter for all; or a date.
        rates_known
            Use the rates that were known at the end of that day; None for those known now.

        Raises
        ------
        QueryError
            If the filter or an option can't be understood, or the amounts can't be summed exactly.
        StoreError
            If the server can't be reached.

        Cost
        ----
        One round trip when nothing big changed, and a scan of the columns that it reads.

        Source
        ------
        docs/metrics.md#win-rate

        Examples
        --------
        >>> from dealdb.query import QueryEngine
        >>> deals = [{"stage": "Won"}, {"stage": "Lost"}, {"stage": "Won"}, {"stage": "Demo"}]
        >>> Analytics(QueryEngine.over(deals).select).win_rate()["win_rate"]
        0.6666666666666666
        """
        frame, pipeline = self._deals(where)
        money = self._conversion(pipeline, to, rate_day, rates_known, None)
        return self._said(
            win_rate(
                frame, pipeline, by, since=since, until=until, measure=measure, conversion=money
            ),
            where,
            frame.schema,
        )

    def deal_size(
        self,
        by: By = None,
        *,
        where: Where = None,
        since: Day = None,
        until: Day = None,
        to: str | None = None,
        rate_day: Day = "event",
        rates_known: Day = None,
    ) -> MetricResult:
        """
        Mean and median amount of won deals.

        The figures are those of ``dealdb.analytics.metrics.deal_size``.

        Parameters
        ----------
        by
            Columns to group by.
        where
            SQL text or a boolean Polars expression; None for all deals.
        since, until
            Window on the closing date, ``until`` itself outside; dates or texts such as ``"2026-01-31"``.
        to
            Currency that money is converted to, such as ``"EUR"``, by the rates of ``db.rates``; then there are the
            columns ``currency``, ``unpriced`` (deals without a rate) and ``rates_until`` (the newest rate).
        rate_day
            Whose rate counts: ``"event"`` the closing day of won and lost deals, and the day on which open ones are
            judged; ``"as_of"`` the latter for all; or a date.
        rates_known
            Use the rates that were known at the end of that day; None for those known now.

        Raises
        ------
        QueryError
            If the filter or an option can't be understood, or the amounts can't be summed exactly.
        StoreError
            If the server can't be reached.

        Cost
        ----
        One round trip when nothing big changed, and a scan of the columns that it reads.

        Source
        ------
        docs/metrics.md#deal-size

        Examples
        --------
        >>> from dealdb.query import QueryEngine
        >>> deals = [{"stage": "Won", "amount": 100}, {"stage": "Won", "amount": 300}]
        >>> size = Analytics(QueryEngine.over(deals).select).deal_size()
        >>> size["mean"], size["value"]
        (200.0, Decimal('400.00'))
        """
        frame, pipeline = self._deals(where)
        money = self._conversion(pipeline, to, rate_day, rates_known, None)
        return self._said(
            deal_size(frame, pipeline, by, since=since, until=until, conversion=money),
            where,
            frame.schema,
        )

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

        The figures are those of ``dealdb.analytics.metrics.sales_cycle``.

        Parameters
        ----------
        by
            Columns to group by.
        where
            SQL text or a boolean Polars expression; None for all deals.
        since, until
            Window on the closing date, ``until`` itself outside; dates or texts such as ``"2026-01-31"``.
        outcome
            ``"won"`` or ``"lost"``: the deals whose days are counted.

        Raises
        ------
        QueryError
            If the filter or an option can't be understood.
        StoreError
            If the server can't be reached.

        Cost
        ----
        One round trip when nothing big changed, and a scan of the columns that it reads.

        Source
        ------
        docs/metrics.md#sales-cycle

        Examples
        --------
        >>> from dealdb.query import QueryEngine
        >>> deals = [{"stage": "Won", "created": date(2026, 1, 1), "closed": date(2026, 1, 11)}]
        >>> Analytics(QueryEngine.over(deals).select).sales_cycle()["mean_days"]
        10.0
        """
        frame, pipeline = self._deals(where)
        return self._said(
            sales_cycle(frame, pipeline, by, since=since, until=until, outcome=outcome),
            where,
            frame.schema,
        )

    def velocity(
        self,
        by: By = None,
        *,
        where: Where = None,
        since: Day = None,
        until: Day = None,
        basis: str = "closed",
        to: str | None = None,
        rate_day: Day = "event",
        rates_known: Day = None,
    ) -> MetricResult:
        """
        Money per day and its four levers; ``basis="open"`` counts the deals open now instead of those closed.

        The figures are those of ``dealdb.analytics.metrics.velocity``.

        Parameters
        ----------
        by
            Columns to group by.
        where
            SQL text or a boolean Polars expression; None for all deals.
        since, until
            Window on the closing date, ``until`` itself outside; open deals are those open now.
        basis
            What is multiplied: the deals ``"closed"`` in the window, or those ``"open"`` now.
        to
            Currency that money is converted to, such as ``"EUR"``, by the rates of ``db.rates``; then there are the
            columns ``currency``, ``unpriced`` (deals without a rate) and ``rates_until`` (the newest rate).
        rate_day
            Whose rate counts: ``"event"`` the closing day of won and lost deals, and the day on which open ones are
            judged; ``"as_of"`` the latter for all; or a date.
        rates_known
            Use the rates that were known at the end of that day; None for those known now.

        Raises
        ------
        QueryError
            If the filter or an option can't be understood, or the amounts can't be summed exactly.
        StoreError
            If the server can't be reached.

        Cost
        ----
        One round trip when nothing big changed, and a scan of the columns that it reads.

        Source
        ------
        docs/metrics.md#velocity

        Examples
        --------
        >>> from dealdb.query import QueryEngine
        >>> days = {"created": date(2026, 1, 1), "closed": date(2026, 1, 11)}
        >>> deals = [{"stage": "Won", "amount": 1000, **days}, {"stage": "Lost", **days}]
        >>> Analytics(QueryEngine.over(deals).select).velocity()["velocity"]
        100.0
        """
        frame, pipeline = self._deals(where)
        money = self._conversion(pipeline, to, rate_day, rates_known, None)
        return self._said(
            velocity(frame, pipeline, by, since=since, until=until, basis=basis, conversion=money),
            where,
            frame.schema,
        )

    def leaderboard(
        self,
        by: By = "owner",
        *,
        where: Where = None,
        since: Day = None,
        until: Day = None,
        at: str = "now",
        as_of: Moment = None,
        deals: bool = False,
        to: str | None = None,
        rate_day: Day = "event",
        rates_known: Day = None,
        **past: Unpack[PastView],
    ) -> MetricResult:
        """
        Owners (or other groups) ranked by what they won, with the figures behind it.

        The figures are those of ``dealdb.analytics.metrics.leaderboard``.

        Parameters
        ----------
        by
            Whom to rank: owners, or any other column or columns.
        where
            SQL text or a boolean Polars expression; None for all deals.
        since, until
            Window on the closing date, ``until`` itself outside; open deals are those open now.
        at
            ``"now"``: whose deals they are now. ``"closing"``: whose they were when they were closed, by their
            history.
        as_of, deals
            With ``at="closing"``, as for all metrics on history: what was so by then, and a line for each closed deal
            instead of the figures. So are ``past``, the options of ``PastView``.
        to
            Currency that money is converted to, such as ``"EUR"``, by the rates of ``db.rates``; then there are the
            columns ``currency``, ``unpriced`` (deals without a rate) and ``rates_until`` (the newest rate).
        rate_day
            Whose rate counts: ``"event"`` the closing day of won and lost deals, and the day on which open ones are
            judged; ``"as_of"`` the latter for all; or a date.
        rates_known
            Use the rates that were known at the end of that day; None for those known now.

        Raises
        ------
        QueryError
            If the filter or an option can't be understood, there is nothing to rank by, or the amounts can't be
            summed exactly.
        StoreError
            If the server can't be reached.

        Cost
        ----
        One round trip when nothing big changed, and a scan of the columns that it reads.

        Source
        ------
        docs/metrics.md#leaderboard

        Examples
        --------
        >>> from dealdb.query import QueryEngine
        >>> deals = [
        ...     {"owner": "Ann", "stage": "Won", "amount": 500},
        ...     {"owner": "Bob", "stage": "Won", "amount": 700},
        ... ]
        >>> board = Analytics(QueryEngine.over(deals).select).leaderboard()
        >>> board.frame.select("rank", "owner").rows()
        [(1, 'Bob'), (2, 'Ann')]
        """
        if choice("at", at, ("now", "closing")) == "closing":
            options = PastOptions(
                where=where,
                as_of=as_of,
                deals=deals,
                to=to,
                rate_day=rate_day,
                rates_known=rates_known,
                **past,
            )
            return leaderboard_at_closing(self._past(by, options), since=since, until=until)
        _refuse_history("at='closing'", as_of=as_of, deals=deals, **past)
        frame, pipeline = self._deals(where)
        money = self._conversion(pipeline, to, rate_day, rates_known, None)
        return self._said(
            leaderboard(frame, pipeline, by, since=since, until=until, conversion=money),
            where,
            frame.schema,
        )

    def concentration(
        self,
        by: By = "company",
        *,
        where: Where = None,
        since: Day = None,
        until: Day = None,
        of: str = "won",
        k: int = 5,
        to: str | None = None,
        rate_day: Day = "event",
        rates_known: Day = None,
    ) -> MetricResult:
        """
        Share of the ``k`` largest companies (or other groups) in the won or weighted open value, and the HHI.

        The figures are those of ``dealdb.analytics.metrics.concentration``.

        Parameters
        ----------
        by
            What a group is: companies, or any other column or columns.
        where
            SQL text or a boolean Polars expression; None for all deals.
        since, until
            Window on the closing date, ``until`` itself outside; only for won deals.
        of
            ``"won"`` value, or weighted ``"open"`` value.
        k
            How many groups are at the top, at least 1.
        to
            Currency that money is converted to, such as ``"EUR"``, by the rates of ``db.rates``; then there are the
            columns ``currency``, ``unpriced`` (deals without a rate) and ``rates_until`` (the newest rate).
        rate_day
            Whose rate counts: ``"event"`` the closing day of won and lost deals, and the day on which open ones are
            judged; ``"as_of"`` the latter for all; or a date.
        rates_known
            Use the rates that were known at the end of that day; None for those known now.

        Raises
        ------
        QueryError
            If the filter or an option can't be understood, there is nothing to group by, or the amounts can't be
            summed exactly.
        StoreError
            If the server can't be reached.

        Cost
        ----
        One round trip when nothing big changed, and a scan of the columns that it reads.

        Source
        ------
        docs/metrics.md#concentration

        Examples
        --------
        >>> from dealdb.query import QueryEngine
        >>> deals = [
        ...     {"company": "Acme", "stage": "Won", "amount": 300},
        ...     {"company": "Bolt", "stage": "Won", "amount": 100},
        ... ]
        >>> shares = Analytics(QueryEngine.over(deals).select).concentration(k=1)
        >>> shares["top"], shares["top_share"], shares["hhi"]
        (['Acme'], 0.75, 0.625)
        """
        frame, pipeline = self._deals(where)
        money = self._conversion(pipeline, to, rate_day, rates_known, None)
        return self._said(
            concentration(
                frame, pipeline, by, since=since, until=until, of=of, k=k, conversion=money
            ),
            where,
            frame.schema,
        )

    def trend(
        self,
        by: By = None,
        *,
        where: Where = None,
        since: Day = None,
        until: Day = None,
        period: str = "month",
        fiscal_year_start: int | None = None,
        events: bool = False,
        as_of: Moment = None,
        deals: bool = False,
        to: str | None = None,
        rate_day: Day = "event",
        rates_known: Day = None,
        **past: Unpack[PastView],
    ) -> MetricResult:
        """
        What was created, won and lost per day, week, month, quarter or year.

        The figures are those of ``dealdb.analytics.metrics.trend``.

        Parameters
        ----------
        by
            Columns to group by; each group has all periods.
        where
            SQL text or a boolean Polars expression; None for all deals.
        since, until
            Window, ``until`` itself outside: on the creation date for ``created``, on the closing date for the rest.
            Without them the periods go from the first date to the last.
        period
            ``"day"``, ``"week"``, ``"month"``, ``"quarter"`` or ``"year"``, as the pipeline divides the time.
        fiscal_year_start
            Month in which quarters and years begin, 1 to 12, whatever the pipeline says; None for what it says.
        events
            Whether deals count when it happened, by their history, and reopened and deleted ones are in.
        as_of, deals
            With ``events=True``, as for all metrics on history: what was so by then, and a line for each event instead
            of the figures. So are ``past``, the options of ``PastView``.
        to
            Currency that money is converted to, such as ``"EUR"``, by the rates of ``db.rates``; then there are the
            columns ``currency``, ``unpriced`` (deals without a rate) and ``rates_until`` (the newest rate).
        rate_day
            Whose rate counts: ``"event"`` the closing day of won and lost deals, and the day on which open ones are
            judged; ``"as_of"`` the latter for all; or a date.
        rates_known
            Use the rates that were known at the end of that day; None for those known now.

        Raises
        ------
        QueryError
            If the filter or an option can't be understood, there would be more than a million rows, or the amounts
            can't be summed exactly.
        StoreError
            If the server can't be reached.

        Cost
        ----
        One round trip when nothing big changed, and a scan of the columns that it reads.

        Source
        ------
        docs/metrics.md#trend

        Examples
        --------
        >>> from dealdb.query import QueryEngine
        >>> deals = [{"stage": "Won", "created": date(2026, 1, 5), "closed": date(2026, 2, 9)}]
        >>> months = Analytics(QueryEngine.over(deals).select).trend()
        >>> months.frame.select("label", "created", "won").rows()
        [('2026-01', 1, 0), ('2026-02', 0, 1)]
        """
        if events:
            options = PastOptions(
                where=where,
                as_of=as_of,
                deals=deals,
                to=to,
                rate_day=rate_day,
                rates_known=rates_known,
                **past,
            )
            return trend_of_events(
                self._past(by, options),
                since=since,
                until=until,
                period=period,
                fiscal_year_start=fiscal_year_start,
            )
        _refuse_history("events=True", as_of=as_of, deals=deals, **past)
        frame, pipeline = self._deals(where)
        money = self._conversion(pipeline, to, rate_day, rates_known, None)
        figures = trend(
            frame,
            pipeline,
            by,
            since=since,
            until=until,
            period=period,
            fiscal_year_start=fiscal_year_start,
            conversion=money,
        )
        return self._said(figures, where, frame.schema)


def _unread(_: object) -> pl.Expr:
    msg = "where of a result needs the filter of the metric as a Polars expression: these deals are of no database"
    raise QueryError(msg)


def _refuse_history(needs: str, *, as_of: Moment, deals: bool, **past: object) -> None:
    given = [*(["as_of"] if as_of is not None else []), *(["deals"] if deals else []), *past]
    if given:
        msg = f"{given[0]} is of the history: ask for {needs}; result.where(row) gives the deals of a row"
        raise QueryError(msg)
