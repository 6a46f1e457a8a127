"""
Sources with one close date: the actual day of deals that are won or lost, and the planned one of open deals.

As in loads, ``closed`` is cleared when a deal is opened again, and ``expected_close`` stays as it was at closing.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from dealdb.loader.history.changes import AUTOMATIC, CLOSE_DATE
from dealdb.loader.history.rows.history_table import ROW
from dealdb.loader.history.rows.moments import day_of

_LIFE = ("id", "life")
_BESIDE = (ROW, "precision", "who", "source", "key")


def split_close_dates(
    facts: pl.DataFrame, closed_stages: Collection[str], crm: str, zone: str
) -> pl.DataFrame:
    """
    Facts with ``closed`` and ``expected_close`` in place of the close date.

    A day that the program has set by itself when a deal was closed has a source that ends in ``:automatic``.

    Parameters
    ----------
    facts
        Facts in order, with ``life``: the number of deletions before.
    closed_stages
        Stages that are won or lost.
    crm
        Program that they come from.
    zone
        In which its days are.
    """
    is_date = pl.col("field") == CLOSE_DATE
    if not facts.select(is_date.any()).item():
        return facts
    states = _states(facts, closed_stages)
    states = states.with_columns(_source(crm, zone).alias("source"))
    actual = pl.when("closed").then(pl.col("date")).otherwise(pl.lit(""))
    found = [
        _changed(states.with_columns(actual.alias("value")), "closed"),
        _changed(
            states.filter(~pl.col("closed")).with_columns(pl.col("date").alias("value")),
            "expected_close",
        ),
    ]
    return pl.concat([facts.filter(~is_date), *found], how="diagonal_relaxed")


def _states(facts: pl.DataFrame, closed_stages: Collection[str]) -> pl.DataFrame:
    """Stage and date of each deal after each moment at which one of them changed; an empty text is none."""
    is_date, is_stage = pl.col("field") == CLOSE_DATE, pl.col("field") == "stage"
    changes = facts.filter((is_date | is_stage) & pl.col("op").is_in(("set", "clear", "unknown")))
    stages, dates = (
        changes.filter(which)
        .unique([*_LIFE, "at"], keep="last", maintain_order=True)
        .select(*_LIFE, "at", pl.col("value").fill_null("").alias(name), *_BESIDE)
        for which, name in ((is_stage, "stage"), (is_date, "date"))
    )
    states = stages.join(dates, on=[*_LIFE, "at"], how="full", coalesce=True, suffix=" date")
    states = states.sort(*_LIFE, "at").with_columns(
        pl.when(pl.col("date").is_null()).then(name).otherwise(f"{name} date").alias(name)
        for name in _BESIDE
    )
    states = states.with_columns(
        (pl.col("stage").is_not_null() & pl.col("date").is_not_null()).alias("both"),
        pl.col("stage", "date").forward_fill().over(_LIFE),
    )
    closed = pl.col("stage").is_in(list(closed_stages)).fill_null(value=False)
    return states.filter(pl.col("date").is_not_null()).with_columns(closed.alias("closed"))


def _source(crm: str, zone: str) -> pl.Expr:
    if crm == "hubspot":
        by_itself = pl.col("both")
    elif crm == "salesforce":
        # the day of closing, where a later one was planned
        by_itself = (
            pl.col("both") & pl.col("closed") & (pl.col("date") == day_of(pl.col("at"), zone))
        )
    else:
        by_itself = pl.lit(value=False)
    moved = by_itself & pl.col("date").shift(1).over(_LIFE).is_not_null()
    mark = pl.lit(f"{crm}:{AUTOMATIC}")
    return pl.when(moved.fill_null(value=False)).then(mark).otherwise(pl.col("source"))


def _changed(states: pl.DataFrame, field: str) -> pl.DataFrame:
    """Facts of the values that differ from those before."""
    before = pl.col("value").shift(1).over(_LIFE).fill_null("")
    kept = states.filter(pl.col("value") != before)
    cleared = pl.col("value") == ""
    # one change of the source may be two facts
    key = pl.col("key").str.replace(r":[^:]*$", "") + pl.lit(f":{field}")
    return kept.select(
        *_LIFE, "at", *(name for name in _BESIDE if name != "key"),
        key.alias("key"),
        pl.lit(field).alias("field"),
        pl.when(~cleared).then(pl.col("value")).alias("value"),
        pl.when(cleared).then(pl.lit("clear")).otherwise(pl.lit("set")).alias("op"),
        pl.lit(0, dtype=pl.Int64).alias("order"),
        pl.lit(value=True).alias("decided"),
        pl.lit(value=True).alias("derived"),
    )  # fmt: skip
