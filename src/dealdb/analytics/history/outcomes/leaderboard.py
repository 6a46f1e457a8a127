"""Leaderboard of those who had the deals when they closed."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from dealdb.analytics.basis import MIXED
from dealdb.analytics.history.lookup import beside
from dealdb.analytics.history.outcomes.closings import (
    IS_WON,
    closing_events,
    last_of_each,
    outcome_of,
)
from dealdb.analytics.history.past import Past
from dealdb.analytics.metrics.leaderboard import leaderboard
from dealdb.analytics.options import Day
from dealdb.analytics.result import MetricResult

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
        result.frame,
        lines,
        keys=keys,
        rows=(),
        figures=_FIGURES,
        n=closed.height,
        window=window,
        currency=result.basis.currency,
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


def _at_closing(
    past: Past, deals: pl.DataFrame, keys: list[str]
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Deals with groups of what the leaderboard reads as it is at the end, too, and the names of these."""
    named = {key: f"{key} at closing" for key in keys if key in _READS and key != "currency"}
    groups = past.grouped(deals.select("life", "at"), list(named), by_at="event")
    return deals.with_columns(groups[key].alias(own) for key, own in named.items()), named
