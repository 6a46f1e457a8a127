"""Fiscal years of whole weeks: 4-4-5 and its like, each ending on the same day of the week."""

from __future__ import annotations

from functools import lru_cache

import polars as pl

from dealdb.model.fiscal import PATTERNS, YearEnd

_WEEK = 7
_QUARTER_WEEKS = 13
_DECEMBER = 12
# the calendar of dates goes from the year 1 to 9999; the year after an end begins in it
_FIRST, _LAST = 1, 9998


@lru_cache(maxsize=32)
def week_periods(pattern: str, year_end: str, name: str, period: str) -> pl.DataFrame:
    """
    All periods of fiscal years of whole weeks, in order.

    A year begins with the day after the end of the one before, so it has 52 or 53 weeks; the 53rd is in the last
    period and quarter.

    Parameters
    ----------
    pattern, year_end, name
        As the pipeline has them.
    period
        ``"month"`` (the twelve periods of a year), ``"quarter"`` or ``"year"``.

    Returns
    -------
    pl.DataFrame
        ``period``, the first day, and ``label``: FY2027-P1, FY2027-Q1 or FY2027.

    Examples
    --------
    >>> from datetime import date
    >>> starts = week_periods("4-4-5", "last saturday of january", "end", "month")
    >>> starts.filter(pl.col("label").is_in(["FY2027-P1", "FY2027-P3"])).rows()
    [(datetime.date(2026, 2, 1), 'FY2027-P1'), (datetime.date(2026, 3, 29), 'FY2027-P3')]
    """
    offsets, letter = _offsets(pattern, period)
    parts = pl.DataFrame({"_part": range(1, len(offsets) + 1), "_offset": offsets})
    days = pl.duration(days=pl.col("_offset"))
    table = _years(YearEnd.parse(year_end), name).join(parts, how="cross")
    label = pl.format("FY{}", "_year")
    if letter:
        label = pl.format("{}-{}{}", label, pl.lit(letter), "_part")
    return table.select(period=pl.col("_start") + days, label=label).sort("period")


def _offsets(pattern: str, period: str) -> tuple[list[int], str]:
    """Days from the start of a year to those of its periods, and the letter of their labels."""
    if period == "year":
        return [0], ""
    if period == "quarter":
        return [_WEEK * _QUARTER_WEEKS * n for n in range(4)], "Q"
    weeks = PATTERNS[pattern] * 4
    return [_WEEK * sum(weeks[:n]) for n in range(len(weeks))], "P"


def _years(rule: YearEnd, name: str) -> pl.DataFrame:
    """Fiscal years by the day with which they start, and the number that they are called by."""
    years = pl.select(_anchor=pl.int_range(_FIRST, _LAST + 1, dtype=pl.Int32))
    last = pl.date("_anchor", rule.month, 1).dt.month_end()
    back = (last.dt.weekday().cast(pl.Int32) - rule.weekday) % _WEEK
    if rule.nearest:
        back = pl.when(back > _WEEK // 2).then(back - _WEEK).otherwise(back)
    # the year that starts after the end in one year is called by its own end, in the next one, or by its start
    ahead = 1 if name == "end" or rule.month == _DECEMBER else 0
    return years.select(_start=last - pl.duration(days=back - 1), _year=pl.col("_anchor") + ahead)
