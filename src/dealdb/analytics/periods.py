"""Calendar and fiscal periods: where a day's period starts, what it is called, which ones a range has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from dealdb.analytics.options import choice, whole_number
from dealdb.errors import QueryError

_STEPS = {"day": "1d", "week": "1w", "month": "1mo", "quarter": "1q", "year": "1y"}
# shortest length of a period in days, to find how many a range has at most
_MONTHS = {"day": 1, "week": 1, "month": 1, "quarter": 3, "year": 12}
_DAYS = {"day": 1, "week": 7, "month": 28, "quarter": 90, "year": 365}


@dataclass(frozen=True, slots=True)
class Periods:
    """
    Days, ISO weeks (from Monday), months, quarters or years.

    Attributes
    ----------
    period
        ``"day"``, ``"week"``, ``"month"``, ``"quarter"`` or ``"year"``.
    first_month
        Month in which the year begins, 1 to 12; only quarters and years depend on it. A fiscal year that does not
        begin in January is named after the calendar year in which it ends.

    Examples
    --------
    >>> Periods("quarter", 4).between(date(2026, 1, 31), date(2026, 4, 1))["label"].to_list()
    ['FY2026-Q4', 'FY2027-Q1']
    """

    period: str
    first_month: int = 1

    def __post_init__(self) -> None:
        choice("period", self.period, _STEPS)
        whole_number("fiscal_year_start", self.first_month, least=1, most=12)

    def start(self, day: pl.Expr) -> pl.Expr:
        """First day of the period that a day is in."""
        step, shift = _STEPS[self.period], self._shift
        if not shift:
            return day.dt.truncate(step)
        return day.dt.offset_by(f"-{shift}mo").dt.truncate(step).dt.offset_by(f"{shift}mo")

    def most(self, first: date, last: date) -> int:
        """Number of periods that the range can have at most."""
        return (last - first).days // _DAYS[self.period] + 2

    def between(self, first: date, last: date) -> pl.DataFrame:
        """
        All periods from that of the first day to that of the last: ``period`` (its first day) and ``label``.

        Raises
        ------
        QueryError
            If the first one begins before the year 1.
        """
        if first < date(1, self._shift % _MONTHS[self.period] + 1, 1):
            msg = f"the fiscal {self.period} of {first} begins before the year 1; leave such dates out with since="
            raise QueryError(msg)
        start = pl.select(self.start(pl.lit(first))).item()
        days = pl.date_range(start, last, _STEPS[self.period], eager=True)
        return pl.DataFrame({"period": days}).with_columns(label=self._label(pl.col("period")))

    @property
    def _shift(self) -> int:
        return self.first_month - 1 if self.period in ("quarter", "year") else 0

    def _label(self, start: pl.Expr) -> pl.Expr:
        formats = {"day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}
        if self.period in formats:
            return start.dt.strftime(formats[self.period])
        shifted = start.dt.offset_by(f"-{self._shift}mo")
        fiscal = int(self._shift > 0)
        name = pl.format("FY{}" if fiscal else "{}", shifted.dt.year() + fiscal)
        return pl.format("{}-Q{}", name, shifted.dt.quarter()) if self.period == "quarter" else name
