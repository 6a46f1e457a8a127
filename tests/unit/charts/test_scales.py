"""Scales and round values hold for any numbers."""

from __future__ import annotations

import math
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealdb.charts.scales import Scale, month_starts, round_values
from examples import few_by_default

numbers = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=few_by_default(30), deadline=None)
@given(st.lists(st.one_of(numbers, st.none()), max_size=6), st.booleans())
def test_places_are_finite_within_the_scale_and_in_order(
    values: list[float | None], zero: bool
) -> None:
    scale = Scale.over(values, 10, 200, with_zero=zero)
    assert scale.low < scale.high
    known = sorted(value for value in values if value is not None)
    places = [scale.place(value) for value in known]
    assert places == sorted(places)
    assert all(math.isfinite(place) and 10 <= place <= 200 for place in places)
    wider = scale.widened(5)
    assert wider.low <= wider.high
    assert all(10 <= wider.place(value) <= 200 for value in known)


@settings(max_examples=few_by_default(30), deadline=None)
@given(numbers, numbers, st.integers(0, 9))
def test_round_values_are_few_and_within(one: float, two: float, most: int) -> None:
    low, high = sorted((one, two))
    values = round_values(low, high, most)
    assert len(values) <= max(most, 2) + 1
    assert all(low <= float(value) <= high for value in values)
    assert values == sorted(set(values))
    assert all(len(value.as_tuple().digits) <= 400 for value in values)


@settings(max_examples=few_by_default(30), deadline=None)
@given(st.dates(), st.dates(), st.integers(1, 12))
def test_months_start_within(one: date, two: date, most: int) -> None:
    low, high = sorted((one, two))
    found = month_starts(low.toordinal(), high.toordinal(), most)
    assert all(low <= day <= high for day in found)
    assert found == sorted(set(found))
    assert len(found) <= most + 1 or high.toordinal() - low.toordinal() <= 62


@pytest.mark.parametrize("most", [0, 1, 4])
@pytest.mark.parametrize("day", [date.min, date.max])
def test_the_first_and_the_last_day_of_all_have_room_beside_them(day: date, most: int) -> None:
    place = day.toordinal()
    starts = month_starts(place - 15, place + 15, most)
    assert starts
    assert all(abs(found.toordinal() - place) <= 15 for found in starts)
