"""
Columns of dates and moments in the ways that exports write them, turned into ISO 8601.

Years stay as they are, 1201 and 3201 too: whether they make sense is not for a reader of files to decide.
"""

from __future__ import annotations

from datetime import date, datetime

import polars as pl

from dealdb.model.columns import encode_column, readable
from dealdb.model.schema import Field, FieldType

ISO_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
# by far the most frequent moment, and one that Polars parses itself
_ISO_MOMENT = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T](?:[01][0-9]|2[0-3])(?::[0-5][0-9]){2}(?:\.[0-9]{1,6})?Z?$"
)
_ISO_MIDNIGHT = r"[ T]00:00:00(?:\.0*)?Z?$"
_FIRST_MOMENT = datetime.min  # noqa: DTZ901  # moments are in UTC here, and Polars columns of them have no zone
_LAST_MOMENT = datetime.max  # noqa: DTZ901  # likewise
_TIME = r"(?:(?:T|,?\s+)(?P<time>.*))?\s*$"
_YEAR = r"(?P<y>[0-9]{4}|[0-9]{2})"
_YEAR_FIRST = rf"^\s*(?P<y>[0-9]{{4}})[-/.](?P<m>[0-9]{{1,2}})[-/.](?P<d>[0-9]{{1,2}}){_TIME}"
YEAR_LAST = rf"^\s*(?P<first>[0-9]{{1,2}})[-/.](?P<second>[0-9]{{1,2}})[-/.]{_YEAR}{_TIME}"
# two digits of a year are those of 1970 to 2069
_PIVOT = 70
# whole names and common abbreviations in English, German, Spanish, French, Italian, Dutch and Portuguese
_MONTH_NAMES = """
january jan januar jänner jän enero ene janvier janv gennaio gen januari janeiro
february feb februar febrero février fevrier févr fevr fév febbraio februari fevereiro fev
march mar märz mär mrz marzo mars maart mrt março marco
april apr abril abr avril avr aprile
may mai mayo maggio mag mei maio
june jun juni junio juin giugno giu junho
july jul juli julio juillet juil luglio lug julho
august aug agosto ago août aout augustus
september sep sept septiembre setiembre set septembre settembre setembro
october oct oktober okt octubre octobre ottobre ott outubro out
november nov noviembre novembre novembro
december dec dezember dez diciembre dic décembre decembre déc dicembre dezembro
"""
_MONTHS = {
    name: str(number)
    for number, line in enumerate(_MONTH_NAMES.strip().splitlines(), 1)
    for name in line.split()
}
_MONTH = r"(?P<month>\p{L}{3,})\.?"
_WEEKDAY = r"^\s*(?:\p{L}+\.?,\s+)?"
_OF = r"(?:[ /.-]|\s+de\s+)"
_DAY_NAMED = rf"{_WEEKDAY}(?P<d>[0-9]{{1,2}})(?:\.|st|nd|rd|th|er|º)?{_OF}\s*{_MONTH}(?:,|{_OF}|\s)*{_YEAR}{_TIME}"
_MONTH_NAMED = (
    rf"{_WEEKDAY}{_MONTH}[ -](?P<d>[0-9]{{1,2}})(?:st|nd|rd|th)?(?:,? |,|-){_YEAR}{_TIME}"
)
_CLOCK = (
    r"^(?P<h>[0-9]{1,2}):(?P<min>[0-9]{2})(?::(?P<s>[0-9]{2})(?:[.,](?P<f>[0-9]{1,9}))?)?"
    r"\s*(?P<half>[AaPp])?(?:\.?[Mm]\.?)?\s*(?P<zone>Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?$"
)
# milliseconds since 1970, from 1973 on: nothing else that stands for a date has as many digits
EPOCH = r"^\s*[0-9]{12,13}(?:\.0+)?\s*$"
# seconds since 1970, from 1973 on: only where a column has nothing else
EPOCH_SECONDS = r"^\s*[0-9]{9,10}(?:\.0+)?\s*$"
# what databases write for no date
_ZERO_DATE = r"^\s*(?:0000[-/.]00[-/.]00|00[-/.]00[-/.]0000)(?:[ T]00:00(?::00(?:\.0+)?)?Z?)?\s*$"
# every date that is no plain number has two
_TWO_NUMBERS = r"[0-9][^0-9]+[0-9]"
# 1.2.26 is a version where nobody has declared a date
_VERSION_LIKE = r"^\s*(?:[0-9]\.[0-9]+|[0-9]+\.[0-9])\.[0-9]{2}\s*$"


