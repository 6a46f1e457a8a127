"""A waterfall in one currency: the rate of each deal, what rates alone moved, and cents that still balance."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import polars as pl

from dealdb.analytics.conversion import Conversion, to_cents
from dealdb.analytics.exact import from_units
from dealdb.analytics.history.days import day_of_ms
from dealdb.analytics.history.money import priced
from dealdb.analytics.history.movement.ends import AFTER, BEFORE, after
from dealdb.analytics.history.past import Past

FX = "fx"
# what the columns of the value at the first end begin with, where that has a rate of its own
OPENED = "_2"
_CLOSED = ("won", "lost")
_CENTS = 2


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
    money = replace(past.convert, as_of=day_of_ms(first - 1, past.zone))
    # what counts of the first end is what was open then
    day = money.day(pl.lit(value=False), pl.lit(None, pl.Date))
    return _priced(deals, money, BEFORE, OPENED, day)


def balanced(table: pl.DataFrame, keys: Sequence[str], adds: Collection[str]) -> pl.DataFrame:
    """
    Table of buckets with values in cents that balance as the exact ones do.

    Each is rounded half to even. Where these miss the balance by some cents, ``fx`` takes them, and without it those
    buckets between the ends that are nearest to being rounded the other way.

    Parameters
    ----------
    table
        Columns ``bucket`` and ``value``, exact, of each group.
    keys
        Columns of the groups.
    adds
        Buckets that add to what is open; ``end`` is what is left, and the others take from it.

    Examples
    --------
    >>> from decimal import Decimal
    >>> values = [Decimal(x) for x in ("0.004", "0.004", "0.008")]
    >>> table = pl.DataFrame({"bucket": ["start", "up", "end"], "value": values})
    >>> [str(each) for each in balanced(table, [], ["start", "up"])["value"]]
    ['0.00', '0.01', '0.01']
    """
    rounded = to_cents(table.select("value"))["value"]
    scale = table.schema["value"].scale  # type: ignore[attr-defined]
    if scale <= _CENTS:
        return table.with_columns(rounded)
    group = [pl.col(key) for key in keys] or [pl.lit(0)]
    sign = pl.when(pl.col("bucket").is_in(list(adds))).then(1).otherwise(-1).cast(pl.Int128)
    exact, cents = pl.col("value").to_physical(), pl.col("_cents")
    told = table.with_columns(rounded.to_physical().alias("_cents"), _sign=sign).with_columns(
        _off=pl.col("_sign") * (cents * pl.lit(10 ** (scale - _CENTS), pl.Int128) - exact),
        _rest=(pl.col("_sign") * cents).sum().over(group),
        _is_open=~pl.col("bucket").is_in(["start", "end"]) & (exact != 0),
    )
    is_fx = (pl.col("bucket") == FX) & pl.col("_is_open")
    rest, side = pl.col("_rest"), pl.col("_rest").sign()
    # those whose rounding went furthest in the direction of what is too much
    order = pl.when("_is_open").then(-(side * pl.col("_off")).cast(pl.Float64))
    told = told.with_columns(
        _nth=order.rank("ordinal").over(group), _has_fx=is_fx.any().over(group)
    )
    takes = (
        pl.when("_has_fx")
        .then(pl.when(is_fx).then(rest).otherwise(0))
        .otherwise(pl.when(pl.col("_nth") <= rest.abs()).then(side).otherwise(0))
    )
    settled = told.with_columns(_cents=cents - pl.col("_sign") * takes)
    return settled.with_columns(value=from_units(pl.col("_cents"), scale=_CENTS)).select(
        table.columns
    )
