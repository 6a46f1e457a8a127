"""Periods as a pipeline divides the time."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given

from dealdb.analytics.calendar.periods import Periods
from dealdb.errors import QueryError
from dealdb.model.pipeline import Pipeline

WEEKS = Pipeline(fiscal_pattern="4-4-5", fiscal_year_end="last saturday of january")
PIPELINES = [
    Pipeline(),
    Pipeline(week_start=7),
    Pipeline(week_start=4, fiscal_start=2),
    Pipeline(fiscal_start=7, fiscal_name="start"),
    WEEKS,
    Pipeline(fiscal_pattern="5-4-4", fiscal_year_end="nearest monday to june", fiscal_name="start"),
]
KINDS = ["day", "week", "month", "quarter", "year"]


def label_of(day: date, period: str, pipeline: Pipeline) -> str:
    return str(Periods.of(period, pipeline).between(day, day)["label"].item())


@pytest.mark.parametrize(
    ("day", "period", "pipeline", "label"),
    [
        (date(2026, 2, 1), "quarter", Pipeline(fiscal_start=2), "FY2027-Q1"),
        (date(2026, 4, 30), "quarter", Pipeline(fiscal_start=2), "FY2027-Q1"),
        (date(2026, 1, 31), "quarter", Pipeline(fiscal_start=2), "FY2026-Q4"),
        (date(2026, 2, 1), "quarter", Pipeline(fiscal_start=2, fiscal_name="start"), "FY2026-Q1"),
        (date(2026, 2, 1), "month", Pipeline(fiscal_start=2), "2026-02"),
        (date(2026, 2, 1), "quarter", Pipeline(fiscal_name="start"), "2026-Q1"),
        (date(2026, 1, 31), "year", WEEKS, "FY2026"),
        (date(2026, 2, 28), "month", WEEKS, "FY2027-P1"),
        (date(2026, 3, 28), "month", WEEKS, "FY2027-P2"),
        (date(2026, 5, 2), "month", WEEKS, "FY2027-P3"),
        (date(2026, 3, 29), "week", Pipeline(), "2026-W13"),
        (date(2026, 3, 29), "week", Pipeline(week_start=7), "2026-W13"),
        (date(2026, 3, 28), "week", Pipeline(week_start=7), "2026-W12"),
        (date(2027, 1, 1), "week", Pipeline(), "2026-W53"),
    ],
)
def test_a_day_is_in_a_period(day: date, period: str, pipeline: Pipeline, label: str) -> None:
    assert label_of(day, period, pipeline) == label


@given(
    st.sampled_from(PIPELINES), st.sampled_from(KINDS), st.dates(date(1001, 1, 1), date(9990, 1, 1))
)
def test_periods_are_found_by_day_and_by_label(pipeline: Pipeline, kind: str, day: date) -> None:
    periods = Periods.of(kind, pipeline)
    first, end = periods.span(day)
    assert first <= day < end
    last = end - timedelta(days=1)
    days = pl.DataFrame({"day": [first - timedelta(days=1), first, day, last, end, None]})
    found = days.select(periods.start(pl.col("day")))["day"].to_list()
    assert found[1:4] == [first] * 3
    assert found[0] < first
    assert found[4:] == [end, None]
    label = label_of(day, kind, pipeline)
    assert label_of(end, kind, pipeline) != label
    assert Periods.called(label, pipeline) == (kind, first, end)
    if kind == "week":
        assert first.isoweekday() == pipeline.week_start
        if pipeline.week_start == 1:
            assert label == "{}-W{:02}".format(*day.isocalendar())
    table = periods.between(first, end)
    assert table["period"].to_list() == [first, end]


@pytest.mark.parametrize(
    ("label", "says"),
    [
        ("2026-Q5", "is no period"),
        ("soon", "is no period"),
        ("", "is no period"),
        ("2026-13", "no month is called so here"),
        ("FY2027-Q1", "no quarter is called so here; they are called like 2027-Q"),
        ("FY2026-03", "is no period"),
        ("9999-12", "no month is called so here"),
        ("0000-Q1", "no quarter is called so here; they are called like"),
        ("2026-02-30", "no day is called so here"),
    ],
)
def test_a_label_of_nothing_is_refused(label: str, says: str) -> None:
    with pytest.raises(QueryError, match=says):
        Periods.called(label, Pipeline())


@pytest.mark.parametrize(
    ("text", "options", "start", "end"),
    [
        ("2026-Q1", {}, "2026-01-01", "2026-04-01"),
        ("2026-Q4", {"fiscal_start": 2}, "2026-10-01", "2027-01-01"),
        ("2026-03", {}, "2026-03-01", "2026-04-01"),
        ("2026-12", {}, "2026-12-01", "2027-01-01"),
        ("2026", {}, "2026-01-01", "2027-01-01"),
        ("FY2027-Q1", {"fiscal_start": 2}, "2026-02-01", "2026-05-01"),
        ("FY2026-Q4", {"fiscal_start": 2}, "2025-11-01", "2026-02-01"),
        ("FY2026-Q1", {"fiscal_start": 2, "fiscal_name": "start"}, "2026-02-01", "2026-05-01"),
        ("FY2027-Q1", {}, "2027-01-01", "2027-04-01"),
        ("FY2027", {"fiscal_start": 4}, "2026-04-01", "2027-04-01"),
    ],
)
def test_quarters_and_years_are_those_of_the_calendar_too(
    text: str, options: dict[str, Any], start: str, end: str
) -> None:
    found = Periods.called(text, Pipeline(**options), calendar=True)[1:]
    assert found == (date.fromisoformat(start), date.fromisoformat(end))


@pytest.mark.parametrize(
    ("as_of", "share"),
    [
        (date(2025, 12, 31), Fraction(0)),
        (date(2026, 1, 1), Fraction(1, 90)),
        (date(2026, 2, 28), Fraction(59, 90)),
        (date(2026, 3, 31), Fraction(1)),
        (date(2027, 1, 1), Fraction(1)),
    ],
)
def test_days_of_a_period_are_over_at_their_end(as_of: date, share: Fraction) -> None:
    assert Periods("quarter").elapsed(date(2026, 1, 1), as_of=as_of) == share


def test_a_month_in_place_of_the_pipelines_years() -> None:
    assert Periods.of("quarter", WEEKS, 4).span(date(2026, 5, 1))[0] == date(2026, 4, 1)


def test_the_ends_of_the_calendar() -> None:
    with pytest.raises(QueryError, match="before the year 1"):
        Periods.of("month", WEEKS).between(date(1, 1, 1), date(1, 2, 1))
    with pytest.raises(QueryError, match="before the year 1"):
        Periods("week", week_start=3).between(date(1, 1, 1), date(1, 2, 1))
    with pytest.raises(QueryError, match="end of the calendar"):
        Periods("month").span(date(9999, 1, 1))
