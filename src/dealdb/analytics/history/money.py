"""Money of history in one currency: what each deal is worth by the rate of its day, and what could not be told."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import polars as pl

from dealdb.analytics.conversion import Conversion, converted, to_cents, unpriced_notes
from dealdb.analytics.flags import UNPRICED

MARK = "_unpriced"
# an amount that nobody has entered; one that could not be converted is counted by itself
BLANK = pl.col("value").is_null() & ~UNPRICED
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
    A table with money in cents, its currency, and how many deals of each row have no rate.

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
        n = pl.col(_deal(lines)).n_unique().cast(pl.UInt32)
        if by:
            counts = without.group_by(by).agg(unpriced=n)
            table = table.join(
                counts, on=by, how="left", nulls_equal=True, maintain_order="left"
            ).with_columns(pl.col("unpriced").fill_null(0))
        else:
            number = without.select(n).item()
            table = table.with_columns(unpriced=pl.lit(number, pl.UInt32))
    return to_cents(table).with_columns(
        # groups by the deals' own currencies keep these
        *([] if "currency" in keys else [pl.lit(conversion.to).alias("currency")]),
        rates_until=pl.lit(conversion.until, pl.Date),
    )


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


def _deal(lines: pl.DataFrame) -> str:
    return "id" if "id" in lines.columns else "life"
