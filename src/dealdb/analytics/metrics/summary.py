"""Summary: the main figures on one row."""

from __future__ import annotations

import polars as pl

from dealdb.analytics.conversion import Conversion
from dealdb.analytics.exact import median, middle
from dealdb.analytics.flags import BLANK, OPEN, UNPRICED, WON
from dealdb.analytics.metrics.pipeline import open_days
from dealdb.analytics.metrics.sales_cycle import cycle_notes
from dealdb.analytics.options import By, Day, Window, as_of_day
from dealdb.analytics.result import MetricResult
from dealdb.analytics.scope import ANY, Metric, scope, total
from dealdb.analytics.shared_sums import READS, SUMS, counts_of_levers, levers, speed
from dealdb.model.pipeline import Pipeline

_COLUMNS = (
    "deals",
    "open",
    "n",
    "won",
    "lost",
    "pipeline_value",
    "blank",
    "weighted",
    "unweighted",
    "overdue",
    "won_value",
    "win_rate",
    "mean_size",
    "median_size",
    "sized_n",
    "mean_cycle_days",
    "median_cycle_days",
    "cycle_n",
    "velocity",
    "first_created",
    "last_created",
    "first_closed",
    "last_closed",
)


def summary(
    frame: pl.DataFrame,
    pipeline: Pipeline,
    by: By = None,
    *,
    since: Day = None,
    until: Day = None,
    as_of: Day = None,
    conversion: Conversion | None = None,
) -> MetricResult:
    """
    The main figures of all deals.

    Parameters
    ----------
    frame
        One row a deal.
    pipeline
        What the stages mean.
    by
        Columns to group by.
    since, until
        Window on the closing date of won and lost deals, ``until`` itself outside; open deals are those open now.
    as_of
        Day on which overdue is judged; today in the pipeline's zone by default.
    conversion
        What money is converted to, and by which rates; None keeps currencies apart. With it there are the columns
        ``currency``, ``unpriced`` (deals without a rate) and ``rates_until`` (the newest rate).

    Returns
    -------
    MetricResult
        ``deals`` (open and closed), ``open``, ``n`` (closed), ``won``, ``lost``, ``pipeline_value`` (sum of the open
        amounts), ``blank`` (open deals without one), ``weighted`` (open amounts times probability), ``unweighted``
        (open deals left out of it), ``overdue``, ``won_value``, ``win_rate``, ``mean_size`` and ``median_size`` of
        ``sized_n`` won deals, ``mean_cycle_days`` and ``median_cycle_days`` of ``cycle_n`` won deals, ``velocity``
        (money per day, of closed deals), and the first and last ``created`` and ``closed``
        (of won and lost deals).

    Raises
    ------
    QueryError
        If an option can't be understood, or the amounts can't be summed exactly.
    SchemaError
        If a standard column has another type than in a collection.

    Source
    ------
    docs/metrics.md#summary

    Examples
    --------
    >>> deals = pl.DataFrame({"stage": ["Demo", "Won", "Lost"], "amount": [100, 900, 0]})
    >>> figures = summary(deals, Pipeline().covering(["Demo", "Won", "Lost"]))
    >>> figures["deals"], figures["pipeline_value"], figures["win_rate"]
    (3, Decimal('100.00'), 0.5)
    """
    day = as_of_day(as_of, pipeline.zone)
    _, _, overdue = open_days(pipeline, day)
    metric = Metric(
        name="summary",
        base=ANY,
        columns=_COLUMNS,
        reads=(*READS, overdue, pl.col("created"), pl.col("closed")),
        weighs=True,
        money_of=OPEN | WON,
    )
    deals = scope(
        frame,
        pipeline,
        metric,
        by=by,
        window=Window.of(since, until),
        as_of=day,
        conversion=conversion,
    )
    sums = deals.table(**SUMS, weighted=deals.weighted_sum(), **_measures(is_wide=deals.are_wide))
    found = levers(sums, cycle="mean_cycle_days")
    table = sums.with_columns(
        median_size=median(sums["_middle"], scale=deals.scale),
        velocity=speed(found["n"], found["win_rate"], found["mean_size"], found["mean_cycle_days"]),
        **found,
    )
    notes = {
        "open deals without an amount": total(sums, "blank"),
        "open deals without amount or probability, not in weighted": total(sums, "unweighted"),
    }
    counts = counts_of_levers(pipeline, deals.window, conversion)
    return deals.result(table, {**notes, **cycle_notes(deals)}, counts=counts)


def _measures(*, is_wide: bool) -> dict[str, pl.Expr]:
    created, closed = pl.col("created"), pl.when(~OPEN).then("closed")
    return {
        "deals": pl.len(),
        "open": OPEN.sum(),
        "pipeline_value": pl.when(OPEN).then("amount").sum(),
        "blank": (OPEN & BLANK).sum(),
        "unweighted": (OPEN & pl.col("_weighted").is_null() & ~UNPRICED).sum(),
        "overdue": pl.col("_overdue").sum(),
        "_middle": middle(pl.col("_size"), is_wide=is_wide),
        "median_cycle_days": pl.col("_days").median(),
        "first_created": created.min(),
        "last_created": created.max(),
        "first_closed": closed.min(),
        "last_closed": closed.max(),
    }
