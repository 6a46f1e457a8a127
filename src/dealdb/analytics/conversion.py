"""
Money of several currencies in one, exactly: each amount times the rate of its day, summed before anything is rounded.

A product of decimals is one of integers, which 128 bits hold; the sums are rounded once, to cents, half to even.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from dealdb.analytics.exact import column_scale, from_units
from dealdb.analytics.flags import UNPRICED, closed_stage
from dealdb.analytics.options import Day, day_of
from dealdb.errors import QueryError
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import MAX_DECIMAL_DIGITS

# columns of the rates, as they are loaded: units of the one currency for one unit of another, from a day on
RATES = {
    "date": pl.Date(),
    "currency": pl.String(),
    "rate": pl.Decimal(MAX_DECIMAL_DIGITS, 12),
}
# by the day on which a deal was closed, or on which open deals are judged; by the latter for all
RATE_DAYS = ("event", "as_of")
_CENTS = 2
# a float is off by less; nothing that is no bound of digits comes so close to one
_MARGIN = 0.99


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conversion:
    """
    What money is converted to, and by which rates.

    Attributes
    ----------
    to
        Currency of the result; its own rate is 1.
    rates
        Columns ``date``, ``currency`` and ``rate``: units of ``to`` for one unit of ``currency``, from that date to the
        next one of the currency.
    rate_day
        ``"event"``: the closing day of won and lost deals, ``as_of`` of open ones; ``"as_of"`` of all; or a date.
    as_of
        Day on which open deals are judged.

    Raises
    ------
    QueryError
        If an option can't be understood, or the rates are not to that currency.
    """

    to: str
    rates: pl.DataFrame
    rate_day: Day
    as_of: date

    def __post_init__(self) -> None:
        if not isinstance(self.to, str) or not self.to:  # type: ignore[redundant-expr]  # callers may be untyped
            msg = "to is a currency such as EUR"
            raise QueryError(msg)
        if self.rate_day not in RATE_DAYS:
            self._fixed_day()
        own = self.rates.filter(pl.col("currency") == self.to, pl.col("rate") != 1)
        if not own.is_empty():
            msg = f"the rates are to another currency than {self.to}: they have one for {self.to} itself that is not 1"
            raise QueryError(msg)

    @property
    def until(self) -> date | None:
        """The newest date of the rates."""
        newest: date | None = self.rates.select(pl.col("date").max()).item()
        return newest

    def _fixed_day(self) -> date | None:
        if isinstance(self.rate_day, str) and self.rate_day[:1].isalpha():
            msg = f"rate_day={self.rate_day[:40]!r} is not a choice: use event, as_of or a date"
            raise QueryError(msg)
        return day_of("rate_day", self.rate_day)

    def day(self, is_closed: pl.Expr, closed: pl.Expr) -> pl.Expr:
        """Day whose rate counts for each deal: of closed ones the day on which they were."""
        if self.rate_day == "event":
            return pl.when(is_closed).then(closed).otherwise(pl.lit(self.as_of))
        day = self.as_of if self.rate_day == "as_of" else self._fixed_day()
        return pl.lit(day, dtype=pl.Date)

    def has_rate(self, pipeline: Pipeline) -> pl.Expr:
        """Whether there is a rate for a deal, by its currency and its day."""
        day = self.day(closed_stage(pipeline), pl.col("closed"))
        own = pl.col("currency").cast(pl.String)
        found = own == self.to
        firsts = self.rates.group_by(pl.col("currency").cast(pl.String)).agg(pl.col("date").min())
        for currency, first in firsts.sort("currency").iter_rows():
            found = found | ((own == currency) & (day >= first))
        return found.fill_null(value=False)

    def of(self, frame: pl.DataFrame, pipeline: Pipeline) -> pl.DataFrame:
        """
        Deals with their amounts in ``to``, null and marked ``_unpriced`` where there is no rate.

        Parameters
        ----------
        frame
            One row a deal, standardised.
        pipeline
            Which stages are closed.
        """
        day = self.day(closed_stage(pipeline), pl.col("closed"))
        priced = converted(frame.select("amount", "currency", day=day), self.rates, self.to)
        return frame.with_columns(
            priced["value"].alias("amount"), priced["unpriced"].alias("_unpriced")
        )


def converted(deals: pl.DataFrame, rates: pl.DataFrame, to: str) -> pl.DataFrame:
    """
    Amounts in another currency, exactly.

    Parameters
    ----------
    deals
        ``amount`` (Decimal), ``currency``, and ``day``, whose rate counts.
    rates
        ``date``, ``currency`` and ``rate`` (Decimal): units of ``to`` for one unit, from that date to the next one.
    to
        The other currency; its own amounts stay as they are, whatever their day.

    Returns
    -------
    pl.DataFrame
        The deals in their order with ``value``, a decimal with the digits of amounts and rates together, and
        ``unpriced``: whether there is an amount, and no rate for it (a day before the first, no day, no currency).

    Raises
    ------
    QueryError
        If an exact product could have more than 38 digits.

    Source
    ------
    docs/metrics.md#several-currencies

    Examples
    --------
    >>> from decimal import Decimal
    >>> rates = pl.DataFrame(
    ...     {"date": [date(2026, 1, 1)], "currency": ["USD"], "rate": [Decimal("0.90")]}
    ... )
    >>> deals = pl.DataFrame(
    ...     {
    ...         "amount": [Decimal("0.05")] * 3,
    ...         "currency": ["USD"] * 3,
    ...         "day": [date(2026, 2, 1)] * 3,
    ...     }
    ... )
    >>> found = converted(deals, rates, "EUR")
    >>> found["value"].sum(), to_cents(found.select(pl.col("value").sum())).item()
    (Decimal('0.135'), Decimal('0.14'))
    """
    known, digits = _short(rates)
    own = pl.col("currency").cast(pl.String)
    pairs = deals.select(_currency=own, _day="day")
    priced = pairs.join(
        _rates_of(pairs.unique(), known, to, digits),
        on=["_currency", "_day"],
        how="left",
        nulls_equal=True,
        maintain_order="left",
    ).select("_rate", _units=deals["amount"].to_physical().cast(pl.Int128))
    scale = column_scale(deals["amount"]) + digits
    _check_room(priced, scale)
    product = pl.col("_units") * pl.col("_rate")
    found = priced.select(
        value=from_units(product, scale=scale),
        unpriced=pl.col("_units").is_not_null() & pl.col("_rate").is_null(),
    )
    return deals.with_columns(found)


def _short(rates: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Rates as integers, in as few digits after the point as they need."""
    scale = column_scale(rates["rate"])
    units = pl.col("rate").to_physical().cast(pl.Int128)
    spare = next((n for n in range(scale, 0, -1) if _divides(rates, units, n)), 0)
    table = rates.select(
        _day="date",
        _currency=pl.col("currency").cast(pl.String),
        _rate=units // _integer(10**spare),
    )
    return table.sort("_day"), scale - spare


