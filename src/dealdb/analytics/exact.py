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
from functools import cached_property

import polars as pl

from dealdb.analytics.flags import KEPT
from dealdb.errors import QueryError
from dealdb.model.schema import MAX_DECIMAL_DIGITS

# integers up to here, and the halves between them, are floats
EXACT_IN_FLOATS = 2**52


def ratio(parts: pl.Series, wholes: pl.Series) -> pl.Series:
    """
    One column of numbers over another, null where the other is 0 or either is null.

    Examples
    --------
    >>> ratio(pl.Series([1, 0]), pl.Series([4, 0])).to_list()
    [0.25, None]
    """
    return quotients(parts.to_list(), wholes.to_list())


def mean(totals: pl.Series, n: pl.Series) -> pl.Series:
    """
    Decimal sums over numbers of deals; null where there are none.

    Examples
    --------
    >>> mean(pl.Series([Decimal("10.10")]), pl.Series([2])).to_list()
    [5.05]
    """
    one = 10 ** column_scale(totals)
    return quotients(totals.to_physical().to_list(), [one * number for number in n])


def middle(amount: pl.Expr, *, is_wide: bool) -> pl.Expr:
    """
    What the median of a decimal column is taken of, in its units; nulls don't count.

    Up to ``EXACT_IN_FLOATS`` that is the median itself, which floats hold exactly, halves included. Wider units are
    sorted, which takes several times as long, and give the middle two.
    """
    units = amount.to_physical()
    if not is_wide:
        return units.cast(pl.Float64).median()
    ordered, n = units.drop_nulls().sort(), amount.count()
    lower, upper = (
        ordered.get(place.cast(pl.UInt32), null_on_oob=True) for place in ((n - 1) // 2, n // 2)
    )
    return pl.struct(lower=lower, upper=upper)


def median(middles: pl.Series, *, scale: int) -> pl.Series:
    """
    Medians from what ``middle`` gives of units with ``scale`` digits after the point.

    Examples
    --------
    >>> amounts = pl.DataFrame({"amount": [Decimal("10.10"), Decimal("10.30")]})
    >>> for is_wide in (False, True):
    ...     found = amounts.select(middle(pl.col("amount"), is_wide=is_wide)).to_series()
    ...     median(found, scale=2).to_list()
    [10.2]
    [10.2]
    """
    one = 10**scale
    if isinstance(middles.dtype, pl.Struct):
        pairs = [(pair["lower"], pair["upper"]) for pair in middles]
        twice = [None if lower is None else lower + upper for lower, upper in pairs]
        return quotients(twice, [2 * one] * len(twice))
    return quotients(middles.to_list(), [one] * len(middles))


def column_scale(column: pl.Series) -> int:
    """Digits after the point of a decimal column; 0 for any other."""
    return column.dtype.scale if isinstance(column.dtype, pl.Decimal) else 0


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


class Amounts:
    """
    How large the amounts of a frame are, so that no sum of them can overflow unseen.

    Polars wraps round silently when a sum within groups overflows, so it has to be known beforehand.

    Parameters
    ----------
    frame
        Deals, standardised.

    Attributes
    ----------
    scale
        Digits after the point of the amounts.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        amounts = frame["amount"]
        # a look at one column is quicker than a query
        self._amounts = amounts.filter(frame[KEPT]) if KEPT in frame.columns else amounts
        self.scale = column_scale(amounts)
        bounds = self._amounts.min(), self._amounts.max()
        self._top = max((abs(float(each)) for each in bounds if each is not None), default=0.0)  # type: ignore[arg-type]  # decimals
        self._height = self._amounts.len()

    @property
    def are_wide(self) -> bool:
        """Whether the units of one are more than floats hold exactly."""
        return self._top * 10.0**self.scale >= EXACT_IN_FLOATS

    def fit(self, scale: int) -> bool:
        """Whether their sum with ``scale`` digits after the point certainly has no more than 38 digits."""
        # the margin is far more than floats are off by
        bound = 0.99 * 10.0 ** (MAX_DECIMAL_DIGITS - scale)
        # the largest times the number is quicker to find than the sum, and nearly always enough
        return self._top * self._height < bound or self._total < bound

    @cached_property
    def _total(self) -> float:
        return float(self._amounts.cast(pl.Float64).abs().sum())

    def check(self) -> None:
        """
        Refuse amounts whose sum could need more than 38 digits.

        Raises
        ------
        QueryError
            If it could.
        """
        if not self.fit(self.scale):
            msg = (
                f"the exact sum of these amounts needs more than {MAX_DECIMAL_DIGITS} digits; leave the largest out "
                "with where="
            )
            raise QueryError(msg)


def quotients(parts: Sequence[float | None], wholes: Sequence[float | None]) -> pl.Series:
    """
    Python numbers over others, each rounded once; null where the other is 0 or either is None.

    Examples
    --------
    >>> quotients([10**30, 1], [4 * 10**30, 0]).to_list()
    [0.25, None]
    """
    pairs = zip(parts, wholes, strict=True)
    return pl.Series(
        [part / whole if part is not None and whole else None for part, whole in pairs],
        dtype=pl.Float64,
    )
