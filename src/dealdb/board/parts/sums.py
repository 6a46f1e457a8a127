"""Sums and means of amounts, a line for each currency."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl

from dealdb.model.decimals import number_of

if TYPE_CHECKING:
    from dealdb.query import QueryEngine


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencySum:
    """
    Amounts of one currency.

    Attributes
    ----------
    currency
        Its code; None for deals without one.
    n
        Deals with an amount.
    total
        Their sum, exact.
    """

    currency: str | None
    n: int
    total: Decimal

    @property
    def mean(self) -> Decimal:
        """The sum by the number of deals, to two digits behind the point."""
        return round(self.total / self.n, 2)


def sums_of(query: QueryEngine, where: str | None, known: set[str]) -> list[CurrencySum]:
    """
    Sums of the amounts that a filter keeps, the largest number of deals first; deals without an amount count nowhere.

    Parameters
    ----------
    query
        The deals.
    where
        The filter.
    known
        Names of their columns.

    Examples
    --------
    >>> from dealdb.query import QueryEngine
    >>> rows = [
    ...     {"amount": Decimal(5), "currency": "EUR"},
    ...     {"amount": Decimal(7), "currency": "USD"},
    ... ]
    >>> [
    ...     (each.currency, each.total)
    ...     for each in sums_of(QueryEngine.over(rows), None, {"amount", "currency"})
    ... ]
    [('EUR', Decimal('5')), ('USD', Decimal('7'))]
    """
    if "amount" not in known:
        return []
    names = [name for name in ("amount", "currency") if name in known]
    kept = query.find(where, columns=names)
    if "currency" not in known:
        kept = kept.with_columns(currency=pl.lit(None, pl.String))
    amounts = pl.col("amount")
    found = (
        kept.filter(amounts.is_not_null())
        .group_by("currency")
        .agg(n=amounts.len(), total=amounts.sum())
        .sort("n", "currency", descending=[True, False])
    )
    return [
        CurrencySum(currency=currency, n=n, total=number_of(total) or Decimal(0))
        for currency, n, total in found.rows()
    ]
