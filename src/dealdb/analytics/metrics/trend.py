"""Trend: what was created, won and lost in each period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import polars as pl

from dealdb.analytics.calendar.periods import Periods
from dealdb.analytics.conversion import Conversion
from dealdb.analytics.exact import ratio
from dealdb.analytics.flags import LOST, SIZE, WON
from dealdb.analytics.options import By, Day, Window
from dealdb.analytics.result import MetricResult
from dealdb.analytics.scope import CLOSED, Metric, Scope, scope
from dealdb.errors import QueryError
from dealdb.model.columns import spelled_out
from dealdb.model.pipeline import Pipeline

_ENDED = CLOSED & pl.col("closed").is_not_null()
_METRIC = Metric(
    name="trend",
    base=_ENDED,
    columns=("period", "label", "created", "n", "won", "lost", "won_value", "win_rate"),
    reads=(SIZE, pl.col("created"), pl.col("closed")),
    money_of=WON,
    n_when=pl.col("closed").is_not_null(),
    left_out={
        "deals without a creation date, not in created": pl.col("created").is_null(),
        "closed deals without a closing date, not in won and lost": CLOSED
        & pl.col("closed").is_null(),
    },
)
_SUMS = ("created", "won", "lost", "won_value")
# a date like 3201-01-01 among the deals would ask for hundreds of thousands of days
MAX_ROWS = 1_000_000


def trend(
    frame: pl.DataFrame,
    pipeline: Pipeline,
    by: By = None,
    *,
    since: Day = None,
    until: Day = None,
    period: str = "month",
    fiscal_year_start: int | None = None,
    conversion: Conversion | None = None,
) -> MetricResult:
    """
    Deals created, won and lost per period; empty periods are rows of 0.

    Parameters
    ----------
    frame
        One row a deal.
    pipeline
        What the stages mean.
    by
        Columns to group by; each group has all periods.
    since, until
        Window, ``until`` itself outside: on the creation date for ``created``, on the closing date for the rest.
        Without them the periods go from the first date to the last.
    period
        ``"day"``, ``"week"``, ``"month"``, ``"quarter"`` or ``"year"``, as the pipeline divides the time: see its
        ``week_start``, ``fiscal_start``, ``fiscal_name`` and ``fiscal_pattern``.
    fiscal_year_start
        Month in which quarters and years begin, 1 to 12, whatever the pipeline says; None for what it says.
    conversion
        What money is converted to, and by which rates; None keeps currencies apart. With it there are the columns
        ``currency``, ``unpriced`` (deals without a rate) and ``rates_until`` (the newest rate).

    Returns
    -------
    MetricResult
        ``period`` (its first day), ``label``, ``created``, ``n`` (closed), ``won``, ``lost``, ``won_value``,
        ``win_rate`` (null in a period in which nothing closed).

    Raises
    ------
    QueryError
        If an option can't be understood, the dates are so far apart that there would be more than a million rows,
        or the amounts can't be summed exactly.
    SchemaError
        If a standard column has another type than in a collection.

    Source
    ------
    docs/metrics.md#trend

    Examples
    --------
    >>> deals = pl.DataFrame(
    ...     {
    ...         "stage": ["Won", "Demo"],
    ...         "created": [date(2026, 1, 5), date(2026, 3, 1)],
    ...         "closed": [date(2026, 1, 9), None],
    ...     }
    ... )
    >>> result = trend(deals, Pipeline().covering(["Won", "Demo"]))
    >>> result.frame.select("label", "created", "won").rows()
    [('2026-01', 1, 1), ('2026-02', 0, 0), ('2026-03', 1, 0)]
    """
    periods, window = Periods.of(period, pipeline, fiscal_year_start), Window.of(since, until)
    created_inside = window.holds("created")
    base = (created_inside & pl.col("created").is_not_null()) | _ENDED
    deals = scope(
        frame, pipeline, replace(_METRIC, base=base), by=by, window=window, conversion=conversion
    )
    events = _events(deals, created_inside, periods)
    spine = _spine(events, deals, created_inside, periods)
    sums = events.group_by([periods.start(pl.col("_day")).alias("period"), *deals.keys]).agg(
        pl.col(*_SUMS, *deals.unpriced()).sum()
    )
    keys = ["period", *deals.keys]
    table = spine.join(sums, on=keys, how="left", nulls_equal=True)
    filled = table.with_columns(pl.col(_SUMS).fill_null(0)).sort(
        keys, nulls_last=True, maintain_order=True
    )
    n = filled["won"] + filled["lost"]
    rates = filled.with_columns(n=n, win_rate=ratio(filled["won"], n))
    closed_in = periods.start(pl.col("closed"))
    created, created_in = pl.col("created"), periods.start(pl.col("created"))

    def began(row: Mapping[str, Any]) -> pl.Expr:
        is_in = created_inside & created.is_not_null()
        return (is_in & (created_in == pl.lit(row["period"]))).fill_null(value=False)

    return deals.result(
        rates, {}, also={"period": lambda start: closed_in == start}, counts={"created": began}
    )


def _events(deals: Scope, created_inside: pl.Expr, periods: Periods) -> pl.DataFrame:
    """What was created, won and lost on each day (with groups: in each period), by group."""
    lazy, keys = deals.deals.lazy(), deals.keys
    created, closed = pl.col("created"), pl.col("closed")
    # few days are grouped faster than they are truncated; days times groups are many
    created_on, closed_on = (periods.start(day) if keys else day for day in (created, closed))
    started = lazy.filter(created_inside & created.is_not_null())
    ended = lazy.filter(_ENDED)
    by_day = [
        started.group_by(created_on.alias("_day"), *keys).agg(created=pl.len()),
        ended.group_by(closed_on.alias("_day"), *keys).agg(
            won=WON.sum(), lost=LOST.sum(), won_value=pl.col("_size").sum(), **deals.unpriced()
        ),
    ]
    return spelled_out(pl.concat(by_day, how="diagonal").collect())


def _spine(
    events: pl.DataFrame, deals: Scope, created_inside: pl.Expr, periods: Periods
) -> pl.DataFrame:
    """Every group in every period."""
    bounds = _bounds(deals, created_inside)
    groups = deals.looked_at(events.select(deals.keys).unique())
    if bounds is None:
        return groups.clear().with_columns(
            period=pl.lit(None, dtype=pl.Date), label=pl.lit(None, dtype=pl.String)
        )
    if periods.most(*bounds) * max(1, groups.height) > MAX_ROWS:
        msg = (
            f"a trend by {periods.period} over these dates has more than {MAX_ROWS:,} rows; "
            "narrow it with since= and until=, or take a longer period"
        )
        raise QueryError(msg)
    spine = periods.between(*bounds)
    return spine.join(groups, how="cross") if deals.keys else spine


def _bounds(deals: Scope, created_inside: pl.Expr) -> tuple[date, date] | None:
    """First and last day: those of the window, else of what happened."""
    window = deals.window
    if window.until == date.min:
        return None
    days = (pl.when(created_inside).then("created"), pl.when(CLOSED).then("closed"))
    # of the days, not of their periods: the period of a day in the window may begin before it
    first, last = deals.deals.select(
        first=pl.min_horizontal(*(day.min() for day in days)),
        last=pl.max_horizontal(*(day.max() for day in days)),
    ).row(0)
    first = window.since or first
    last = window.until - timedelta(days=1) if window.until else last
    return (first, last) if first and last and first <= last else None
