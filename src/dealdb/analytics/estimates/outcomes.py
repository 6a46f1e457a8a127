"""What a chain makes of open deals: the chance to be won in time, and how long it takes until they close."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dealdb.analytics.estimates.chain import Chain, Rates, cumulated
from dealdb.analytics.estimates.draws import Draws

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dealdb.analytics.estimates.draws import Floats, Whole

# steps into which the time until the end is cut
_STEPS = 48
# ages in one stage for which they are solved
_AGES = 32
# numbers in memory at once
_ROOM = 2_000_000
# a deal that has moved so often is taken to go on for ever
_MOST_MOVES = 1_000
NEVER = float("inf")


def won_within(
    chain: Chain, rates: Rates, deals: Sequence[tuple[int, float]], days: float
) -> Floats:
    """
    Chance of each open deal to be won within some days: a row for each draw of the rates, a column for each deal.

    It isn't sampled: the equations of the chain are solved step by step, so that the error is that of 48 steps.

    Parameters
    ----------
    chain
        Where the bins of each stage begin.
    rates
        Its rates, of one or several draws.
    deals
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

    grid = np.linspace(0.0, days, _STEPS + 1)
    fresh = [
        _leaving(stage.edges, rate, grid[None, :])[:, 0]
        for stage, rate in zip(chain.stages, rates, strict=True)
    ]
    middles = _middles(np.stack(fresh, axis=1), chain.won) if fresh else None
    n_draws = rates[0].shape[0] if rates else 1
    found = np.zeros((n_draws, len(deals)))
    for place, stage in enumerate(chain.stages):
        columns = [n for n, (own, _) in enumerate(deals) if own == place]
        if not columns or middles is None:
            continue
        # beyond the last edge all ages are alike, as the rates stay as they are
        own_ages = np.minimum([deals[n][1] for n in columns], stage.edges[-1])
        ages = _points(own_ages)
        right = np.clip(np.searchsorted(ages, own_ages), min(1, len(ages) - 1), len(ages) - 1)
        left = np.maximum(right - 1, 0)
        gap = np.where(right > left, ages[right] - ages[left], 1.0)
        part = (own_ages - ages[left]) / gap
        for some in _slices(n_draws, len(ages) * (_STEPS + 1) * (chain.won + 2)):
            leaves = _leaving(stage.edges, rates[place][some], ages[:, None] + grid)
            # who leaves in step k has from there on what is left of the time
            then = middles[some, :, ::-1]
            own = leaves[..., chain.won].sum(axis=2)
            own += np.einsum("dakj,djk->da", leaves[..., : chain.won], then, optimize=True)
            found[some, columns] = own[:, left] * (1 - part) + own[:, right] * part
    return found


def _points(ages: Floats) -> Floats:
    """Ages whose chances are found; of many ages a grid, between whose points the chance is a line."""
    import numpy as np

    points = np.unique(ages)
    return points if len(points) <= _AGES else np.linspace(points[0], points[-1], _AGES)


def _leaving(edges: Floats, rates: Floats, ages: Floats) -> Floats:
    """Share that leaves in each step to each goal, of who has reached the first age: by draw, start, step and goal."""
    import numpy as np

    n, points = ages.shape
    summed = cumulated(edges, rates, ages.reshape(-1)).reshape(-1, n, points, rates.shape[2])
    passed = np.diff(summed, axis=2)
    both = passed.sum(axis=3)
    lasting = np.exp(-np.concatenate([np.zeros_like(both[:, :, :1]), both.cumsum(axis=2)], axis=2))
    gone = lasting[:, :, :-1] - lasting[:, :, 1:]
    share = np.divide(gone, both, out=np.zeros_like(gone), where=both > 0)
    passed *= share[..., None]
    return passed


