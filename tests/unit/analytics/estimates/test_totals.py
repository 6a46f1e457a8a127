"""Sums of deals that may be won: exact for few, simulated for many, the same numbers for one seed."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from random import Random

import numpy as np
import pytest

from dealdb.analytics.estimates.draws import Draws
from dealdb.analytics.estimates.totals import exact_outlook, exact_total, simulated

# of the seed 1
FIXED = ((1200, 2000, 2800), Fraction(50094, 25))


def test_the_example() -> None:
    deals = [(100_000, Fraction(1, 2)), (50_000, Fraction(1, 5))]
    chances = {total: float(chance) for total, chance in exact_total(deals).items()}
    assert chances == {0: 0.4, 50_000: 0.1, 100_000: 0.4, 150_000: 0.1}
    outlook = exact_outlook(deals)
    assert outlook.quantiles == (0, 50_000, 100_000)
    assert outlook.mean == 60_000
    assert outlook.errors is None


def test_exact_sums_are_those_of_all_outcomes() -> None:
    random = Random(1)
    for _ in range(30):
        deals = [
            (random.randrange(-5, 30) * 100, Fraction(random.randrange(101), 100))
            for _ in range(random.randrange(8))
        ]
        wanted: dict[int, Fraction] = {}
        for won in product((0, 1), repeat=len(deals)):
            chance = Fraction(1)
            for hit, (_, each) in zip(won, deals, strict=True):
                chance *= each if hit else 1 - each
            total = sum(hit * units for hit, (units, _) in zip(won, deals, strict=True))
            wanted[total] = wanted.get(total, Fraction(0)) + chance
        assert exact_total(deals) == {total: chance for total, chance in wanted.items() if chance}


def test_no_deals_sum_to_nothing() -> None:
    assert exact_outlook([]).quantiles == (0, 0, 0)
    assert simulated([], np.zeros((1, 0)), n=1000, draws=Draws(0)).mean == 0


def test_the_simulation_agrees_with_the_exact_sums() -> None:
    random = Random(8)
    deals = [
        (random.randrange(1, 10**6), Fraction(random.randrange(5, 95), 100)) for _ in range(15)
    ]
    exact = exact_outlook(deals)
    chances = np.array([[float(chance) for _, chance in deals]])
    found = simulated([units for units, _ in deals], chances, n=40_000, draws=Draws(5))
    assert found.errors is not None
    for told, wanted, error in zip(found.quantiles, exact.quantiles, found.errors, strict=False):
        assert abs(told - wanted) < 6 * error + 1
    assert abs(float(found.mean - exact.mean)) < 6 * found.errors[-1]


def test_one_seed_gives_the_same_figures() -> None:
    chances = np.array([[0.3] * 50, [0.5] * 50])
    first, second, other = (
        simulated([100] * 50, chances, n=5_000, draws=Draws(seed)) for seed in (1, 1, 2)
    )
    assert first == second
    assert first != other
    assert (first.quantiles, first.mean) == FIXED


def test_what_hits_all_deals_widens_the_range_and_keeps_the_mean() -> None:
    chances = np.array([[0.4] * 100])
    alone = simulated([1] * 100, chances, n=20_000, draws=Draws(3))
    together = simulated([1] * 100, chances, n=20_000, draws=Draws(3), rho=0.2)
    spread = [found.quantiles[2] - found.quantiles[0] for found in (alone, together)]
    assert spread[1] > 2 * spread[0]
    assert float(together.mean) == pytest.approx(40.0, abs=0.8)


def test_amounts_beyond_64_bits_are_summed_in_coarser_units() -> None:
    found = simulated([10**30, 10**30], np.array([[1.0, 1.0]]), n=1000, draws=Draws(0))
    assert found.quantiles == (2 * 10**30,) * 3


def test_deals_that_are_seldom_won_are_won_as_often_as_they_should() -> None:
    units = [100 * (n % 9 + 1) for n in range(900)]
    classes = [n % 3 for n in range(900)]
    chances = np.array([[0.0, 0.004, 0.02], [0.0, 0.001, 0.03]])
    # by a shock that is nothing, each is asked
    rare, asked = (
        simulated(units, chances, n=40_001, draws=Draws(4), rho=rho, classes=classes)
        for rho in (0.0, 1e-12)
    )
    assert rare.errors is not None
    assert rare.quantiles != asked.quantiles or rare.mean != asked.mean
    for told, wanted, error in zip(rare.quantiles, asked.quantiles, rare.errors, strict=False):
        assert abs(told - wanted) <= 7 * error + 100
    sums = [sum(units[n] for n in range(900) if n % 3 == each) for each in range(3)]
    mean = sum(value * chance for value, chance in zip(sums, chances.mean(axis=0), strict=True))
    assert abs(float(rare.mean) - mean) < 5 * rare.errors[-1]
