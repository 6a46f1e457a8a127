"""Scores of chances and errors of forecasts, by hand."""

from __future__ import annotations

import math
from fractions import Fraction
from random import Random

import polars as pl
import pytest

from dealdb.analytics.estimates.scores import mape, scored, wape


def test_by_hand() -> None:
    found = scored(pl.DataFrame({"chance": [0.3, 0.1, 0.1], "outcome": [0, 1, 0]}))
    assert found is not None
    assert found.brier == pytest.approx(0.91 / 3)
    assert found.base_rate == pytest.approx(1 / 3)
    assert found.uncertainty == pytest.approx(2 / 9)
    assert found.reliability == pytest.approx(0.3**2 / 3 + (0.1 - 0.5) ** 2 * 2 / 3)
    assert found.resolution == pytest.approx((1 / 3) ** 2 / 3 + (1 / 2 - 1 / 3) ** 2 * 2 / 3)
    assert found.skill == pytest.approx(1 - 0.91 / 3 / (2 / 9))
    assert found.bias == pytest.approx(0.5 / 3 - 1 / 3)


def test_the_parts_add_up_where_each_bin_has_one_chance() -> None:
    random = Random(5)
    chances = [random.choice([0.05, 0.25, 0.6, 1.0]) for _ in range(500)]
    outcomes = [int(random.random() < chance) for chance in chances]
    found = scored(pl.DataFrame({"chance": chances, "outcome": outcomes}))
    assert found is not None
    parts = found.reliability - found.resolution + found.uncertainty
    assert parts == pytest.approx(found.brier)


def test_a_certain_chance_that_proves_wrong_costs_a_bounded_loss() -> None:
    found = scored(pl.DataFrame({"chance": [1.0], "outcome": [0]}))
    assert found is not None
    assert found.log_loss == pytest.approx(-math.log(1e-6))
    assert found.skill is None


def test_nothing_has_no_score() -> None:
    assert scored(pl.DataFrame(schema={"chance": pl.Float64, "outcome": pl.Int8})) is None


def test_errors_of_forecasts() -> None:
    errors, actuals = (
        [Fraction(1), Fraction(-10), Fraction(3)],
        [Fraction(2), Fraction(100), Fraction(0)],
    )
    assert mape(errors, actuals) == pytest.approx((0.5 + 0.1) / 2)
    assert wape(errors, actuals) == pytest.approx(14 / 102)
    assert mape([Fraction(1)], [Fraction(0)]) is wape([Fraction(1)], [Fraction(0)]) is None
