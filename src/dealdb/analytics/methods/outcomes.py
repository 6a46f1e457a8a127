"""``OutcomeMetrics``: metrics of what became of deals and of who worked on them, a method each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

from dealdb.analytics.history.outcomes.activity import activity
from dealdb.analytics.history.outcomes.attainment import attainment
from dealdb.analytics.history.outcomes.cohorts import cohorts
from dealdb.analytics.history.outcomes.hindsight import hindsight
from dealdb.analytics.history.outcomes.late_entry import late_entry
from dealdb.analytics.history.outcomes.losses import losses
from dealdb.analytics.history.outcomes.ramp import ramp
from dealdb.analytics.history.outcomes.win_loss import win_loss
from dealdb.analytics.methods.base import HistoryMethods, PastOptions
from dealdb.analytics.options import By, Day, day_of
from dealdb.analytics.result import MetricResult
from dealdb.errors import QueryError


class OutcomeMetrics(HistoryMethods):
    """
    Metrics of what became of deals and of who worked on them, a method each.

    The examples run on the eight deals of docs/metrics.md, loaded into ``db``.
    """

    def cohorts(
        self,
        by: By = None,
        *,
        by_period: str = "month",
        measure: str = "won_n",
        periods: int = 12,
        fiscal_year_start: int | None = None,
        **past: Unpack[PastOptions],
    ) -> MetricResult:
        """
        How many of the deals that were created in a period were won by the k-th period after it.

        The options and the figures are those of ``dealdb.analytics.history.outcomes.cohorts``;
        ``past`` has the options that metrics on history share (``PastOptions``).

        Raises
        ------
        QueryError
            If an option can't be understood, or a moment is before the first fact.
        StoreError
            If the server can't be reached.

        Cost
        ----
        One round trip when nothing is new, and a scan of the histories of the fields that it reads.

        Examples
        --------
        >>> cells = db.analytics.cohorts(as_of="2026-03-31", periods=3)
        >>> cells.frame.select("label", "k", "won").rows()[3:]
        [('2026-02', 0, 0), ('2026-02', 1, 1), ('2026-02', 2, None)]

        Source
        ------
        docs/metrics.md#cohorts
        """
        return cohorts(
            self._past(by, past),
            by_period=by_period,
            measure=measure,
            periods=periods,
            fiscal_year_start=fiscal_year_start,
        )

    def losses(
        self,
        by: By = "loss_reason",
        *,
        since: Day = None,
        until: Day = None,
        fold: bool = False,
        events: bool = False,
        **past: Unpack[PastOptions],
    ) -> MetricResult:
        """
        Lost deals by reason, or by any other column.

        The options and the figures are those of ``dealdb.analytics.history.outcomes.losses``;
        ``past`` has the options that metrics on history share (``PastOptions``).

        Raises
        ------
        QueryError
            If an option can't be understood, or a moment is before the first fact.
        StoreError
            If the server can't be reached.

        Cost
        ----
        One round trip when nothing is new, and a scan of the histories of the fields that it reads.

        Examples
        --------
        >>> db.analytics.losses(since="2026-01-01", until="2026-04-01").frame.select(
        ...     "loss_reason", "n"
        ... ).rows()
        [('Price', 2), ('(none)', 1)]

        Source
        ------
        docs/metrics.md#losses
        """
        return losses(self._past(by, past), since=since, until=until, fold=fold, events=events)

    def win_loss(
        self,
        by: By = None,
        *,
        since: Day = None,
        until: Day = None,
        few: bool = False,
        least: int = 5,
        events: bool = False,
        **past: Unpack[PastOptions],
    ) -> MetricResult:
        """
        Won and lost deals by any column, as it was at the closing.

        The options and the figures are those of ``dealdb.analytics.history.outcomes.win_loss``;
        ``past`` has the options that metrics on history share (``PastOptions``).

        Raises
        ------
        QueryError
            If an option can't be understood, or a moment is before the first fact.
        StoreError
            If the server can't be reached.

        Cost
        ----
        One round trip when nothing is new, and a scan of the histories of the fields that it reads.

        Examples
        --------
        >>> db.analytics.win_loss(by="owner").frame.select("owner", "won", "lost").rows()
        [('Ann', 2, 1), ('Bob', 0, 1), ('(none)', 0, 1)]

        Source
        ------
        docs/metrics.md#win-and-loss
        """
        return win_loss(
            self._past(by, past), since=since, until=until, few=few, least=least, events=events
        )

    def ramp(
        self,
        by: By = "owner",
        *,
        start: str | Mapping[str, Day] = "first_deal",
        months: int = 12,
        events: bool = False,
        **past: Unpack[PastOptions],
    ) -> MetricResult:
        """
        What each owner won in each month of tenure.

        The options and the figures are those of ``dealdb.analytics.history.outcomes.ramp``;
        ``past`` has the options that metrics on history share (``PastOptions``).

        Raises
        ------
        QueryError
            If an option can't be understood, or a moment is before the first fact.
        StoreError
            If the server can't be reached.

        Cost
        ----
        One round trip when nothing is new, and a scan of the histories of the fields that it reads.

        Examples
        --------
        >>> months = db.analytics.ramp(months=3, as_of="2026-03-31")
        >>> [str(value) for value in months.frame.filter(owner="Ann")["cumulative"]]
        ['0.00', '1200.00', '1500.25']

        Source
        ------
        docs/metrics.md#ramp
        """
        return ramp(self._past(by, past), start=start, months=months, events=events)

    def activity(
        self,
        by: By = "who",
        *,
        since: Day = None,
        until: Day = None,
        **past: Unpack[PastOptions],
    ) -> MetricResult:
        """
        Changes of deals, by actor (``by="who"``), or by any column as it was after the change.

        The options and the figures are those of ``dealdb.analytics.history.outcomes.activity``;
        ``past`` has the options that metrics on history share (``PastOptions``).

        Raises
        ------
        QueryError
            If an option can't be understood, or a moment is before the first fact.
        StoreError
            If the server can't be reached.

        Cost
        ----
        One round trip when nothing is new, and a scan of the histories of the fields that it reads.

        Examples
        --------
        >>> by_owner = db.analytics.activity(by="owner", since="2026-01-01", until="2026-04-01")
        >>> by_owner.frame.select("owner", "created", "pushes").rows()
        [('Ann', 4, 0), ('Bob', 3, 3), ('(none)', 1, 0)]

        Source
        ------
        docs/metrics.md#activity
        """
        return activity(self._past(by, past, money=False), since=since, until=until)

    def late_entry(
        self,
        by: By = None,
        *,
        since: Day = None,
        until: Day = None,
        days: int = 7,
        **past: Unpack[PastOptions],
    ) -> MetricResult:
        """
        Won deals whose closing was recorded long after it happened.

        The options and the figures are those of ``dealdb.analytics.history.outcomes.late_entry``;
        ``past`` has the options that metrics on history share (``PastOptions``).

        Raises
        ------
        QueryError
            If an option can't be understood, or a moment is before the first fact.
        StoreError
            If the server can't be reached.

        Cost
        ----
        One round trip when nothing is new, and a scan of the histories of the fields that it reads.

        Examples
        --------
        >>> # all of it was loaded long after it happened
        >>> late = db.analytics.late_entry()
        >>> late["n"], late["late"]
        (2, 2)

        Source
        ------
        docs/metrics.md#late-entry
        """
        return late_entry(self._past(by, past), since=since, until=until, days=days)

    def attainment(
        self, period: str, by: By = "owner", **past: Unpack[PastOptions]
    ) -> MetricResult:
        """
        What was won in a period against the quotas of owners or other groups (``db.quotas``).

        The options and the figures are those of ``dealdb.analytics.history.outcomes.attainment``;
        ``past`` has the options that metrics on history share (``PastOptions``).

        Raises
        ------
        QueryError
            If the period or an option can't be understood, or a moment is before the first fact.
        StoreError
            If the server can't be reached.

        Cost
        ----
        Two round trips when nothing is new, and a scan of the histories of the fields that it reads.

        Examples
        --------
        >>> quota = {"period": "2026-Q1", "key": "Ann", "amount": 2000, "currency": "EUR"}
        >>> loaded = db.quotas.load([quota])
        >>> rows = db.analytics.attainment("2026-Q1", as_of="2026-02-28").to_dicts()
        >>> rows[0]["key"], rows[0]["attainment"], round(rows[0]["pace"], 3)
        ('Ann', 0.6, 0.915)

        Source
        ------
        docs/metrics.md#attainment
        """
        if self._quotas is None:
            msg = "these deals have no quotas: attainment is a metric of a database"
            raise QueryError(msg)
        return attainment(self._past(by, past), quotas=self._quotas(), period=period)

    def hindsight(
        self,
        by: By = None,
        *,
        known: Day,
        since: Day = None,
        until: Day = None,
        **past: Unpack[PastOptions],
    ) -> MetricResult:
        """
        How much of what was won in a period has changed since a day on which it was looked at (``known``).

        The options and the figures are those of ``dealdb.analytics.history.outcomes.hindsight``;
        ``past`` has the options that metrics on history share (``PastOptions``).

        Raises
        ------
        QueryError
            If an option can't be understood, or a moment is before the first fact.
        StoreError
            If the server can't be reached.

        Cost
        ----
        One round trip when nothing is new, and two scans of the histories of the fields that it reads.

        Examples
        --------
        >>> quarter = {"since": "2026-01-01", "until": "2026-04-01"}
        >>> known = db.analytics.hindsight(known="2026-04-01", **quarter)
        >>> known.frame.filter(bucket="added").select("n", "value").rows()
        [(2, Decimal('1500.25'))]

        Source
        ------
        docs/metrics.md#hindsight
        """
        now = self._past(by, past)
        then = self._history(past, known=day_of("known", known))
        return hindsight(now, known=then, since=since, until=until)
