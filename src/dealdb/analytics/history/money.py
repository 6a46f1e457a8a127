"""Money of history in one currency: what each deal is worth by the rate of its day, and what could not be told."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any

import polars as pl

from dealdb.analytics.conversion import Conversion, converted, to_cents, unpriced_notes
from dealdb.analytics.exact import from_units
from dealdb.analytics.flags import UNPRICED

MARK = "_unpriced"
# an amount that nobody has entered; one that could not be converted is counted by itself
BLANK = pl.col("value").is_null() & ~UNPRICED
# the bucket of what rates alone moved
FX = "fx"
_CENTS = 2
# columns of a result whose money was converted
COLUMNS = ("unpriced", "rates_until")


def priced(
    deals: pl.DataFrame,
    conversion: Conversion | None,
    *,
    day: pl.Expr | None,
    amount: str = "amount",
    currency: str = "currency",
    mark: str = MARK,
) -> pl.DataFrame:
    """
    Deals with their amounts in one currency, null and marked where there is no rate; as they are without one.

    Parameters
    ----------
    deals
        Columns ``amount`` and ``currency``, by the names given.
    conversion
        What money is converted to, or None.
    day
        The day whose rate counts; not read without a conversion.
    amount, currency, mark
        Names of the columns; the last one is added.

    Examples
    --------
    >>> from datetime import date
    >>> deals = pl.DataFrame({"amount": [Decimal("2.00")], "currency": ["USD"]})
    >>> priced(deals, None, day=None).to_dicts()
    [{'amount': Decimal('2.00'), 'currency': 'USD', '_unpriced': False}]
    """
    if conversion is None or day is None:
        return deals.with_columns(pl.lit(value=False).alias(mark))
    found = converted(
        deals.select(amount=amount, currency=currency, day=day), conversion.rates, conversion.to
    )
    return deals.with_columns(found["value"].alias(amount), found["unpriced"].alias(mark))


def with_unpriced(
    table: pl.DataFrame,
    lines: pl.DataFrame,
    conversion: Conversion,
    *,
    keys: Sequence[str],
    rows: Sequence[str],
) -> pl.DataFrame:
    """
    A table with the currency of its money, and how many lines of each row have no rate.

    Parameters
    ----------
    table
        Columns ``keys`` and ``rows`` and the figures; with ``unpriced`` where the metric counts these by itself.
    lines
        The deals of each row, by the same columns.
    conversion
        What the money was converted to.
    keys, rows
        Columns that tell the rows apart.
    """
    by = [*keys, *rows]
    if "unpriced" not in table.columns:
        without = lines.filter(MARK)
        n = pl.len().cast(pl.UInt32)
        if by:
            counts = without.group_by(by).agg(unpriced=n)
            table = table.join(
                counts, on=by, how="left", nulls_equal=True, maintain_order="left"
            ).with_columns(pl.col("unpriced").fill_null(0))
        else:
            number = without.select(n).item()
            table = table.with_columns(unpriced=pl.lit(number, pl.UInt32))
    return table.with_columns(
        # groups by the deals' own currencies keep these
        *([] if "currency" in keys else [pl.lit(conversion.to).alias("currency")]),
        rates_until=pl.lit(conversion.until, pl.Date),
    )


def in_one(
    tables: tuple[pl.DataFrame, pl.DataFrame],
    lines: pl.DataFrame,
    conversion: Conversion,
    groups: Sequence[pl.Expr],
    figures: Sequence[str],
    *,
    keys: Sequence[str],
    rows: Sequence[str],
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """
    Tables ``with_unpriced``: the first one rounded to cents, the second one as it is.

    Parameters
    ----------
    tables
        The same one twice, or one that balances in cents and what it was made of.
    lines, conversion, keys, rows
        As for ``with_unpriced``.
    groups, figures
        What is told besides the rows, the currency and its rates.
    """
    also = [name for name in ("currency", *COLUMNS) if name not in keys]
    rounded, exact = (
        with_unpriced(each, lines, conversion, keys=keys, rows=rows).select(
            *groups, *rows, *figures, *also
        )
        for each in tables
    )
    return to_cents(rounded), exact


def said_of(lines: pl.DataFrame, conversion: Conversion) -> dict[str, int]:
    """How many deals of lines have no rate, by the text that names their currency."""
    if MARK not in lines.columns:
        return {}
    each = lines.filter(MARK).unique([_deal(lines), "currency"])
    return unpriced_notes(each, pl.lit(value=True), conversion.to)


def in_cents(totals: dict[str, Any]) -> dict[str, Any]:
    """
    Totals whose money is rounded, half to even.

    Examples
    --------
    >>> in_cents({"low": Decimal("0.125"), "n": 1})
    {'low': Decimal('0.12'), 'n': 1}
    """
    names = [name for name, value in totals.items() if isinstance(value, Decimal)]
    return {
        **totals,
        **{name: to_cents(pl.DataFrame({name: [totals[name]]})).item() for name in names},
    }


def balanced(
    table: pl.DataFrame,
    keys: Sequence[str],
    adds: Collection[str],
    *,
    ends: Sequence[str] = ("start", "end"),
) -> pl.DataFrame:
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
        Buckets that add; the others take away, and the last of ``ends`` is what is left.
    ends
        Buckets that are always rounded by themselves.

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
        _is_open=~pl.col("bucket").is_in(list(ends)) & (exact != 0),
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


def _deal(lines: pl.DataFrame) -> str:
    return "id" if "id" in lines.columns else "life"
