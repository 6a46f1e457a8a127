"""The same questions to dealdb, and where its answers differ."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from importlib import import_module
from typing import Any

import polars as pl

from dealdb.analytics.history.past import Past
from dealdb.analytics.result import MetricResult
from dealdb.model.pipeline import Kind, Pipeline, Stage
from dealdb.model.schema import Schema
from dealdb.store.facts.facts import Facts
from dealdb.store.facts.fold import folded
from histories.drawn import Filter, History
from oracle.past import Row, Step
from oracle.tables import Answer
from pasts import past_of

HOME = "dealdb.analytics"
# where the metrics of the engine are
PLACES = {
    "funnel": "history.stages.funnel.funnel",
    "time_in_stage": "history.stages.time_in_stage.time_in_stage",
    "ageing": "history.stages.ageing.ageing",
    "rotting": "history.stages.rotting.rotting",
    "waterfall": "history.movement.waterfall.waterfall",
    "slippage": "history.movement.slippage.slippage",
    "coverage": "history.movement.coverage.coverage",
    "forecast": "history.movement.forecast.forecast",
    "cohorts": "history.outcomes.cohorts.cohorts",
    "losses": "history.outcomes.losses.losses",
    "win_loss": "history.outcomes.win_loss.win_loss",
    "leaderboard": "history.outcomes.leaderboard.leaderboard_at_closing",
    "attainment": "history.outcomes.attainment.attainment",
    "ramp": "history.outcomes.ramp.ramp",
    "late_entry": "history.outcomes.late_entry.late_entry",
    "hindsight": "history.outcomes.hindsight.hindsight",
    "activity": "history.outcomes.activity.activity",
    "events": "history.outcomes.trend_events.trend_of_events",
    "forecast_error": "prediction.forecast_error.forecast_error",
    "stage_chances": "prediction.stage_chances.stage_chances",
    "calibration": "prediction.calibration.calibration",
}


def of_engine(metric: str) -> Callable[..., MetricResult]:
    path, _, name = PLACES[metric].rpartition(".")
    found: Callable[..., MetricResult] = getattr(import_module(f"{HOME}.{path}"), name)
    return found


def facts_of(history: History) -> Facts:
    return facts_of_rows(history.rows, history.pipeline, actors=history.actors, kinds=history.kinds)


def facts_of_rows(
    given: Sequence[Row],
    steps: Sequence[Step],
    *,
    actors: Mapping[int, str] | None = None,
    kinds: Mapping[int, str] | None = None,
) -> Facts:
    columns = {name: [getattr(row, name) for row in given] for name in Row._fields}
    columns["value"] = [None if value is None else str(value) for value in columns["value"]]
    types = {
        "id": pl.String,
        "at": pl.Int64,
        "field": pl.String,
        "value": pl.String,
        "op": pl.String,
        "seq": pl.UInt32,
    }
    rows = pl.DataFrame(columns, schema=types)
    commits = rows.group_by("seq").agg(pl.col("at").first()).sort("seq")
    told = commits.with_columns(
        who=pl.Series([(actors or {}).get(seq, "sync") for seq in commits["seq"]], dtype=pl.String),
        kind=pl.Series([(kinds or {}).get(seq, "set") for seq in commits["seq"]], dtype=pl.String),
    )
    pipeline = Pipeline(
        tuple(
            Stage(each.name, Kind(each.kind), each.chance, each.rot_days, each.category)
            for each in steps
        )
    )
    return folded(rows, Schema.standard(), pipeline, commits=told, pipelines=[(0, pipeline)])


def past(
    facts: Facts, as_of: date, by: Sequence[str], where: Filter | None, **options: Any
) -> Past:
    return past_of(
        facts, as_of=as_of, by=list(by), where=None if where is None else where[0], **options
    )


def same(ours: Any, theirs: Any, *, exact: bool = True) -> bool:
    """Equal values; floats to the last bit, but where a square root is in them."""
    if isinstance(theirs, datetime) and isinstance(ours, int):
        return ours == round(theirs.timestamp() * 1000)
    if isinstance(ours, Decimal) or isinstance(theirs, Decimal):
        return ours is not None and theirs is not None and Decimal(ours) == Decimal(theirs)
    if isinstance(ours, float) and isinstance(theirs, float) and not exact:
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12)
    return bool(ours == theirs)


def difference(
    answer: Answer,
    result: MetricResult,
    *,
    keys: Sequence[str],
    exact: bool = True,
    ordered: bool = True,
) -> str:
    """The first place where two tables are not the same, or nothing."""
    ours, theirs = answer.rows, result.to_dicts()
    if not ours and not theirs:
        return ""
    names = [name for name in keys if name in (ours or theirs)[0]]
    if not ordered:
        ours, theirs = (
            sorted(rows, key=lambda row: [str(row.get(name)) for name in names])
            for rows in (ours, theirs)
        )
    places = [[tuple(row.get(key) for key in names) for row in rows] for rows in (ours, theirs)]
    if places[0] != places[1]:
        return f"rows of the oracle {places[0]}, of the engine {places[1]}"
    for place, row, other in zip(places[0], ours, theirs, strict=True):
        lacking = [name for name in row if name not in other]
        if lacking:
            return f"the engine has no columns {lacking}; it has {list(other)}"
        for name, value in row.items():
            if not same(value, other[name], exact=exact):
                return f"{place} {name}: oracle {value!r}, engine {other[name]!r}"
    return ""


def lines_differ(answer: Answer, result: MetricResult, *, keys: Sequence[str]) -> str:
    """The same of who counts in which row."""
    theirs = Counter(tuple(row[name] for name in keys if name in row) for row in result.to_dicts())
    if theirs == answer.lines:
        return ""
    more, fewer = theirs - answer.lines, answer.lines - theirs
    return f"lines of the oracle alone {dict(fewer)}, of the engine alone {dict(more)}"
