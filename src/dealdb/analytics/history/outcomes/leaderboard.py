"""Leaderboard of those who had the deals when they closed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import polars as pl

from dealdb.analytics.basis import MIXED
from dealdb.analytics.flags import standing
from dealdb.analytics.history.linked import Counted, Row
from dealdb.analytics.history.lookup import beside
from dealdb.analytics.history.outcomes.closings import (
    IS_WON,
    closing_events,
    last_of_each,
    outcome_of,
)
from dealdb.analytics.history.past import Past
from dealdb.analytics.metrics.leaderboard import leaderboard
from dealdb.analytics.options import Day, Window, label_of_none
from dealdb.analytics.result import MetricResult
from dealdb.analytics.shared_sums import counts_of_levers
from dealdb.model.columns import is_text

_READS = ("stage", "amount", "currency", "probability", "created", "closed")
_FIGURES = (
    *("rank", "won_value", "n", "won", "lost", "win_rate", "mean_size", "cycle_days"),
    *("sized_n", "cycle_n", "open", "open_weighted", "unweighted"),
)


def leaderboard_at_closing(past: Past, *, since: Day = None, until: Day = None) -> MetricResult:
    """
    Groups of deals ranked by what they won, each deal in the group that it was in when it closed.

    Parameters
    ----------
    past
        The past; ``by`` says whom to rank.
    since, until
        Days on which the deals closed, ``until`` itself outside; open deals are those open at ``as_of``, in their
        groups of then.

    Returns
    -------
    MetricResult
        The columns of the leaderboard.

    Raises
    ------
    QueryError
        If an option can't be understood, a moment is before the first fact, there is nothing to rank by, or the
        amounts can't be summed exactly.

    Source
    ------
    docs/metrics.md#leaderboard-at-closing
    """
    window = past.bounds(since, until)[2]
    keys = past.keys(_FIGURES)
    state = past.state(_READS).with_columns(outcome=outcome_of(past, "stage"))
    closing = last_of_each(closing_events(past)).drop("outcome", "seq")
    deals = past.grouped(
        # an open deal is in the group that it is in at the end
        beside(state, closing).with_columns(
            # a deal that has gone from one lost stage to another was closed in the first
            stage=pl.when(pl.col("outcome").is_null()).then("stage").otherwise("to"),
            at=pl.when(pl.col("outcome").is_null()).then(past.moment - 1).otherwise("at"),
        ),
        keys,
        by_at="event",
    )
    deals, named = _at_closing(past, deals, keys)
    result = leaderboard(
        deals,
        past.pipeline,
        [named.get(key, key) for key in keys],
        since=window.since,
        until=window.until,
        conversion=past.conversion,
    )
    was = {own: key for key, own in named.items()}
    result = replace(result, frame=result.frame.rename(was))
    if result.basis.currency == MIXED and "currency" not in keys:
        keys.append("currency")
    closed = deals.filter(pl.col("outcome").is_not_null() & window.holds("closed"))
    worth = past.priced(closed.with_columns(value=pl.when(IS_WON).then("amount")), is_closed=True)
    lines = worth.drop(named).rename(was)
    told = past.result(
        "leaderboard",
        _unnamed(result.frame, deals.drop(named).rename(was), keys),
        lines,
        keys=keys,
        rows=(),
        figures=_FIGURES,
        n=closed.height,
        window=window,
        currency=result.basis.currency,
        counted=_counted(past, deals, window, lambda each: each.drop(named).rename(was)),
    )
    if past.deals:
        return told
    is_event = past.by_at in (None, "event")
    notes = (
        *past.notes,
        *(["groups as they were at the closing"] if is_event else []),
        *told.basis.notes[len(past.notes) :],
    )
    basis = replace(result.basis, as_of=past.day, notes=notes)
    return replace(result, basis=basis, links=told.links)


def _unnamed(table: pl.DataFrame, deals: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """A table whose missing groups have no name yet, as it was made of these deals."""
    texts = [key for key in keys if is_text(deals.schema[key])]
    names = {key: label_of_none(deals[key]) for key in texts}
    return table.with_columns(
        pl.when(pl.col(key) != name).then(pl.col(key)).alias(key) for key, name in names.items()
    )


def _counted(
    past: Past,
    deals: pl.DataFrame,
    window: Window,
    grouped: Callable[[pl.DataFrame], pl.DataFrame],
) -> dict[str, Counted]:
    """Which deals the counts of a row are of, as the leaderboard of these deals counts them."""
    money, stands = past.conversion, standing(past.pipeline, window)
    conditions = {**stands, **counts_of_levers(past.pipeline, window, money)}
    if money is not None:
        has_money = (stands["open"] | stands["won"]) & pl.col("amount").is_not_null()
        conditions["unpriced"] = has_money & ~money.has_rate(past.pipeline)

    def of(_row: Row, condition: pl.Expr) -> pl.DataFrame:
        return grouped(deals.filter(condition))

    names = [name for name in (*_FIGURES, "unpriced") if name in conditions]
    return {name: partial(of, condition=conditions[name]) for name in names}


def _at_closing(
    past: Past, deals: pl.DataFrame, keys: list[str]
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Deals with groups of what the leaderboard reads as it is at the end, too, and the names of these."""
    named = {key: f"{key} at closing" for key in keys if key in _READS and key != "currency"}
    groups = past.grouped(deals.select("life", "at"), list(named), by_at="event")
    return deals.with_columns(groups[key].alias(own) for key, own in named.items()), named
