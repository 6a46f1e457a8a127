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
    """
    Metrics that learn from the past what is likely to come, a method each.

    The examples run on the eight deals of docs/metrics.md, loaded into ``db``.
    """

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

        Examples
        --------
        >>> db.analytics.stage_chances(method="closed", as_of="2026-03-31").frame.select(
        ...     "stage", "won", "n"
        ... ).rows()
        [('Lead', 2, 5), ('Demo', 1, 2), ('Offer', 1, 1)]

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

        Examples
        --------
        >>> stays = db.analytics.survival("Lead", as_of="2026-03-31").frame
        >>> stays.filter(stays["s"] <= 0.5)["days"][0]
        39.0

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

        Examples
        --------
        >>> db.analytics.time_to_close(as_of="2026-03-31").frame.select(
        ...     "id", "stage", "n", "p50"
        ... ).rows()
        [('C', 'Offer', 1, None), ('D', 'Offer', 1, None)]

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
        by: By = None,
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

        Examples
        --------
        >>> quarter = db.analytics.simulate("2026-04-01", as_of="2026-02-28", chances="own")
        >>> [str(quarter[name]) for name in ("won", "p10", "p50", "p90")]
        ['1200.00', '1200.00', '1600.00', '3600.00']
        >>> owners = db.analytics.simulate(
        ...     "2026-04-01", by="owner", as_of="2026-02-28", chances="own"
        ... )
        >>> owners.frame.select("owner", "n").rows()
        [('Ann', 0), ('Bob', 3), ('(none)', 1)]

        Source
        ------
        docs/metrics.md#simulate
        """
        return simulate(
            self._past(by, past),
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

        Examples
        --------
        >>> months = db.analytics.calibration(
        ...     since="2026-03-01", horizon_days=31, as_of="2026-03-31"
        ... )
        >>> months.frame.select("target", "n", "brier").rows()[0]
        ('horizon', 5, 0.202)

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

        Examples
        --------
        >>> db.analytics.forecast_error(days_before=[31], as_of="2026-03-31").frame.select(
        ...     "label", "actual", "base_error"
        ... ).rows()
        [('2026-Q1', Decimal('1500.25'), Decimal('499.8000'))]

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

        Examples
        --------
        >>> db.analytics.seasonality(as_of="2026-03-31")
        Traceback (most recent call last):
        dealdb.NotYetKnown: seasonality needs 24 full months; there are 2; until then, trend shows each month

        Source
        ------
        docs/metrics.md#seasonality
        """
        return seasonality(self._past(by, past), measure=measure, period=period, seed=seed)
