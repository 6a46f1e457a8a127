"""How good chances were: scores against what happened, and errors of forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import polars as pl

# a chance of 0 or 1 that proves wrong would cost without bound
_CLIP = 1e-6
BINS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """
    Scores of chances; all are null-free and need at least one pair.

    Attributes
    ----------
    n
        Pairs of a chance and an outcome.
    brier
        Mean square of chance minus outcome: 0 is perfect.
    reliability, resolution, uncertainty
        The parts of Murphy over ten bins of equal width: how far the bins' mean chances are from their outcomes, how
        far these are from the mean outcome, and the score of that mean. Reliability - resolution + uncertainty is the
        Brier score but for the spread of chances within bins.
    log_loss
        Mean of -log(chance of what happened), with chances clipped to 0.000001 from 0 and 1.
    base_rate
        Mean outcome.
    skill
        1 - brier / uncertainty: better than the base rate where above 0; None where all outcomes are the same.
    bias
        Mean of chance minus outcome: above 0, chances were too high.
    """

    n: int
    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    log_loss: float
    base_rate: float
    skill: float | None
    bias: float


def scored(pairs: pl.DataFrame) -> Scores | None:
    """
    Scores of ``chance`` (0 to 1) against ``outcome`` (0 or 1); None without a pair.

    Source
    ------
    Brier, Monthly Weather Review 78 (1950); Murphy, Journal of Applied Meteorology 12 (1973)

    Examples
    --------
    >>> found = scored(pl.DataFrame({"chance": [0.5, 0.5], "outcome": [1, 0]}))
    >>> found.brier, found.skill, found.bias
    (0.25, 0.0, 0.0)
    """
    if pairs.is_empty():
        return None
    p, y = pl.col("chance").cast(pl.Float64), pl.col("outcome").cast(pl.Float64)
    clipped = p.clip(_CLIP, 1 - _CLIP)
    n, brier, log_loss, rate, bias = pairs.select(
        n=pl.len(),
        brier=((p - y) ** 2).sum() / pl.len(),
        log_loss=-(y * clipped.log() + (1 - y) * (1 - clipped).log()).mean(),
        rate=y.mean(),
        bias=(p - y).mean(),
    ).row(0)
    bins = pairs.group_by((p * BINS).floor().clip(0, BINS - 1)).agg(
        n=pl.len(), p=p.mean(), y=y.mean()
    )
    weight = pl.col("n") / n
    reliability, resolution = bins.select(
        (weight * (pl.col("p") - pl.col("y")) ** 2).sum().alias("reliability"),
        (weight * (pl.col("y") - rate) ** 2).sum().alias("resolution"),
    ).row(0)
    uncertainty = rate * (1 - rate)
    return Scores(
        n=n,
        brier=brier,
        reliability=reliability,
        resolution=resolution,
        uncertainty=uncertainty,
        log_loss=log_loss,
        base_rate=rate,
        skill=1 - brier / uncertainty if uncertainty else None,
        bias=bias,
    )


def mape(errors: Sequence[Fraction], actuals: Sequence[Fraction]) -> float | None:
    """
    Mean of |error| / |actual|, over those whose actual isn't 0; None without any.

    Examples
    --------
    >>> mape([Fraction(5), Fraction(1)], [Fraction(10), Fraction(10)])
    0.3
    """
    shares = [abs(error / actual) for error, actual in zip(errors, actuals, strict=True) if actual]
    return float(sum(shares) / len(shares)) if shares else None


def wape(errors: Sequence[Fraction], actuals: Sequence[Fraction]) -> float | None:
    """
    Sum of |error| over the sum of |actual|, which a small period can't ruin; None where that is 0.

    Examples
    --------
    >>> wape([Fraction(5), Fraction(1)], [Fraction(10), Fraction(10)])
    0.3
    """
    whole = sum(map(abs, actuals))
    return float(sum(map(abs, errors)) / whole) if whole else None
