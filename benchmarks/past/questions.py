"""The questions: each metric as dealdb is asked for it, and the columns in which DuckDB's answer has to be the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from benchmarks.past.made import quotas_of
from dealdb.analytics.history.movement.coverage import coverage
from dealdb.analytics.history.movement.forecast import forecast
from dealdb.analytics.history.movement.slippage import slippage
from dealdb.analytics.history.movement.waterfall import waterfall
from dealdb.analytics.history.outcomes.activity import activity
from dealdb.analytics.history.outcomes.attainment import attainment
from dealdb.analytics.history.outcomes.cohorts import cohorts
from dealdb.analytics.history.outcomes.leaderboard import leaderboard_at_closing
from dealdb.analytics.history.outcomes.losses import losses
from dealdb.analytics.history.outcomes.ramp import ramp
from dealdb.analytics.history.outcomes.trend_events import trend_of_events
from dealdb.analytics.history.outcomes.win_loss import win_loss
from dealdb.analytics.history.past import Past, Where
from dealdb.analytics.history.stages.ageing import ageing
from dealdb.analytics.history.stages.funnel import funnel
from dealdb.analytics.history.stages.rotting import rotting
from dealdb.analytics.history.stages.time_in_stage import time_in_stage
from dealdb.analytics.result import MetricResult
from dealdb.query.filters.where import compile_where
from dealdb.store.facts.facts import Facts

# the day on which all are asked, and the windows that they are asked of
AS_OF = date(2025, 11, 30)
YEAR = date(2025, 1, 1), date(2026, 1, 1)
QUARTER = date(2025, 10, 1), date(2026, 1, 1)
BEFORE = date(2025, 7, 1), date(2025, 10, 1)
HALF = date(2025, 10, 1), date(2026, 4, 1)
TARGET = 400_000_000
MONTHS = 12


@dataclass(frozen=True, slots=True)
class Question:
    """
    One question.

    Attributes
    ----------
    name
        Of the metric, with the name of its SQL in ``answers``.
    ask
        Asks dealdb.
    columns
        What both answers have, in the order of DuckDB's.
    by
        Columns to group by.
    """

    name: str
    ask: Callable[[Past], MetricResult]
    columns: str
    by: str | None = None

    def answer(self, facts: Facts) -> pl.DataFrame:
        """The table of the metric, as a method of ``Analytics`` makes it."""
        return self.ask(Past(facts=facts, compile=_compiled, by=self.by, as_of=AS_OF)).frame


def _compiled(where: Where, schema: pl.Schema, zone: str) -> pl.Expr | None:
    return compile_where(where, schema, {}, zone=zone)


def _of(
    metric: Callable[..., MetricResult], *days: date, **options: Any
) -> Callable[[Past], MetricResult]:
    window = dict(zip(("since", "until"), days, strict=False))
    return lambda past: metric(past, **window, **options)


QUESTIONS = (
    Question("funnel", _of(funnel, *YEAR), "stage n open lost value blank"),
    Question(
        "time_in_stage",
        _of(time_in_stage),
        "stage n median_days p90_days open_n open_median_days deleted backward",
    ),
    Question("ageing", _of(ageing), "bucket n value weighted blank"),
    Question("rotting", _of(rotting), "stage n rotting value worst_days"),
    Question(
        "slippage",
        _of(slippage, *BEFORE),
        "n value won lost slipped moved overdue deleted slipped_value pushes pushed_deals blank",
    ),
    Question(
        "coverage",
        _of(coverage, *QUARTER, target=TARGET),
        "won open overdue undated_value blank",
    ),
    Question(
        "forecast",
        _of(forecast, *HALF),
        "label won weighted commit best pipeline n blank",
    ),
    Question("waterfall_net", _of(waterfall, *BEFORE), "bucket n value blank"),
    Question(
        "waterfall_gross",
        _of(waterfall, *BEFORE, due=QUARTER, net=False),
        "bucket n value blank",
    ),
    Question("cohorts", _of(cohorts, periods=MONTHS), "cohort k size won value open"),
    Question(
        "losses", _of(losses, *QUARTER), "loss_reason n value blank median_days", "loss_reason"
    ),
    Question("win_loss", _of(win_loss, *QUARTER), "owner won lost won_value lost_value", "owner"),
    Question("ramp", _of(ramp, months=MONTHS), "owner month won value", "owner"),
    Question(
        "leaderboard_at_closing",
        _of(leaderboard_at_closing, *QUARTER),
        "owner won_value won lost open open_weighted",
        "owner",
    ),
    Question(
        "attainment",
        lambda past: attainment(past, quotas=quotas_of(QUARTER[0]), period="2025-Q4"),
        "key quota won",
        "owner",
    ),
    Question(
        "activity_by_owner",
        _of(activity, *QUARTER),
        "owner deals_touched changes stage_moves pushes amount_changes created closed days_active",
        "owner",
    ),
    Question(
        "activity_by_who",
        _of(activity, *QUARTER),
        "who deals_touched changes stage_moves pushes amount_changes created closed days_active",
        "who",
    ),
    Question("trend_of_events", _of(trend_of_events, *YEAR), "label created won lost won_value"),
)
