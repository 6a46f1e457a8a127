"""Figures of closed deals that several metrics share, so that they agree to the last digit."""

from __future__ import annotations

import polars as pl

from dealdb.analytics.conversion import Conversion
from dealdb.analytics.exact import mean, ratio
from dealdb.analytics.flags import HAS_MONEY, LOST, SIZE, WON, cycle_days, standing
from dealdb.analytics.options import Window
from dealdb.analytics.weights import lacks_chance
from dealdb.model.pipeline import Pipeline

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


def counts_of_levers(
    pipeline: Pipeline, window: Window, conversion: Conversion | None
) -> dict[str, pl.Expr]:
    """Which deals ``sized_n`` and ``cycle_n`` count, and ``unweighted`` of open ones, by the columns of deals."""
    stands = standing(pipeline, window)
    is_priced = conversion.has_rate(pipeline) if conversion else pl.lit(value=True)
    no_amount = pl.col("amount").is_null()
    return {
        "sized_n": stands["won"] & HAS_MONEY & is_priced,
        "cycle_n": stands["won"] & (pl.col("closed") >= pl.col("created")).fill_null(value=False),
        "blank": stands["open"] & no_amount,
        "unweighted": stands["open"] & (no_amount | (lacks_chance(pipeline) & is_priced)),
    }


def speed(n: pl.Series, win_rate: pl.Series, size: pl.Series, cycle: pl.Series) -> pl.Series:
    """Money per day: deals times win rate times mean size over cycle; null when the cycle is 0."""
    return ratio(n * win_rate * size, cycle)
