"""``PredictionMetrics``: metrics that learn from the past what is likely to come, a method each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from dealdb.analytics.methods.base import HistoryMethods, PastOptions
from dealdb.analytics.options import By, Day
from dealdb.analytics.prediction.calibration import calibration
from dealdb.analytics.prediction.forecast_error import forecast_error
from dealdb.analytics.prediction.seasonality import seasonality
from dealdb.analytics.prediction.simulate import simulate
from dealdb.analytics.prediction.stage_chances import stage_chances
from dealdb.analytics.prediction.survival import survival
from dealdb.analytics.prediction.time_to_close import time_to_close
from dealdb.analytics.result import MetricResult


class PredictionMetrics(HistoryMethods):
    """Metrics that learn from the past what is likely to come, a method each."""

    def stage_chances(
        self,
        by: By = None,
        *,
        since: Day = None,
        until: Day = None,
        method: str = "competing",
        **past: Unpack[PastOptions],
    ) -> MetricResult:
        """
        Chance that a deal which comes into a stage is won in the end.

        The options and the figures are those of ``dealdb.analytics.prediction.stage_chances``;
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

        Source
        ------
        docs/metrics.md#stage-chances
        """
        return stage_chances(
            self._past(by, past, money=False), since=since, until=until, method=method
        )

    def survival(
        self,
        stage: str,
        by: By = None,
        *,
        event: str = "left",
        since: Day = None,
        level: float = 0.95,
        **past: Unpack[PastOptions],
    ) -> MetricResult:
        """
        Share of visits to a stage that something has not ended yet, by days since the entry.

        The options and the figures are those of ``dealdb.analytics.prediction.survival``;
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

        Source
        ------
        docs/metrics.md#survival
        """
        return survival(
            self._past(by, past, money=False), stage=stage, event=event, since=since, level=level
        )

    def time_to_close(
        self,
        by: By = None,
        *,
        deal: str | None = None,
        event: str = "won",
        n: int = 2000,
        seed: int = 0,
        **past: Unpack[PastOptions],
    ) -> MetricResult:
        """
        Days that open deals still take, from their stage and age, by what earlier deals did.

        The options and the figures are those of ``dealdb.analytics.prediction.time_to_close``;
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

        Source
        ------
        docs/metrics.md#time-to-close
        """
        return time_to_close(
            self._past(by, past, money=False), deal=deal, event=event, n=n, seed=seed
        )

    def simulate(
        self,
        until: Day,
        *,
        n: int = 100000,
        seed: int = 0,
        since: Day = None,
        chances: str = "learned",
        rho: float = 0.0,
        posterior: bool = True,
        **past: Unpack[PastOptions],
    ) -> MetricResult:
        """
        Distribution of what will have been won by a day.

        The options and the figures are those of ``dealdb.analytics.prediction.simulate``;
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

        Source
        ------
        docs/metrics.md#simulate
        """
        return simulate(
            self._past(None, past),
            until=until,
            n=n,
            seed=seed,
            since=since,
            chances=chances,
            rho=rho,
            posterior=posterior,
        )

    def calibration(
        self,
        by: By = None,
        *,
        since: Day,
        horizon_days: int = 30,
        every: str = "week",
        seed: int = 0,
        **past: Unpack[PastOptions],
    ) -> MetricResult:
        """
        Chances that stood there at moments of the past, against what became of the deals.

        The options and the figures are those of ``dealdb.analytics.prediction.calibration``;
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

        Source
        ------
        docs/metrics.md#calibration
        """
        return calibration(
            self._past(by, past), since=since, horizon_days=horizon_days, every=every, seed=seed
        )

    def forecast_error(
        self,
        by: By = None,
        *,
        period: str = "quarter",
        days_before: Sequence[int] = (90, 60, 30, 7),
        since: Day = None,
        until: Day = None,
        **past: Unpack[PastOptions],
    ) -> MetricResult:
        """
        Forecasts of each period as they stood so many days before its end, against what was won in it.

        The options and the figures are those of ``dealdb.analytics.prediction.forecast_error``;
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

        Source
        ------
        docs/metrics.md#forecast-error
        """
        return forecast_error(
            self._past(by, past), period=period, days_before=days_before, since=since, until=until
        )

    def seasonality(
        self,
        by: By = None,
        *,
        measure: str = "won_value",
        period: str = "month",
        seed: int = 0,
        **past: Unpack[PastOptions],
    ) -> MetricResult:
        """
        Factor of each month (or quarter) of the year: 1.5 is one half more than the year around it.

        The options and the figures are those of ``dealdb.analytics.prediction.seasonality``;
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

        Source
        ------
        docs/metrics.md#seasonality
        """
        return seasonality(self._past(by, past), measure=measure, period=period, seed=seed)
