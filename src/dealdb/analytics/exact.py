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


def weighted(frame: pl.DataFrame, pipeline: Pipeline) -> pl.Expr:
    """
    Amount times probability of open deals, exact: it has the digits of both.

    The probability is the deal's own, else the default of its stage. Null for closed deals, for deals without
    an amount or any probability, and where the deal's own is not from 0 to 1.
    """
    digits = probability_scale(frame, pipeline)
    # Polars gives a product the larger scale of its factors and rounds the rest away
    amount = pl.col("amount").cast(pl.Decimal(MAX_DECIMAL_DIGITS, scale_of(frame) + digits))
    chance_type = pl.Decimal(MAX_DECIMAL_DIGITS, digits)
    own = pl.col("probability").cast(chance_type)
    default: pl.Expr = pl.lit(None, dtype=chance_type)
    for name, proposed in _defaults(pipeline):
        is_here = pl.col("stage") == name
        default = pl.when(is_here).then(pl.lit(proposed, dtype=chance_type)).otherwise(default)
    chance = pl.when(own.is_null()).then(default).when(own.is_between(0, 1)).then(own)
    return pl.when(pl.col("_open")).then(amount * chance)


def check_sums(frame: pl.DataFrame, *, scale: int) -> None:
    """
    Refuse amounts whose sum with ``scale`` digits after the point could need more than 38 digits.

    Polars wraps round silently when a sum within groups overflows, so it has to be known beforehand.

    Raises
    ------
    QueryError
        If they could.
    """
    total = frame.select(pl.col("amount").cast(pl.Float64).abs().sum()).item()
    # the float is a little off; a hundredth of a decade is far more than that
    if total >= 0.97 * 10.0 ** (MAX_DECIMAL_DIGITS - scale):
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
