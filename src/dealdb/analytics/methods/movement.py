"""``MovementMetrics``: metrics of what changed and what is to come, a method each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Unpack

from dealdb.analytics.history.movement.coverage import Number, coverage
from dealdb.analytics.history.movement.forecast import forecast
from dealdb.analytics.history.movement.slippage import slippage
from dealdb.analytics.history.movement.waterfall import waterfall
from dealdb.analytics.methods.base import HistoryMethods, PastOptions
from dealdb.analytics.options import By, Day
from dealdb.analytics.result import MetricResult


class MovementMetrics(HistoryMethods):
    """
    Metrics of what changed and what is to come, a method each.

    The examples run on the eight deals of docs/metrics.md, loaded into ``db``.
    """

    def waterfall(
        self,
        by: By = None,
        *,
        since: Day,
        until: Day = None,
        due: Sequence[Day] | None = None,
        net: bool = True,
        fx: bool = False,
        **past: Unpack[PastOptions],
    ) -> MetricResult:
        """
        What led from the open pipeline of one day to that of another.

        The options and the figures are those of ``dealdb.analytics.history.movement.waterfall``;
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
        >>> moved = db.analytics.waterfall(since="2026-02-01", until="2026-04-01")
        >>> dict(moved.frame.filter(moved.frame["n"] > 0).select("bucket", "n").rows())
        {'start': 3, 'created': 3, 'reopened': 1, 'up': 1, 'won': 2, 'lost': 2, 'deleted': 1, 'end': 2}

        Source
        ------
        docs/metrics.md#waterfall
        """
        return waterfall(self._past(by, past), since=since, until=until, due=due, net=net, fx=fx)

    def slippage(
        self,
        by: By = None,
        *,
        since: Day,
        until: Day,
        settle: str | timedelta | int = 0,
        **past: Unpack[PastOptions],
    ) -> MetricResult:
        """
        Deals that were open and due in a period as it began: what became of them by its end.

        The options and the figures are those of ``dealdb.analytics.history.movement.slippage``;
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
        >>> march = db.analytics.slippage(since="2026-03-01", until="2026-04-01")
        >>> march["n"], march["slipped"], march["mean_days_pushed"]
        (3, 2, 25.5)

        Source
        ------
        docs/metrics.md#slippage
        """
        return slippage(self._past(by, past), since=since, until=until, settle=settle)

    def coverage(
        self,
        by: By = None,
        *,
        since: Day,
        until: Day,
        target: Number | Mapping[Any, Number],
        win_rate: Number | None = None,
        **past: Unpack[PastOptions],
    ) -> MetricResult:
        """
        Open deals of a period over what is missing of its target, and how much of them is needed.

        The options and the figures are those of ``dealdb.analytics.history.movement.coverage``;
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
        >>> quarter = {"since": "2026-01-01", "until": "2026-04-01"}
        >>> enough = db.analytics.coverage(**quarter, target=3000, as_of="2026-02-28")
        >>> enough["coverage"], enough["required"], enough["gap"]
        (1.7780555555555555, 2.0, Decimal('399.50'))

        Source
        ------
        docs/metrics.md#coverage
        """
        return coverage(
            self._past(by, past), since=since, until=until, target=target, win_rate=win_rate
        )

    def forecast(
        self,
        by: By = None,
        *,
        since: Day,
        until: Day,
        period: str = "month",
        **past: Unpack[PastOptions],
    ) -> MetricResult:
        """
        Money that was won, and that open deals may bring, by the period in which they are expected to close.

        The options and the figures are those of ``dealdb.analytics.history.movement.forecast``;
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
        >>> ahead = db.analytics.forecast(
        ...     since="2026-01-01", until="2026-04-01", as_of="2026-02-28"
        ... )
        >>> {name: str(value) for name, value in ahead.totals.items()}
        {'low': '1200.00', 'base': '2000.0500', 'high': '4400.50'}

        Source
        ------
        docs/metrics.md#forecast
        """
        return forecast(self._past(by, past), since=since, until=until, period=period)
