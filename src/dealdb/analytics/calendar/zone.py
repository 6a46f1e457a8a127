"""Days of a time zone: to which one a moment belongs, and when it begins and ends."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from dealdb.errors import SchemaError
from dealdb.model.fiscal import time_zone
from dealdb.model.moments import EPOCH, epoch_ms
from dealdb.model.pipeline import Pipeline

DAY_MS = 86_400_000


class Zone:
    """
    Days of a time zone; one of them lasts from midnight to the next midnight, 23 to 25 hours.

    Where clocks skip midnight, the day begins with the moment of the change; where midnight comes twice, with the
    first one. Moments are milliseconds since 1970, UTC.

    Parameters
    ----------
    name
        Of the IANA database.

    Raises
    ------
    SchemaError
        If this machine doesn't know the zone.

    Examples
    --------
    >>> berlin = Zone("Europe/Berlin")
    >>> berlin.day_of_moment(berlin.midnight_ms(date(2026, 3, 29)))
    datetime.date(2026, 3, 29)
    >>> (
    ...     berlin.end_of_day_ms(date(2026, 3, 29)) - berlin.midnight_ms(date(2026, 3, 29))
    ... ) / 3_600_000
    23.0
    """

    def __init__(self, name: str = "UTC") -> None:
        self.name = name
        self._zone = time_zone(name)
        if not self._is_utc:
            # Polars brings a database of its own
            self._check_known_to_polars()

    @classmethod
    def of(cls, pipeline: Pipeline) -> Zone:
        """Zone of a pipeline."""
        return cls(pipeline.zone)

    def __repr__(self) -> str:
        return f"Zone({self.name!r})"

    @property
    def _is_utc(self) -> bool:
        return self._zone is UTC

    def _check_known_to_polars(self) -> None:
        try:
            pl.select(self.days_of_ms(pl.lit(0)))
        except pl.exceptions.PolarsError:
            msg = f"zone {self.name!r} is not one that columns can be in: use its present name"
            raise SchemaError(msg, field="zone") from None

    def today(self) -> date:
        """The present day."""
        return datetime.now(self._zone).date()

    def day_of_moment(self, ms: int) -> date:
        """
        Day to which a moment belongs.

        Examples
        --------
        >>> Zone("Europe/Berlin").day_of_moment(1_774_996_200_000)  # 2026-03-31T22:30Z
        datetime.date(2026, 4, 1)
        """
        moment = EPOCH + timedelta(milliseconds=ms)
        try:
            return moment.astimezone(self._zone).date()
        except OverflowError:
            # at either end of the calendar there is no other day
            return moment.date()

    def midnight_ms(self, day: date) -> int:
        """
        Moment with which a day begins.

        Examples
        --------
        >>> Zone().midnight_ms(date(1970, 1, 2))
        86400000
        """
        return epoch_ms(datetime.combine(day, time(), self._zone))

    def end_of_day_ms(self, day: date) -> int:
        """
        First moment after a day: midnight of the next one.

        Examples
        --------
        >>> Zone().end_of_day_ms(date(1970, 1, 1))
        86400000
        """
        if day == date.max:
            return self.midnight_ms(day) + DAY_MS
        return self.midnight_ms(day + timedelta(days=1))

    def days(self, moment: pl.Expr) -> pl.Expr:
        """
        Day to which each moment of a column belongs.

        Parameters
        ----------
        moment
            Datetimes in UTC, or without a zone, which means UTC. A column of dates has no business here: dates are
            never moved by a zone.

        Examples
        --------
        >>> from datetime import datetime
        >>> moments = pl.DataFrame({"at": [datetime(2026, 3, 31, 22, 30), None]})
        >>> moments.select(Zone("Europe/Berlin").days(pl.col("at"))).to_series().to_list()
        [datetime.date(2026, 4, 1), None]
        """
        if self._is_utc:
            return moment.dt.date()
        return moment.cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(self.name).dt.date()

    def days_of_ms(self, ms: pl.Expr) -> pl.Expr:
        """
        Day to which each moment of a column belongs that has whole milliseconds since 1970.

        Examples
        --------
        >>> moments = pl.DataFrame({"at": [1_774_996_200_000, None]})
        >>> moments.select(Zone("Europe/Berlin").days_of_ms(pl.col("at"))).to_series().to_list()
        [datetime.date(2026, 4, 1), None]
        """
        return self.days(as_moments(ms))


def in_days(ms: pl.Series) -> pl.Series:
    """
    Lengths in milliseconds as days, each the float nearest to the true quotient.

    Examples
    --------
    >>> in_days(pl.Series([43_200_000, None])).to_list()
    [0.5, None]
    """
    # a column of divisors: by one number for all, Polars multiplies by its reciprocal, which rounds twice
    return ms / pl.repeat(DAY_MS, ms.len(), dtype=pl.Int64, eager=True)


def as_moments(ms: pl.Expr) -> pl.Expr:
    """
    Moments of a column of whole milliseconds since 1970, as datetimes in UTC.

    Examples
    --------
    >>> pl.select(as_moments(pl.lit(82_800_000))).item().isoformat()
    '1970-01-01T23:00:00+00:00'
    """
    return ms.cast(pl.Datetime("ms", "UTC"))
