"""Intervals of shares and of curves, and the mean of a chance that few deals tell of."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TypeAlias

LEVEL = 0.95

Interval: TypeAlias = tuple[float, float] | tuple[None, None]


def normal_quantile(level: float = LEVEL) -> float:
    """
    Standard errors on each side of the middle that hold that share of a normal distribution.

    Examples
    --------
    >>> round(normal_quantile(0.95), 6)
    1.959964
    """
    return NormalDist().inv_cdf((1 + level) / 2)


def wilson(won: int, n: int, level: float = LEVEL) -> Interval:
    """
    Interval of Wilson for a share: ``won`` of ``n`` deals; nulls where there are none.

    It stays inside 0 to 1 and holds its level for few deals, unlike the share plus and minus two standard errors.

    Source
    ------
    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927)

    Examples
    --------
    >>> [round(bound, 6) for bound in wilson(2, 5)]
    [0.117621, 0.769276]
    """
    if not n:
        return None, None
    z = normal_quantile(level)
    share, unit = won / n, z * z / n
    middle = (share + unit / 2) / (1 + unit)
    half = z * math.sqrt(share * (1 - share) / n + unit / (4 * n)) / (1 + unit)
    # exact at the ends, where the difference would leave a rest
    return (middle - half if won else 0.0), (middle + half if won < n else 1.0)


def beta_mean(won: int, n: int) -> float:
    """
    Mean of the posterior Beta(won + 1/2, n - won + 1/2) of a chance: the prior is that of Jeffreys.

    Examples
    --------
    >>> beta_mean(0, 0), beta_mean(2, 5)
    (0.5, 0.4166666666666667)
    """
    return (won + 0.5) / (n + 1)


def logit(share: float, variance: float, level: float = LEVEL) -> Interval:
    """
    Interval of a chance, symmetric for its log odds; nulls at 0 and 1.

    Examples
    --------
    >>> [round(bound, 4) for bound in logit(0.5, 0.01)]
    [0.3135, 0.6865]
    """
    if not 0 < share < 1:
        return None, None
    spread = normal_quantile(level) * math.sqrt(variance) / (share * (1 - share))
    odds = math.log(share / (1 - share))
    low, high = (1 / (1 + math.exp(-(odds + side * spread))) for side in (-1, 1))
    return low, high
