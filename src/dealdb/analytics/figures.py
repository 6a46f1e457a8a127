"""Figures of closed deals that several metrics share, so that they agree to the last digit."""

from __future__ import annotations

import polars as pl

from dealdb.analytics.deals import LOST, SIZE, WON, cycle_days
from dealdb.analytics.exact import mean, ratio

# what the figures read beside the flags
READS = (SIZE, cycle_days(WON))

# sums of a group; the underscored ones are only there to be divided by
SUMS = {
    "n": (WON | LOST).sum(),
    "won": WON.sum(),
    "lost": LOST.sum(),
    "won_value": pl.col("_size").sum(),
    "_sized": pl.col("_size").count(),
    "_dated": pl.col("_days").count(),
    "_days": pl.col("_days").cast(pl.Int64).sum(),
}


def win_rate() -> pl.Expr:
    """Won deals over closed deals."""
    return ratio(pl.col("won"), pl.col("n"))


def mean_size(scale: int) -> pl.Expr:
    """Won value over the won deals that have an amount."""
    return mean(pl.col("won_value"), pl.col("_sized"), scale=scale)


def mean_cycle() -> pl.Expr:
    """Days from creation to closing over the won deals that have both dates in order."""
    return ratio(pl.col("_days"), pl.col("_dated"))


def speed(n: str, size: str, cycle: str) -> pl.Expr:
    """Money per day: deals times win rate times mean size over cycle; null when the cycle is 0."""
    return ratio(pl.col(n) * pl.col("win_rate") * pl.col(size), pl.col(cycle))
