"""
A status beside the stage, as Pipedrive has it: open, won, lost or deleted.

There a deal that is won keeps the stage that it was in. Here the stage gives the outcome, as in loads.
"""

from __future__ import annotations

import polars as pl

from dealdb.loader.history.changes import STATUS
from dealdb.loader.history.rows.history_table import ROW
from dealdb.loader.history.rows.moments import day_of

_BESIDE = (ROW, "at", "precision", "who", "source", "key")
_OUTCOMES = ("won", "lost")


def with_outcomes(
    facts: pl.DataFrame, names: tuple[str, str], zone: str, opening: int
) -> pl.DataFrame:
    """
    Facts with outcomes in the stages, and with the day of closing, in place of statuses.

    Parameters
    ----------
    facts
        Facts, those of one moment by ``order``.
    names
        Stages of deals that are won and of those that are lost.
    zone
        In which the day of closing is.
    opening
        The moment of facts that hold since creation, of which no day is known.
    """
    if not facts.select((pl.col("field") == STATUS).any()).item():
        return facts
    states = _states(facts, names)
    is_own = pl.col("field").is_in((STATUS, "stage"))
    parts = [facts.filter(~is_own), _stages(states), _closings(states, zone, opening)]
    return pl.concat(_with_deletions(parts, states), how="diagonal_relaxed")


def _states(facts: pl.DataFrame, names: tuple[str, str]) -> pl.DataFrame:
    """Stage and status of each deal after each moment at which one of them changed."""
    is_status, is_stage = pl.col("field") == STATUS, pl.col("field") == "stage"
    ordered = facts.sort("id", "at", "order", maintain_order=True)
    stages, statuses = (
        ordered.filter(which)
        .unique(["id", "at"], keep="last", maintain_order=True)
        .select("id", *_BESIDE, pl.col("value").fill_null("").alias(name))
        for which, name in ((is_stage, "stage"), (is_status, "status"))
    )
    states = stages.join(statuses, on=["id", "at"], how="full", coalesce=True, suffix=" status")
    states = states.sort("id", "at").with_columns(
        pl.col("status").str.to_lowercase(),
        *(
            pl.when(pl.col("status").is_null()).then(name).otherwise(f"{name} status").alias(name)
            for name in _BESIDE
            if name != "at"
        ),
    )
    filled = pl.col("stage", "status").forward_fill().over("id")
    states = states.with_columns(filled).with_columns(pl.col("status").fill_null("open"))
    # a deal that is deleted keeps what it was
    outcome = pl.when(pl.col("status") != "deleted").then(pl.col("status"))
    states = states.with_columns(
        outcome.forward_fill().over("id").fill_null("open").alias("outcome")
    )
    won, lost = (pl.lit(name) for name in names)
    shown = (
        pl.when(pl.col("outcome") == "won").then(won)
        .when(pl.col("outcome") == "lost").then(lost)
        .otherwise(pl.col("stage"))
    )  # fmt: skip
    return states.with_columns(
        shown.alias("shown"),
        pl.col("outcome").shift(1).over("id").fill_null("open").alias("outcome before"),
        pl.col("status").shift(1).over("id").fill_null("open").alias("status before"),
    ).with_columns(pl.col("shown").shift(1).over("id").alias("shown before"))


def _stages(states: pl.DataFrame) -> pl.DataFrame:
    changed = states.filter(pl.col("shown").ne_missing(pl.col("shown before")))
    shown = pl.col("shown")
    # opened again, in a stage that the changes don't say
    op = (
        pl.when(shown.is_null()).then(pl.lit("unknown"))
        .when(shown == "").then(pl.lit("clear"))
        .otherwise(pl.lit("set"))
    )  # fmt: skip
    facts = _facts(changed, "stage", pl.when(shown != "").then(shown), op)
    # what won and lost deals are in is called by the pipeline
    return facts.with_columns(changed["outcome"].is_in(_OUTCOMES).alias("derived"))


def _closings(states: pl.DataFrame, zone: str, opening: int) -> pl.DataFrame:
    changed = states.filter(
        (pl.col("outcome") != pl.col("outcome before")) & (pl.col("at") != opening)
    )
    is_closed = pl.col("outcome").is_in(_OUTCOMES)
    day = pl.when(is_closed).then(day_of(pl.col("at"), zone))
    op = pl.when(is_closed).then(pl.lit("set")).otherwise(pl.lit("clear"))
    return _facts(changed, "closed", day, op)


def _with_deletions(parts: list[pl.DataFrame], states: pl.DataFrame) -> list[pl.DataFrame]:
    """Facts with deletions, and with all values again where a deal was restored."""
    is_gone, was_gone = pl.col("status") == "deleted", pl.col("status before") == "deleted"
    ends = _facts(
        states.filter(is_gone & ~was_gone), "", pl.lit(None, dtype=pl.String), pl.lit("delete")
    )
    back = states.filter(was_gone & ~is_gone)
    facts = pl.concat(parts, how="diagonal_relaxed")
    if back.is_empty():
        return [facts, ends]
    returns = back.select("id", *(pl.col(name).alias(f"back {name}") for name in _BESIDE))
    known = facts.join(returns, on="id").filter(pl.col("at") <= pl.col("back at"))
    last = known.sort("at", "order", maintain_order=True).group_by(
        "id", "back at", "field", maintain_order=True
    )
    again = last.last().filter((pl.col("op") == "set") & (pl.col("at") < pl.col("back at")))
    again = again.with_columns(pl.col(f"back {name}").alias(name) for name in _BESIDE)
    return [facts, ends, again.select(facts.columns)]


def _facts(states: pl.DataFrame, field: str, value: pl.Expr, op: pl.Expr) -> pl.DataFrame:
    return states.select(
        "id", *_BESIDE,
        pl.lit(field).alias("field"),
        value.alias("value"),
        op.alias("op"),
        pl.lit(0, dtype=pl.Int64).alias("order"),
        pl.lit(value=True).alias("decided"),
    )  # fmt: skip
