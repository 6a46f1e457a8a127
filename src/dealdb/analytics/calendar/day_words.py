"""Days as people name them: ``monday``, ``yesterday``, ``2026-10-01``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

from dealdb.errors import QueryError
from dealdb.model.fiscal import WEEKDAYS
from dealdb.model.moments import read_day, read_moment

_NEAR = {"today": 0, "yesterday": -1, "tomorrow": 1}
# what can be written, for messages
DAY_WORDS = "2026-10-01, today, yesterday, or a weekday, which is the last one before today"


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
