"""Sales velocity: money won per day, and the four levers behind it."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from dealdb.analytics.conversion import Conversion
from dealdb.analytics.flags import OPEN, WON, standing
from dealdb.analytics.metrics.sales_cycle import cycle_notes
from dealdb.analytics.options import By, Day, Window, choice
from dealdb.analytics.result import MetricResult
from dealdb.analytics.scope import ANY, CLOSED, Metric, scope
from dealdb.analytics.shared_sums import READS, SUMS, counts_of_levers, levers, speed
from dealdb.model.pipeline import Pipeline

_CLOSED = Metric(
    name="velocity",
    base=CLOSED,
    columns=(
        *("n", "win_rate", "mean_size", "cycle_days", "velocity"),
        *("closed_n", "won", "sized_n", "cycle_n"),
    ),
    reads=(*READS, pl.col("created"), pl.col("closed")),
    money_of=WON,
)
_METRICS = {"closed": _CLOSED, "open": replace(_CLOSED, base=ANY, n_of=("open",))}


def velocity(
    frame: pl.DataFrame,
    pipeline: Pipeline,
    by: By = None,
    *,
    since: Day = None,
    until: Day = None,
    basis: str = "closed",
    conversion: Conversion | None = None,
) -> MetricResult:
    """
    Money per day: deals times win rate times mean won size, over the sales cycle in days.

    Parameters
    ----------
    frame
        One row a deal.
    pipeline
        What the stages mean.
    by
        Columns to group by.
    since, until
        Window on the closing date, ``until`` itself outside; open deals are those open now.
    basis
        What ``n`` counts: ``"closed"`` the deals closed in the window, ``"open"`` the deals open now.
    conversion
        What money is converted to, and by which rates; None keeps currencies apart. With it there are the columns
        ``currency``, ``unpriced`` (deals without a rate) and ``rates_until`` (the newest rate).

    Returns
    -------
    MetricResult
        The levers ``n``, ``win_rate``, ``mean_size``, ``cycle_days``; ``velocity`` per day, null when nothing was
        won or the cycle is 0; and what the levers rest on: ``closed_n`` (win rate), ``won``, ``sized_n``
        (mean size), ``cycle_n`` (cycle).

    Raises
    ------
    QueryError
        If an option can't be understood, or the amounts can't be summed exactly.
    SchemaError
        If a standard column has another type than in a collection.

    Source
    ------
    docs/metrics.md#velocity

    Examples
    --------
    >>> from datetime import date
    >>> deals = pl.DataFrame(
    ...     {
    ...         "stage": ["Won", "Lost"],
    ...         "amount": [1000, 0],
    ...         "created": [date(2026, 1, 1), date(2026, 1, 1)],
    ...         "closed": [date(2026, 1, 11), date(2026, 1, 5)],
    ...     }
    ... )
    >>> velocity(deals, Pipeline().covering(["Won", "Lost"]))["velocity"]
    100.0
    """
    metric = _METRICS[choice("basis", basis, _METRICS)]
    deals = scope(
        frame, pipeline, metric, by=by, window=Window.of(since, until), conversion=conversion
    )
    sums = deals.table(**SUMS, _open=OPEN.sum())
    found = levers(sums)
    n = sums["_open"] if basis == "open" else found["n"]
    found["closed_n"], found["n"] = found["n"], n
    found["velocity"] = speed(n, found["win_rate"], found["mean_size"], found["cycle_days"])
    table = sums.with_columns(**{name: found[name] for name in metric.columns})
    stands = standing(pipeline, deals.window)
    counts = {
        **counts_of_levers(pipeline, deals.window, conversion),
        "closed_n": stands["won"] | stands["lost"],
    }
    return deals.result(table, cycle_notes(deals), counts=counts)
