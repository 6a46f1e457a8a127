"""
How deals move from stage to stage, learned from their visits: a semi-Markov chain.

In each stage, each way out has a rate that depends on how long the deal has stood there: constant within bins of the
age, whose edges are such that each has some exits. So wins and losses may come at different ages, visits that are not
over count with the time that they have lasted, and beyond the longest visit the last rate goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from dealdb.analytics.estimates.draws import Draws

if TYPE_CHECKING:
    from dealdb.analytics.estimates.draws import Floats

# rates by draw, bin and goal, a table for each stage
Rates: TypeAlias = "list[Floats]"

# exits that a bin of ages has at least, where there is more than one
_LEAST = 10
_MOST_BINS = 24
# what each goal is given over all bins of a stage beside its exits
_SMOOTHING = 0.5
# no exit takes no time at all
_SHORTEST = 1e-6


@dataclass(frozen=True, slots=True)
class Ageing:
    """
    What was seen of one stage.

    Attributes
    ----------
    edges
        Ages at which its bins begin, the first 0.
    exits
        Exits by bin and goal.
    lasted
        Time that deals stood there at ages of each bin.
    widths
        Length of each bin; of the last, which has no end, how long those who reached it stood there on average.
    """

    edges: Floats
    exits: Floats
    lasted: Floats
    widths: Floats


@dataclass(frozen=True, slots=True)
class Chain:
    """
    The stages of a pipeline as a chain; goals are the open stages, then won, then lost.

    Attributes
    ----------
    stages
        What was seen of each open stage.

    Examples
    --------
    >>> visits = pl.DataFrame({"stage": [0, 0], "days": [2.0, 6.0], "goal": [1, None]})
    >>> chain = Chain.learned(visits, 1)
    >>> chain.rates()[0].round(6).tolist()
    [[[0.0, 0.09375, 0.03125]]]
    """

    stages: tuple[Ageing, ...]

    @property
    def won(self) -> int:
        """The goal that means won; the one after it means lost."""
        return len(self.stages)

    @classmethod
    def learned(cls, visits: pl.DataFrame, n_stages: int) -> Chain:
        """
        Chain from visits.

        Parameters
        ----------
        visits
            ``stage`` (its place, from 0), ``days`` (how long it lasted, or has lasted), ``goal`` (where it led to, or
            null where it isn't over) and, where the beginning was not watched, ``entry`` (age in days then, or null).
        n_stages
            Number of open stages.
        """
        came = pl.col("entry") if "entry" in visits.columns else pl.lit(0.0)
        seen = visits.with_columns(_came=came.fill_null(0.0)).filter(
            pl.col("days") >= pl.col("_came")
        )
        return cls(
            tuple(_ageing(seen.filter(pl.col("stage") == n), n_stages) for n in range(n_stages))
        )

    def rates(self, draws: Draws | None = None, n: int = 1) -> Rates:
        """
        Rates by draw, bin and goal, for each stage.

        Parameters
        ----------
        draws
            Random numbers: the rates are then drawn from what is likely after the exits that were seen (gamma for how
            many leave, Dirichlet for where to). Without them, the means.
        n
            Number of draws.
        """
        return [_rates(stage, draws, n) for stage in self.stages]


def spent(edges: Floats, ages: Floats) -> Floats:
    """
    Time that was spent in each bin up to each age.

    Examples
    --------
    >>> import numpy as np
    >>> spent(np.array([0.0, 2.0]), np.array([1.0, 4.0])).tolist()
    [[1.0, 0.0], [2.0, 2.0]]
    """
    import numpy as np

    found: Floats = np.clip(ages[..., None], edges, np.append(edges[1:], np.inf)) - edges
    return found


def _ageing(visits: pl.DataFrame, n_stages: int) -> Ageing:
    import numpy as np

    days, came = visits["days"].to_numpy(), visits["_came"].to_numpy()
    over = visits["goal"].is_not_null().to_numpy()
    goals = visits["goal"].fill_null(0).cast(pl.Int64).to_numpy()
    ages = np.sort(days[over])
    n_bins = int(min(_MOST_BINS, max(1, len(ages) // _LEAST)))
    inner = [ages[len(ages) * n // n_bins] for n in range(1, n_bins)]
    edges = np.unique([0.0, *inner])
    exits = np.zeros((len(edges), n_stages + 2))
    # an exit at an edge ends the bin before it
    place = np.maximum(np.searchsorted(edges, days, side="left") - 1, 0)
    np.add.at(exits, (place[over], goals[over]), 1.0)
    ends = np.append(edges[1:], np.inf)
    lasted = [
        float((np.clip(days, low, high) - np.clip(came, low, high)).sum())
        for low, high in zip(edges, ends, strict=True)
    ]
    reached = max(1, int((days > edges[-1]).sum()))
    widths = np.append(np.diff(edges), lasted[-1] / reached)
    return Ageing(edges=edges, exits=exits, lasted=np.array(lasted), widths=widths)


def _rates(stage: Ageing, draws: Draws | None, n: int) -> Floats:
    import numpy as np

    bins = len(stage.exits)
    left = stage.exits.sum(axis=1)
    # a stage that nobody has left yet is left by half a deal
    shape = np.where(left > 0, left, 0.5 * (stage.lasted > 0))
    likely = stage.exits.sum(axis=0) > 0
    likely[-2:] = True
    prior = likely * (_SMOOTHING / bins)
    weights = stage.exits + prior
    total, ways = shape[None, :], weights[None, :, :]
    if draws is not None:
        total = draws.gammas(shape, n) * _lift(stage)
        ways = draws.gammas(weights, n)
    lasted = np.maximum(stage.lasted, _SHORTEST)
    whole = np.maximum(ways.sum(axis=2, keepdims=True), 1e-300)
    found: Floats = (total / lasted)[:, :, None] * (ways / whole)
    return found


def _lift(stage: Ageing) -> Floats:
    """
    Factors on drawn rates, such that as many deals last through a bin in the mean of the draws as by the mean rate.

    The share that lasts is curved in the rate: of rates that vary about a mean more deals last than of the mean itself,
    and the fewer are watched the more. Without this, what will be won in time comes out too low.
    """
    import numpy as np

    # one over the number of deals that are there at a time
    each = np.minimum(stage.widths / np.maximum(stage.lasted, _SHORTEST), 1.0)
    found: Floats = np.where(each > 0, np.expm1(each) / np.maximum(each, 1e-300), 1.0)
    return found
