"""Interval of a mean whose rows come in clusters: one deal that is looked at many times tells little more than once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from dealdb.analytics.estimates.draws import Draws
from dealdb.analytics.estimates.intervals import LEVEL, Interval

if TYPE_CHECKING:
    from dealdb.analytics.estimates.draws import Floats, Whole

TIMES = 1_000
# of more clusters, so many random groups are drawn, and not each by itself: the interval is as wide
MOST_CLUSTERS = 2_000
# numbers in memory at once
_ROOM = 500_000


def cluster_interval(
    rows: pl.DataFrame, *, seed: int = 0, times: int = TIMES, level: float = LEVEL
) -> Interval:
    """
    Interval of the mean of ``value``, by drawing whole clusters (``cluster``) again and again.

    Parameters
    ----------
    rows
        ``cluster`` and ``value``.
    seed
        The same seed gives the same interval.
    times
        How often the clusters are drawn.
    level
        Share of the means that it holds.

    Returns
    -------
    tuple
        Both bounds; nulls for fewer than two clusters.

    Source
    ------
    Davison and Hinkley, "Bootstrap methods and their application", section 3.8

    Examples
    --------
    >>> rows = pl.DataFrame({"cluster": [1, 1, 2, 3], "value": [0.0, 0.0, 1.0, 1.0]})
    >>> cluster_interval(rows, times=200)
    (0.2, 1.0)
    """
    import numpy as np

    clusters = rows.group_by("cluster").agg(s=pl.col("value").sum(), n=pl.len()).sort("cluster")
    if clusters.height <= 1:
        return None, None
    draws, means, left = Draws(seed), [], times
    sums, sizes = _grouped(clusters["s"].to_numpy(), clusters["n"].to_numpy(), draws)
    count = len(sums)
    while left:
        some = min(left, max(1, _ROOM // count))
        drawn = draws.below(count, some * count).reshape(some, count)
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
        left -= some
    ordered = np.sort(np.concatenate(means))
    tail = int(times * (1 - level) / 2)
    return float(ordered[tail]), float(ordered[times - 1 - tail])


def _grouped(sums: Floats, sizes: Whole, draws: Draws) -> tuple[Floats, Whole]:
    """Sums and sizes of random groups of clusters, which are drawn as one; each by itself where they are few."""
    import numpy as np

    if len(sums) <= MOST_CLUSTERS:
        return sums, sizes
    # the neighbours of a cluster are like it, and a group of them would vary more than one by chance
    order = np.argsort(draws.uniform(len(sums)), kind="stable")
    starts = np.arange(MOST_CLUSTERS) * len(sums) // MOST_CLUSTERS
    return np.add.reduceat(sums[order], starts), np.add.reduceat(sizes[order], starts)
