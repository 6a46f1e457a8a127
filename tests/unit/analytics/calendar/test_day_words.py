"""Days by their names."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from dealdb.analytics.calendar.day_words import (
    day_named,
    read_named_day,
    read_named_moment,
)
from dealdb.errors import QueryError

MONDAY = date(2026, 11, 23)


def test_a_weekday_is_the_last_one_before_today() -> None:
    # on a Monday, what changed since Monday is what changed in a week
    assert day_named("Monday", MONDAY) == date(2026, 11, 16)
    assert day_named("sunday", MONDAY) == date(2026, 11, 22)
    assert day_named(" today ", MONDAY) == MONDAY
    assert day_named("yesterday", date(2026, 3, 1)) == date(2026, 2, 28)
    assert day_named("tomorrow", date(2026, 12, 31)) == date(2027, 1, 1)
    assert day_named("2026-11-16", MONDAY) is None


def test_a_date_needs_no_present_day() -> None:
    def today() -> date:
        raise AssertionError

    assert read_named_day("2026-11-16", "since", today) == date(2026, 11, 16)
    moment = "2026-11-16T09:00+00:00"
    assert read_named_moment(moment, "as_of", today) == datetime.fromisoformat(moment)
    with pytest.raises(QueryError, match=r"--since 'monda' is not a day: write 2026-10-01, today"):
        read_named_day("monda", "since", today)
