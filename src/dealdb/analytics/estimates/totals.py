"""What the deals that are won will sum to: the whole distribution, exact for few deals, else by simulation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from dealdb.analytics.estimates.draws import Draws, normal_point, normal_share

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dealdb.analytics.estimates.draws import Floats, Whole

# more deals have too many sums to be gone through one by one
MOST_EXACT = 20
QUANTILES = (Fraction(1, 10), Fraction(1, 2), Fraction(9, 10))
# draws in memory at once
_ROOM = 2_000_000
# the error of a quantile is told from that many parts of the runs
_PARTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """
    Distribution of a sum, in whole units (cents).

    Attributes
    ----------
    quantiles
        The smallest sums that at least 10, 50 and 90 % of the outcomes are not above.
    mean
        Mean sum; exact where the distribution is.
    errors
        Standard errors of the quantiles and of the mean by the simulation; None where nothing was simulated.
    """

    quantiles: tuple[int, ...]
    mean: Fraction
    errors: tuple[float, ...] | None = None


def exact_total(deals: Sequence[tuple[int, Fraction]]) -> dict[int, Fraction]:
    """
    Chance of each sum of the deals that are won, which are independent: the sums of all subsets, gone through.

    Parameters
    ----------
    deals
        Amount in units, and the chance of winning it; no more than ``MOST_EXACT``.

    Examples
    --------
    >>> sums = exact_total([(1000, Fraction(1, 2)), (500, Fraction(1, 5))])
    >>> {total: float(chance) for total, chance in sums.items()}
    {0: 0.4, 500: 0.1, 1000: 0.4, 1500: 0.1}
    """
    sums, whole = _weights(deals)
    return {total: Fraction(sums[total], whole) for total in sorted(sums) if sums[total]}


def exact_outlook(deals: Sequence[tuple[int, Fraction]]) -> Outlook:
    """
    Quantiles and mean of the sum of few deals, without sampling.

    Examples
    --------
    >>> exact_outlook([(100000, Fraction(1, 2)), (50000, Fraction(1, 5))])
    Outlook(quantiles=(0, 50000, 100000), mean=Fraction(60000, 1), errors=None)
    """
    sums, whole = _weights(deals)
    quantiles, below = [], 0
    wanted = [math.ceil(share * whole) for share in QUANTILES]
    for total in sorted(sums):
        below += sums[total]
        while wanted and below >= wanted[0]:
            quantiles.append(total)
            wanted.pop(0)
    mean = sum((units * chance for units, chance in deals), Fraction(0))
    return Outlook(quantiles=tuple(quantiles), mean=mean)


def _weights(deals: Sequence[tuple[int, Fraction]]) -> tuple[dict[int, int], int]:
    """Sums with their chances as integers, and what these add up to."""
    one = math.lcm(*(chance.denominator for _, chance in deals))
    sums = {0: 1}
    for units, chance in deals:
        part = int(chance * one)
        after = {total: weight * (one - part) for total, weight in sums.items()}
        for total, weight in sums.items():
            after[total + units] = after.get(total + units, 0) + weight * part
        sums = after
    return sums, one ** len(deals)


def simulated(
    units: Sequence[int], chances: Floats, *, n: int, draws: Draws, rho: float = 0.0
) -> Outlook:
    """
    Quantiles and mean of the sum of deals, from ``n`` runs.

    Parameters
    ----------
    units
        Amounts.
    chances
        A row for each draw of what isn't known for certain, and a column for each deal; the runs are spread evenly
        over the rows.
    n
        Number of runs.
    draws
        Random numbers.
    rho
        Correlation of deals by a shock that all of them share, 0 to below 1: a Gaussian copula with one factor.

    Source
    ------
    Li, "On default correlation: a copula function approach" (2000), with one factor

    Examples
    --------
    >>> import numpy as np
    >>> outlook = simulated([100, 50], np.array([[0.5, 0.2]]), n=10_000, draws=Draws(0))
    >>> outlook.quantiles
    (0, 50, 100)
    """
    import numpy as np

    if not units:
        return Outlook(quantiles=(0, 0, 0), mean=Fraction(0), errors=(0.0,) * 4)
    cents, factor = _fitting(units)
    totals = np.concatenate(list(_runs(cents, chances, n=n, draws=draws, rho=rho)))
    parts = np.array([_figures(each) for each in np.array_split(totals, _PARTS)])
    spread = parts.std(axis=0, ddof=1) / math.sqrt(_PARTS) * factor
    *quantiles, _ = _figures(totals)
    mean = Fraction(sum(map(int, totals)) * factor, len(totals))
    return Outlook(
        quantiles=tuple(int(each) * factor for each in quantiles),
        mean=mean,
        errors=tuple(spread.tolist()),
    )


def _fitting(units: Sequence[int]) -> tuple[Whole, int]:
    """Amounts as integers of 64 bits; where their sum has more, in multiples of a power of ten."""
    import numpy as np

    factor = 1
    while sum(map(abs, units)) // factor >= 2**62:
        factor *= 10
    return np.array([round(Fraction(each, factor)) for each in units], dtype=np.int64), factor


def _runs(cents: Whole, chances: Floats, *, n: int, draws: Draws, rho: float) -> Iterator[Whole]:
    """Sums of the runs, those of one row of chances after another."""
    import numpy as np

    rows, width = chances.shape
    most = max(1, _ROOM // width)
    for row in range(rows):
        left = n * (row + 1) // rows - n * row // rows
        points = normal_point(chances[row]) if rho else None
        while left:
            some = min(left, most)
            own = chances[row] if points is None else _shocked(points, rho, draws.normals(some))
            won: NDArray[np.bool_] = draws.hits(own, some)
            yield np.where(won, cents, 0).sum(axis=1)
            left -= some


def _shocked(points: Floats, rho: float, shocks: Floats) -> Floats:
    """Chances of each deal once the shock of the run is known."""
    given = (points - math.sqrt(rho) * shocks[:, None]) / math.sqrt(1 - rho)
    return normal_share(given)


def _figures(totals: Whole) -> list[float]:
    import numpy as np

    n = len(totals)
    places = sorted({max(0, math.ceil(q * n) - 1) for q in QUANTILES})
    ordered = np.partition(totals, places)
    return [*(ordered[max(0, math.ceil(q * n) - 1)] for q in QUANTILES), float(totals.mean())]
