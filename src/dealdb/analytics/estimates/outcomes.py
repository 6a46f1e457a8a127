"""What a chain makes of open deals: the chance to be won in time, and how long it takes until they close."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dealdb.analytics.estimates.chain import Chain, Rates, spent
from dealdb.analytics.estimates.draws import Draws

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dealdb.analytics.estimates.draws import Floats, Whole

# steps into which the time until the end is cut
_STEPS = 48
# ages in one stage for which they are solved
_AGES = 64
# numbers in memory at once
_ROOM = 2_000_000
# a deal that has moved so often is taken to go on for ever
_MOST_MOVES = 1_000
NEVER = float("inf")
# where a run is that never leaves its stage
_NOWHERE = -1
# runs that are looked at together, whose numbers fit into the cache
_TOGETHER = 32_768


def alike(
    chain: Chain, places: Sequence[int], ages: Sequence[float]
) -> tuple[list[tuple[int, float]], Whole]:
    """
    Deals in classes of which all have the same chance: those of a stage that have stood there for as long.

    Where a stage has many ages, neighbours share a class, which has their mean age.

    Parameters
    ----------
    chain
        Where the bins of each stage begin.
    places, ages
        Of the deals: place of the stage, and age there in days.

    Returns
    -------
    tuple
        Stage and age of each class, and the class of each deal.

    Examples
    --------
    >>> import polars as pl
    >>> days = [float(day) for day in range(1, 41)]
    >>> seen = pl.DataFrame({"stage": [0] * 40, "days": days, "goal": [1, 2] * 20})
    >>> points, classes = alike(Chain.learned(seen, 1), [0, 0, 0], [5.0, 2.0, 5.0])
    >>> points, classes.tolist()
    ([(0, 2.0), (0, 5.0)], [1, 0, 1])
    """
    import numpy as np

    stages, points = np.asarray(places, dtype=np.int64), list[tuple[int, float]]()
    classes: Whole = np.zeros(len(stages), dtype=np.int64)
    for place, stage in enumerate(chain.stages):
        own = np.flatnonzero(stages == place)
        # beyond the last edge all ages are alike, as the rates stay as they are
        capped = np.minimum(np.asarray(ages, dtype=np.float64)[own], stage.edges[-1])
        known, nth = np.unique(capped, return_inverse=True)
        if len(known) > _AGES:
            order = np.argsort(capped, kind="stable")
            nth = np.empty(len(own), dtype=np.int64)
            nth[order] = np.arange(len(own)) * _AGES // len(own)
            known = np.bincount(nth, capped) / np.bincount(nth)
        classes[own] = nth + len(points)
        points += [(place, age) for age in known.tolist()]
    return points, classes


def won_within(
    chain: Chain, rates: Rates, points: Sequence[tuple[int, float]], days: float
) -> Floats:
    """
    Chance of deals to be won within some days: a row for each draw of the rates, a column for each stage and age.

    It isn't sampled: the equations of the chain are solved step by step, so that the error is that of 48 steps.

    Parameters
    ----------
    chain
        Where the bins of each stage begin.
    rates
        Its rates, of one or several draws.
    points
        Place of the stage, and age there in days.
    days
        Time until the end.

    Source
    ------
    Howard, "Dynamic probabilistic systems", volume 2, chapter 10: the first-passage equations of a semi-Markov process

    Examples
    --------
    >>> import polars as pl
    >>> seen = pl.DataFrame({"stage": [0] * 4, "days": [10.0] * 4, "goal": [1, 1, 2, 2]})
    >>> chain = Chain.learned(seen, 1)
    >>> won_within(chain, chain.rates(), [(0, 0.0)], 1e4).round(3).tolist()
    [[0.5]]
    """
    import numpy as np

    found = np.zeros((rates[0].shape[0] if rates else 1, len(points)))
    if not rates:
        return found
    grid = np.linspace(0.0, days, _STEPS + 1)
    # by bin, goal and draw: loops over the many draws are the quickest where they are the innermost
    turned = [np.ascontiguousarray(each.transpose(1, 2, 0)) for each in rates]
    fresh = [
        _leaving(stage.edges, rate, grid) for stage, rate in zip(chain.stages, turned, strict=True)
    ]
    # who leaves in step k has from there on what is left of the time
    then = _middles(np.stack(fresh), chain.won)[::-1]
    for place, stage in enumerate(chain.stages):
        columns = [n for n, (own, _) in enumerate(points) if own == place]
        ages = np.array([points[n][1] for n in columns])[:, None] + grid
        for some in _slices(len(found), ages.size):
            chances = _from_ages(stage.edges, turned[place][..., some], then[..., some], ages)
            found[some, columns] = chances.T
    return found


def _from_ages(edges: Floats, rates: Floats, then: Floats, ages: Floats) -> Floats:
    """
    Chance to be won for who stands in one stage: by age and draw.

    ``then`` is the chance of who comes into a stage in a step, by step, stage and draw; ``ages`` are those at the
    beginning of each step and the end of the last, a row for each start.
    """
    import numpy as np

    won = then.shape[1]
    # what it is worth to leave, by step, bin and draw
    worth = np.einsum("bjd,kjd->kbd", rates[:, :won], then) + rates[:, won]
    # a product with what isn't in order takes a hundred times as long
    passed = np.ascontiguousarray(np.diff(spent(edges, ages), axis=1).transpose(1, 0, 2))
    leaving, gains = np.matmul(passed, rates.sum(axis=1)), np.matmul(passed, worth)
    left, found = np.ones(gains.shape[1:]), np.zeros(gains.shape[1:])
    for rate, gain in zip(leaving, gains, strict=True):
        gone = -left * np.expm1(-rate)
        found += np.divide(gone * gain, rate, out=np.zeros_like(gain), where=rate > 0)
        left -= gone
    return found


def _leaving(edges: Floats, rates: Floats, ages: Floats) -> Floats:
    """Share that leaves in each step to each goal, of who has reached the first age: by step, goal and draw."""
    import numpy as np

    passed = np.einsum("kb,bjd->kjd", np.diff(spent(edges, ages), axis=0), rates)
    both = passed.sum(axis=1)
    lasting = np.exp(-np.concatenate([np.zeros_like(both[:1]), both.cumsum(axis=0)]))
    gone = lasting[:-1] - lasting[1:]
    share = np.divide(gone, both, out=np.zeros_like(gone), where=both > 0)
    found: Floats = passed * share[:, None]
    return found


def _middles(fresh: Floats, won: int) -> Floats:
    """
    Chance to be won for who comes into a stage in the middle of each step before the end: by step, stage and draw.

    ``fresh`` is what ``_leaving`` gives from age 0, by stage, step, goal and draw.
    """
    import numpy as np

    n_stages, steps, _, n_draws = fresh.shape
    direct = fresh[:, :, won].cumsum(axis=1).transpose(1, 0, 2)
    moves = np.ascontiguousarray(fresh[:, :, :won].transpose(1, 0, 2, 3))
    chance = np.zeros((steps + 1, n_stages, n_draws))
    middle = np.zeros((steps, n_stages, n_draws))
    for m in range(1, steps + 1):
        # what comes out at m depends a little on itself, through those who move in the first step: taken as a line
        guess = 2 * chance[m - 1] - chance[m - 2] if m > 1 else direct[0]
        middle[m - 1] = (chance[m - 1] + guess) / 2
        moved = np.einsum("ksjd,kjd->sd", moves[:m], middle[:m][::-1])
        chance[m] = direct[m - 1] + moved
        middle[m - 1] = (chance[m - 1] + chance[m]) / 2
    return middle


def _slices(n: int, width: int) -> Iterator[slice]:
    size = max(1, _ROOM // max(1, width))
    return (slice(first, first + size) for first in range(0, n, size))


def closings(
    chain: Chain, rates: Rates, starts: Sequence[tuple[int, float]], *, n: int, seed: int
) -> Iterator[tuple[Floats, NDArray[np.bool_]]]:
    """
    For each start, days until each of ``n`` runs of a deal closes, and whether it is won then; ``NEVER`` for no end.

    Parameters
    ----------
    chain, rates
        The chain, with one draw of its rates.
    starts
        Place of the present stage, and how many days the deal has stood there.
    n
        Number of runs of each.
    seed
        Of the random numbers, which are the same for each start.

    Examples
    --------
    >>> import polars as pl
    >>> seen = pl.DataFrame({"stage": [0] * 4, "days": [10.0] * 4, "goal": [1, 1, 2, 2]})
    >>> chain = Chain.learned(seen, 1)
    >>> [(days, won)] = closings(chain, chain.rates(), [(0, 0.0)], n=1000, seed=1)
    >>> round(float(won.mean()), 1), bool((days > 0).all())
    (0.5, True)
    """
    ways = [_Ways.of(stage.edges, rate[0]) for stage, rate in zip(chain.stages, rates, strict=True)]
    size = max(1, _TOGETHER // n)
    for first in range(0, len(starts), size):
        yield from _closed_together(ways, starts[first : first + size], n, seed)


def _closed_together(
    ways: Sequence[_Ways], starts: Sequence[tuple[int, float]], n: int, seed: int
) -> Iterator[tuple[Floats, NDArray[np.bool_]]]:
    """The same of some starts, whose runs are looked at together: the runs of the first, then those of the next."""
    import numpy as np

    won, start = len(ways), np.repeat(np.arange(len(starts)), n)
    where: Whole = np.array([stage for stage, _ in starts], dtype=np.int64)[start]
    ages, days = np.array([age for _, age in starts], dtype=np.float64), np.zeros(len(where))
    # how many numbers each start has used
    used: Whole = np.zeros(len(starts), dtype=np.int64)
    for _ in range(_MOST_MOVES):
        active = (where >= 0) & (where < won)
        if not active.any():
            break
        # who comes into a stage where others of the same start stand moves on with them
        is_reached = np.zeros((won, len(starts)), dtype=np.bool_)
        is_reached[where[active], start[active]] = True
        for place, own_ways in enumerate(ways):
            own = np.flatnonzero(where == place)
            own = own[is_reached[place].take(start.take(own))]
            counts: Whole = np.bincount(start.take(own), minlength=len(starts))
            if not own.size:
                continue
            waits, goals = _exits(own_ways, ages, counts, used, seed)
            days[own] += waits
            # who waits for ever goes nowhere
            where[own] = np.where(np.isfinite(waits), goals, _NOWHERE)
            used += 2 * counts
        ages[:] = 0.0
    days[where < won] = NEVER
    yield from zip(days.reshape(-1, n), (where == won).reshape(-1, n), strict=True)


@dataclass(frozen=True, slots=True)
class _Ways:
    """The ways out of a stage, by bins of the age: when they begin, how much is summed by then, and the shares."""

    edges: Floats
    total: Floats
    at_edges: Floats
    # of each goal and those before it, a row for each goal
    upto_goal: Floats

    @classmethod
    def of(cls, edges: Floats, rates: Floats) -> _Ways:
        """Those of a stage with one draw of its rates."""
        import numpy as np

        total = rates.sum(axis=1)
        at_edges = np.concatenate([[0.0], np.cumsum(np.diff(edges) * total[:-1])])
        return cls(edges, total, at_edges, np.ascontiguousarray(rates.cumsum(axis=1).T))

    def upto(self, age: Floats) -> Floats:
        """Summed rates up to an age."""
        import numpy as np

        place = np.searchsorted(self.edges, age, side="right") - 1
        summed: Floats = self.at_edges[place] + (age - self.edges[place]) * self.total[place]
        return summed

    def ends(self, summed: Floats) -> tuple[Floats, Whole]:
        """The ages up to which so much is summed, and their bins."""
        import numpy as np

        place = np.searchsorted(self.at_edges, summed, side="right") - 1
        rest, total = summed - self.at_edges.take(place), self.total.take(place)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(total > 0, self.edges.take(place) + rest / total, NEVER), place

    def goals(self, place: Whole, shares: Floats) -> Whole:
        """Where to, by the bin of the end and a random share."""
        import numpy as np

        chosen = shares * self.upto_goal[-1].take(place)
        goals: Whole = np.zeros(len(place), dtype=np.int64)
        for upto in self.upto_goal[:-1]:
            goals += upto.take(place) < chosen
        return goals


def _exits(
    ways: _Ways, ages: Floats, counts: Whole, used: Whole, seed: int
) -> tuple[Floats, Whole]:
    """
    How long each run in a stage stays on, and where it goes to then: the summed rates, turned around.

    Parameters
    ----------
    ways
        Those out of the stage.
    ages
        Of each start, how long its runs have been there.
    counts
        How many of its runs are there.
    used
        How many random numbers it has used.
    seed
        Of these.
    """
    import numpy as np

    there = counts > 0
    first, last = used[there].min(), (used + 2 * counts)[there].max()
    numbers = Draws(seed).skipped(int(first)).uniform(int(last - first))
    # one number for the wait of each run, then one for its goal
    ends = np.cumsum(counts)
    nth = np.arange(ends[-1]) + np.repeat(used - first - (ends - counts), counts)
    summed, shares = -np.log(numbers), numbers.take(nth + np.repeat(counts, counts))
    if ages.any():
        left, place = ways.ends(np.repeat(ways.upto(ages), counts) + summed.take(nth))
        return left - np.repeat(ages, counts), ways.goals(place, shares)
    # of those who have just come in, the starts differ only in the numbers that are theirs
    left, place = ways.ends(summed)
    place = place.take(nth)
    return left.take(nth), ways.goals(place, shares)
