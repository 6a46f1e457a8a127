"""Periods of quotas, as they are written."""

from __future__ import annotations

from datetime import date

import pytest

from dealdb.analytics.history.outcomes.quota_period import QuotaPeriod
from dealdb.errors import QueryError


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
def test_what_is_read(text: str, options: dict[str, object], start: str, end: str) -> None:
    found = QuotaPeriod.read(text, **options)  # type: ignore[arg-type]
    assert (found.start, found.end) == (date.fromisoformat(start), date.fromisoformat(end))


@pytest.mark.parametrize(
    "text", ["2026-Q5", "2026-13", "FY2026-03", "Q1", "", "9999-12", "0000-Q1", 2026]
)
def test_what_is_refused(text: object) -> None:
    with pytest.raises(QueryError, match="period"):
        QuotaPeriod.read(text)


def test_days_that_are_over() -> None:
    quarter = QuotaPeriod.read("2026-Q1")
    days = ("2025-12-31", "2026-01-01", "2026-02-28", "2026-03-31", "2026-07-01")
    assert [quarter.elapsed(date.fromisoformat(day)) for day in days] == [0, 1, 59, 90, 90]
