"""Trend of what happened: what was created, won and lost in each period, whatever became of it later."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from dealdb.analytics.calendar.periods import Periods
from dealdb.analytics.exact import ratio
from dealdb.analytics.flags import UNPRICED
from dealdb.analytics.history.lookup import n_lives
from dealdb.analytics.history.outcomes.closings import (
    IS_LOST,
    IS_WON,
    check_sums,
    closing_events,
    count,
    money,
)
from dealdb.analytics.history.past import Past
from dealdb.analytics.history.state import values_until
from dealdb.analytics.metrics.trend import MAX_ROWS
from dealdb.analytics.options import Day, Window
from dealdb.analytics.result import MetricResult
from dealdb.errors import QueryError

_FIGURES = ("created", "n", "won", "lost", "won_value", "win_rate")
_ROWS = ("period", "label")
_CREATED = "created"


def trend_of_events(
    past: Past,
    *,
    since: Day = None,
    until: Day = None,
    period: str = "month",
    fiscal_year_start: int | None = None,
) -> MetricResult:
    """
    Deals created, won and lost per period, by the moment at which it happened.

    A deal that was reopened and won again was won twice; deals that were deleted later count as well.

    Parameters
    ----------
    past
        The past; groups are those of the event.
    since, until
        Days of the events, ``until`` itself outside. A filter is judged at the end of them.
    period
        ``"day"``, ``"week"``, ``"month"``, ``"quarter"`` or ``"year"``.
    fiscal_year_start
        Month in which quarters and years begin, 1 to 12.

    Returns
    -------
    MetricResult
        ``period`` (its first day), ``label``, ``created`` (deals that began), ``n``, ``won``, ``lost``, ``won_value``
        (amounts of the moment) and ``win_rate``; periods in which nothing happened are rows of 0.

    Raises
    ------
    QueryError
        If an option can't be understood, a moment is before the first fact, there would be more than a million rows,
        or the amounts can't be summed exactly.

    Source
    ------
    docs/metrics.md#trend-of-events
    """
    calendar = Periods.of(period, past.pipeline, fiscal_year_start)
    first, end, window = past.bounds(since, until)
    past = past.ending(end)
    keys = past.keys((*_ROWS, *_FIGURES))
    inside = pl.col("at") < end if first is None else pl.col("at").is_between(first, end - 1)
    events = past.grouped(_events(past, inside), keys, by_at="event")
    check_sums(events)
    currency, keys = past.currency(events, keys)
    spine = _spine(events, keys, calendar, window)
    lines = _placed(events, spine, calendar)
    sums = lines.group_by("period", *keys).agg(
        created=count(pl.col("outcome") == _CREATED),
        won=count(IS_WON),
        lost=count(IS_LOST),
        won_value=money(IS_WON),
    )
    filled = (
        spine.join(sums, on=["period", *keys], how="left", nulls_equal=True)
        .with_columns(pl.col("created", "won", "lost", "won_value").fill_null(0))
        .with_columns(n=pl.col("won") + pl.col("lost"))
        .sort("period", *keys, nulls_last=True)
    )
    table = filled.with_columns(win_rate=ratio(filled["won"], filled["n"]))
    created = lines.filter(pl.col("outcome") == _CREATED)
    ended = past.facts.lives.filter(pl.col("end") < past.moment)
    past.notes.append("by the moment at which it happened")
    return past.result(
        "trend",
        table,
        # the amount of a deal adds to won_value where it was won
        lines.with_columns(value=pl.when(IS_WON).then("value"), event="outcome"),
        keys=keys,
        counted={
            "n": IS_WON | IS_LOST,
            "won": IS_WON,
            "lost": IS_LOST,
            "created": pl.col("outcome") == _CREATED,
        },
        rows=(*_ROWS, "event") if past.deals else _ROWS,
        figures=_FIGURES,
        n=n_lives(lines["life"]),
        window=window,
        currency=currency,
        counts={
            "deals created that were deleted": created.join(ended, on="life", how="semi").height
        },
    )


def _events(past: Past, inside: pl.Expr) -> pl.DataFrame:
    """What happened inside a window: ``outcome``, ``at``, ``from``, ``to``, and amount and currency of then."""
    closings = closing_events(past, inside).drop("seq").cast({"outcome": pl.String})
    began = past.chosen(past.facts.lives.rename({"begin": "at"}).filter(inside)).select(
        "life", "at"
    )
    created = began.with_columns(
        outcome=pl.lit(_CREATED), to=values_until(past.facts.of("stage"), began)
    )
    events = pl.concat([created, closings], how="diagonal_relaxed")
    told = events.with_columns(
        value=values_until(past.facts.of("amount"), events),
        currency=values_until(past.facts.of("currency"), events),
        _day=past.zone.days_of_ms(pl.col("at")),
    )
    found = past.priced(told, is_closed=True, closed="_day")
    # no other event adds money
    return found.with_columns(_unpriced=UNPRICED & IS_WON).sort("at", "life", maintain_order=True)


def _spine(
    events: pl.DataFrame, keys: list[str], calendar: Periods, window: Window
) -> pl.DataFrame:
    """Every group in every period."""
    groups = events.select(keys).unique()
    first, last = _bounds(events, window)
    if first is None or last is None or first > last:
        none = pl.DataFrame(schema={"period": pl.Date(), "label": pl.String()})
        return none.join(groups, how="cross") if keys else none
    if calendar.most(first, last) * max(1, groups.height) > MAX_ROWS:
        msg = (
            f"a trend by {calendar.period} over these dates has more than {MAX_ROWS:,} rows; "
            "narrow it with since= and until=, or take a longer period"
        )
        raise QueryError(msg)
    spine = calendar.between(first, last)
    return spine.join(groups, how="cross") if keys else spine


def _bounds(events: pl.DataFrame, window: Window) -> tuple[date | None, date | None]:
    """First and last day: those of the window, else of what happened."""
    first, last = events.select(first=pl.col("_day").min(), last=pl.col("_day").max()).row(0)
    until = window.until
    if until is not None:
        last = None if until == date.min else until - timedelta(days=1)
    return window.since or first, last


def _placed(events: pl.DataFrame, spine: pl.DataFrame, calendar: Periods) -> pl.DataFrame:
    """Events with their periods."""
    placed = events.with_columns(period=calendar.start(pl.col("_day")))
    return placed.join(spine.select(_ROWS).unique(), on="period", how="left", maintain_order="left")
