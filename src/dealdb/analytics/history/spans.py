"""Visits of deals to stages: from entering one until the next change of the stage."""

from __future__ import annotations

import polars as pl

from dealdb.model.pipeline import Pipeline
from dealdb.store.facts.facts import Facts

# how a visit ended
EXITED, DELETED, OPEN = "exited", "deleted", "open"
_WAYS = pl.Enum([EXITED, DELETED, OPEN])


def stage_spans(facts: Facts, moment: int, pipeline: Pipeline | None = None) -> pl.DataFrame:
    """
    Visits that had begun before a moment.

    Parameters
    ----------
    facts
        The facts.
    moment
        The moment.
    pipeline
        Its stages are the categories of both columns of stages, null for others; None for texts.

    Returns
    -------
    polars.DataFrame
        ``life``, ``stage``, ``before`` (the stage that it came from, or null), ``entered``, ``left`` (null while it
        stands there) and ``how``: ``"exited"``, ``"deleted"`` or ``"open"``; sorted by life and ``entered``. A time
        without a stage is no visit.
    """
    changes = (
        facts.of("stage")
        .lazy()
        .filter(pl.col("at") < moment)
        .select("life", "at", "value", _is_set=pl.col("value").is_not_null())
    )
    if pipeline is not None:
        names = pl.Enum([stage.name for stage in pipeline])
        changes = changes.with_columns(pl.col("value").cast(names, strict=False))
    ends = facts.lives.select(pl.when(pl.col("end") < moment).then("end").alias("end")).to_series()
    # rows of a life stand together, so that a look at the neighbour is quicker than a window over each life
    follows, goes_on = (pl.col("life") == pl.col("life").shift(step) for step in (1, -1))
    spans = (
        changes.with_columns(
            before=pl.when(follows).then(pl.col("value").shift(1)),
            _next=pl.when(goes_on).then(pl.col("at").shift(-1)),
        )
        .filter("_is_set")
        .collect()
    )
    how = (
        pl.when(pl.col("_next").is_not_null())
        .then(pl.lit(EXITED, _WAYS))
        .when(pl.col("end").is_not_null())
        .then(pl.lit(DELETED, _WAYS))
        .otherwise(pl.lit(OPEN, _WAYS))
    )
    return spans.with_columns(ends.gather(spans["life"])).select(
        "life",
        "before",
        stage="value",
        entered="at",
        left=pl.coalesce("_next", "end"),
        how=how,
    )
