"""Moments as exports write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdb.errors import LoadError
from dealdb.loader.history.rows.moments import moments


@pytest.mark.parametrize(
    ("text", "at", "precision"),
    [
        ("2026-01-12T09:30:00.250Z", "2026-01-12T09:30:00.250", "ms"),
        ("2026-01-12T09:30:00.000+0000", "2026-01-12T09:30", "ms"),
        ("2026-01-12 09:30:00.123456 UTC", "2026-01-12T09:30:00.123", "ms"),
        ("2026-01-12 9:30:00+02:00", "2026-01-12T07:30", "s"),
        ("2026-01-12T09:30-05", "2026-01-12T14:30", "s"),
        ("2026-01-12", "2026-01-11T23:00", "day"),
        ("2026-01-12 09:30", "2026-01-12T08:30", "s"),
        ("12.01.2026 09:30", "2026-01-12T08:30", "s"),
        ("1768210200", "2026-01-12T09:30", "s"),
        ("1768210200000.0", "2026-01-12T09:30", "ms"),
        ("2026-02-30", None, None),
        ("2026-01-12T25:00:00Z", None, None),
        ("soon", None, None),
        ("12", None, None),
    ],
)
def test_ways_to_write_a_moment(text: str, at: str | None, precision: str | None) -> None:
    found = moments(pl.Series([text, None]), "Europe/Berlin")
    moment = found["at"].cast(pl.Datetime("ms"))[0]
    assert moment == (datetime.fromisoformat(at) if at else None)
    assert found["precision"].to_list() == [precision, None]


@given(
    st.lists(
        st.datetimes(datetime(1990, 1, 2), datetime(2049, 1, 1)), min_size=1, max_size=20  # noqa: DTZ001
    ),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
)  # fmt: skip
def test_moments_without_a_zone_are_those_of_the_source(clocks: list[datetime], zone: str) -> None:
    found = moments(pl.Series([f"{clock:%Y-%m-%d %H:%M:%S}" for clock in clocks]), zone)
    zoned = [clock.replace(microsecond=0, tzinfo=ZoneInfo(zone)) for clock in clocks]
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert found["at"].to_list() == [(each - epoch) // timedelta(milliseconds=1) for each in zoned]


def test_two_digits_that_may_be_a_year_are_no_day() -> None:
    may_be_years = ["22/01/15 10:00", "22/01/16 09:00", "22/02/16 09:00"]
    with pytest.raises(LoadError, match="both as year/month/day and as day/month/year"):
        moments(pl.Series(may_be_years), "UTC")
    # beside one whose month comes first they can't be read
    told = moments(pl.Series(["01/31/2022", *may_be_years]), "UTC")["at"]
    assert (told[0], told.null_count()) == (1643587200000, 3)