def is_zero_date(texts: pl.Expr) -> pl.Expr:
    """
    Which cells are the date that stands for none.

    Examples
    --------
    >>> cells = pl.Series(["0000-00-00 00:00:00", "00/00/0000", "0001-01-01"]).to_frame("day")
    >>> cells.select(is_zero_date(pl.col("day")))["day"].to_list()
    [True, True, False]
    """
    return texts.str.contains(_ZERO_DATE).fill_null(value=False)


def date_readings(texts: pl.Series, *, timed: bool) -> frozenset[str]:
    """
    Orders in which all cells of a column that nobody declared are dates, or moments if ``timed``.

    Examples
    --------
    >>> sorted(date_readings(pl.Series(["2026-01-31", "3/4/26"]), timed=False))
    ['eu', 'us']
    >>> date_readings(pl.Series(["31.01.2026", "2026-02-30"]), timed=False)
    frozenset()
    """
    if not texts.str.contains(_TWO_NUMBERS).all():
        return frozenset()
    odd = texts.filter(~texts.str.contains(ISO_DATE))
    if odd.str.contains(rf"{_VERSION_LIKE}|^\s*[0-9]+\s*$").any():
        return frozenset()
    if not odd.str.contains(r"^\s*[0-9]{1,2}[-/.][0-9]").any():
        # none that depends on it
        return frozenset(("us", "eu")) if _all_read(texts, "us", timed=timed) else frozenset()
    return frozenset(order for order in ("us", "eu") if _all_read(texts, order, timed=timed))


def _all_read(texts: pl.Series, order: str, *, timed: bool) -> bool:
    if timed:
        return not _read_moments(texts, order).null_count()
    if texts.str.contains(r"[0-9]:[0-9]").any():
        return False
    return not dates(texts, order)[0].null_count()


def dates(texts: pl.Series, order: str, *, seconds: bool = False) -> tuple[pl.Series, int]:
    """
    Dates of a column in ISO form, null where a cell is not one, and how many had a time of day that was dropped.

    The date is the one that is written, whatever zone comes after it.

    Parameters
    ----------
    texts
        Cells.
    order
        ``us`` for month/day/year, ``eu`` for day/month/year.
    seconds
        Whether the cells are seconds since 1970.

    Examples
    --------
    >>> dates(pl.Series(["2018-12-19 09:30:00", "31/01/2026", "Jan 5, 2026", "soon"]), "eu")[
    ...     0
    ... ].to_list()
    ['2018-12-19', '2026-01-31', '2026-01-05', None]
    """
    plain = texts.str.contains(ISO_DATE) & real_dates(texts).is_not_null()
    if plain.all():
        return texts, 0
    odd = _epochs_named(texts.filter(~plain), seconds=seconds)
    found, dropped = _odd_dates(odd, order)
    return texts.clone().scatter((~plain).arg_true(), found), dropped


def _odd_dates(odd: pl.Series, order: str) -> tuple[pl.Series, int]:
    if odd.str.contains(_ISO_MOMENT).all():
        found = real_dates(odd.str.head(10)).cast(pl.String)
        return found, int((found.is_not_null() & ~odd.str.contains(_ISO_MIDNIGHT)).sum())
    parts = _parts(odd, order)
    clock = parts["time"]
    has_time = clock.is_not_null() & (clock != "")
    # a time that can't be read makes the cell one that can't be read
    readable = ~has_time | _seconds(clock).is_not_null()
    day = real_dates(parts["date"]).cast(pl.String)
    found = pl.select(pl.when(readable).then(day)).to_series()
    # a microsecond after midnight is a time of day too
    timed = (_seconds(clock) != 0) | clock.str.contains(r"\.0*[1-9]")
    return found, int((has_time & found.is_not_null() & timed).sum())


