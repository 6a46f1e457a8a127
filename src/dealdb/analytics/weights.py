"""
Amount times probability of open deals, summed exactly, however many digits the probabilities have.

The product is an integer of 128 bits, in units with the digits of both. Where its sum could need more than 38 digits
(a third has 28 digits as a ``Decimal``), amounts and probabilities are split into parts whose products are summed
apart; Python's integers then put the sums together, one a group, and the result is rounded once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction

import polars as pl

from dealdb.analytics.exact import Amounts, column_scale, from_units
from dealdb.analytics.flags import is_one_of
from dealdb.model.decimals import scale_of
from dealdb.model.pipeline import Kind, Pipeline
from dealdb.model.schema import DEFAULT_SCALE, MAX_DECIMAL_DIGITS

# digits of a part; the products of two are summed over 10 billion deals before they overflow
_AMOUNT_PART = 19
_CHANCE_PART = 9
# a sum of 38 digits must not be rounded to the 28 of the default context
_EXACT = Context(prec=2 * MAX_DECIMAL_DIGITS)


@dataclass(frozen=True, slots=True)
class Weights:
    """
    What a deal weighs, and how its sums are put together.

    Attributes
    ----------
    reads
        Columns of each deal, ``_weighted`` first. That one is null for closed deals, for deals without an amount or any
        probability, and where the deal's own probability is not from 0 to 1.
    powers
        The power of ten that each column counts; a single one where no sum can overflow.
    scale
        Digits after the point of the exact sums.
    least_scale
        Digits after the point that a rounded sum has at least.
    """

    reads: tuple[pl.Expr, ...]
    powers: tuple[int, ...]
    scale: int
    least_scale: int

    def total(self) -> pl.Expr:
        """Sum of a group: a decimal, or the sums of the parts, which ``settled`` makes one of."""
        sums = [pl.col(read.meta.output_name()).sum() for read in self.reads]
        return from_units(sums[0], scale=self.scale) if len(sums) == 1 else pl.struct(sums)

    def settled(self, table: pl.DataFrame) -> tuple[pl.DataFrame, int | None]:
        """Table whose sums of parts are decimals, and to how many digits after the point they had to be rounded."""
        rounded = None
        for name in filter(lambda name: _has_parts(table.schema[name]), table.columns):
            parts = table[name].struct.unnest().rows()
            units = [
                sum(part * 10**power for part, power in zip(row, self.powers, strict=True))
                for row in parts
            ]
            scale, found = _fitted(units, self.scale, self.least_scale)
            if any(
                unit * 10**self.scale != whole * 10**scale
                for unit, whole in zip(found, units, strict=True)
            ):
                rounded = scale
            decimals = [Decimal(unit).scaleb(-scale, _EXACT) for unit in found]
            column = pl.Series(name, decimals, dtype=pl.Decimal(MAX_DECIMAL_DIGITS, scale))
            table = table.with_columns(column)
        return table, rounded


def _has_parts(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Struct) and dtype.fields[0].name == "_weighted"


def weights_of(frame: pl.DataFrame, pipeline: Pipeline, amounts: Amounts) -> Weights:
    """
    Weights of the deals of a frame: the probability is the deal's own, else the default of its stage.

    One product is six times as fast as Polars' product of decimals, which besides has only the digits of one factor
    and rounds the rest away.

    Parameters
    ----------
    frame
        One row a deal, standardised.
    pipeline
        The stages, with their defaults.
    amounts
        How large the amounts are; ``check`` has to come first.
    """
    digits = _probability_scale(frame, pipeline)
    scale = amounts.scale + digits
    amount = pl.col("amount").to_physical()
    chance = pl.when(pl.col("_open")).then(_chance(frame, pipeline, digits))
    of_amount, of_chance = _sizes(amounts, digits)
    reads = {
        power + other: part * share
        for power, part in _split(amount, of_amount, MAX_DECIMAL_DIGITS)
        for other, share in _split(chance, of_chance, digits + 1)
    }
    return Weights(
        reads=tuple(
            expr.alias(f"_weighted_{power}" if power else "_weighted")
            for power, expr in reads.items()
        ),
        powers=tuple(reads),
        scale=scale,
        least_scale=amounts.scale + DEFAULT_SCALE,
    )


def lacks_chance(pipeline: Pipeline) -> pl.Expr:
    """Whether a deal has neither a probability from 0 to 1 nor a default of its stage, by its own columns."""
    own = pl.col("probability")
    has_default = is_one_of("stage", [name for name, _ in _defaults(pipeline)])
    return pl.when(own.is_null()).then(~has_default).otherwise(~own.is_between(0, 1))


def _probability_scale(frame: pl.DataFrame, pipeline: Pipeline) -> int:
    """Digits that a probability has at most, be it a deal's own or a stage's default; at least the usual two."""
    defaults = [scale_of(chance) for _, chance in _defaults(pipeline)]
    return max([DEFAULT_SCALE, column_scale(frame["probability"]), *defaults])


def _chance(frame: pl.DataFrame, pipeline: Pipeline, digits: int) -> pl.Expr:
    """Probability in units with so many digits; null for none, and for what is not one."""
    own_digits = column_scale(frame["probability"])
    own = pl.col("probability").to_physical()
    default: pl.Expr = pl.lit(None, dtype=pl.Int128)
    for name, chance in _defaults(pipeline):
        units = pl.lit(int(Fraction(chance) * 10**digits), dtype=pl.Int128)
        default = pl.when(pl.col("stage") == name).then(units).otherwise(default)
    # in the digits of the column: with more of them, what is far from a probability would overflow
    is_chance = own.is_between(0, _integer(10**own_digits))
    widened = own * _integer(10 ** (digits - own_digits)) if digits > own_digits else own
    return pl.when(own.is_null()).then(default).when(is_chance).then(widened)


def _sizes(amounts: Amounts, digits: int) -> tuple[int, int]:
    """Digits of the parts of amounts and of probabilities, so that no sum of products overflows."""
    whole = MAX_DECIMAL_DIGITS, digits + 1
    if amounts.scale + digits <= MAX_DECIMAL_DIGITS and amounts.fit(amounts.scale + digits):
        return whole
    # few amounts are so large that they have to be split as well
    spare = (n for n in range(digits, _CHANCE_PART - 1, -1) if amounts.fit(amounts.scale + n))
    room = next(spare, None)
    return (_AMOUNT_PART, _CHANCE_PART) if room is None else (whole[0], room)


def _split(number: pl.Expr, size: int, digits: int) -> Iterator[tuple[int, pl.Expr]]:
    """Parts of so many digits with their powers of ten; their sum is the number, as that of negatives is, too."""
    for power in range(0, digits, size):
        rest = number // _integer(10**power) if power else number
        yield power, rest % _integer(10**size) if power + size < digits else rest


def _fitted(units: Sequence[int], scale: int, least: int) -> tuple[int, list[int]]:
    """Scale in which the sum of all has no more than 38 digits, and the numbers in it, rounded half to even."""
    total = sum(map(abs, units))
    whole = len(str(total // 10**scale))
    shown = min(scale, MAX_DECIMAL_DIGITS - whole)
    found = _rounded(units, scale - shown)
    while sum(map(abs, found)) >= 10**MAX_DECIMAL_DIGITS:
        # a carry: 99.99 became 100.0
        shown -= 1
        found = _rounded(units, scale - shown)
    while shown > least and not any(unit % 10 for unit in found):
        shown -= 1
        found = [unit // 10 for unit in found]
    return shown, found


def _rounded(units: Sequence[int], digits: int) -> list[int]:
    one = 10**digits
    return [round(Fraction(unit, one)) for unit in units] if digits else list(units)


def _integer(number: int) -> pl.Expr:
    return pl.lit(number, dtype=pl.Int128)


def _defaults(pipeline: Pipeline) -> list[tuple[str, Decimal]]:
    return [
        (stage.name, stage.probability)
        for stage in pipeline
        if stage.kind is Kind.OPEN and stage.probability is not None
    ]
