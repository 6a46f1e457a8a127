"""From values to places along an axis, and the round values that stand beside it."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext


@dataclass(frozen=True, slots=True)
class Scale:
    """
    Places from ``start`` to ``end`` of values from ``low`` to ``high``.

    Examples
    --------
    >>> scale = Scale.over([0, 50, None], 100, 200)
    >>> scale.place(25)
    150.0
    """

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(
        cls, values: Iterable[float | None], start: float, end: float, *, with_zero: bool = True
    ) -> Scale:
        """A scale that has room for all of these, and for zero; where all are the same, for a little more."""
        found = [value for value in values if value is not None] or [0.0]
        low, high = min(found), max(found)
        if with_zero:
            low, high = min(low, 0.0), max(high, 0.0)
        if low == high:
            # one day, or one value, stands in the middle; zero alone on the ground
            room = max(abs(low) / 2, 1.0) if low else 1.0
            low, high = (
                (low, high + room) if with_zero else (_finite(low - room), _finite(high + room))
            )
        return cls(low, high, start, end)

    def place(self, value: float) -> float:
        """Where a value stands; a value beside the scale stands at its end."""
        size = max(abs(self.low), abs(self.high))
        # what is divided first can't become infinite, however large it is
        low, high = self.low / size, self.high / size
        part = (value / size - low) / (high - low) if high > low else 0.0
        return self.start + (self.end - self.start) * min(max(part, 0.0), 1.0)

    def widened(self, most: int) -> Scale:
        """
        With its ends on round values that are no more than so many steps apart, or a step more.

        Examples
        --------
        >>> Scale(0, 47, 100, 0).widened(5).high
        50.0
        """
        values = round_values(self.low, self.high, most)
        if len(values) < 2:
            return self
        step = float(values[1] - values[0])
        low, high = float(values[0]), float(values[-1])
        # a little more than a round value, such as by an error of floats, needs no step of its own
        low -= step if low - self.low > step / 1000 else 0
        high += step if self.high - high > step / 1000 else 0
        finite = math.isfinite(low) and math.isfinite(high)
        return Scale(low, high, self.start, self.end) if finite else self


def _finite(value: float) -> float:
    return min(max(value, -sys.float_info.max), sys.float_info.max)


def round_values(low: float, high: float, most: int) -> list[Decimal]:
    """
    Round values from ``low`` to ``high``, the same step apart; no more than ``most`` steps, which is 2 at least.

    Examples
    --------
    >>> [*map(str, round_values(0, 23, 5))]
    ['0', '5', '10', '15', '20']
    >>> [*map(str, round_values(-0.1, 0.2, 4))]
    ['-0.1', '0', '0.1', '0.2']
    """
    most = max(most, 2)
    with localcontext() as context:
        context.prec = 40
        first, last = Decimal(repr(low)), Decimal(repr(high))
        rough = (last - first) / most
        if rough <= 0:
            return [first]
        power = Decimal(1).scaleb(rough.adjusted())
        for factor in (1, 2, 5, 10, 20):
            step = power * factor
            begin, end = math.ceil(first / step), math.floor(last / step)
            if end - begin <= most:
                return [_plain(step * number) for number in range(begin, end + 1)]
    raise AssertionError(low, high)


def _plain(value: Decimal) -> Decimal:
    """Without zeros that say nothing; ``normalize`` alone would write 20 as 2E+1."""
    return Decimal(f"{value.normalize():f}")


def month_starts(low: float, high: float, most: int) -> list[date]:
    """
    First days of months from one day to another, no more than ``most`` and one.

    They are of each month, or of each second, third or sixth, or of years; days where the range has no two months.

    Examples
    --------
    >>> low, high = date(2026, 1, 15).toordinal(), date(2026, 12, 31).toordinal()
    >>> [day.isoformat() for day in month_starts(low, high, 4)]
    ['2026-04-01', '2026-07-01', '2026-10-01']
    """
    # the room beside the first or the last day that there is has no dates
    first = date.fromordinal(max(math.ceil(low), date.min.toordinal()))
    last = date.fromordinal(min(math.floor(high), date.max.toordinal()))
    low_month, high_month = first.year * 12 + first.month - 1, last.year * 12 + last.month
    for step in (1, 2, 3, 6, 12, 24, 60, 120, 600, 6000, 60_000):
        months = range(-(-low_month // step) * step, high_month, step)
        if len(months) <= most + 1:
            break
    starts = [date(month // 12, month % 12 + 1, 1) for month in months]
    starts = [day for day in starts if first <= day <= last]
    if len(starts) >= 2 or (last - first).days > 62:
        return starts
    days = round_values(0, (last - first).days, most)
    return [date.fromordinal(first.toordinal() + int(day)) for day in days if day == int(day)]


def some_of(count: int, most: int) -> Sequence[int]:
    """
    Numbers of those among many labels that there is room for, the same step apart.

    Examples
    --------
    >>> list(some_of(12, 5)), list(some_of(3, 5))
    ([0, 3, 6, 9], [0, 1, 2])
    """
    return range(0, count, max(1, math.ceil(count / max(most, 1))))
