"""
Arithmetic of the figures: exact sums, and ratios that are rounded once.

Polars sums columns; a decimal is a 128-bit integer underneath, its *units* (cents, for two digits).
Ratios are taken of the sums, one a group, in Python, whose quotient of two integers is the float nearest
to the true ratio. Polars multiplies by the reciprocal where a divisor is a literal, or the same in
all rows, which rounds twice: one in eight quotients by 100.0 had another last digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import polars as pl

from dealdb.analytics.flags import counted
from dealdb.errors import QueryError
from dealdb.model.pipeline import Kind, Pipeline
from dealdb.model.schema import DEFAULT_SCALE, MAX_DECIMAL_DIGITS


def ratio(parts: pl.Series, wholes: pl.Series) -> pl.Series:
    """
    One column of numbers over another, null where the other is 0 or either is null.

    Examples
    --------
    >>> ratio(pl.Series([1, 0]), pl.Series([4, 0])).to_list()
    [0.25, None]
    """
    return _quotients(parts.to_list(), wholes.to_list())


def mean(totals: pl.Series, n: pl.Series) -> pl.Series:
    """
    Decimal sums over numbers of deals; null where there are none.

    Examples
    --------
    >>> mean(pl.Series([Decimal("10.10")]), pl.Series([2])).to_list()
    [5.05]
    """
    one = 10 ** column_scale(totals)
    return _quotients(totals.to_physical().to_list(), [one * number for number in n])


def middle(amount: pl.Expr) -> pl.Expr:
    """Median of a decimal column in its units; nulls don't count."""
    return amount.to_physical().cast(pl.Float64).median()


def median(middles: pl.Series, *, scale: int) -> pl.Series:
    """
    Medians from those in units with ``scale`` digits after the point.

    Examples
    --------
    >>> amounts = pl.DataFrame({"amount": [Decimal("10.10"), Decimal("10.30")]})
    >>> median(amounts.select(middle(pl.col("amount"))).to_series(), scale=2).to_list()
    [10.2]
    """
    return _quotients(middles.to_list(), [10**scale] * len(middles))


def column_scale(column: pl.Series) -> int:
    """Digits after the point of a decimal column; 0 for any other."""
    return column.dtype.scale if isinstance(column.dtype, pl.Decimal) else 0


def probability_scale(frame: pl.DataFrame, pipeline: Pipeline) -> int:
    """Digits that a probability has at most, be it a deal's own or a stage's default; at least the usual two."""
    defaults = [_digits(chance) for _, chance in _defaults(pipeline)]
    return max([DEFAULT_SCALE, column_scale(frame["probability"]), *defaults])


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
    # the largest times the number is quicker to find than the sum, and nearly always enough
    amount = pl.col("amount")
    largest = pl.max_horizontal(amount.min().abs(), amount.max().abs()).cast(pl.Float64)
    deals = counted(frame)
    top, height = deals.select(top=largest, height=pl.len()).collect().row(0)
    if (top or 0.0) * height < bound:
        return
    if deals.select(amount.cast(pl.Float64).abs().sum()).collect().item() >= bound:
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


def _quotients(parts: Sequence[float | None], wholes: Sequence[float | None]) -> pl.Series:
    pairs = zip(parts, wholes, strict=True)
    return pl.Series(
        [part / whole if part is not None and whole else None for part, whole in pairs],
        dtype=pl.Float64,
    )
