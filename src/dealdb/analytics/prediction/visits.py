"""Visits of deals to stages: when each began and ended, where it led to, and when the deal closed."""

from __future__ import annotations

import polars as pl

from dealdb.model.pipeline import Kind, Pipeline
from dealdb.store.facts.facts import Facts

DAY_MS = 86_400_000
OPEN, EXITED, DELETED = "open", "exited", "deleted"


def visits(facts: Facts, until: int) -> pl.DataFrame:
    """
    Visits as they were just before a moment: a row for each time that a deal came into a stage.

    Returns
    -------
    DataFrame
        ``life``, ``stage``, ``entered`` and ``left`` (milliseconds; null where it stands there at ``until``) and
        ``how``: ``"exited"``, ``"deleted"`` or ``"open"``; by life and moment.
    """
    stages = facts.of("stage").filter(pl.col("at") < until)
    following = pl.col("at").shift(-1).over("life")
    ends = facts.lives.select("life", _end=pl.when(pl.col("end") < until).then("end"))
    spans = stages.with_columns(_next=following).join(
        ends, on="life", how="left", maintain_order="left"
    )
    how = (
        pl.when(pl.col("_next").is_not_null())
        .then(pl.lit(EXITED))
        .when(pl.col("_end").is_not_null())
        .then(pl.lit(DELETED))
        .otherwise(pl.lit(OPEN))
    )
    left = pl.coalesce("_next", "_end")
    return spans.select("life", stage="value", entered="at", left=left, how=how).filter(
        pl.col("stage").is_not_null()
    )
