"""Periods as people name them: ``this-quarter``, ``last-month``, ``2026-Q4``."""

from __future__ import annotations

from datetime import date, timedelta

from dealdb.analytics.calendar.periods import Periods
from dealdb.errors import QueryError
from dealdb.model.pipeline import Pipeline

_STEPS = {"this": 0, "last": -1, "next": 1}
_PERIODS = ("week", "month", "quarter", "year")
_WORDS = "this-quarter, last-month, 2026-Q4, 2026-11 or FY2027-Q1"


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
    >>> name, first, after = period_named("last-quarter", Pipeline(), date(2026, 11, 27))
    >>> name, str(first), str(after)
    ('2026-Q3', '2026-07-01', '2026-10-01')
    """
    which, _, kind = text.strip().casefold().replace(" ", "-").partition("-")
    if which not in _STEPS or kind not in _PERIODS:
        try:
            return text.strip().upper(), *Periods.called(text, pipeline)[1:]
        except QueryError as problem:
            # the label of a period that there is none of has a message of its own
            if "is no period" not in str(problem):
                raise
        msg = f"{text[:60]!r} is not a period: write {_WORDS}"
        raise QueryError(msg, text=text)
    periods = Periods.of(kind, pipeline)
    first, after = periods.span(today)
    for _step in range(abs(_STEPS[which])):
        first, after = periods.span(after if which == "next" else first - timedelta(days=1))
    label: str = periods.between(first, first)["label"][0]
    return label, first, after