def datetimes(texts: pl.Series, order: str, *, seconds: bool = False) -> pl.Series:
    """
    Moments of a column in the form that the store keeps: UTC, to the microsecond; null where a cell is not one.

    A moment without a zone is UTC; a date without a time is its midnight.

    Examples
    --------
    >>> datetimes(
    ...     pl.Series(["2018-12-19 9:30", "1/31/2026 02:00 PM", "2026-01-31T00:00+01:00"]), "us"
    ... ).to_list()
    ['2018-12-19T09:30:00Z', '2026-01-31T14:00:00Z', '2026-01-30T23:00:00Z']
    """
    utc = _read_moments(texts, order, seconds=seconds).dt.replace_time_zone("UTC")
    return encode_column(utc.alias(texts.name), Field("moment", FieldType.DATETIME))


def _read_moments(texts: pl.Series, order: str, *, seconds: bool = False) -> pl.Series:
    is_iso = texts.str.contains(_ISO_MOMENT).all()
    if not is_iso:
        texts = _epochs_named(texts, seconds=seconds)
        is_iso = texts.str.contains(_ISO_MOMENT).all()
    moments = _iso_moments(texts) if is_iso else _moments(texts, order)
    return _within(moments, _FIRST_MOMENT, _LAST_MOMENT)


def _epochs_named(texts: pl.Series, *, seconds: bool) -> pl.Series:
    """Cells with a moment of the calendar for each that is in milliseconds, or in seconds, since 1970."""
    pattern = EPOCH_SECONDS if seconds else EPOCH
    is_epoch = texts.str.contains(pattern).fill_null(value=False)
    if not is_epoch.any():
        return texts
    numbers = texts.filter(is_epoch).str.extract(r"([0-9]+)").cast(pl.Int64)
    found = (numbers * 1000 if seconds else numbers).cast(pl.Datetime("ms"))
    return texts.clone().scatter(is_epoch.arg_true(), found.dt.strftime("%Y-%m-%d %H:%M:%S%.3f"))


def _iso_moments(texts: pl.Series) -> pl.Series:
    plain = texts.str.replace("T", " ", literal=True).str.strip_chars_end("Z")
    return plain.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)


def _moments(texts: pl.Series, order: str) -> pl.Series:
    parts = _parts(texts, order)
    clock = parts["time"]
    has_time = clock.is_not_null() & (clock != "")
    time_of_day = pl.select(pl.when(has_time).then(_micros(clock)).otherwise(0)).to_series()
    return real_dates(parts["date"]).cast(pl.Datetime("us")) + time_of_day.cast(pl.Duration("us"))


def real_dates(texts: pl.Series) -> pl.Series:
    """Dates of texts such as 2026-01-31; null for a day that no calendar has, or no reader of the store a name for."""
    return readable(texts.str.to_date("%Y-%m-%d", strict=False))


def _within(found: pl.Series, first: date, last: date) -> pl.Series:
    """Null for what the calendar of Python, and so any reader of the store, has no name for."""
    strange = ~found.is_between(first, last).fill_null(value=True)
    return found.set(strange, None) if strange.any() else found


