"""One reader of moments: what as_of, feeds and metrics take, and how it counts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import hypothesis.strategies as st
import pytest
from hypothesis import given

from dealdb.errors import QueryError
from dealdb.model.moments import (
    as_utc,
    end_of_day_ms,
    epoch_ms,
    from_epoch_ms,
    midnight,
    read_day,
    read_moment,
)

EAST = timezone(timedelta(hours=14))
WEST = timezone(timedelta(hours=-12))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-10-01", date(2026, 10, 1)),
        ("20261001", date(2026, 10, 1)),
        ("2026-W40-4", date(2026, 10, 1)),
        (" 2026-10-01\n", date(2026, 10, 1)),
        ("2026-10-01T12", datetime(2026, 10, 1, 12)),  # noqa: DTZ001  # no zone is given
        ("2026-10-01 12:30", datetime(2026, 10, 1, 12, 30)),  # noqa: DTZ001
        ("2026-10-01T12:30:00.5Z", datetime(2026, 10, 1, 12, 30, 0, 500_000, UTC)),
        ("2026-10-01T12:30+14:00", datetime(2026, 10, 1, 12, 30, tzinfo=EAST)),
    ],
)
def test_moments_as_people_write_them(text: str, moment: datetime | date) -> None:
    found = read_moment(text, "as_of")
    assert (found, type(found)) == (moment, type(moment))


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-02-30", "2026-10-01T25:00", "01.10.2026", "now"]
)
def test_what_is_not_a_moment(text: str) -> None:
    with pytest.raises(QueryError) as caught:
        read_moment(text, "as_of")
    assert str(caught.value) == (
        f"as_of: {text!r} is not a date or time; "
        "write a date such as 2026-10-01, or 2026-10-01T12:30:00Z"
    )
    assert caught.value.text == text


def test_a_long_text_is_cut_in_the_message() -> None:
    for read in (read_moment, read_day):
        with pytest.raises(QueryError) as caught:
            read("2" * 10_000, "since")
        assert len(str(caught.value)) < 200


def test_a_day_has_no_time() -> None:
    assert read_day(" 2026-10-01", "until") == read_day("20261001", "until") == date(2026, 10, 1)
    for text in ("2026-10-01T12:30", "soon"):
        with pytest.raises(QueryError, match=f"until: '{text}' is not a date; write a date such"):
            read_day(text, "until")


def test_a_time_without_a_zone_is_utc() -> None:
    naive = datetime(2026, 10, 1, 12, 30)  # noqa: DTZ001  # that is what is tried
    assert as_utc(naive) == datetime(2026, 10, 1, 12, 30, tzinfo=UTC)
    assert as_utc(naive.replace(tzinfo=EAST)).isoformat() == "2026-09-30T22:30:00+00:00"
    assert epoch_ms(naive) == epoch_ms(naive.replace(tzinfo=UTC))
    assert end_of_day_ms(naive) == epoch_ms(naive)


@given(st.dates())
def test_a_day_is_from_midnight_to_its_last_millisecond(day: date) -> None:
    assert epoch_ms(day) == epoch_ms(midnight(day))
    assert from_epoch_ms(epoch_ms(day)) == midnight(day)
    last = from_epoch_ms(end_of_day_ms(day))
    assert (last.date(), last.time().isoformat()) == (day, "23:59:59.999000")


@given(st.datetimes(timezones=st.sampled_from([UTC, EAST, WEST])))
def test_milliseconds_are_rounded_down(moment: datetime) -> None:
    # exact also before 1970, and where the calendar ends in UTC
    behind = moment - datetime(1970, 1, 1, tzinfo=UTC) - timedelta(milliseconds=epoch_ms(moment))
    assert timedelta() <= behind < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    "moment", [datetime.min.replace(tzinfo=EAST), datetime.max.replace(tzinfo=WEST)]
)
def test_the_ends_of_the_calendar_are_counted_in_any_zone(moment: datetime) -> None:
    assert epoch_ms(moment) == end_of_day_ms(moment)
