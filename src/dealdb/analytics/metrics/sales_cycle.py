"""Sales cycle: days from creation to closing."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from dealdb.analytics.exact import ratio
from dealdb.analytics.flags import LOST, WON, cycle_days, standing
from dealdb.analytics.options import By, Day, Window, choice
from dealdb.analytics.result import MetricResult
from dealdb.analytics.scope import Metric, Scope, scope
from dealdb.model.pipeline import Pipeline

_WON = Metric(
    name="sales_cycle",
    base=WON,
    columns=(
        *("n", "mean_days", "median_days", "min_days", "max_days"),
        *("negative", "undated"),
    ),
    reads=(cycle_days(WON), pl.col("created"), pl.col("closed")),
    money=False,
    n_of=("won",),
    n_when=(pl.col("closed") >= pl.col("created")).fill_null(value=False),
)
_METRICS = {
    "won": _WON,
    "lost": replace(_WON, base=LOST, reads=(cycle_days(LOST), *_WON.reads[1:]), n_of=("lost",)),
}
BACKWARD = pl.col("closed") < pl.col("created")
UNDATED = pl.col("closed").is_null() | pl.col("created").is_null()


def sales_cycle(
    frame: pl.DataFrame,
    pipeline: Pipeline,
    by: By = None,
    *,
    since: Day = None,
    until: Day = None,
    outcome: str = "won",
) -> MetricResult:
    """
    Days from creation to closing of won deals.

    Parameters
    ----------
    frame
        One row a deal.
    pipeline
        What the stages mean.
    by
        Columns to group by.
    since, until
        Window on the closing date, ``until`` itself outside.
    outcome
        ``"won"`` or ``"lost"``; the two are never mixed, as lost deals close on another clock.

    Returns
    -------
    MetricResult
        ``n`` (deals with both dates in order), ``mean_days``, ``median_days``, ``min_days``, ``max_days``,
        ``negative`` (closed before they were created: left out), ``undated`` (a date is missing: left out).

    Raises
    ------
    QueryError
        If an option can't be understood.
    SchemaError
        If a standard column has another type than in a collection.

    Source
    ------
    docs/metrics.md#sales-cycle

    Examples
    --------
    >>> from datetime import date
    >>> deals = pl.DataFrame(
    ...     {
    ...         "stage": ["Won", "Won"],
    ...         "created": [date(2026, 1, 1), date(2026, 2, 1)],
    ...         "closed": [date(2026, 1, 11), date(2026, 2, 6)],
    ...     }
    ... )
    >>> sales_cycle(deals, Pipeline().covering(["Won"]))["mean_days"]
    7.5
    """
    metric = _METRICS[choice("outcome", outcome, _METRICS)]
    deals = scope(frame, pipeline, metric, by=by, window=Window.of(since, until))
    days = pl.col("_days")
    sums = deals.table(
        n=days.count(),
        _days=days.cast(pl.Int64).sum(),
        median_days=days.median(),
        min_days=days.min(),
        max_days=days.max(),
        negative=BACKWARD.sum(),
        undated=UNDATED.sum(),
    )
    table = sums.with_columns(mean_days=ratio(sums["_days"], sums["n"]))
    base = standing(pipeline, deals.window)[outcome]
    counts = {
        "negative": base & BACKWARD.fill_null(value=False),
        "undated": base & UNDATED,
    }
    return deals.result(table, cycle_notes(deals, outcome), counts=counts)


def cycle_notes(deals: Scope, outcome: str = "won") -> dict[str, int]:
    """Counts of the deals that a cycle leaves out; the scope has their ``created`` and ``closed``."""
    flag = {"won": WON, "lost": LOST}[outcome]
    left_out = deals.counts(negative=flag & BACKWARD, undated=flag & UNDATED)
    return {
        f"{outcome} deals closed before they were created, not in the cycle": left_out["negative"],
        f"{outcome} deals without both dates, not in the cycle": left_out["undated"],
    }
