"""What the deals that are won will sum to: the whole distribution, exact for few deals, else by simulation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from dealdb.analytics.estimates.bulk import Bulk, standing_out
from dealdb.analytics.estimates.draws import Draws, limits_of, normal_point, normal_share

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dealdb.analytics.estimates.draws import Floats, Limits, Whole

# more deals have too many sums to be gone through one by one
MOST_EXACT = 20
QUANTILES = (Fraction(1, 10), Fraction(1, 2), Fraction(9, 10))
# draws in memory at once
_ROOM = 500_000
# mean chance below which a win is rare, and one that none may reach
_RARE, _NEVER_RARE = 1 / 32, 1 / 2
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
    units: Sequence[int],
    chances: Floats,
    *,
    n: int,
    draws: Draws,
    rho: float = 0.0,
    classes: Sequence[int] | None = None,
) -> Outlook:
    """
    Quantiles and mean of the sum of deals, from ``n`` runs.

    Parameters
    ----------
    units
        Amounts.
    chances
        A row for each draw of what isn't known for certain, and a column for each class of deals; the runs are spread
        evenly over the rows.
    n
        Number of runs.
    draws
        Random numbers.
    rho
        Correlation of deals by a shock that all of them share, 0 to below 1: a Gaussian copula with one factor.
    classes
        The class of each deal; without them, each is one of its own.

    Source
    ------
    Li, "On default correlation: a copula function approach" (2000), with one factor

    Examples
    --------
    >>> import numpy as np
    >>> outlook = simulated([100, 50], np.array([[0.6, 0.5]]), n=10_000, draws=Draws(0))
    >>> outlook.quantiles
    (0, 100, 150)
    """
    import numpy as np

    if not units:
        return Outlook(quantiles=(0, 0, 0), mean=Fraction(0), errors=(0.0,) * 4)
    cents, factor = _fitting(units)
    places = np.arange(len(units)) if classes is None else np.array(classes, dtype=np.int64)
    alone = standing_out(cents, chances.mean(axis=0)[places])
    rare = alone & _rare(chances)[places] if not rho else np.zeros_like(alone)
    rows = _rows(len(chances), n)
    seldom = _seldom(cents[rare], places[rare], chances, rows, draws)
    alone &= ~rare
    runs = _Runs(
        chances=chances,
        rows=rows,
        places=places[alone],
        sums=_sums_of_eight(cents[alone]),
        bulk=Bulk.of(cents[~alone & ~rare], places[~alone & ~rare], chances.shape[1]),
        rho=rho,
    )
    totals = np.concatenate(list(runs.totals(draws))) + seldom
    parts = np.array([_figures(each) for each in np.array_split(totals, _PARTS)])
    spread = parts.std(axis=0, ddof=1) / math.sqrt(_PARTS) * factor
    *quantiles, _ = _figures(totals)
    return Outlook(
        quantiles=tuple(int(each) * factor for each in quantiles),
        mean=Fraction(_exact_sum(totals) * factor, len(totals)),
        errors=tuple(spread.tolist()),
    )


def _fitting(units: Sequence[int]) -> tuple[Whole, int]:
    """Amounts as integers of 64 bits; where their sum has more, in multiples of a power of ten."""
    import numpy as np

    factor = 1
    while sum(map(abs, units)) // factor >= 2**62:
        factor *= 10
    fitting = units if factor == 1 else [round(Fraction(each, factor)) for each in units]
    return np.array(fitting, dtype=np.int64), factor


@dataclass(frozen=True, slots=True)
class _Runs:
    """
    What the runs have in common.

    Attributes
    ----------
    chances
        By row and class.
    rows
        The row of each run.
    places
        The class of each deal that is drawn by itself.
    sums
        Of the amounts of these, as ``_sums_of_eight`` has them.
    bulk
        The other deals.
    rho
        Correlation by a shock.
    """

    chances: Floats
    rows: Whole
    places: Whole
    sums: Whole
    bulk: Bulk
    rho: float

    def totals(self, draws: Draws) -> Iterator[Whole]:
        """Sums of the runs, some at a time."""
        drawn = self._shocked(draws) if self.rho else self._independent()
        for limits, shape in drawn:
            alone = _summed(draws.hits(limits), self.sums)
            yield alone if self.bulk.is_empty else alone + self.bulk.drawn(shape, draws)

    def _independent(self) -> Iterator[tuple[Limits, Floats]]:
        limits = limits_of(self.chances)[:, self.places]
        shape = self.bulk.shape(self.chances)
        for rows in self._parts(len(self.places)):
            yield limits.take(rows, axis=0), shape.take(rows, axis=1)

    def _shocked(self, draws: Draws) -> Iterator[tuple[Limits, Floats]]:
        """Chances once the shock of the run is known."""
        points = normal_point(self.chances)
        for rows in self._parts(max(len(self.places), self.chances.shape[1])):
            shocks = draws.normals(len(rows))[:, None]
            given = (points[rows] - math.sqrt(self.rho) * shocks) / math.sqrt(1 - self.rho)
            chances = normal_share(given)
            yield limits_of(chances)[:, self.places], self.bulk.shape(chances)

    def _parts(self, width: int) -> Iterator[Whole]:
        size = max(1, _ROOM // max(1, width))
        return (self.rows[first : first + size] for first in range(0, len(self.rows), size))


def _rows(n_rows: int, n: int) -> Whole:
    """The row of each of ``n`` runs."""
    import numpy as np

    bounds = np.arange(n_rows + 1) * n // n_rows
    return np.repeat(np.arange(n_rows), np.diff(bounds))


def _rare(chances: Floats) -> NDArray[np.bool_]:
    """Classes of deals that are won so seldom that it is quicker to draw who is won than to ask each."""
    found: NDArray[np.bool_] = (chances.mean(axis=0) < _RARE) & (chances.max(axis=0) < _NEVER_RARE)
    return found


def _seldom(cents: Whole, places: Whole, chances: Floats, rows: Whole, draws: Draws) -> Whole:
    """
    Sums of each run, of deals that are seldom won.

    Each run of a deal is a piece of a line, as long as the logarithm of its chance says: a point lies in it just as
    often as the deal is won. So what is drawn are the points, which are few.
    """
    import numpy as np

    totals = np.zeros(len(rows), dtype=np.int64)
    if not len(cents):
        return totals
    order = np.argsort(places, kind="stable")
    amounts, (classes, starts, sizes) = (
        cents[order],
        np.unique(places[order], return_index=True, return_counts=True),
    )
    runs = np.bincount(rows, minlength=len(chances))
    firsts = np.cumsum(runs) - runs
    pieces = -np.log1p(-chances[:, classes])
    lengths = pieces * runs[:, None] * sizes
    for some in _even(lengths.sum(axis=1)):
        ends = np.cumsum(lengths[some])
        points = draws.points(float(ends[-1]))
        block = np.searchsorted(ends, points, side="right")
        row, column = some.start + block // len(sizes), block % len(sizes)
        begins = ends[block] - lengths[row, column]
        cell = ((points - begins) / pieces[row, column]).astype(np.int64)
        cell = np.minimum(cell, runs[row] * sizes[column] - 1)
        # two points in one piece are one win
        is_new = (np.diff(block, prepend=-1) != 0) | (np.diff(cell, prepend=-1) != 0)
        row, column, cell = row[is_new], column[is_new], cell[is_new]
        deal = starts[column] + cell % sizes[column]
        np.add.at(totals, firsts[row] + cell // sizes[column], amounts[deal])
    return totals


def _even(lengths: Floats) -> Iterator[slice]:
    """Rows in slices of about the same length together."""
    import numpy as np

    parts = (np.cumsum(lengths) // _ROOM).astype(np.int64)
    bounds = [0, *(np.flatnonzero(np.diff(parts)) + 1).tolist(), len(lengths)]
    return (slice(first, last) for first, last in pairwise(bounds))


def _sums_of_eight(cents: Whole) -> Whole:
    """For each eight amounts in a row the 256 sums that they may have, by the bits of which of them count."""
    import numpy as np

    padded = np.append(cents, np.zeros(-len(cents) % 8, dtype=np.int64)).reshape(-1, 8)
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    return padded @ bits.T.astype(np.int64)


def _summed(won: NDArray[np.bool_], sums: Whole) -> Whole:
    """Sum of the amounts that are won, of each run: looking eight up at once takes a fraction of adding each."""
    import numpy as np

    places = np.packbits(won, axis=1) + np.arange(len(sums)) * 256
    found: Whole = sums.take(places).sum(axis=1)
    return found


def _exact_sum(totals: Whole) -> int:
    """The sum, which may have more than 64 bits."""
    import numpy as np

    return (int((totals >> 32).sum()) << 32) + int((totals & np.int64(2**32 - 1)).sum())


def _figures(totals: Whole) -> list[float]:
    import numpy as np

    n = len(totals)
    places = sorted({max(0, math.ceil(q * n) - 1) for q in QUANTILES})
    ordered = np.partition(totals, places)
    return [*(ordered[max(0, math.ceil(q * n) - 1)] for q in QUANTILES), float(totals.mean())]