def _middles(fresh: Floats, won: int) -> Floats:
    """
    Chance to be won for who comes into a stage in the middle of each step before the end: by draw, stage and step.

    ``fresh`` is what ``_leaving`` gives from age 0, by draw, stage, step and goal.
    """
    import numpy as np

    n_draws, n_stages, steps, _ = fresh.shape
    direct = fresh[..., won].cumsum(axis=2)
    chance = np.zeros((n_draws, n_stages, steps + 1))
    middle = np.zeros((n_draws, n_stages, steps))
    moves = fresh[..., :won]
    for m in range(1, steps + 1):
        # what comes out at m depends a little on itself, through those who move in the first step: taken as a line
        guess = 2 * chance[:, :, m - 1] - chance[:, :, m - 2] if m > 1 else direct[:, :, 0]
        middle[:, :, m - 1] = (chance[:, :, m - 1] + guess) / 2
        then = middle[:, :, m - 1 :: -1] if m > 1 else middle[:, :, :1]
        moved = np.einsum("dskj,djk->ds", moves[:, :, :m], then[:, :, :m], optimize=True)
        chance[:, :, m] = direct[:, :, m - 1] + moved
        middle[:, :, m - 1] = (chance[:, :, m - 1] + chance[:, :, m]) / 2
    return middle


def _slices(n: int, width: int) -> Iterator[slice]:
    size = max(1, _ROOM // max(1, width))
    return (slice(first, first + size) for first in range(0, n, size))


def closings(
    chain: Chain, rates: Rates, stage: int, age: float, *, n: int, draws: Draws
) -> tuple[Floats, NDArray[np.bool_]]:
    """
    Days until each of ``n`` runs of one deal closes, and whether it is won then; ``NEVER`` where it doesn't close.

    Parameters
    ----------
    chain, rates
        The chain, with one draw of its rates.
    stage, age
        Place of the present stage, and how many days the deal has stood there.
    n
        Number of runs.
    draws
        Random numbers.

    Examples
    --------
    >>> import polars as pl
    >>> seen = pl.DataFrame({"stage": [0] * 4, "days": [10.0] * 4, "goal": [1, 1, 2, 2]})
    >>> chain = Chain.learned(seen, 1)
    >>> days, won = closings(chain, chain.rates(), 0, 0.0, n=1000, draws=Draws(1))
    >>> round(float(won.mean()), 1), bool((days > 0).all())
    (0.5, True)
    """
    import numpy as np

    where: Whole = np.full(n, stage, dtype=np.int64)
    ages, days = np.full(n, age), np.zeros(n)
    for _ in range(_MOST_MOVES):
        active = np.flatnonzero(where < chain.won)
        active = active[days[active] < NEVER]
        if not active.size:
            return days, where == chain.won
        for place in np.unique(where[active]):
            own = active[where[active] == place]
            waits, goals = _exits(chain.stages[place].edges, rates[place][0], ages[own], draws)
            days[own] += waits
            where[own] = np.where(np.isfinite(waits), goals, place)
        ages[active] = 0.0
    days[where < chain.won] = NEVER
    return days, where == chain.won


def _exits(edges: Floats, rates: Floats, ages: Floats, draws: Draws) -> tuple[Floats, Whole]:
    """How long each stays on, and where it goes to then: the summed rates, turned around."""
    import numpy as np

    total = rates.sum(axis=1)
    at_edges = np.concatenate([[0.0], np.cumsum(np.diff(edges) * total[:-1])])

    def upto(age: Floats) -> Floats:
        place = np.searchsorted(edges, age, side="right") - 1
        summed: Floats = at_edges[place] + (age - edges[place]) * total[place]
        return summed

    goal = upto(ages) + draws.exponentials(len(ages))
    place = np.searchsorted(at_edges, goal, side="right") - 1
    rest = goal - at_edges[place]
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.where(total[place] > 0, edges[place] + rest / total[place], NEVER)
    ways = rates.cumsum(axis=1)[place]
    chosen = draws.uniform(len(ages)) * ways[:, -1]
    return ends - ages, np.minimum((ways < chosen[:, None]).sum(axis=1), rates.shape[1] - 1)
