"""Studies of estimators on made histories: how far off they are, and how often their intervals hold the truth."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import numpy as np
import polars as pl

from dealdb.analytics.estimates.curves import incidence, kaplan_meier
from dealdb.analytics.estimates.intervals import Interval, wilson
from dealdb.analytics.prediction.simulate import simulate
from histories.made import History, histories
from histories.truth import LOST, WON, Law, StageTruth, Truth
from pasts import past_of

_DAY = 86_400_000


@dataclass(frozen=True)
class Study:
    """What many runs told."""

    bias: float
    error: float
    covered: float
    n: int

    def holds(self, share: float, off: float) -> bool:
        """Whether the intervals held the truth as often as that, plus and minus ``off``."""
        return abs(self.covered - share) <= off


def studied(runs: Iterable[tuple[float, Interval]], truth: float) -> Study:
    """Bias with its standard error, and coverage; a missing interval holds nothing."""
    told = list(runs)
    misses = [estimate - truth for estimate, _ in told]
    bias = sum(misses) / len(told)
    spread = math.sqrt(sum((miss - bias) ** 2 for miss in misses) / (len(told) - 1) / len(told))
    held = sum(lo is not None and hi is not None and lo <= truth <= hi for _, (lo, hi) in told)
    return Study(bias=bias, error=spread, covered=held / len(told), n=len(told))


def slack(n: int, share: float, chance: float = 1e-6) -> float:
    """How far a share of ``n`` runs is from the true one at most, but for that chance (Hoeffding would be wider)."""
    z = 4.9 if chance <= 1e-6 else 3.0
    return z * math.sqrt(share * (1 - share) / n) + 1 / n


def one_stage(chance: float, won: Law, lost: Law, *, watched: int) -> Truth:
    """Deals of one stage, that come in as long as they are watched."""
    lead = StageTruth("Lead", {WON: chance, LOST: 1 - chance}, laws={WON: won, LOST: lost})
    return Truth((lead,), days=watched, watched=watched)


def stays(history: History) -> pl.DataFrame:
    """Of deals of one stage: ``time`` in it and ``cause`` (1 won, 2 lost, 0 open when it was last watched)."""
    stages = history.rows.filter(pl.col("field") == "stage")
    ends = pl.col("at").filter(pl.col("value") != "Lead").first().fill_null(history.until)
    closed = pl.col("value").filter(pl.col("value") != "Lead").first()
    cause = pl.when(closed == WON).then(1).when(closed == LOST).then(2).otherwise(0)
    entered = pl.col("at").filter(pl.col("value") == "Lead").first()
    spans = stages.group_by("id").agg(entered=entered, end=ends, cause=cause)
    return spans.select("cause", time=pl.col("end") - pl.col("entered"))


def drawn_stays(truth: Truth, n: int, seeds: int) -> Iterator[pl.DataFrame]:
    """
    What ``stays`` has of ``n`` deals, once for each seed, drawn at once and without a history between.

    A study of hundreds of histories spends most of its time on writing their facts down and reading them again.
    """
    [stage] = truth.stages
    random = np.random.Generator(np.random.PCG64(n))
    begin, which, share = random.random((3, seeds, n))
    is_won = which < stage.ways[WON]
    lasts = np.where(
        is_won, stage.law_to(WON).quantiles(share), stage.law_to(LOST).quantiles(share)
    )
    begin = begin * truth.days
    seen = truth.watched - begin
    is_over = lasts < seen
    time = (np.where(is_over, np.maximum(lasts, 1 / _DAY), seen) * _DAY).astype(np.int64)
    cause = np.where(is_over, np.where(is_won, 1, 2), 0)
    for place in range(seeds):
        # nobody sees those that have not begun yet
        frame = pl.DataFrame({"cause": cause[place], "time": time[place]})
        yield frame.filter(pl.Series(seen[place] > 0))


def closed_share(spans: pl.DataFrame) -> tuple[float, Interval]:
    """Won deals over closed ones, as most tools have it."""
    won, lost = (spans.filter(pl.col("cause") == cause).height for cause in (1, 2))
    return won / (won + lost), wilson(won, won + lost)


def competing(spans: pl.DataFrame) -> tuple[float, Interval]:
    """Incidence of won until the longest time."""
    chance, lo, hi = incidence(spans).select("incidence", "lo", "hi").row(-1)
    return chance, (lo, hi)


def ended_mean(spans: pl.DataFrame) -> tuple[float, Interval]:
    """Mean days of the spans that ended."""
    ended = spans.filter(pl.col("cause") > 0)["time"].cast(pl.Float64)
    return float(ended.sum()) / ended.len() / _DAY, (None, None)


def median_days(spans: pl.DataFrame) -> tuple[float, Interval]:
    """Median days by Kaplan-Meier."""
    below = kaplan_meier(spans).filter(pl.col("s") <= 0.5)["time"]
    return int(below[0]) / _DAY, (None, None)


def lasting(days: float) -> Callable[[pl.DataFrame], tuple[float, Interval]]:
    """Share that lasts longer than some days, by Kaplan-Meier."""

    def found(spans: pl.DataFrame) -> tuple[float, Interval]:
        s, lo, hi = (
            kaplan_meier(spans)
            .filter(pl.col("time") <= days * _DAY)
            .select("s", "lo", "hi")
            .row(-1)
        )
        return s, (lo, hi)

    return found


def over_seeds(
    truth: Truth, n: int, seeds: int, *estimators: Callable[[pl.DataFrame], tuple[float, Interval]]
) -> list[list[tuple[float, Interval]]]:
    """What each estimator says of ``n`` deals, once for each seed."""
    all_spans = list(drawn_stays(truth, n, seeds))
    return [[estimate(spans) for spans in all_spans] for estimate in estimators]


@dataclass(frozen=True)
class Quarter:
    """A forecast of 90 days of a made history, and what came of it."""

    quantiles: tuple[Decimal, Decimal, Decimal]
    actual: Decimal

    @property
    def below(self) -> tuple[bool, bool, bool]:
        """Whether the actual is not above each of them."""
        p10, p50, p90 = self.quantiles
        return self.actual <= p10, self.actual <= p50, self.actual <= p90


def quarters(
    truth: Truth, n: int, seeds: Iterable[int], *, posterior: bool = True
) -> Iterator[Quarter]:
    """Forecasts, of the end of what was watched, of what the deals that are open then will have won 90 days later."""
    for seed in seeds:
        history = histories(n, seed, truth=truth)
        day = truth.start + timedelta(days=truth.watched)
        past = past_of(history.facts, as_of=day - timedelta(days=1))
        until = day + timedelta(days=90)
        row = simulate(past, until, n=2_000, seed=seed, since=day, posterior=posterior).to_dicts()[
            0
        ]
        end = history.until + 90 * _DAY
        won = (
            history.amounts[deal]
            for deal, (at, stage) in history.closings.items()
            if stage == WON and history.until <= at < end and history.begins[deal] < history.until
        )
        yield Quarter((row["p10"], row["p50"], row["p90"]), sum(won, Decimal(0)))
