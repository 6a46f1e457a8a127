"""What a month is worth against the year around it."""

from __future__ import annotations

from collections.abc import Sequence

from dealdb.analytics.estimates.draws import Draws
from dealdb.analytics.estimates.intervals import LEVEL, Interval

_YEAR = 12
# full years from which an interval says anything
LEAST_YEARS = 4
_TIMES = 1_000


def factors(ratios: Sequence[Sequence[float]]) -> list[float]:
    """
    Factor of each place of the year: the mean of its ratios, scaled so that all together have a mean of 1.

    Examples
    --------
    >>> factors([[0.5, 0.5], [1.5]])
    [0.5, 1.5]
    """
    means = [sum(each) / len(each) if each else 1.0 for each in ratios]
    whole = sum(means)
    return [mean * len(means) / whole if whole else 1.0 for mean in means]


def ratios_to_average(values: Sequence[float], length: int = _YEAR) -> list[float | None]:
    """
    Each value over the centred moving average of a year around it; None where the year isn't whole, or sums to 0.

    Of an even length the average is of two means, one place apart, so that its middle is on the value.

    Source
    ------
    The ratio-to-moving-average method, as in Makridakis, Wheelwright and Hyndman, "Forecasting", chapter 3

    Examples
    --------
    >>> ratios_to_average([1.0, 3.0, 1.0, 3.0, 1.0], length=2)
    [None, 1.5, 0.5, 1.5, None]
    """
    half = length // 2
    found: list[float | None] = []
    for place, value in enumerate(values):
        if place < half or place + half >= len(values):
            found.append(None)
            continue
        around = values[place - half : place + half + 1]
        twice = sum(around[:length]) + sum(around[-length:])
        found.append(2 * length * value / twice if twice else None)
    return found


def seasonal(
    values: Sequence[float], first: int = 0, *, length: int = _YEAR, seed: int = 0
) -> list[tuple[float | None, int, Interval]]:
    """
    Factor, number of ratios and interval of each place of the year; no factor where there is no ratio.

    Parameters
    ----------
    values
        Of months (or quarters) in a row, without gaps.
    first
        Place of the first one in its year, from 0.
    length
        How many make a year.
    seed
        Of the interval.

    Returns
    -------
    list
        One for each place of the year. The interval draws whole years again and again; there is none below four full
        years.

    Examples
    --------
    >>> [each[:2] for each in seasonal([1.0, 3.0] * 3, length=2)]
    [(0.5, 2), (1.5, 2)]
    """
    ratios = ratios_to_average(values, length)
    years: list[list[float | None]] = []
    for place, ratio in enumerate(ratios, first):
        if place // length >= len(years) or not years:
            years += [[None] * length for _ in range(place // length + 1 - len(years))]
        years[place // length][place % length] = ratio
    columns = _columns(years)
    whole = factors(columns)
    intervals = _intervals(years, length, seed) if len(values) >= LEAST_YEARS * length else None
    return [
        (factor, len(own), intervals[place] if intervals else (None, None))
        if own
        else (None, 0, (None, None))
        for place, (factor, own) in enumerate(zip(whole, columns, strict=True))
    ]


def _columns(years: Sequence[Sequence[float | None]]) -> list[list[float]]:
    return [[ratio for ratio in own if ratio is not None] for own in zip(*years, strict=True)]


def _intervals(years: list[list[float | None]], length: int, seed: int) -> list[Interval]:
    draws = Draws(seed)
    drawn = draws.below(len(years), _TIMES * len(years)).reshape(_TIMES, len(years)).tolist()
    runs = [factors(_columns([years[each] for each in row])) for row in drawn]
    tail = int(_TIMES * (1 - LEVEL) / 2)
    ordered = [sorted(run[place] for run in runs) for place in range(length)]
    return [(own[tail], own[-1 - tail]) for own in ordered]
