"""Days of a time zone, and the moments at which they begin."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from dealdb.model.moments import EPOCH
from dealdb.model.pipeline import Pipeline

_MS = timedelta(milliseconds=1)
DAY_MS = 24 * 60 * 60 * 1000


def midnight_ms(day: date, zone: str) -> int:
    """
    Moment at which a day begins, in milliseconds since 1970, UTC.

    Examples
    --------
    >>> midnight_ms(date(1970, 1, 2), "UTC"), midnight_ms(date(1970, 1, 2), "Europe/Berlin")
    (86400000, 82800000)
    """
    return (datetime.combine(day, time(), ZoneInfo(zone)) - EPOCH) // _MS


def end_ms(day: date, zone: str) -> int:
    """
    Moment at which a day is over.

    Examples
    --------
    >>> end_ms(date(1970, 1, 1), "UTC")
    86400000
    """
    if day == date.max:
        return midnight_ms(day, zone) + DAY_MS
    return midnight_ms(day + timedelta(days=1), zone)


def day_of_ms(moment: int, zone: str) -> date:
    """
    Day of a moment.

    Examples
    --------
    >>> day_of_ms(82800000, "UTC"), day_of_ms(82800000, "Europe/Berlin")
    (datetime.date(1970, 1, 1), datetime.date(1970, 1, 2))
    """
    return (EPOCH + moment * _MS).astimezone(ZoneInfo(zone)).date()


def zone_of(pipeline: Pipeline) -> str:
    """Time zone of a pipeline's days."""
    return pipeline.zone


def as_moments(column: pl.Expr) -> pl.Expr:
    """Moments of a column of milliseconds, as datetimes in UTC."""
    return column.cast(pl.Datetime("ms", "UTC"))


def as_days(column: pl.Expr, zone: str) -> pl.Expr:
    """Days of a column of milliseconds."""
    return as_moments(column).dt.convert_time_zone(zone).dt.date()
