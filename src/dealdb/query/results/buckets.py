"""Bounds of buckets: units of dates that suit a span, and round numbers that suit amounts."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_FLOOR, Decimal, localcontext

from dealdb.errors import QueryError

_ROUND = (Decimal(1), Decimal(2), Decimal(5), Decimal(10))
# with a step that is given, more buckets than this are refused rather than counted one by one
MAX_STEPS = 500
# exact for sums and quotients of numbers of 38 digits
_DIGITS = 80


def date_unit(first: date | None, last: date | None, limit: int) -> str:
    """
    Finest of day, month, quarter and year that cuts a span into at most ``limit`` buckets; else the year.

    Examples
    --------
    >>> (
    ...     date_unit(date(2026, 1, 5), date(2026, 1, 9), 20),
    ...     date_unit(date(2020, 1, 1), date(2026, 1, 1), 20),
    ... )
    ('day', 'year')
    """
    if first is None or last is None:
        return "year"
    months = (last.year - first.year) * 12 + last.month - first.month
    quarters = (last.year - first.year) * 4 + (last.month - 1) // 3 - (first.month - 1) // 3
    sizes = {"day": (last - first).days, "month": months, "quarter": quarters}
    return next((unit for unit, size in sizes.items() if size < limit), "year")


def round_step(width: Decimal) -> Decimal:
    """
    Smallest of 1, 2 and 5 times a power of ten that is at least a width above 0.

    Examples
    --------
    >>> round_step(Decimal(130)), round_step(Decimal("0.03"))
    (Decimal('2E+2'), Decimal('0.05'))
    """
    power = Decimal(1).scaleb(width.adjusted())
    return next(power * factor for factor in _ROUND if power * factor >= width)


def even_bounds(low: Decimal, high: Decimal, step: Decimal | None, limit: int) -> list[Decimal]:
    """
    Multiples of one step around all numbers from ``low`` to ``high``; the last is above ``high``.

    Parameters
    ----------
    step
        Given, or None for the round one that makes at most ``limit`` buckets.

    Raises
    ------
    QueryError
        If a given step makes more than ``MAX_STEPS`` buckets.

    Examples
    --------
    >>> [str(bound) for bound in even_bounds(Decimal(130), Decimal(420), None, 5)]
    ['100', '200', '300', '400', '500']
    """
    with localcontext(prec=_DIGITS):
        if step is None:
            step = round_step((high - low) / max(limit - 1, 1) or _first_digit(high))
        first = (low / step).to_integral_value(ROUND_FLOOR)
        last = (high / step).to_integral_value(ROUND_FLOOR) + 1
        if last - first > MAX_STEPS:
            msg = f"a step of {step} makes more than {MAX_STEPS} buckets; take a larger one"
            raise QueryError(msg)
        return [_plain((first + n) * step) for n in range(int(last - first) + 1)]


def growing_bounds(low: Decimal, high: Decimal, limit: int) -> list[Decimal]:
    """
    Bounds 1, 2, 5, 10, 20 ... around all numbers from ``low`` to ``high``: for amounts of very different size.

    Examples
    --------
    >>> [str(bound) for bound in growing_bounds(Decimal(-3), Decimal(1200), 8)]
    ['-5', '-2', '-1', '-0.5', '0', '200', '500', '1000', '2000']
    """
    each = max(limit // ((low < 0) + (high >= 0)), 1)
    below = _from_top(-low, each, -high) if low < 0 else []
    above = _from_top(high, each, low) if high >= 0 else []
    return sorted({*(_plain(-bound) for bound in below), *map(_plain, above)})


def _from_top(top: Decimal, count: int, least: Decimal) -> list[Decimal]:
    """Bounds for numbers from ``least`` (or 0) to ``top``, from the one above ``top`` to the one below ``least``."""
    power, factor = _first_digit(top), 3
    while factor and power * _ROUND[factor - 1] > top:
        factor -= 1
    bounds: list[Decimal] = []
    while len(bounds) < count:
        bounds.append(power * _ROUND[factor])
        if bounds[-1] < least:
            return bounds
        # below 1 of this power comes 5 of the one before
        power, factor = (power, factor - 1) if factor else (power.scaleb(-1), 2)
    return [*bounds, Decimal(0)]


def _first_digit(number: Decimal) -> Decimal:
    return Decimal(1).scaleb(number.adjusted()) if number else Decimal(1)


def _plain(number: Decimal) -> Decimal:
    return Decimal(format(number.normalize(), "f")) + 0
