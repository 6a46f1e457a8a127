"""Fiscal years of whole weeks."""

from __future__ import annotations

from datetime import date

import pytest

from dealdb.analytics.calendar.weeks import week_periods

LAST = "last saturday of january"


def starts(
    pattern: str, period: str, year: int, *, rule: str = LAST, name: str = "end"
) -> list[str]:
    table = week_periods(pattern, rule, name, period)
    return [str(day) for day, label in table.rows() if label.startswith(f"FY{year}")]


@pytest.mark.parametrize(
    ("pattern", "days"),
    [
        ("4-4-5", ["2026-02-01", "2026-03-01", "2026-03-29", "2026-05-03"]),
        ("4-5-4", ["2026-02-01", "2026-03-01", "2026-04-05", "2026-05-03"]),
        ("5-4-4", ["2026-02-01", "2026-03-08", "2026-04-05", "2026-05-03"]),
    ],
)
def test_a_quarter_has_three_periods_of_its_weeks(pattern: str, days: list[str]) -> None:
    assert starts(pattern, "month", 2027)[:4] == days
    assert starts(pattern, "quarter", 2027) == [
        "2026-02-01",
        "2026-05-03",
        "2026-08-02",
        "2026-11-01",
    ]


def test_years_end_on_their_day_and_have_52_or_53_weeks() -> None:
    table = week_periods("4-4-5", LAST, "end", "year")
    lengths = table["period"].diff().dt.total_days().drop_nulls()
    assert set(lengths.unique()) == {364, 371}
    assert set(table["period"].dt.weekday()) == {7}
    by_label = dict(zip(table["label"], table["period"], strict=True))
    # FY2026 has 53 weeks: it began after 25 January 2025 and ends on 31 January 2026
    assert (by_label["FY2026"], by_label["FY2027"]) == (date(2025, 1, 26), date(2026, 2, 1))
    assert starts("4-4-5", "month", 2026)[-1] == "2025-12-21"


def test_the_nearest_day_may_lie_in_the_next_month() -> None:
    # 31 December 2026 is a Thursday: the Saturday nearest to it is 2 January 2027
    for name, year in (("end", 2027), ("start", 2027)):
        days = starts("4-4-5", "year", year, rule="nearest saturday to december", name=name)
        assert days == ["2027-01-03"]


def test_a_year_is_called_by_its_end_or_its_start() -> None:
    assert starts("4-4-5", "year", 2027) == ["2026-02-01"]
    assert starts("4-4-5", "year", 2026, name="start") == ["2026-02-01"]
