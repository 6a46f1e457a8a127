"""Late entry: how long after the event a win was recorded."""

from __future__ import annotations

import polars as pl

from dealdb.analytics.exact import ratio
from dealdb.analytics.flags import days_between
from dealdb.analytics.history.money import BLANK as IS_BLANK
from dealdb.analytics.history.outcomes.closings import (
    BLANK,
    UNDATED,
    WON,
    check_sums,
    closed_deals,
    closed_within,
    count,
    in_groups,
    money,
)
from dealdb.analytics.history.past import Past
from dealdb.analytics.options import Day, whole_number
from dealdb.analytics.result import MetricResult

_FIGURES = (
    *("n", "late", "share", "median_days", "worst_days", "value", "late_value", "blank", "unknown"),
)
_MOST_DAYS = 36_500


def late_entry(past: Past, *, since: Day = None, until: Day = None, days: int = 7) -> MetricResult:
    """
    Won deals whose closing was recorded long after it happened.

    Parameters
    ----------
    past
        The past, in event time; groups are those at the closing.
    since, until
        Days on which the deals closed, ``until`` itself outside.
    days
        Whole days between event and record after which a win is late.

    Returns
    -------
    MetricResult
        A row for each group: ``n`` won deals, ``late`` ones, their ``share`` of those whose record is known,
        ``median_days`` and ``worst_days`` from event to record, ``value``, ``late_value``, ``blank`` (deals without
        an amount), and ``unknown`` (no commit tells when it was recorded).

    Raises
    ------
    QueryError
        If an option can't be understood, a moment is before the first fact, or the amounts can't be summed exactly.

    Source
    ------
    docs/metrics.md#late-entry
    """
    whole_number("days", days, least=0, most=_MOST_DAYS)
    window = past.bounds(since, until)[2]
    keys = past.keys(_FIGURES)
    closed = closed_deals(past, window, WON)
    recorded = past.facts.commits.select("seq", _recorded="at")
    event, record = (past.zone.days_of_ms(pl.col(name)) for name in ("at", "_recorded"))
    wins = (
        closed_within(closed, window)
        .join(recorded, on="seq", how="left", maintain_order="left")
        # what was entered before its time is not late
        .with_columns(_days=days_between(event, record).clip(0))
        .with_columns(_late=pl.col("_days") > days)
    )
    lines = past.grouped(wins, keys, by_at="event")
    check_sums(lines)
    currency, keys = past.currency(lines, keys)
    table = in_groups(
        lines,
        keys,
        n=count(),
        late=count(pl.col("_late")),
        _known=count(pl.col("_days").is_not_null()),
        median_days=pl.col("_days").median(),
        worst_days=pl.col("_days").max().cast(pl.UInt32),
        value=money(),
        late_value=money(pl.col("_late")),
        blank=BLANK,
        unknown=count(pl.col("_days").is_null()),
    )
    past.notes.append(f"late after {days} days")
    return past.result(
        "late_entry",
        table.with_columns(share=ratio(table["late"], table["_known"])),
        lines,
        keys=keys,
        rows=(),
        figures=_FIGURES,
        n=lines.height,
        window=window,
        currency=currency,
        counts={UNDATED: closed["_closed"].null_count() if window else 0},
        counted={
            "late": pl.col("_late"),
            "blank": IS_BLANK,
            "unknown": pl.col("_days").is_null(),
        },
    )
