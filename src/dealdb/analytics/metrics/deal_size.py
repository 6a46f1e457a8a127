"""Deal size: mean and median amount of won deals."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from dealdb.analytics.conversion import Conversion
from dealdb.analytics.exact import mean, median, middle
from dealdb.analytics.flags import BLANK, HAS_MONEY, SIZE, WON, standing
from dealdb.analytics.options import By, Day, Window
from dealdb.analytics.result import MetricResult
from dealdb.analytics.scope import Metric, scope, total
from dealdb.model.pipeline import Pipeline

_METRIC = Metric(
    name="deal_size",
    base=WON,
    columns=("n", "value", "mean", "median", "zero", "blank"),
    reads=(SIZE,),
    money_of=WON,
    n_of=("won",),
    n_when=HAS_MONEY,
)


def deal_size(
    frame: pl.DataFrame,
    pipeline: Pipeline,
    by: By = None,
    *,
    since: Day = None,
    until: Day = None,
    conversion: Conversion | None = None,
) -> MetricResult:
    """
    Mean and median amount of won deals.

    Lost deals are left out, as their amount is often 0; so are won deals of amount 0 or none, which are counted apart.

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
    conversion
        What money is converted to, and by which rates; None keeps currencies apart. With it there are the columns
        ``currency``, ``unpriced`` (deals without a rate) and ``rates_until`` (the newest rate).

    Returns
    -------
    MetricResult
        ``n`` (won deals with an amount other than 0), ``value`` (their exact sum), ``mean``, ``median``,
        ``zero`` and ``blank`` (won deals with amount 0, and with none).

    Raises
    ------
    QueryError
        If an option can't be understood, or the amounts can't be summed exactly.
    SchemaError
        If a standard column has another type than in a collection.

    Source
    ------
    docs/metrics.md#deal-size

    Examples
    --------
    >>> deals = pl.DataFrame({"stage": ["Won", "Won", "Won", "Lost"], "amount": [100, 300, 0, 0]})
    >>> size = deal_size(deals, Pipeline().covering(["Won", "Lost"]))
    >>> size["mean"], size["n"], size["zero"]
    (200.0, 2, 1)
    """
    when = HAS_MONEY & conversion.has_rate(pipeline) if conversion else HAS_MONEY
    deals = scope(
        frame,
        pipeline,
        replace(_METRIC, n_when=when),
        by=by,
        window=Window.of(since, until),
        conversion=conversion,
    )
    size, amount = pl.col("_size"), pl.col("amount")
    sums = deals.table(
        n=size.count(),
        value=size.sum(),
        _middle=middle(size, is_wide=deals.are_wide),
        zero=(amount == 0).sum(),
        blank=BLANK.sum(),
    )
    table = sums.with_columns(
        mean=mean(sums["value"], sums["n"]),
        median=median(sums["_middle"], scale=deals.scale),
    )
    apart = {
        "won deals of amount 0, not in mean and median": total(sums, "zero"),
        "won deals without an amount, not in mean and median": total(sums, "blank"),
    }
    won = standing(pipeline, deals.window)["won"]
    priced = conversion.has_rate(pipeline) if conversion else pl.lit(value=True)
    counts = {
        "zero": won & (amount == 0).fill_null(value=False) & priced,
        "blank": won & amount.is_null(),
    }
    return deals.result(table, apart, counts=counts)
