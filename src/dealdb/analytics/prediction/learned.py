"""The chain of stages of a pipeline, learned from visits, and the open deals that stand in it."""

from __future__ import annotations

import polars as pl

from dealdb.analytics.calendar.zone import DAY_MS
from dealdb.analytics.estimates.chain import Chain
from dealdb.analytics.history.past import Past
from dealdb.analytics.history.spans import EXITED, OPEN
from dealdb.analytics.prediction.ends import LOST, WON, kinds, open_stages


def chain_of(past: Past, spans: pl.DataFrame) -> Chain:
    """Chain of the open stages, learned from visits as ``ends.visits`` has them."""
    stages = open_stages(past.pipeline)
    places = pl.DataFrame(
        {"stage": stages, "_place": range(len(stages))},
        schema={"stage": pl.String, "_place": pl.Int64},
    )
    goals = kinds(past.pipeline).select(goal="stage", _cause="cause")
    named = places.rename({"stage": "goal", "_place": "_goal"})
    joined = (
        spans.join(places, on="stage")
        .join(named, on="goal", how="left")
        .join(goals, on="goal", how="left")
    )
    closed = pl.when(pl.col("_cause") == WON).then(len(stages)).when(pl.col("_cause") == LOST)
    goal = pl.coalesce("_goal", closed.then(len(stages) + 1))
    visits = joined.select(
        stage="_place",
        days=(pl.col("left").fill_null(past.moment) - pl.col("entered")) / DAY_MS,
        # to nowhere that is known: it was only watched so long
        goal=pl.when(pl.col("how") == EXITED).then(goal),
    )
    return Chain.learned(visits, len(stages))


def standing(past: Past, spans: pl.DataFrame) -> pl.DataFrame:
    """Open deals at ``as_of``: ``life``, ``stage``, ``_place`` of the stage, and ``age_days`` there."""
    stages = open_stages(past.pipeline)
    there = spans.filter(pl.col("how") == OPEN, pl.col("stage").is_in(stages))
    place = pl.col("stage").replace_strict(stages, range(len(stages)), return_dtype=pl.Int64)
    age = (past.moment - pl.col("entered")) / DAY_MS
    return there.select("life", "stage", _place=place, age_days=age)