def _divides(rates: pl.DataFrame, units: pl.Expr, zeros: int) -> bool:
    return bool(rates.select((units % _integer(10**zeros) == 0).all()).item())


def _rates_of(pairs: pl.DataFrame, rates: pl.DataFrame, to: str, digits: int) -> pl.DataFrame:
    """Rate of each currency on each day; null for none."""
    dated = pairs.filter(pl.col("_day").is_not_null()).sort("_day")
    known = dated.join_asof(rates, on="_day", by="_currency", check_sortedness=False)
    found = pairs.join(known, on=["_currency", "_day"], how="left", nulls_equal=True)
    is_own = pl.col("_currency") == to
    return found.with_columns(_rate=pl.when(is_own).then(_integer(10**digits)).otherwise("_rate"))


def _check_room(priced: pl.DataFrame, scale: int) -> None:
    """Refuse products that could overflow, which Polars would not tell."""
    tops = priced.select(pl.col("_units", "_rate").cast(pl.Float64).abs().max().fill_null(0))
    units, rate = tops.row(0)
    if scale > MAX_DECIMAL_DIGITS or units * rate >= _MARGIN * 10.0**MAX_DECIMAL_DIGITS:
        msg = (
            f"an exact product of these amounts and rates needs more than {MAX_DECIMAL_DIGITS} digits; leave the "
            "largest out with where="
        )
        raise QueryError(msg)


def _integer(number: int) -> pl.Expr:
    return pl.lit(number, dtype=pl.Int128)


def to_cents(table: pl.DataFrame) -> pl.DataFrame:
    """
    Table whose decimals have two digits after the point, rounded half to even; sums are rounded here, and only here.

    Examples
    --------
    >>> from decimal import Decimal
    >>> sums = pl.DataFrame(
    ...     {"value": [Decimal("0.135"), Decimal("0.145"), Decimal("-0.135"), None]}
    ... )
    >>> [str(value) for value in to_cents(sums)["value"].drop_nulls()]
    ['0.14', '0.14', '-0.14']
    """
    return table.with_columns(
        _rounded(name, dtype.scale)
        for name, dtype in table.schema.items()
        if isinstance(dtype, pl.Decimal)
    )


def _rounded(name: str, scale: int) -> pl.Expr:
    if scale <= _CENTS:
        return pl.col(name).cast(pl.Decimal(MAX_DECIMAL_DIGITS, _CENTS))
    one = _integer(10 ** (scale - _CENTS))
    units = pl.col(name).to_physical().cast(pl.Int128)
    whole = units // one
    # the part behind the point from 0 up, also that of negative numbers; twice it may have no room
    rest, half = units - whole * one, _integer(10 ** (scale - _CENTS) // 2)
    is_up = (rest > half) | ((rest == half) & (whole % _integer(2) != 0))
    return from_units(whole + is_up.cast(pl.Int128), scale=_CENTS).alias(name)


def unpriced_notes(deals: pl.DataFrame, money_of: pl.Expr, to: str) -> dict[str, int]:
    """How many deals no sum of money has for want of a rate, by the text that names their currency."""
    counts = (
        deals.lazy()
        .filter(UNPRICED & money_of)
        .group_by(pl.col("currency").cast(pl.String))
        .agg(n=pl.len())
        .sort("currency", nulls_last=True)
        .collect()
    )
    return {
        f"deals {f'in {name}' if name else 'without a currency'} that have no rate to {to}, in no sum of money": n
        for name, n in counts.rows()
    }
