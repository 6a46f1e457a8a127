"""Calendar and fiscal periods: where a day's period starts, what it is called, which ones a range has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

import polars as pl

from dealdb.analytics.calendar.weeks import week_periods
from dealdb.analytics.options import choice, whole_number
from dealdb.errors import QueryError
from dealdb.model.pipeline import Pipeline

_STEPS = {"day": "1d", "week": "1w", "month": "1mo", "quarter": "1q", "year": "1y"}
# shortest length of a period in days, to find how many a range has at most
_MONTHS = {"day": 1, "week": 1, "month": 1, "quarter": 3, "year": 12}
_DAYS = {"day": 1, "week": 7, "month": 28, "quarter": 90, "year": 364}
# what labels of periods look like; that of a week of any year, whichever day weeks begin with
_LABELS = {
    "day": r"\d{4}-\d{2}-\d{2}",
    "week": r"\d{4}-W\d{2}",
    "month": r"\d{4}-\d{2}|FY\d{4}-P\d{1,2}",
    "quarter": r"(FY)?\d{4}-Q[1-4]",
    "year": r"(FY)?\d{4}",
}


@dataclass(frozen=True, slots=True)
class Periods:
    """
    Days, weeks, months, quarters or years.

    A week belongs to the year that most of its days are in, and has its number there: with weeks from Monday that is
    the rule of ISO 8601.

    Attributes
    ----------
    period
        ``"day"``, ``"week"``, ``"month"``, ``"quarter"`` or ``"year"``.
    first_month
        Month in which the year begins, 1 to 12; only quarters and years depend on it.
    week_start
        Day with which weeks begin, 1 Monday to 7 Sunday.
    fiscal_name
        Whether a fiscal year that does not begin in January is named after the calendar year in which it ``"end"``s or
        in which it ``"start"``s.
    pattern, year_end
        As a pipeline has them: fiscal years of whole weeks, whose twelve periods are its months.

    Examples
    --------
    >>> Periods("quarter", 4).between(date(2026, 1, 31), date(2026, 4, 1))["label"].to_list()
    ['FY2026-Q4', 'FY2027-Q1']
    """

    period: str
    first_month: int = 1
    week_start: int = 1
    fiscal_name: str = "end"
    pattern: str | None = None
    year_end: str | None = None

    def __post_init__(self) -> None:
        choice("period", self.period, _STEPS)
        whole_number("fiscal_year_start", self.first_month, least=1, most=12)

    @classmethod
    def of(cls, period: str, pipeline: Pipeline, first_month: int | None = None) -> Periods:
        """
        Periods as a pipeline has them.

        Parameters
        ----------
        period
            ``"day"``, ``"week"``, ``"month"``, ``"quarter"`` or ``"year"``.
        pipeline
            Whose settings.
        first_month
            Month in which the year begins, in place of those of the pipeline's fiscal years.

        Raises
        ------
        QueryError
            If there is no such period or month.

        Examples
        --------
        >>> Periods.of("quarter", Pipeline(fiscal_start=2)).span(date(2026, 1, 31))
        (datetime.date(2025, 11, 1), datetime.date(2026, 2, 1))
        """
        common = (pipeline.week_start, pipeline.fiscal_name)
        if first_month is not None:
            return cls(period, first_month, *common)
        rule = (pipeline.fiscal_pattern, pipeline.fiscal_year_end)
        return cls(period, pipeline.fiscal_start, *common, *rule)

    @classmethod
    def called(
        cls, label: str, pipeline: Pipeline, *, calendar: bool = False
    ) -> tuple[str, date, date]:
        """
        The period of a label, such as ``"2026-03"``, ``"2026-Q1"`` or ``"FY2027-Q1"``.

        Parameters
        ----------
        label
            In any case.
        pipeline
            Whose settings.
        calendar
            Whether a quarter or year without ``FY`` may be one of the calendar where fiscal ones are called otherwise,
            and one with ``FY`` the same where fiscal years are those of the calendar.

        Returns
        -------
        tuple
            Which period it is (``"quarter"``), its first day, and the first day after it.

        Raises
        ------
        QueryError
            If nothing is called so in the calendar of the pipeline.

        Examples
        --------
        >>> Periods.called("FY2027-Q1", Pipeline(fiscal_start=2))
        ('quarter', datetime.date(2026, 2, 1), datetime.date(2026, 5, 1))
        """
        text = label.strip().upper() if isinstance(label, str) else ""  # type: ignore[redundant-expr]  # callers may be untyped
        kinds = (kind for kind, form in _LABELS.items() if re.fullmatch(form, text, re.ASCII))
        kind = next(kinds, None)
        if kind is None:
            examples = "2026-03, 2026-Q1, 2026, or FY2027-Q1 of a fiscal year"
            msg = f"period={str(label)[:40]!r} is no period: write {examples}"
            raise QueryError(msg)
        bare = text.removeprefix("FY")
        year = int(bare[:4])
        own = cls.of(kind, pipeline)
        # whatever a year is called by, it is the next one at most
        first, last = (
            date(min(max(year - 1, 2), 9997), 1, 1),
            date(min(max(year + 1, 3), 9998), 12, 31),
        )
        near = own.between(first, last)
        plain = cls(kind, week_start=pipeline.week_start)
        tried = [(own, text), (plain, text), *([] if own.is_fiscal else [(own, bare)])]
        for periods, name in tried if calendar else tried[:1]:
            found = periods.between(first, last).filter(pl.col("label") == name)["period"]
            if len(found):
                return kind, *periods.span(found[0])
        example = near["label"][near.height // 2]
        msg = f"period={text!r}: no {kind} is called so here; they are called like {example}"
        raise QueryError(msg)

    @property
    def is_fiscal(self) -> bool:
        """Whether years are others than those of the calendar."""
        return self._shift > 0 or self._starts is not None

    def start(self, day: pl.Expr) -> pl.Expr:
        """First day of the period that a day is in."""
        if (starts := self._starts) is not None:
            return day.map_batches(
                lambda days: _last_before(starts["period"], days),
                return_dtype=pl.Date,
                is_elementwise=True,
            )
        step = _STEPS[self.period]
        if self.period == "week" and self.week_start > 1:
            ahead = pl.duration(days=self.week_start - 1)
            return (day - ahead).dt.truncate(step) + ahead
        if not self._shift:
            return day.dt.truncate(step)
        return (
            day.dt.offset_by(f"-{self._shift}mo").dt.truncate(step).dt.offset_by(f"{self._shift}mo")
        )

    def span(self, day: date) -> tuple[date, date]:
        """
        First day of the period that a day is in, and the first day after it.

        Raises
        ------
        QueryError
            If it begins before the year 1, or ends after the year 9999.

        Examples
        --------
        >>> Periods("week", week_start=7).span(date(2026, 3, 31))
        (datetime.date(2026, 3, 29), datetime.date(2026, 4, 5))
        """
        if day.year < 2 or day.year > 9997:
            msg = f"the {self.period} of {day} lies at the end of the calendar; take a date from 0002 to 9997"
            raise QueryError(msg)
        around = self.between(day, day + timedelta(days=400 if self.period == "year" else 100))
        return around["period"][0], around["period"][1]

    def elapsed(self, day: date, *, as_of: date) -> Fraction:
        """
        Share of the days of a period that were over at the end of ``as_of``, 0 to 1.

        Parameters
        ----------
        day
            Any day of the period.
        as_of
            The last day that is over.

        Examples
        --------
        >>> Periods("quarter").elapsed(date(2026, 1, 1), as_of=date(2026, 2, 28))
        Fraction(59, 90)
        """
        first, end = self.span(day)
        whole = (end - first).days
        return Fraction(min(max((as_of - first).days + 1, 0), whole), whole)

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
        starts = self._starts
        if first < self._first(starts):
            msg = f"the fiscal {self.period} of {first} begins before the year 1; leave such dates out with since="
            raise QueryError(msg)
        if starts is not None:
            start = _last_before(starts["period"], pl.Series([first])).item()
            return starts.filter(pl.col("period").is_between(start, last))
        start = pl.select(self.start(pl.lit(first))).item()
        days = pl.date_range(start, last, _STEPS[self.period], eager=True)
        return pl.DataFrame({"period": days}).with_columns(label=self._label(pl.col("period")))

    def _first(self, starts: pl.DataFrame | None) -> date:
        if starts is not None:
            first: date = starts["period"][0]
            return first
        if self.period == "week":
            return date(1, 1, self.week_start)
        return date(1, self._shift % _MONTHS[self.period] + 1, 1)

    @property
    def _starts(self) -> pl.DataFrame | None:
        """Starts and labels of periods of whole weeks, where these are such."""
        if self.pattern is None or self.year_end is None or self.period in ("day", "week"):
            return None
        return week_periods(self.pattern, self.year_end, self.fiscal_name, self.period)

    @property
    def _shift(self) -> int:
        return self.first_month - 1 if self.period in ("quarter", "year") else 0

    def _label(self, start: pl.Expr) -> pl.Expr:
        formats = {"day": "%Y-%m-%d", "month": "%Y-%m"}
        if self.period in formats:
            return start.dt.strftime(formats[self.period])
        if self.period == "week":
            # the day in the middle is in the year that most days are in
            middle = start + pl.duration(days=3)
            number = (middle.dt.ordinal_day() - 1) // 7 + 1
            return pl.format(
                "{}-W{}",
                middle.dt.year().cast(pl.String).str.zfill(4),
                number.cast(pl.String).str.zfill(2),
            )
        shifted = start.dt.offset_by(f"-{self._shift}mo")
        is_fiscal = self._shift > 0
        named = shifted.dt.year() + int(is_fiscal and self.fiscal_name == "end")
        name = pl.format("FY{}" if is_fiscal else "{}", named)
        return pl.format("{}-Q{}", name, shifted.dt.quarter()) if self.period == "quarter" else name


def _last_before(starts: pl.Series, days: pl.Series) -> pl.Series:
    """The last start that is not after each day; null for none."""
    places = starts.search_sorted(days, side="right").cast(pl.Int64) - 1
    known = places.set(days.is_null() | (places < 0), None)
    return starts.gather(known)
