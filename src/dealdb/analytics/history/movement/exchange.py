"""A waterfall in one currency: the rate of each deal, and the value of the first end by the rate of then."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from dealdb.analytics.conversion import Conversion
from dealdb.analytics.history.money import priced
from dealdb.analytics.history.movement.ends import AFTER, BEFORE, after
from dealdb.analytics.history.past import Past

# what the columns of the value at the first end begin with, where that has a rate of its own
OPENED = "_2"
_CLOSED = ("won", "lost")


def exchanged(
    past: Past, deals: pl.DataFrame, changes: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """
    Deals and their changes with amounts in one currency, where one was asked for.

    One rate counts for all sides of a deal, that of the end, so that no change of its amount is one of the rates.

    Parameters
    ----------
    past
        The past, up to the end.
    deals
        Both ends of each deal, with ``_y``, where it stands at the second.
    changes
        Its changes in between.

    Returns
    -------
    tuple
        Both tables, with ``value`` and ``unpriced`` of each side: its amount, and whether that has no rate.
    """
    money = past.conversion
    if money is not None:
        day = money.day(pl.col("_y").is_in(_CLOSED), after("closed"))
        deals = deals.with_columns(_day=day)
        changes = changes.join(
            deals.select("id", "_day"), on="id", how="left", maintain_order="left"
        )
    return _sides(deals, money), _sides(changes, money)


def _sides(frame: pl.DataFrame, money: Conversion | None) -> pl.DataFrame:
    for side in (BEFORE, AFTER):
        frame = _priced(frame, money, side, side, pl.col("_day"))
    return frame


def _priced(
    frame: pl.DataFrame, money: Conversion | None, side: str, target: str, day: pl.Expr
) -> pl.DataFrame:
    value = f"{target}value"
    return priced(
        frame.with_columns(pl.col(f"{side}amount").alias(value)),
        money,
        day=day,
        amount=value,
        currency=f"{side}currency",
        mark=f"{target}unpriced",
    )


def opened_at(past: Past, deals: pl.DataFrame, first: int) -> pl.DataFrame:
    """Deals with the value of the first end by the rate of the day before it, and ``unpriced`` for that."""
    if past.convert is None:
        return deals
    money = replace(past.convert, as_of=past.zone.day_of_moment(first - 1))
    # what counts of the first end is what was open then
    day = money.day(pl.lit(value=False), pl.lit(None, pl.Date))
    return _priced(deals, money, BEFORE, OPENED, day)
