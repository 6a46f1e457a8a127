"""Losses: why deals were lost, and from which stage."""

from __future__ import annotations

import polars as pl

from dealdb.analytics.flags import days_between
from dealdb.analytics.history.money import BLANK as IS_BLANK
from dealdb.analytics.history.outcomes.closings import (
    BLANK,
    IS_LOST,
    check_sums,
    closings_between,
    count,
    in_groups,
    money,
    shares,
)
from dealdb.analytics.history.past import Past
from dealdb.analytics.history.state import last_values
from dealdb.analytics.options import Day
from dealdb.analytics.result import MetricResult
from dealdb.model.columns import is_text
from dealdb.model.names import name_key

_FIGURES = ("n", "share_n", "value", "share_value", "blank", "median_days")
_FROM_STAGE = "from_stage"


def losses(
    past: Past,
    *,
    since: Day = None,
    until: Day = None,
    fold: bool = False,
    events: bool = False,
) -> MetricResult:
    """
    Lost deals by reason, or by any other column.

    Parameters
    ----------
    past
        The past; ``by`` may name ``from_stage``, the stage before the loss. ``loss_reason`` is the value at
        ``as_of``, other groups are those at the loss.
    since, until
        Days on which the deals closed, ``until`` itself outside.
    fold
        Whether texts that differ only in case or blanks are one group, named by the spelling that most deals have.
    events
        Whether every loss counts by its moment, with the amount of then, of deals that were reopened or deleted as
        well; else those count that are lost at ``as_of``, by ``closed``.

    Returns
    -------
    MetricResult
        A row for each group: ``n`` deals, ``share_n``, ``value``, ``share_value`` (shares of all rows, of a currency
        where there are several), ``blank`` (deals without an amount) and ``median_days`` (from ``created`` to
        ``closed``, of deals that have both, in this order).

    Raises
    ------
    QueryError
        If an option can't be understood, a moment is before the first fact, or the amounts can't be summed exactly.

    Source
    ------
    docs/metrics.md#losses
    """
    first, end, window = past.bounds(since, until)
    keys = past.keys(_FIGURES, also=(_FROM_STAGE,))
    closed, counts = closings_between(past, first, end, window, events=events)
    lines = closed.filter(IS_LOST).with_columns(
        pl.col("from").alias(_FROM_STAGE),
        _days=pl.when(pl.col("_closed") >= pl.col("_created")).then(
            days_between(pl.col("_created"), pl.col("_closed"))
        ),
    )
    if "loss_reason" in keys and past.by_at != "now":
        reasons = last_values(past.facts, past.moment, ["loss_reason"])
        lines = lines.join(
            reasons.select("life", "loss_reason"), on="life", how="left", maintain_order="left"
        )
    lines = past.grouped(lines, keys, by_at="event")
    if fold:
        lines = _folded(lines, [key for key in keys if key != _FROM_STAGE])
    check_sums(lines)
    currency, keys = past.currency(lines, keys)
    table = in_groups(
        lines, keys, n=count(), value=money(), blank=BLANK, median_days=pl.col("_days").median()
    )
    return past.result(
        "losses",
        table.with_columns(
            share_n=shares(table, "n", currency), share_value=shares(table, "value", currency)
        ),
        lines,
        keys=keys,
        rows=(),
        figures=_FIGURES,
        n=lines.height,
        window=window,
        currency=currency,
        counts=counts,
        counted={"blank": IS_BLANK},
    )


def _folded(lines: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Lines whose texts are spelled as most of those are that differ only in case or blanks."""
    for key in keys:
        if not is_text(lines.schema[key]):
            continue
        # the spelling that most deals have comes first, and of equals the first in the order of texts
        spellings = lines.drop_nulls(key).group_by(key).len()
        ordered = spellings.sort("len", key, descending=[True, False])[key].to_list()
        named: dict[str, str] = {}
        new = [named.setdefault(name_key(text), text) for text in ordered]
        lines = lines.with_columns(
            pl.col(key).replace(
                pl.Series(ordered, dtype=pl.String), pl.Series(new, dtype=pl.String)
            )
        )
    return lines
