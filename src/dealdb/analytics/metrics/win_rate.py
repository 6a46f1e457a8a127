"""Win rate: the share of closed deals that were won, by count or by value."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from dealdb.analytics.conversion import Conversion
from dealdb.analytics.exact import ratio
from dealdb.analytics.flags import HAS_MONEY, LOST, UNPRICED, WON, standing
from dealdb.analytics.options import By, Day, Window, choice
from dealdb.analytics.result import MetricResult
from dealdb.analytics.scope import CLOSED, Metric, scope, total
from dealdb.errors import QueryError
from dealdb.model.pipeline import Pipeline

_COUNT = Metric(name="win_rate", base=CLOSED, columns=("n", "won", "lost", "win_rate"), money=False)
_VALUE = replace(
    _COUNT,
    columns=(*_COUNT.columns, "won_value", "lost_value", "lost_blank_or_zero", "value_win_rate"),
    money=True,
)
_COUNTS = {"n": pl.len(), "won": WON.sum(), "lost": LOST.sum()}
_VALUES = {
    "won_value": pl.when(WON).then("amount").sum(),
    "lost_value": pl.when(LOST).then("amount").sum(),
    "lost_blank_or_zero": (LOST & ~HAS_MONEY & ~UNPRICED).sum(),
}
# a share of lost deals with an amount of 0 or none above which the value win rate says nothing
_MEANINGLESS = 0.5


def win_rate(
    frame: pl.DataFrame,
    pipeline: Pipeline,
    by: By = None,
    *,
    since: Day = None,
    until: Day = None,
    measure: str = "count",
    conversion: Conversion | None = None,
) -> MetricResult:
    """
    Share of closed deals that were won.

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
    measure
        ``"count"``: won deals over closed deals. ``"value"``: also won value over closed value, a row a currency.
    conversion
        What money is converted to, and by which rates; None keeps currencies apart. With it there are the columns
        ``currency``, ``unpriced`` (deals without a rate) and ``rates_until`` (the newest rate).

    Returns
    -------
    MetricResult
        ``n`` (closed deals), ``won``, ``lost``, ``win_rate``; for ``"value"`` also ``won_value``, ``lost_value``,
        ``lost_blank_or_zero`` and ``value_win_rate``.

    Raises
    ------
    QueryError
        If an option can't be understood, or the amounts can't be summed exactly.
    SchemaError
        If a standard column has another type than in a collection.

    Source
    ------
    docs/metrics.md#win-rate

    Examples
    --------
    >>> deals = pl.DataFrame({"stage": ["Won", "Lost", "Won", "Demo"]})
    >>> win_rate(deals, Pipeline().covering(deals["stage"]))["win_rate"]
    0.6666666666666666
    """
    by_value = choice("measure", measure, ("count", "value")) == "value"
    if conversion and not by_value:
        msg = "a win rate by count has no money in it: give measure='value', or leave to= out"
        raise QueryError(msg)
    metric = _VALUE if by_value else _COUNT
    deals = scope(
        frame, pipeline, metric, by=by, window=Window.of(since, until), conversion=conversion
    )
    sums = deals.table(**_COUNTS, **(_VALUES if by_value else {}))
    table = sums.with_columns(win_rate=ratio(sums["won"], sums["n"]))
    if not by_value:
        return deals.result(table, {})
    # sums of one scale: their units divide like the amounts
    won, lost = (sums[name].to_physical() for name in ("won_value", "lost_value"))
    table = table.with_columns(value_win_rate=ratio(won, won + lost))
    counts = _counts(pipeline, deals.window, conversion)
    return deals.result(table, {}, *_doubts(table), counts=counts)


def _counts(
    pipeline: Pipeline, window: Window, conversion: Conversion | None
) -> dict[str, pl.Expr]:
    """Which deals ``lost_blank_or_zero`` counts, by the columns of deals."""
    lost, amount = standing(pipeline, window)["lost"], pl.col("amount")
    is_known = amount.is_null() | (conversion.has_rate(pipeline) if conversion else True)
    return {"lost_blank_or_zero": lost & ~HAS_MONEY & is_known}


def _doubts(table: pl.DataFrame) -> list[str]:
    lost, blank = total(table, "lost"), total(table, "lost_blank_or_zero")
    doubts = []
    if lost and blank / lost > _MEANINGLESS:
        share = f"{100 * blank / lost:.3g} %"
        doubts.append(
            f"lost deals have no amount or 0 in {share} of cases: value win rate is not meaningful"
        )
    sums = (table[name].to_physical() for name in ("won_value", "lost_value"))
    if any((units < 0).any() for units in sums):
        doubts.append("some sums are negative: value win rate is not meaningful")
    return doubts
