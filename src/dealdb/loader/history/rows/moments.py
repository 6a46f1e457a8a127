"""When something happened, as exports write it: milliseconds since 1970 in UTC, and how exactly it is known."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import polars as pl

from dealdb.errors import LoadError
from dealdb.loader.cells.date_order import OrderEvidence
from dealdb.loader.cells.dates import datetimes
from dealdb.model.columns import decode_column
from dealdb.model.schema import Field, FieldType

# 1990: older ones are mistyped years, as 1201 is
EARLIEST_MS = 631_152_000_000
DAY_MS = 86_400_000

_MOMENT = Field("at", FieldType.DATETIME)
_TIMED = r"[0-9]:[0-9]{2}"
_ZONE = r"(:[0-9]{2}(?:[.,][0-9]+)?)\s*(Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)\s*$"
_FRACTION = r":[0-9]{2}[.,][0-9]"
# since 1990 milliseconds have 12 or 13 digits, and seconds 9 or 10
_EPOCH_MS = r"^\s*([0-9]{12,13})(?:\.[0-9]*)?\s*$"
_EPOCH_S = r"^\s*([0-9]{9,10})(?:\.[0-9]*)?\s*$"
_HOUR = pl.duration(hours=1)


def zone_of(name: str) -> str:
    """
    Name of a time zone that exists.

    Raises
    ------
    LoadError
        If there is none of this name.

    Examples
    --------
    >>> zone_of("Europe/Berlin")
    'Europe/Berlin'
    """
    try:
        ZoneInfo(name)
    except (OSError, ValueError, TypeError, KeyError) as problem:
        msg = f"there is no time zone {name!r}; write one such as 'UTC' or 'Europe/Berlin'"
        raise LoadError(msg) from problem
    return name


def moments(texts: pl.Series, zone: str, *, days: str | None = None) -> pl.DataFrame:
    """
    Moments of a column: ``at`` in milliseconds since 1970, and ``precision``, both null where a cell is no moment.

    Parameters
    ----------
    texts
        Cells: ISO 8601 and the other ways that loads read, and milliseconds or seconds since 1970.
    zone
        Of the cells that name none.
    days
        Zone in which a day without a time begins; ``zone`` by default.

    Raises
    ------
    LoadError
        If days could be read both as day/month and as month/day, or with the year first as well.

    Examples
    --------
    >>> moments(pl.Series(["2026-01-12 9:30:00", "2026-01-12", "1470145367545"]), "UTC").rows()
    [(1768210200000, 's'), (1768176000000, 'day'), (1470145367545, 'ms')]
    """
    unique = texts.drop_nulls().unique()
    if unique.is_empty():
        return pl.DataFrame(
            {"at": [None] * texts.len(), "precision": [None] * texts.len()},
            schema={"at": pl.Int64, "precision": pl.String},
        )
    found = _read(unique, zone, days or zone).with_columns(unique.alias("text"))
    return (
        texts.alias("text")
        .to_frame()
        .join(found, on="text", how="left", maintain_order="left")
        .select("at", "precision")
    )


def _read(texts: pl.Series, zone: str, days: str) -> pl.DataFrame:
    frame = texts.alias("text").to_frame()
    text = pl.col("text")
    ms = text.str.extract(_EPOCH_MS).cast(pl.Int64)
    seconds = text.str.extract(_EPOCH_S).cast(pl.Int64) * 1000
    frame = frame.with_columns(
        pl.coalesce(ms, seconds).alias("epoch"),
        text.str.contains(_EPOCH_MS).alias("in_ms"),
        text.str.contains(_TIMED).alias("timed"),
        text.str.contains(_FRACTION).alias("fraction"),
        text.str.extract(_ZONE, 2).alias("zone"),
        text.str.replace(_ZONE, "$1").alias("local"),
    )
    written = frame.filter(pl.col("epoch").is_null())
    clock = decode_column(datetimes(written["local"], _order(written["local"])), _MOMENT)
    utc = _utc(written.with_columns(clock.dt.replace_time_zone(None).alias("clock")), zone, days)
    epochs = frame.filter(pl.col("epoch").is_not_null()).with_columns(pl.col("epoch").alias("at"))
    both = pl.concat([epochs, written.with_columns(utc)], how="diagonal")
    exact = pl.col("in_ms") | (pl.col("timed") & pl.col("fraction"))
    by_second = pl.col("epoch").is_not_null() | pl.col("timed")
    precision = (
        pl.when(pl.col("at").is_null())
        .then(None)
        .when(exact)
        .then(pl.lit("ms"))
        .when(by_second)
        .then(pl.lit("s"))
        .otherwise(pl.lit("day"))
    )
    kept = both.select("text", "at", precision.alias("precision"))
    return texts.alias("text").to_frame().join(
        kept, on="text", how="left", maintain_order="left"
    ).select("at", "precision")  # fmt: skip


def _order(texts: pl.Series) -> str:
    """Whether months or days come first in dates that leave it open."""
    seen = OrderEvidence()
    seen.add(texts)
    begins_with_year = seen.may_begin_with_year
    if seen.is_open and not (seen.us or seen.day_first):
        both = (
            "year/month/day and as day/month/year"
            if begins_with_year
            else "day/month and as month/day"
        )
        msg = f"the moments can be read both as {both}; write them as 2026-01-31T09:30:00Z"
        raise LoadError(msg)
    # what may begin with the year says nothing of the day
    n_days_first = seen.eu + (0 if begins_with_year else seen.slashed)
    return "eu" if n_days_first > seen.us else "us"


def _utc(written: pl.DataFrame, zone: str, days: str) -> pl.Series:
    """Milliseconds of clock times: by the zone that each names, else by that of the source, or of days."""
    clock = pl.col("clock")
    local = pl.when(pl.col("timed")).then(_placed(clock, zone)).otherwise(_placed(clock, days))
    digits = pl.col("zone").str.replace(":", "", literal=True)
    minutes = digits.str.slice(1, 2).cast(pl.Int64, strict=False) * 60 + digits.str.slice(
        3, 2
    ).cast(pl.Int64, strict=False).fill_null(0)
    sign = pl.when(digits.str.starts_with("-")).then(-1).otherwise(1)
    offset = pl.when(digits.str.contains("^[+-]")).then(sign * minutes).otherwise(0)
    named = clock.dt.epoch("us") - offset * 60_000_000
    at = pl.when(pl.col("zone").is_not_null()).then(named).otherwise(local)
    return written.select(at.floordiv(1000).alias("at")).to_series()


def _placed(clock: pl.Expr, zone: str) -> pl.Expr:
    """Microseconds since 1970 of clock times in a zone."""
    # an hour that the clocks skipped is read with the offset before it
    placed = clock.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    skipped = (clock - _HOUR).dt.replace_time_zone(
        zone, ambiguous="earliest", non_existent="null"
    ) + _HOUR
    return pl.coalesce(placed, skipped).dt.epoch("us")


def day_of(at: pl.Expr, zone: str) -> pl.Expr:
    """
    Text of the day in a zone on which moments lie.

    Examples
    --------
    >>> frame = pl.DataFrame({"at": [1774996200000]})
    >>> frame.select(day_of(pl.col("at"), "Europe/Berlin")).item()
    '2026-04-01'
    """
    return at.cast(pl.Datetime("ms", "UTC")).dt.convert_time_zone(zone).dt.date().cast(pl.String)
