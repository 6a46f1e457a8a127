"""Factors of months: a known one is found again."""

from __future__ import annotations

from random import Random

import pytest

from dealdb.analytics.estimates.seasons import ratios_to_average, seasonal


def test_the_average_is_that_of_a_year_around_the_value() -> None:
    values = [float(n) for n in range(1, 26)]
    found = ratios_to_average(values)
    # half of the first and last month, and all between: for a line, the value itself
    assert found[:6] == found[-6:] == [None] * 6
    assert found[6:-6] == pytest.approx([1.0] * 13)


@pytest.mark.parametrize("first", [0, 5])
def test_a_december_of_one_and_a_half_is_found_in_five_years(first: int) -> None:
    random = Random(2)
    values = [
        100 * 1.01**n * (1.5 if (n + first) % 12 == 11 else 1.0) * (0.95 + 0.1 * random.random())
        for n in range(60)
    ]
    found = seasonal(values, first)
    factors = [factor for factor, _, _ in found if factor is not None]
    assert factors[11] == pytest.approx(1.5, abs=0.1)
    assert sum(factors) == pytest.approx(12.0)
    assert [n for _, n, _ in found] == [4] * 12
    lo, hi = found[11][2]
    assert lo is not None
    assert hi is not None
    assert lo <= factors[11] <= hi


def test_no_interval_below_four_years() -> None:
    found = seasonal([1.0, 2.0] * 18)
    assert all(interval == (None, None) for _, _, interval in found)


def test_years_without_any_value_say_nothing() -> None:
    assert seasonal([0.0] * 24) == [(None, 0, (None, None))] * 12
