"""Days and periods as people name them: ``monday``, ``yesterday``, ``last-quarter``, ``2026-Q4``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from dealdb.errors import QueryError
from dealdb.model.fiscal import WEEKDAYS
from dealdb.model.moments import read_day, read_moment

if TYPE_CHECKING:
    from dealdb.model.pipeline import Pipeline

_NEAR = {"today": 0, "yesterday": -1, "tomorrow": 1}
_STEPS = {"this": 0, "last": -1, "next": 1}
_PERIODS = ("week", "month", "quarter", "year")
# what can be written, for help and messages
DAY_WORDS = "2026-10-01, today, yesterday, or a weekday, which is the last one before today"
PERIOD_WORDS = "this-quarter, last-month, 2026-Q4, 2026-11 or FY2027-Q1"


def is_word(text: str | None) -> bool:
    """
    Whether a text names a day by a word, for which one has to know what day it is.

    Examples
    --------
    >>> is_word("Monday"), is_word("2026-10-01"), is_word(None)
    (True, False, False)
    """
    return text is not None and text.strip().casefold() in (*_NEAR, *WEEKDAYS)


def day_named(text: str, today: date) -> date | None:
    """
    The day of a word; None where it is none.

    Examples
    --------
    >>> friday = date(2026, 11, 27)
    >>> str(day_named("monday", friday)), str(day_named("friday", friday)), day_named("May", friday)
    ('2026-11-23', '2026-11-20', None)
    """
    word = text.strip().casefold()
    if word in _NEAR:
        return today + timedelta(days=_NEAR[word])
    if word in WEEKDAYS:
        back = (today.weekday() - WEEKDAYS.index(word)) % 7
        return today - timedelta(days=back or 7)
    return None


def read_named_day(text: str, option: str, today: Callable[[], date]) -> date:
    """
    Day of a word, or of a date.

    Raises
    ------
    QueryError
        If the text is neither.
    """
    if is_word(text):
        return day_named(text, today()) or today()
    try:
        return read_day(text, option)
    except QueryError:
        msg = f"--{option.replace('_', '-')} {text[:60]!r} is not a day: write {DAY_WORDS}"
        raise QueryError(msg, text=text) from None


def read_named_moment(text: str, option: str, today: Callable[[], date]) -> datetime | date:
    """
    Day of a word, or a date or moment.

    Raises
    ------
    QueryError
        If the text is none of these.
    """
    return read_named_day(text, option, today) if is_word(text) else read_moment(text, option)


def period_named(text: str, pipeline: Pipeline, today: date) -> tuple[str, date, date]:
    """
    What a period is called, its first day, and the day after its last one.

    Parameters
    ----------
    text
        A label such as ``2026-Q4``, or ``this``, ``last`` or ``next`` with a week, month, quarter or year.
    pipeline
        Whose calendar counts.
    today
        In the zone of the pipeline.

    Raises
    ------
    QueryError
        If nothing is called so.

    Examples
    --------
    >>> from dealdb.model.pipeline import Pipeline
    >>> name, first, after = period_named("last-quarter", Pipeline(), date(2026, 11, 27))
    >>> name, str(first), str(after)
    ('2026-Q3', '2026-07-01', '2026-10-01')
    """
    # not at the top: it imports Polars
    from dealdb.analytics.calendar.periods import Periods

    which, _, kind = text.strip().casefold().replace(" ", "-").partition("-")
    if which not in _STEPS or kind not in _PERIODS:
        try:
            return text.strip().upper(), *Periods.called(text, pipeline)[1:]
        except QueryError as problem:
            # the label of a period that there is none of has a message of its own
            if "is no period" not in str(problem):
                raise
        msg = f"{text[:60]!r} is not a period: write {PERIOD_WORDS}"
        raise QueryError(msg, text=text)
    periods = Periods.of(kind, pipeline)
    first, after = periods.span(today)
    for _step in range(abs(_STEPS[which])):
        first, after = periods.span(after if which == "next" else first - timedelta(days=1))
    label: str = periods.between(first, first)["label"][0]
    return label, first, after
