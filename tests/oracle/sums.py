"""Sums, shares and means of the brute force, exact until they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction

ZERO = Decimal(0)


def money(values: Iterable[Decimal | None]) -> Decimal:
    return sum((value for value in values if value is not None), ZERO)


def blanks(values: Iterable[Decimal | None]) -> int:
    return sum(value is None for value in values)


def ratio(above: Fraction | Decimal | int, below: Fraction | Decimal | int) -> float | None:
    return float(Fraction(above) / Fraction(below)) if below else None


def mean(values: Sequence[int], per: int = 1) -> float | None:
    return float(Fraction(sum(values), len(values) * per)) if values else None


def median(values: Sequence[int], per: int = 1) -> float | None:
    if not values:
        return None
    ordered, half = sorted(values), len(values) // 2
    middle = ordered[half : half + 1] if len(ordered) % 2 else ordered[half - 1 : half + 1]
    return float(Fraction(sum(middle), len(middle) * per))


def nearest_rank(values: Sequence[int], share: Fraction) -> int | None:
    """The smallest value that at least this share of the values don't exceed."""
    for value in sorted(values):
        if sum(each <= value for each in values) >= share * len(values):
            return value
    return None


def cents(value: Fraction) -> Decimal:
    """A fraction to cents, half to even."""
    whole, rest = divmod(value * 100, 1)
    up = rest > Fraction(1, 2) or (rest == Fraction(1, 2) and whole % 2 == 1)
    return Decimal(int(whole) + up) / 100
