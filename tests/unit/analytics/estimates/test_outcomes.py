"""What a chain makes of open deals, against chances and durations that are known."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import polars as pl
import pytest

from dealdb.analytics.estimates import outcomes
from dealdb.analytics.estimates.chain import Chain
from dealdb.analytics.estimates.draws import Draws
from dealdb.analytics.estimates.outcomes import NEVER, alike, closings, won_within

_WAYS = ((0.0, 0.5, 0.2, 0.3), (0.1, 0.0, 0.6, 0.3))


def walked(n: int, seed: int) -> Chain:
    """Two stages with exponential stays of 10 days, a way back, and 50 % more than half of them lost."""
    random = Random(seed)
    rows = []
    for _ in range(n):
        stage = 0
        while stage < 2:
            days = -10 * math.log(1 - random.random())
            (goal,) = random.choices(range(4), _WAYS[stage])
            rows.append((stage, days, goal))
            stage = goal
    return Chain.learned(pl.DataFrame(rows, schema=["stage", "days", "goal"], orient="row"), 2)


CHAIN = walked(2_000, 1)


def test_in_the_long_run_it_is_where_the_chain_ends() -> None:
    found = won_within(CHAIN, CHAIN.rates(), [(0, 0.0), (1, 0.0)], 2_000.0)[0]
    # (I - Q)^-1 R
    first = (0.2 + 0.5 * 0.6) / (1 - 0.5 * 0.1)
    assert found.tolist() == pytest.approx([first, 0.6 + 0.1 * first], abs=0.05)


def test_the_equations_agree_with_the_runs() -> None:
    deals = [(0, 0.0), (0, 25.0), (1, 3.0), (1, 400.0)]
    chances = won_within(CHAIN, CHAIN.rates(), deals, 30.0)[0]
    for (stage, age), chance in zip(deals, chances.tolist(), strict=True):
        [(days, won)] = closings(CHAIN, CHAIN.rates(), [(stage, age)], n=20_000, seed=2)
        share = float((won & (days <= 30.0)).mean())
        assert chance == pytest.approx(share, abs=5 * 0.5 / math.sqrt(20_000) + 0.002)


def test_no_time_wins_nothing() -> None:
    assert won_within(CHAIN, CHAIN.rates(), [(0, 5.0)], 0.0).tolist() == [[0.0]]


def test_chances_of_many_ages_are_those_of_each() -> None:
    ages = [age / 3 for age in range(200)]
    points, classes = alike(CHAIN, [0] * 200, ages)
    assert len(points) < 100
    together = won_within(CHAIN, CHAIN.rates(), points, 30.0)[0][classes]
    each = won_within(CHAIN, CHAIN.rates(), [(0, age) for age in ages], 30.0)[0]
    assert together.tolist() == pytest.approx(each.tolist(), abs=0.003)
    assert float(together.mean()) == pytest.approx(float(each.mean()), abs=0.0001)


def test_deals_of_one_age_are_of_one_class_and_beyond_the_last_edge_all_are() -> None:
    edge = float(CHAIN.stages[1].edges[-1])
    points, classes = alike(CHAIN, [1, 0, 1, 1], [edge + 9, 3.0, edge + 50, 2.0])
    assert points == [(0, 3.0), (1, 2.0), (1, edge)]
    assert classes.tolist() == [2, 0, 2, 1]


def test_each_draw_of_the_rates_has_its_own_chances() -> None:
    rates = walked(60, 3).rates(Draws(1), 50)
    found = won_within(walked(60, 3), rates, [(0, 0.0)], 60.0)
    assert found.shape == (50, 1)
    assert 0.02 < float(found.std()) < 0.2
    assert bool(((found > 0) & (found < 1)).all())


def test_a_deal_in_a_stage_that_is_never_left_never_closes() -> None:
    chain = Chain.learned(pl.DataFrame({"stage": [0], "days": [5.0], "goal": [2]}), 2)
    [(days, won)] = closings(chain, chain.rates(), [(1, 0.0)], n=100, seed=1)
    assert set(days.tolist()) == {NEVER}
    assert not won.any()


def test_the_wait_of_an_exponential_stay_does_not_depend_on_age() -> None:
    random = Random(4)
    rows = [(0, -20 * math.log(1 - random.random()), 1) for _ in range(5_000)]
    chain = Chain.learned(pl.DataFrame(rows, schema=["stage", "days", "goal"], orient="row"), 1)
    runs = closings(chain, chain.rates(), [(0, 0.0), (0, 30.0)], n=20_000, seed=6)
    medians = [float(np.median(days)) for days, _ in runs]
    assert medians == pytest.approx([20 * math.log(2)] * 2, rel=0.12)


def test_runs_of_many_starts_are_those_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = [(0, 0.0), (1, 3.0), (0, 25.0), (1, 0.0), (0, 400.0)]
    each = [next(closings(CHAIN, CHAIN.rates(), [start], n=300, seed=5)) for start in starts]
    for together in (300, 700, 100_000):
        monkeypatch.setattr(outcomes, "_TOGETHER", together)
        found = closings(CHAIN, CHAIN.rates(), starts, n=300, seed=5)
        for (days, won), (own_days, own_won) in zip(found, each, strict=True):
            assert days.tolist() == own_days.tolist()
            assert won.tolist() == own_won.tolist()
