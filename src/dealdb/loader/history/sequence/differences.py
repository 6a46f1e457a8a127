"""Facts of states and of changes: differences between the rows of a deal, and what was before the first of them."""

from __future__ import annotations

import polars as pl

from dealdb.loader.history.changes import GONE
from dealdb.loader.history.facts_read import END_OPS
from dealdb.loader.history.rows.history_table import ROW
from dealdb.loader.history.sequence.order import chained

# moment of what holds since a creation of which nobody knows when it was
OPENING = -(2**62)


def aged(frame: pl.DataFrame) -> pl.DataFrame:
    """States in which the first of a deal is as old as the source says, and deletions of what it shows as deleted."""
    first = pl.col("at") == pl.col("at").min().over("id")
    is_older = first & pl.col("begin").is_not_null() & (pl.col("begin") < pl.col("at"))
    rows = frame.filter(pl.col("op") == GONE).unique(ROW, keep="first", maintain_order=True)
    every = frame.unique(ROW, keep="first", maintain_order=True).sort("at", ROW)
    is_gone = pl.col("op") == GONE
    again = every.with_columns(
        (is_gone & is_gone.shift(1).over("id")).fill_null(value=False).alias("x")
    )
    known = again.filter(pl.col("x"))[ROW].implode()
    ends = rows.filter(~pl.col(ROW).is_in(known)).with_columns(
        pl.lit("delete").alias("op"),
        pl.lit("").alias("field"),
        pl.lit(None, dtype=pl.String).alias("value"),
        pl.lit(None, dtype=pl.String).alias("key"),
    )
    states = frame.filter(~(is_gone & pl.col(ROW).is_in(known))).with_columns(
        pl.when(is_older).then(pl.col("begin")).otherwise(pl.col("at")).alias("at"),
        # only the first state is sure to be as old as that
        pl.when(is_older).then(pl.col("source").str.replace(":.*", "")).otherwise(pl.col("source"))
        .alias("source"),
        pl.when(is_gone & pl.col("value").is_null()).then(pl.lit("clear"))
        .when(is_gone).then(pl.lit("set")).otherwise(pl.col("op")).alias("op"),
    )  # fmt: skip
    return pl.concat([states, ends])


def differences(states: pl.DataFrame) -> pl.DataFrame:
    """Facts of states: the values that differ from those of the state before."""
    is_end = pl.col("op").is_in(END_OPS)
    states = states.sort("id", "at", is_end, "key", ROW, maintain_order=True)
    life = is_end.cast(pl.Int64).cum_sum().over("id") - is_end.cast(pl.Int64)
    states = states.with_columns(life.alias("life"))
    value, one = pl.col("value"), ("id", "life", "field")
    changed = value.ne_missing(value.shift(1).over(one))
    return states.filter(is_end | changed)


def chains(frame: pl.DataFrame, begins: pl.DataFrame) -> pl.DataFrame:
    """Facts of changes in their order, and of the values before the first of them."""
    facts = chained(frame).with_columns(pl.lit(value=True).alias("is_change"))
    first = facts.group_by("id", "field", maintain_order=True).first()
    known = begins.select("id", pl.col("at").alias("since"))
    opening = first.filter(pl.col("old").is_not_null()).join(known, on="id", how="left")
    opening = opening.filter(pl.col("since").is_null() | (pl.col("since") < pl.col("at")))
    nothing = pl.lit(None, dtype=pl.String)
    opening = opening.with_columns(
        pl.col("since").fill_null(OPENING).alias("at"),
        pl.col("old").alias("value"),
        pl.lit("set").alias("op"),
        pl.lit("s").alias("precision"),
        nothing.alias("who"),
        nothing.alias("key"),
        pl.lit(value=True).alias("decided"),
        pl.lit(value=False).alias("is_change"),
    )
    return pl.concat([facts, opening.select(facts.columns)], how="vertical_relaxed")
