"""Periods by their names."""

from __future__ import annotations

from datetime import date

import pytest

from dealdb.analytics.calendar.named import period_named
from dealdb.errors import QueryError
from dealdb.model.pipeline import Pipeline

MONDAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("this-quarter", ("2026-Q4", "2026-10-01", "2027-01-01")),
        ("Last Quarter", ("2026-Q3", "2026-07-01", "2026-10-01")),
        ("next-month", ("2026-12", "2026-12-01", "2027-01-01")),
        ("last-week", ("2026-W47", "2026-11-16", "2026-11-23")),
        ("last-year", ("2025", "2025-01-01", "2026-01-01")),
        ("2026-q1", ("2026-Q1", "2026-01-01", "2026-04-01")),
        ("2026-02", ("2026-02", "2026-02-01", "2026-03-01")),
    ],
)
def test_a_period_by_its_name(text: str, found: tuple[str, str, str]) -> None:
    label, first, after = period_named(text, Pipeline(), MONDAY)
    assert (label, str(first), str(after)) == found


def test_quarters_are_those_of_the_pipeline() -> None:
    fiscal = Pipeline(fiscal_start=2)
    label, first, after = period_named("this-quarter", fiscal, date(2026, 1, 31))
    assert (label, str(first), str(after)) == ("FY2026-Q4", "2025-11-01", "2026-02-01")
    weeks = Pipeline(fiscal_pattern="4-4-5", fiscal_year_end="last saturday of january")
    label, first, after = period_named("last-month", weeks, date(2026, 3, 1))
    assert (label, str(first), str(after)) == ("FY2027-P1", "2026-02-01", "2026-03-01")


@pytest.mark.parametrize("text", ["", "quarter", "this-decade", "Q4", "2026-Q5"])
def test_what_no_period_is_called(text: str) -> None:
    with pytest.raises(QueryError, match=r"is not a period|no quarter|no period"):
        period_named(text, Pipeline(), MONDAY)
