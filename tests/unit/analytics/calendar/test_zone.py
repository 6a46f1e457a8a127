"""Days of time zones, with days of 23, 25 and no hours; moments of columns belong to the same ones."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given

from dealdb.analytics.calendar.zone import Zone
from dealdb.errors import SchemaError

# with changes at midnight (Sao Paulo, Havana, Cairo), of half an hour (Lord Howe), and a day that was left out (Apia)
NAMES = (
    "UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "America/Havana", "Africa/Cairo",
    "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu", "Pacific/Kiritimati",
)  # fmt: skip
HOUR = 3_600_000
# in UTC, whatever their type says
MOMENTS = st.datetimes(datetime.fromisoformat("1990-01-01"), datetime.fromisoformat("2035-12-31"))


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("Europe/Berlin", "2026-03-31T22:30+00:00", date(2026, 4, 1)),
        ("UTC", "2026-03-31T22:30+00:00", date(2026, 3, 31)),
        ("America/New_York", "2026-04-01T03:59+00:00", date(2026, 3, 31)),
    ],
)
def test_a_moment_belongs_to_a_day_of_the_zone(zone: str, moment: str, day: date) -> None:
    assert Zone(zone).day_of_moment(ms(moment)) == day


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Europe/Berlin", date(2026, 1, 1), 24),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("America/Sao_Paulo", date(2017, 10, 15), 23),
        ("America/Havana", date(2026, 11, 1), 25),
        ("Pacific/Apia", date(2011, 12, 30), 0),
        ("UTC", date.max, 24),
    ],
)
def test_a_day_goes_from_midnight_to_midnight(zone: str, day: date, hours: float) -> None:
    of = Zone(zone)
    assert (of.end_of_day_ms(day) - of.midnight_ms(day)) / HOUR == hours


@given(st.sampled_from(NAMES), st.dates(date(1990, 1, 1), date(2035, 12, 31)))
def test_midnight_is_the_first_moment_of_the_day(name: str, day: date) -> None:
    zone = Zone(name)
    begin, end = zone.midnight_ms(day), zone.end_of_day_ms(day)
    assert zone.day_of_moment(begin - 1) < day
    assert zone.day_of_moment(end) > day
    assert begin == zone.end_of_day_ms(day - timedelta(days=1))
    if begin < end:
        assert zone.day_of_moment(begin) == zone.day_of_moment(end - 1) == day


@given(
    st.sampled_from(NAMES),
    st.lists(st.none() | MOMENTS, max_size=20),
)
def test_columns_have_the_days_of_single_moments(name: str, moments: list[datetime | None]) -> None:
    zone = Zone(name)
    expected = [m and m.replace(tzinfo=UTC).astimezone(ZoneInfo(name)).date() for m in moments]
    naive = pl.DataFrame({"at": moments}, schema={"at": pl.Datetime("us")})
    for frame in (naive, naive.with_columns(pl.col("at").dt.replace_time_zone("UTC"))):
        assert frame.select(zone.days(pl.col("at")))["at"].to_list() == expected
        whole = frame.select(zone.days_of_ms(pl.col("at").dt.epoch("ms")))
        assert whole["at"].to_list() == expected


def test_the_ends_of_the_calendar_have_days() -> None:
    last = Zone("Pacific/Kiritimati")
    assert last.day_of_moment(ms("9999-12-31T23:00+00:00")) == date.max
    assert last.end_of_day_ms(date.max) - last.midnight_ms(date.max) == 24 * HOUR
    assert abs(last.midnight_ms(date.min) - Zone().midnight_ms(date.min)) < 24 * HOUR


def test_a_zone_that_nobody_knows_is_refused() -> None:
    with pytest.raises(SchemaError, match="zone 'Mars/Phobos' is not known here"):
        Zone("Mars/Phobos")
