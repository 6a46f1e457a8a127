"""
Arithmetic of the figures: exact sums, and ratios that are rounded once.

Polars keeps a decimal as a 128-bit integer, its *units* (cents, for two digits). A ratio divides two
integers as floats; both are exact up to 2**53, so it is the float nearest to the true ratio. Beyond
(90 trillion with two digits) it may be off by a unit or two in the last place.

Divide by a column only: Polars multiplies by the reciprocal of a literal instead, which rounds twice
(one in eight quotients by 100.0 had another last digit).
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import polars as pl

from dealdb.errors import QueryError
from dealdb.pipeline import Kind, Pipeline
from dealdb.schema import DEFAULT_SCALE, MAX_DECIMAL_DIGITS


def units(amount: pl.Expr) -> pl.Expr:
    """Integer behind a decimal, as a float."""
    return amount.to_physical().cast(pl.Float64)


def ratio(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """
    One number over another, null where the other is 0 or null; both are columns, never literals.

    Examples
    --------
    >>> counts = pl.DataFrame({"won": [1, 0], "n": [4, 0]})
    >>> counts.select(rate=ratio(pl.col("won"), pl.col("n")))["rate"].to_list()
    [0.25, None]
    """
    return pl.when(whole != 0).then(part.cast(pl.Float64) / whole.cast(pl.Float64))


def mean(total: pl.Expr, n: pl.Expr, *, scale: int) -> pl.Expr:
    """
    Mean from an exact sum with ``scale`` digits after the point; null where n is 0.

    Examples
    --------
    >>> sums = pl.DataFrame({"sum": [Decimal("10.10")], "n": [2]})
    >>> sums.select(mean=mean(pl.col("sum"), pl.col("n"), scale=2))["mean"].to_list()
    [5.05]
    """
    return mean_of_units(units(total), n, scale=scale)


def mean_of_units(total: pl.Expr, n: pl.Expr, *, scale: int) -> pl.Expr:
    """Amount that n shares of some units are; null where n is 0."""
    return ratio(total, n.cast(pl.Float64) * 10.0**scale)


def median(middle: pl.Expr, *, scale: int) -> pl.Expr:
    """
    Median of a decimal column with ``scale`` digits after the point, from the median of its units.

    Examples
    --------
    >>> amounts = pl.DataFrame({"amount": [Decimal("10.10"), Decimal("10.30")]})
    >>> middles = amounts.select(middle=units(pl.col("amount")).median())
    >>> middles.select(median(pl.col("middle"), scale=2)).item()
    10.2
    """
    return mean_of_units(middle, middle.is_not_null(), scale=scale)


def scale_of(frame: pl.DataFrame, column: str = "amount") -> int:
    """Digits after the point of a decimal column; 0 for any other."""
    dtype = frame.schema[column]
    return dtype.scale if isinstance(dtype, pl.Decimal) else 0


def probability_scale(frame: pl.DataFrame, pipeline: Pipeline) -> int:
    """Digits that a probability has at most, be it a deal's own or a stage's default; at least the usual two."""
    defaults = [_digits(chance) for _, chance in _defaults(pipeline)]
    return max([DEFAULT_SCALE, scale_of(frame, "probability"), *defaults])


def weighted_units(frame: pl.DataFrame, pipeline: Pipeline) -> pl.Expr:
    """
    Amount times probability of open deals, in units with the digits of both; ``check_sums`` has to come first.

    The probability is the deal's own, else the default of its stage. Null for closed deals, for deals without
    an amount or any probability, and where the deal's own is not from 0 to 1. Six times as fast as Polars'
    product of decimals, which besides has only the digits of one factor and rounds the rest away.
    """
    digits = probability_scale(frame, pipeline)
    one = 10**digits
    own = pl.col("probability").cast(pl.Decimal(MAX_DECIMAL_DIGITS, digits)).to_physical()
    default: pl.Expr = pl.lit(None, dtype=pl.Int128)
    for name, chance in _defaults(pipeline):
        is_here = pl.col("stage") == name
        default = (
            pl.when(is_here)
            .then(pl.lit(int(Fraction(chance) * one), dtype=pl.Int128))
            .otherwise(default)
        )
    is_chance = own.is_between(0, pl.lit(one, dtype=pl.Int128))
    weight = pl.when(own.is_null()).then(default).when(is_chance).then(own)
    return pl.when(pl.col("_open")).then(pl.col("amount").to_physical() * weight)


def from_units(total: pl.Expr, *, scale: int) -> pl.Expr:
    """
    Decimal with ``scale`` digits after the point from its units.

    Examples
    --------
    >>> sums = pl.DataFrame({"cents": pl.Series([1010], dtype=pl.Int128)})
    >>> sums.select(from_units(pl.col("cents"), scale=2)).item()
    Decimal('10.10')
    """
    unit = pl.lit(Decimal(1).scaleb(-scale), dtype=pl.Decimal(MAX_DECIMAL_DIGITS, scale))
    return total.cast(pl.Decimal(MAX_DECIMAL_DIGITS, 0)) * unit


def check_sums(frame: pl.DataFrame, *, scale: int) -> None:
    """
    Refuse amounts whose sum with ``scale`` digits after the point could need more than 38 digits.

    Polars wraps round silently when a sum within groups overflows, so it has to be known beforehand.

    Raises
    ------
    QueryError
        If they could.
    """
    # the margin is far more than floats are off by
    bound = 0.99 * 10.0 ** (MAX_DECIMAL_DIGITS - scale)
    # the largest times the number is quicker to tell than the sum, and nearly always enough
    amount = pl.col("amount")
    largest = pl.max_horizontal(amount.min().abs(), amount.max().abs()).cast(pl.Float64)
    if (frame.select(largest).item() or 0.0) * frame.height < bound:
        return
    if frame.select(amount.cast(pl.Float64).abs().sum()).item() >= bound:
        msg = (
            f"the exact sum of these amounts needs more than {MAX_DECIMAL_DIGITS} digits; leave the largest out "
            "with where=, or give probabilities with fewer digits"
        )
        raise QueryError(msg)


def _defaults(pipeline: Pipeline) -> list[tuple[str, Decimal]]:
    return [
        (stage.name, stage.probability)
        for stage in pipeline
        if stage.kind is Kind.OPEN and stage.probability is not None
    ]


def _digits(number: Decimal) -> int:
    return len(f"{number:f}".partition(".")[2].rstrip("0"))
