"""Sums of many small deals as a distribution: the quantiles of the exact one, found by convolution."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from dealdb.analytics.estimates.bulk import MOST_SINGLE, Bulk, standing_out
from dealdb.analytics.estimates.draws import Draws
from dealdb.analytics.estimates.totals import simulated

SHARES = (0.1, 0.5, 0.9)


def exact_quantiles(amounts: list[int], chances: list[float]) -> list[int]:
    """Quantiles of the sum of deals with small positive amounts."""
    weights = np.zeros(sum(amounts) + 1)
    weights[0] = 1.0
    for amount, chance in zip(amounts, chances, strict=True):
        moved = np.zeros_like(weights)
        moved[amount:] = weights[:-amount]
        weights = weights * (1 - chance) + moved * chance
    return [int(np.searchsorted(weights.cumsum(), share)) for share in SHARES]


@pytest.mark.parametrize("chance", [0.15, 0.5, 0.96])
def test_quantiles_are_those_of_the_exact_distribution(chance: float) -> None:
    random = Random(5)
    # a few that stand out, in a crowd that doesn't
    amounts = [random.randrange(1, 12) for _ in range(3_000)] + [900, 400, 250]
    chances = [min(0.999, chance * random.uniform(0.5, 1.04)) for _ in amounts]
    large = standing_out(np.array(amounts), np.array(chances))
    assert 3 <= large.sum() < 300
    found = simulated(amounts, np.array([chances]), n=100_000, draws=Draws(2))
    assert found.errors is not None
    wanted = exact_quantiles(amounts, chances)
    for told, exact, error in zip(found.quantiles, wanted, found.errors, strict=False):
        assert abs(told - exact) <= 5 * error + 1
    mean = sum(amount * each for amount, each in zip(amounts, chances, strict=True))
    assert abs(float(found.mean) - mean) < 5 * found.errors[-1]


def test_a_sum_is_a_multiple_of_what_all_amounts_are() -> None:
    found = simulated([9_900] * 2_000, np.full((1, 2_000), 0.3), n=2_000, draws=Draws(1))
    assert [each % 9_900 for each in found.quantiles] == [0, 0, 0]
    assert found.quantiles[1] == pytest.approx(600 * 9_900, rel=0.01)


def test_few_deals_are_drawn_one_by_one() -> None:
    amounts = np.full(MOST_SINGLE, 100)
    assert standing_out(amounts, np.full(MOST_SINGLE, 0.5)).all()


def test_a_deal_as_large_as_the_rest_together_stands_out() -> None:
    amounts = np.array([1] * 5_000 + [-4_000])
    large = standing_out(amounts, np.full(len(amounts), 0.5))
    assert large.nonzero()[0].tolist() == [5_000]


def test_what_is_certain_is_never_drawn() -> None:
    amounts = np.arange(1, 2_001)
    chances = np.where(amounts % 2, 0.0, 1.0)
    assert not standing_out(amounts, chances).any()
    found = simulated(amounts.tolist(), chances[None, :], n=100, draws=Draws(1))
    assert found.quantiles == (sum(range(2, 2_001, 2)),) * 3


def test_a_sum_is_never_more_than_if_all_are_won() -> None:
    bulk = Bulk.of(np.array([3, -5]), np.array([0, 0]), 1)
    sums = bulk.drawn(np.array([[1e9, -1e9], [0.0, 0.0], [0.0, 0.0]]), Draws(1))
    assert sums.tolist() == [3, -5]


def test_deals_of_a_class_share_its_chance() -> None:
    amounts = [100 + place % 7 for place in range(1_400)]
    classes = [place % 2 for place in range(1_400)]
    chances = np.array([[0.2, 0.6], [0.3, 0.5]])
    together = simulated(amounts, chances, n=20_000, draws=Draws(4), classes=classes)
    apart = simulated(amounts, chances[:, classes], n=20_000, draws=Draws(4))
    assert together.errors is not None
    for told, wanted, error in zip(
        together.quantiles, apart.quantiles, together.errors, strict=False
    ):
        assert abs(told - wanted) < 6 * error


def test_a_shock_hits_the_bulk_as_it_hits_single_deals() -> None:
    few, many = (
        simulated([2_000 // n * 100] * n, np.full((1, 1), 0.4), n=20_000, draws=Draws(3), rho=0.2,
                  classes=[0] * n)
        for n in (400, 2_000)
    )  # fmt: skip
    assert few.errors is not None
    # what is shared doesn't shrink with the number of deals: 2 % of the spread are their own
    for told, wanted in zip(many.quantiles, few.quantiles, strict=True):
        assert told == pytest.approx(wanted, rel=0.04)
