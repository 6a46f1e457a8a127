"""Figures of closed deals that several metrics share, so that they agree to the last digit."""

from __future__ import annotations

import polars as pl

from dealdb.analytics.exact import mean, ratio
from dealdb.analytics.flags import LOST, SIZE, WON, cycle_days

# what the figures read besides the flags
READS = (SIZE, cycle_days(WON))

# sums of a group; none has a name that a group may have
SUMS = {
    "_n": (WON | LOST).sum(),
    "_won": WON.sum(),
    "_lost": LOST.sum(),
    "_won_value": pl.col("_size").sum(),
    "_sized": pl.col("_size").count(),
    "_dated": pl.col("_days").count(),
    "_days": pl.col("_days").cast(pl.Int64).sum(),
}


def levers(table: pl.DataFrame, *, cycle: str = "cycle_days") -> dict[str, pl.Series]:
    """
    Numbers of deals, won value, win rate, mean size of won deals, and their mean cycle, from the sums.

    Parameters
    ----------
    table
        The sums of each group.
    cycle
        Name of the mean cycle.
    """
    return {
        **{name: table[f"_{name}"] for name in ("n", "won", "lost", "won_value")},
        "win_rate": ratio(table["_won"], table["_n"]),
        "mean_size": mean(table["_won_value"], table["_sized"]),
        cycle: ratio(table["_days"], table["_dated"]),
        "sized_n": table["_sized"],
        "cycle_n": table["_dated"],
    }


def speed(n: pl.Series, win_rate: pl.Series, size: pl.Series, cycle: pl.Series) -> pl.Series:
    """Money per day: deals times win rate times mean size over cycle; null when the cycle is 0."""
    return ratio(n * win_rate * size, cycle)