def _parts(texts: pl.Series, order: str) -> pl.DataFrame:
    """Date as ISO text and the time after it as it is, of each cell that has the shape of a date."""
    frame = pl.DataFrame({"text": texts})
    groups = frame.select(
        pl.col("text").str.extract_groups(_YEAR_FIRST).alias("ymd"),
        pl.col("text").str.extract_groups(YEAR_LAST).alias("last"),
    )
    day_first = texts.str.contains(r"^\s*[0-9]+\.") | (order == "eu")
    ymd, last = groups["ymd"].struct.unnest(), groups["last"].struct.unnest()
    result = pl.DataFrame(
        {
            "y": ymd["y"].zip_with(ymd["y"].is_not_null(), last["y"]),
            "m": ymd["m"].zip_with(
                ymd["y"].is_not_null(), last["second"].zip_with(day_first, last["first"])
            ),
            "d": ymd["d"].zip_with(
                ymd["y"].is_not_null(), last["first"].zip_with(day_first, last["second"])
            ),
            "time": ymd["time"].zip_with(ymd["y"].is_not_null(), last["time"]),
        }
    )
    if result["y"].null_count() > texts.null_count():
        result = _with_named_months(texts, result)
    return result.select(
        pl.concat_str(
            _whole_year(pl.col("y")),
            pl.col("m").str.zfill(2),
            pl.col("d").str.zfill(2),
            separator="-",
        ).alias("date"),
        pl.col("time").str.strip_chars(),
    )


def _whole_year(year: pl.Expr) -> pl.Expr:
    recent = pl.when(year < str(_PIVOT)).then(pl.lit("20")).otherwise(pl.lit("19"))
    return pl.when(year.str.len_bytes() == len("26")).then(recent + year).otherwise(year)


def _with_named_months(texts: pl.Series, known: pl.DataFrame) -> pl.DataFrame:
    for pattern in (_DAY_NAMED, _MONTH_NAMED):
        named = texts.str.extract_groups(pattern).struct.unnest()
        month = named["month"].str.to_lowercase()
        named = named.select("y", "d", "time").with_columns(
            month.replace_strict(_MONTHS, default=None, return_dtype=pl.String).alias("m")
        )
        missing = known["y"].is_null() | known["m"].is_null()
        known = known.select(
            known[name].zip_with(~missing, named[name]) for name in ("y", "m", "d", "time")
        )
    return known


def _seconds(clock: pl.Series) -> pl.Series:
    """Time of day as it is written, its zone left out, in whole seconds; null where it is not one."""
    return _clock(clock)["day_micros"] // 1_000_000


def _micros(clock: pl.Series) -> pl.Series:
    """Microseconds since midnight UTC of the day that is written; may be before it, or after its end."""
    parts = _clock(clock)
    return parts["day_micros"] - parts["offset_minutes"] * 60_000_000


def _clock(clock: pl.Series) -> pl.DataFrame:
    parts = (
        pl.DataFrame({"clock": clock})
        .select(pl.col("clock").str.extract_groups(_CLOCK))
        .unnest("clock")
    )
    numbers = parts.select(
        pl.col("h", "min").cast(pl.Int64),
        pl.col("s").fill_null("0").cast(pl.Int64),
        # beyond microseconds nothing can be kept
        pl.col("f").fill_null("").str.pad_end(6, "0").str.head(6).cast(pl.Int64),
        pl.col("half").str.to_lowercase(),
        pl.col("zone").str.extract(r"([+-])").alias("side"),
        pl.col("zone").str.extract(r"[+-]([0-9]{2})").cast(pl.Int64).fill_null(0).alias("zone_h"),
        pl.col("zone").str.extract(r"([0-9]{2})$").cast(pl.Int64).fill_null(0).alias("zone_min"),
    )
    hour = (
        pl.when(pl.col("half").is_null()).then("h")
        .when(pl.col("h").is_between(1, 12)).then(pl.col("h") % 12 + 12 * (pl.col("half") == "p"))
    )  # fmt: skip
    valid = (hour < 24) & (pl.col("min") < 60) & (pl.col("s") < 60)
    valid &= (pl.col("zone_h") < 24) & (pl.col("zone_min") < 60)
    micros = ((hour * 60 + pl.col("min")) * 60 + pl.col("s")) * 1_000_000 + pl.col("f")
    sign = pl.when(pl.col("side") == "-").then(-1).otherwise(1)
    return numbers.select(
        pl.when(valid).then(micros).alias("day_micros"),
        (sign * (pl.col("zone_h") * 60 + pl.col("zone_min"))).alias("offset_minutes"),
    )
