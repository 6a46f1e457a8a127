"""What a made history is made of, and what follows from it: chances, durations and amounts that are known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from random import Random
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dealdb.model.pipeline import Kind, Pipeline, Stage

Floats: TypeAlias = NDArray[np.float64]

WON, LOST = "Won", "Lost"
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Law:
    """How long something takes, in days: exponential (mean), Weibull (scale, shape) or log-normal (median, sigma)."""

    kind: str
    size: float
    shape: float = 1.0

    def draw(self, random: Random) -> float:
        # by the inverse of its distribution: the same on every machine and in every Python
        return self.quantile(random.random())

    def quantile(self, share: float) -> float:
        if self.kind == "lognormal":
            inside = min(max(share, 1e-12), 1 - 1e-12)
            return self.size * math.exp(self.shape * _NORMAL.inv_cdf(inside))
        waited = -math.log1p(-share)
        return self.size * (waited if self.kind == "exponential" else waited ** (1 / self.shape))

    def quantiles(self, shares: Floats) -> Floats:
        """The same of many at once; a log-normal has no such form here."""
        if self.kind == "lognormal":
            raise NotImplementedError
        waited = -np.log1p(-shares)
        return self.size * (waited if self.kind == "exponential" else waited ** (1 / self.shape))

    @property
    def median(self) -> float:
        return self.quantile(0.5)

    def beyond(self, days: float) -> float:
        """Share that takes longer."""
        if days <= 0:
            return 1.0
        if self.kind == "lognormal":
            return 1 - _NORMAL.cdf(math.log(days / self.size) / self.shape)
        rate = days / self.size
        return math.exp(-(rate if self.kind == "exponential" else rate**self.shape))


@dataclass(frozen=True)
class StageTruth:
    """Where deals go from a stage, each way with its chance, and how long they stay: one law, or one for each way."""

    name: str
    ways: Mapping[str, float]
    law: Law = Law("exponential", 10.0)
    laws: Mapping[str, Law] = field(default_factory=dict)
    chance: str = "0.30"

    def law_to(self, goal: str) -> Law:
        return self.laws.get(goal, self.law)


@dataclass(frozen=True)
class Truth:
    """
    A semi-Markov process of deals.

    ``days`` is how long deals come in, from ``start`` on; nothing after ``watched`` days is told. ``owners`` are names
    with a factor on the odds to win. ``push`` is the chance in each visit that the expected date moves, by up to so
    many days. ``drift`` is the mean of the log change of the amount at each move. ``months`` are factors on how many
    deals come in.
    """

    stages: tuple[StageTruth, ...]
    start: date = date(2024, 1, 1)
    days: int = 365
    watched: int = 365
    first: Mapping[str, float] = field(default_factory=dict)
    amount: Law = Law("lognormal", 1000.0, 0.8)
    drift: float = 0.0
    drift_spread: float = 0.0
    push: tuple[float, int] = (0.0, 30)
    owners: Mapping[str, float] = field(default_factory=lambda: {"Ann": 1.0})
    months: tuple[float, ...] = (1.0,) * 12
    reopen: float = 0.0
    delete: float = 0.0
    merge: float = 0.0
    dirty: float = 0.0
    currencies: tuple[str, ...] = ("EUR",)

    @property
    def pipeline(self) -> Pipeline:
        """The stages, with the chances that they say they have."""
        stages = (Stage(each.name, Kind.OPEN, Decimal(each.chance), 14) for each in self.stages)
        return Pipeline((*stages, Stage(WON, Kind.WON), Stage(LOST, Kind.LOST)))

    @property
    def starts(self) -> Mapping[str, float]:
        """Where deals begin."""
        return self.first or {self.stages[0].name: 1.0}

    def stage(self, name: str) -> StageTruth:
        return next(each for each in self.stages if each.name == name)

    def ends(self) -> dict[str, float]:
        """Chance to be won from each stage, for an owner of factor 1 and without reopening: (I - Q)^-1 R."""
        names = [each.name for each in self.stages]
        moves = np.array([[each.ways.get(name, 0.0) for name in names] for each in self.stages])
        wins = np.array([each.ways.get(WON, 0.0) for each in self.stages])
        found = np.linalg.solve(np.eye(len(names)) - moves, wins)
        return dict(zip(names, found.tolist(), strict=True))

    def medians(self) -> dict[str, float]:
        """Median days in each stage, where one law holds for all ways out."""
        return {each.name: each.law.median for each in self.stages if not each.laws}
