"""The questions to dealdb that need more than a past: quotas, a history that was known once, late commits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl

from dealdb.analytics.history.outcomes.attainment import attainment
from dealdb.analytics.history.outcomes.hindsight import hindsight
from dealdb.analytics.history.outcomes.late_entry import late_entry
from dealdb.analytics.history.past import Past
from dealdb.analytics.result import MetricResult
from oracle import engine
from oracle.credit import Quota
from oracle.past import DAY_MS, World

_QUOTAS: dict[str, Any] = {
    "period_start": pl.Date,
    "period": pl.String,
    "key": pl.String,
    "amount": pl.Decimal(38, 2),
    "currency": pl.String,
}


def _attainment(past: Past, *, quotas: Sequence[Quota], first: date) -> MetricResult:
    rows = [(first, "month", *each) for each in quotas]
    table = pl.DataFrame(rows, schema=_QUOTAS, orient="row")
    return attainment(past, table, f"{first:%Y-%m}")


def _hindsight(past: Past, *, known: World, since: date, until: date) -> MetricResult:
    return hindsight(
        past, engine.facts_of_rows(known.rows, known.pipeline), since=since, until=until
    )


def _late_entry(past: Past, *, lags: Mapping[int, int], since: date, until: date) -> MetricResult:
    """With commits that were recorded so many days after what they say."""
    commits = past.facts.commits
    days = [lags.get(seq, 0) for seq in commits["seq"]]
    late = commits.with_columns(pl.col("at") + pl.Series(days, dtype=pl.Int64) * DAY_MS)
    return late_entry(
        replace(past, facts=replace(past.facts, commits=late)), since=since, until=until
    )


ASKED: dict[str, Callable[..., MetricResult]] = {
    "attainment": _attainment,
    "hindsight": _hindsight,
    "late_entry": _late_entry,
}
