"""Trends over windows that begin inside a period, over the first year, and of deals without dates."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from dealdb.analytics.metrics import trend
from dealdb.errors import QueryError
from dealdb.model.pipeline import Kind, Pipeline, Stage

STAGES = Pipeline((Stage("Lead", Kind.OPEN), Stage("Won", Kind.WON)))
COLUMNS: dict[str, Any] = {
    "stage": pl.String,
    "owner": pl.String,
    "currency": pl.String,
    "amount": pl.Decimal(38, 2),
    "created": pl.Date,
    "closed": pl.Date,
}


def deals(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{**dict.fromkeys(COLUMNS), **row} for row in rows], schema=COLUMNS)


def won(**fields: Any) -> dict[str, Any]:
    return {"stage": "Won", "owner": "Ann", "amount": Decimal(100), **fields}


NOVEMBER = won(created=date(2026, 11, 20), closed=date(2026, 11, 25))


@pytest.mark.parametrize("period", ["week", "month", "quarter", "year"])
@pytest.mark.parametrize("by", [None, "owner"])
@pytest.mark.parametrize("until", [None, "2026-11-26"])
def test_a_window_that_begins_inside_the_last_period(
    period: str, by: str | None, until: str | None
) -> None:
    result = trend(deals(NOVEMBER), STAGES, by, since="2026-11-24", until=until, period=period)
    figures = result.frame.select("created", "n", "won", "won_value").rows()
    assert figures == [(0, 1, 1, Decimal(100))]


def test_so_do_two_currencies() -> None:
    frame = deals({**NOVEMBER, "currency": "EUR"}, {**NOVEMBER, "currency": "USD"})
    rows = trend(frame, STAGES, since="2026-11-15").frame.select("currency", "label", "won").rows()
    assert rows == [("EUR", "2026-11", 1), ("USD", "2026-11", 1)]


@pytest.mark.parametrize("by", [None, "owner"])
def test_a_window_of_no_day_has_no_period(by: str | None) -> None:
    for day in ("2026-11-20", "0001-01-01"):
        assert trend(deals(NOVEMBER), STAGES, by, since=day, until=day).rows() == []
    assert trend(deals(NOVEMBER), STAGES, by, until="0001-01-01").rows() == []


def test_deals_that_count_nowhere_are_not_in_the_base() -> None:
    idle = {"stage": "Lead", "owner": "Bob", "amount": Decimal(7), "currency": "USD"}
    undated = won(currency="USD")
    result = trend(deals({**NOVEMBER, "currency": "EUR"}, idle, undated), STAGES)
    assert result.rows() == [(date(2026, 11, 1), "2026-11", 1, 1, 1, 0, Decimal(100), 1.0)]
    assert (result.basis.n, result.basis.currency) == (1, "EUR")
    assert result.basis.warnings == (
        "deals without a creation date, not in created: 2",
        "closed deals without a closing date, not in won and lost: 1",
        "no stage means lost: the win rate knows no lost deals",
    )
    windowed = trend(deals(NOVEMBER, idle, undated), STAGES, since="2026-11-01")
    assert windowed.basis.n == 1
    assert windowed.basis.warnings == (
        "closed deals without a closing date, outside any window: 1",
        "deals without a creation date, not in created: 2",
        "no stage means lost: the win rate knows no lost deals",
    )


@pytest.mark.parametrize("first_month", range(1, 13))
@pytest.mark.parametrize(("period", "length"), [("quarter", 3), ("year", 12)])
def test_the_first_year(period: str, length: int, first_month: int) -> None:
    # the first period that begins in the year 1
    first = (first_month - 1) % length + 1
    for month in (1, first, 12):
        frame = deals({"stage": "Lead", "created": date(1, month, 1)})
        if month >= first:
            [row] = trend(frame, STAGES, period=period, fiscal_year_start=first_month).to_dicts()
            begin = first + (month - first) // length * length
            assert (row["period"], row["created"]) == (date(1, begin, 1), 1)
            continue
        with pytest.raises(QueryError, match="begins before the year 1"):
            trend(frame, STAGES, period=period, fiscal_year_start=first_month)


def test_periods_are_those_of_the_pipeline() -> None:
    frame = deals(won(created=date(2026, 1, 31), closed=date(2026, 2, 1)))

    def labels(period: str, **settings: Any) -> list[str]:
        stages = Pipeline(STAGES.stages, **settings)
        return trend(frame, stages, period=period).frame["label"].to_list()

    assert labels("quarter") == ["2026-Q1"]
    assert labels("quarter", fiscal_start=2) == ["FY2026-Q4", "FY2027-Q1"]
    assert labels("year", fiscal_start=2, fiscal_name="start") == ["FY2025", "FY2026"]
    weeks: dict[str, Any] = {
        "fiscal_pattern": "4-4-5",
        "fiscal_year_end": "last saturday of january",
    }
    assert labels("month", **weeks) == ["FY2026-P12", "FY2027-P1"]
    assert labels("week") == ["2026-W05"]
    # the first of February is a Sunday
    assert labels("week", week_start=7) == ["2026-W04", "2026-W05"]
    # an own month wins
    own = Pipeline(STAGES.stages, fiscal_start=2)
    assert trend(frame, own, period="quarter", fiscal_year_start=1).frame["label"].to_list() == [
        "2026-Q1"
    ]


@pytest.mark.parametrize("by", [None, "owner"])
def test_figures_of_periods_of_whole_weeks(by: str | None) -> None:
    days = (date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 28), date(2026, 3, 29))
    frame = deals(*(won(created=day, closed=day) for day in days))
    weeks: dict[str, Any] = {
        "fiscal_pattern": "4-4-5",
        "fiscal_year_end": "last saturday of january",
    }
    found = trend(frame, Pipeline(STAGES.stages, **weeks), by).frame
    rows = found.select("label", "created", "won", "won_value").rows()
    assert rows == [
        ("FY2027-P1", 1, 1, 100), ("FY2027-P2", 2, 2, 200), ("FY2027-P3", 1, 1, 100),
    ]  # fmt: skip
