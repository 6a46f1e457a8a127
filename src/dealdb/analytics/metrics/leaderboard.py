"""Leaderboard: who won most, with the figures behind it."""

from __future__ import annotations

import polars as pl

from dealdb.analytics.basis import MIXED
from dealdb.analytics.conversion import Conversion
from dealdb.analytics.flags import OPEN, UNPRICED, WON
from dealdb.analytics.metrics.sales_cycle import cycle_notes
from dealdb.analytics.options import By, Day, Window, column_names
from dealdb.analytics.result import MetricResult
from dealdb.analytics.scope import ANY, Metric, Scope, scope, total
from dealdb.analytics.shared_sums import READS, SUMS, counts_of_levers, levers
from dealdb.errors import QueryError
from dealdb.model.pipeline import Pipeline

_METRIC = Metric(
    name="leaderboard",
    base=ANY,
    columns=(
        *("rank", "won_value", "n", "won", "lost", "win_rate", "mean_size", "cycle_days"),
        *("sized_n", "cycle_n", "open", "open_weighted", "unweighted"),
    ),
    reads=(*READS, pl.col("created"), pl.col("closed")),
    weighs=True,
    money_of=OPEN | WON,
)


def leaderboard(
    frame: pl.DataFrame,
    pipeline: Pipeline,
    by: By = "owner",
    *,
    since: Day = None,
    until: Day = None,
    conversion: Conversion | None = None,
) -> MetricResult:
    """
    Groups of deals, ranked by what they won.

    Parameters
    ----------
    frame
        One row a deal.
    pipeline
        What the stages mean.
    by
        Whom to rank: owners, or any other column or columns.
    since, until
        Window on the closing date, ``until`` itself outside; open deals are those open now.
    conversion
        What money is converted to, and by which rates; None keeps currencies apart. With it there are the columns
        ``currency``, ``unpriced`` (deals without a rate) and ``rates_until`` (the newest rate).

    Returns
    -------
    MetricResult
        ``rank`` (ties share one, and are in order of name; within a currency when there are several),
        ``won_value``, ``n`` (closed), ``won``, ``lost``, ``win_rate``, ``mean_size``, ``cycle_days``, ``sized_n``
        and ``cycle_n`` (deals behind the two means), ``open``, ``open_weighted``, ``unweighted`` (open deals
        left out of it for want of an amount or a probability).

    Raises
    ------
    QueryError
        If an option can't be understood, there is nothing to rank by, or the amounts can't be summed exactly.
    SchemaError
        If a standard column has another type than in a collection.

    Source
    ------
    docs/metrics.md#leaderboard

    Examples
    --------
    >>> deals = pl.DataFrame(
    ...     {
    ...         "owner": ["Ann", "Bob", "Cy"],
    ...         "stage": ["Won", "Won", "Won"],
    ...         "amount": [500, 700, 700],
    ...     }
    ... )
    >>> board = leaderboard(deals, Pipeline().covering(["Won"]))
    >>> board.frame.select("rank", "owner").rows()
    [(1, 'Bob'), (1, 'Cy'), (3, 'Ann')]
    """
    if not column_names(by):
        msg = "a leaderboard ranks groups: give by= a column, like 'owner'"
        raise QueryError(msg)
    deals = scope(
        frame, pipeline, _METRIC, by=by, window=Window.of(since, until), conversion=conversion
    )
    sums = deals.table(
        **SUMS,
        open=OPEN.sum(),
        open_weighted=deals.weighted_sum(),
        unweighted=(OPEN & pl.col("_weighted").is_null() & ~UNPRICED).sum(),
    )
    # ranked as they are shown: what is the same to the cent is a tie
    figures = deals.in_cents(sums.with_columns(**levers(sums)))
    left_out = {
        "open deals without amount or probability, not in open_weighted": total(sums, "unweighted")
    }
    counts = counts_of_levers(pipeline, deals.window, conversion)
    return deals.result(_ranked(figures, deals), {**cycle_notes(deals), **left_out}, counts=counts)


def _ranked(figures: pl.DataFrame, deals: Scope) -> pl.DataFrame:
    """Rows by currency if there are several, then won value; the sort keeps ties in order of name."""
    apart = ["currency"] if deals.currency == MIXED else []
    rank = pl.col("won_value").rank("min", descending=True)
    ranked = figures.with_columns(rank=(rank.over(apart) if apart else rank).cast(pl.UInt32))
    return ranked.sort([*apart, "rank"], nulls_last=True, maintain_order=True)
