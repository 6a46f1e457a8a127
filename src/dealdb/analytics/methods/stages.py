"""``StageMetrics``: metrics of deals in their stages, a method each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Unpack

from dealdb.analytics.history.stages.ageing import ageing
from dealdb.analytics.history.stages.funnel import funnel
from dealdb.analytics.history.stages.rotting import rotting
from dealdb.analytics.history.stages.time_in_stage import time_in_stage
from dealdb.analytics.methods.base import HistoryMethods, PastOptions
from dealdb.analytics.options import By, Day
from dealdb.analytics.result import MetricResult


class StageMetrics(HistoryMethods):
    """
    Metrics of deals in their stages, a method each.

    The examples run on the eight deals of docs/metrics.md, loaded into ``db``.
    """

    def funnel(
        self,
        by: By = None,
        *,
        since: Day = None,
        until: Day = None,
        mode: str = "reached",
        cohort: str = "created",
        **past: Unpack[PastOptions],
    ) -> MetricResult:
        """
        How many deals of a period reached each open stage, and how many were won.

        The options and the figures are those of ``dealdb.analytics.history.stages.funnel``;
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
        >>> db.analytics.funnel(since="2026-01-01", as_of="2026-03-31").frame["n"].to_list()
        [7, 5, 5, 2]

        Source
        ------
        docs/metrics.md#funnel
        """
        return funnel(self._past(by, past), since=since, until=until, mode=mode, cohort=cohort)

    def time_in_stage(
        self,
        by: By = None,
        *,
        since: Day = None,
        until: Day = None,
        unit: str = "deal",
        closed: bool = False,
        **past: Unpack[PastOptions],
    ) -> MetricResult:
        """
        How long deals stayed in each stage.

        The options and the figures are those of ``dealdb.analytics.history.stages.time_in_stage``;
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
        >>> db.analytics.time_in_stage(as_of="2026-03-31").frame["median_days"].to_list()
        [27.0, 23.0, 15.0]

        Source
        ------
        docs/metrics.md#time-in-stage
        """
        return time_in_stage(
            self._past(by, past, by_at="event", money=False),
            since=since,
            until=until,
            unit=unit,
            closed=closed,
        )

    def ageing(
        self,
        by: By = None,
        *,
        basis: str = "stage",
        buckets: Sequence[int] = (7, 14, 30, 60),
        calendar: str = "days",
        visits: bool = False,
        **past: Unpack[PastOptions],
    ) -> MetricResult:
        """
        Open deals by their age in whole days.

        The options and the figures are those of ``dealdb.analytics.history.stages.ageing``;
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
        >>> db.analytics.ageing(as_of="2026-02-28").frame.select("bucket", "n").rows()[:3]
        [('0-7', 0), ('8-14', 3), ('15-30', 2)]

        Source
        ------
        docs/metrics.md#ageing
        """
        return ageing(
            self._past(by, past), basis=basis, buckets=buckets, calendar=calendar, visits=visits
        )

    def rotting(
        self,
        by: By = None,
        *,
        basis: str = "update",
        rot_days: int | Mapping[str, int] | None = None,
        respite: str | None = None,
        ignore_actors: Collection[str] = (),
        **past: Unpack[PastOptions],
    ) -> MetricResult:
        """
        Open deals that are older than the ``rot_days`` of their stage.

        The options and the figures are those of ``dealdb.analytics.history.stages.rotting``;
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
        >>> db.analytics.rotting(as_of="2026-02-28", basis="stage").frame.select(
        ...     "stage", "rotting", "worst_days"
        ... ).rows()
        [('Lead', 2, 27), ('Demo', 0, None), ('Offer', 0, None)]

        Source
        ------
        docs/metrics.md#rotting
        """
        return rotting(
            self._past(by, past),
            basis=basis,
            rot_days=rot_days,
            respite=respite,
            ignore_actors=ignore_actors,
        )
