"""
Moments, as people write them and as the server counts them: ISO 8601, and milliseconds since 1970.

A time without a zone is UTC: the one rule that gives every process the same answer.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from dealdb.errors import QueryError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# of the ways in which ISO 8601 writes a date, the one that nothing else looks like
PLAIN_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
# how messages say what can be written
DATE_EXAMPLE = "a date such as 2026-10-01"
MOMENT_EXAMPLE = f"{DATE_EXAMPLE}, or 2026-10-01T12:30:00Z"

_MS = timedelta(milliseconds=1)
_SHOWN = 60


def read_moment(text: str, name: str) -> datetime | date:
    """
    Date or datetime of ISO 8601 text; whether a date means its beginning or its end is for the caller to say.

    Parameters
    ----------
    text
        As a person wrote it; blanks around it don't count.
    name
        Of the argument, for the message.

    Raises
    ------
    QueryError
        If the text is neither.

    Examples
    --------
    >>> read_moment("2026-10-01", "as_of")
    datetime.date(2026, 10, 1)
    >>> read_moment("2026-10-01T12:30:00", "as_of")
    datetime.datetime(2026, 10, 1, 12, 30)
    """
    for parse in (date.fromisoformat, datetime.fromisoformat):
        try:
            return parse(text.strip())
        except ValueError:
            continue
    msg = f"{name}: {text[:_SHOWN]!r} is not a date or time; write {MOMENT_EXAMPLE}"
    raise QueryError(msg, text=text)


def read_day(text: str, name: str) -> date:
    """
    Date of ISO 8601 text, where a time of day would mean nothing.

    Raises
    ------
    QueryError
        If the text is not a date.

    Examples
    --------
    >>> read_day("2026-10-01", "since")
    datetime.date(2026, 10, 1)
    """
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        msg = f"{name}: {text[:_SHOWN]!r} is not a date; write {DATE_EXAMPLE}"
        raise QueryError(msg, text=text) from None


def as_utc(moment: datetime) -> datetime:
    """
    The same moment in UTC; one without a zone is in UTC already.

    Examples
    --------
    >>> as_utc(datetime.fromisoformat("2026-10-01T12:30:00+02:00"))
    datetime.datetime(2026, 10, 1, 10, 30, tzinfo=datetime.timezone.utc)
    """
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def midnight(day: date, zone: tzinfo = UTC) -> datetime:
    """
    Beginning of a day in a zone.

    Examples
    --------
    >>> midnight(date(2026, 10, 1))
    datetime.datetime(2026, 10, 1, 0, 0, tzinfo=datetime.timezone.utc)
    """
    return datetime.combine(day, time(), zone)


def epoch_ms(when: datetime | date, zone: tzinfo = UTC) -> int:
    """
    Milliseconds since 1970 of a moment, rounded down; a date means its beginning in a zone.

    Examples
    --------
    >>> epoch_ms(date(1970, 1, 2)), epoch_ms(datetime(1970, 1, 1, 0, 0, 1))
    (86400000, 1000)
    """
    moment = when if isinstance(when, datetime) else midnight(when, zone)
    # the zone stays: at either end of the calendar there is no such moment in UTC
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH) // _MS


def end_of_day_ms(when: datetime | date, zone: tzinfo = UTC) -> int:
    """
    Milliseconds since 1970 of a moment, rounded down; a date means its last millisecond in a zone.

    Examples
    --------
    >>> end_of_day_ms(date(1970, 1, 1)), end_of_day_ms(datetime(1970, 1, 1, 0, 0, 1))
    (86399999, 1000)
    """
    if isinstance(when, datetime):
        return epoch_ms(when)
    if when == date.max:
        return epoch_ms(when, zone) + timedelta(days=1) // _MS - 1
    # by the next midnight: a day may have 23 or 25 hours
    return epoch_ms(when + timedelta(days=1), zone) - 1


def from_epoch_ms(ms: int) -> datetime:
    """
    Moment of a number of milliseconds since 1970, UTC.

    Examples
    --------
    >>> from_epoch_ms(86_399_999)
    datetime.datetime(1970, 1, 1, 23, 59, 59, 999000, tzinfo=datetime.timezone.utc)
    """
    return EPOCH + ms * _MS
