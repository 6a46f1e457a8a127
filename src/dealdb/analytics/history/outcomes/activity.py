"""Activity: what was changed in deals, by whom or in whose deals, and when."""

from __future__ import annotations

from functools import partial

import polars as pl

from dealdb.analytics.calendar.zone import as_moments
from dealdb.analytics.history.lookup import beside, gathered, n_lives, rows_of, true_rows
from dealdb.analytics.history.outcomes.closings import (
    count,
    in_groups,
    outcome_of,
    with_previous,
)
from dealdb.analytics.history.past import Past
from dealdb.analytics.options import Day
from dealdb.analytics.result import MetricResult

_FIGURES = (
    *("deals_touched", "changes", "stage_moves", "pushes", "amount_changes", "created", "closed"),
    *("days_active", "last", "bulk"),
)
_WHO = "who"
# what dealdb stamps by itself
_STAMPS = ("id", "updated")
# imports of history and repairs, and loads, whose commits are often of this kind, and else of several deals
_BULK = ("add", "facts", "mend")
_MARKS = ("_change", "_move", "_push", "_amount", "_birth", "_closing")
_COUNTED = {
    "changes": pl.col("_change"),
    "stage_moves": pl.col("_move"),
    "pushes": pl.col("_push"),
    "amount_changes": pl.col("_amount"),
    "created": pl.col("_birth"),
    "closed": pl.col("_closing"),
    "bulk": pl.col("_change") & pl.col("_bulk"),
}


def activity(past: Past, *, since: Day = None, until: Day = None) -> MetricResult:
    """
    Changes of deals, by actor (``by="who"``), or by any column as it was after the change.

    It counts records, not work: dealdb knows of no mails and no calls.

    Parameters
    ----------
    past
        The past; ``by`` may name ``who``, the actor of the commit.
    since, until
        Days of the changes, ``until`` itself outside. A filter is judged at the end of them.

    Returns
    -------
    MetricResult
        A row for each group: ``deals_touched``, ``changes`` (of a field each), ``stage_moves`` (from one stage to
        another), ``pushes`` (``expected_close`` moved to a later day), ``amount_changes`` (after the deal was
        created), ``created`` and ``closed`` (deals that began, and that were won or lost), ``days_active``, ``last``
        (moment of the last change) and ``bulk`` (changes that came by loads, imports and saves of several deals at
        once).

    Raises
    ------
    QueryError
        If an option can't be understood, or a moment is before the first fact.

    Source
    ------
    docs/metrics.md#activity
    """
    first, end, window = past.bounds(since, until)
    past = past.ending(end)
    keys = past.keys(_FIGURES, also=(_WHO,))
    inside = pl.col("at") < end if first is None else pl.col("at").is_between(first, end - 1)
    rows = _rows(past, inside)
    rows = rows.with_columns(_of_commits(past.facts.commits, rows["seq"]))
    several = _of_several_deals(past, rows)
    rows = past.chosen(rows)
    deals = past.facts.deals.gather(rows["life"]).alias("_deal")
    told = rows.with_columns(deals, pl.col("_bulk") | pl.col("seq").is_in(several.implode()))
    if _WHO not in keys:
        told = told.drop(_WHO)
    lines = past.grouped(told, keys, by_at="event")
    table = in_groups(
        lines,
        keys,
        deals_touched=pl.col("_deal").n_unique().cast(pl.UInt32),
        **{name: count(mark) for name, mark in _COUNTED.items()},
        days_active=past.zone.days_of_ms(pl.col("at")).n_unique().cast(pl.UInt32),
        last=as_moments(pl.col("at").max()),
    )
    return past.result(
        "activity",
        table,
        _each(lines, keys) if past.deals else lines,
        keys=keys,
        rows=(),
        counted={
            "deals_touched": lambda _: lines.unique(["_deal", *keys], maintain_order=True),
            **{name: partial(_marked, lines, mark) for name, mark in _COUNTED.items()},
        },
        figures=_FIGURES,
        n=n_lives(lines["_deal"]),
        window=window,
    )


def _marked(lines: pl.DataFrame, mark: pl.Expr, _row: object) -> pl.DataFrame:
    """What of the changes has a mark."""
    return lines.filter(mark)


def _each(lines: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """A line for each deal of a group, with the number of its changes."""
    return (
        lines.group_by(*keys, life="_deal")
        .agg(
            pl.lit(None, pl.String).alias("from"),
            pl.lit(None, pl.String).alias("to"),
            value=count(pl.col("_change")),
            at=pl.col("at").max(),
        )
        .sort(*keys, "life", nulls_last=True)
    )


def _of_commits(commits: pl.DataFrame, seqs: pl.Series) -> list[pl.Series]:
    """Of each commit by its number, who made it, when, and whether it was one of many deals; null for no commit."""
    # commits are numbered, as lives are
    places = rows_of(commits["seq"], seqs)
    return [
        gathered(commits["who"], places).alias(_WHO),
        gathered(commits["kind"].is_in(_BULK), places).alias("_bulk"),
        gathered(commits["at"], places).alias("_recorded"),
    ]


def _of_several_deals(past: Past, rows: pl.DataFrame) -> pl.Series:
    """Commits that changed more than one deal, whichever of them count, and whenever."""
    # what a commit says of other moments may be outside the window
    dated = rows.filter(~pl.col("_bulk"), pl.col("at") != pl.col("_recorded"))["seq"].unique()
    names = past.facts.schema if dated.len() else ()
    outside = [past.facts.of(name) for name in names if name not in _STAMPS]
    changed = pl.concat(
        [rows.select("seq", "life")]
        + [
            facts.filter(pl.col("seq").is_in(dated.implode())).select("seq", "life")
            for facts in outside
        ]
    )
    ends = changed.group_by("seq").agg(first=pl.col("life").min(), last=pl.col("life").max())
    return ends.filter(pl.col("first") != pl.col("last"))["seq"]


def _rows(past: Past, inside: pl.Expr) -> pl.DataFrame:
    """A row for each change of a field and for each deal that began, with marks of what it was."""
    lives = past.facts.lives
    parts = []
    for name in past.facts.schema:
        if name in _STAMPS:
            continue
        facts = past.facts.of(name)
        rows = true_rows(facts.select(inside).to_series())
        marks: dict[str, pl.Expr] = {}
        needs_previous = name in ("stage", "expected_close")
        changed = with_previous(facts, rows) if needs_previous else facts[rows]
        if name == "stage":
            was, now = outcome_of(past, "from"), outcome_of(past, "value")
            marks["_move"] = pl.col("value").is_not_null() & pl.col("from").is_not_null()
            marks["_closing"] = now.is_not_null() & now.ne_missing(was)
        elif name == "expected_close":
            marks["_push"] = pl.col("value") > pl.col("from")
        elif name == "amount":
            marks["_amount"] = pl.col("at") > lives["begin"].gather(changed["life"])
        parts.append(changed.select("life", "at", "seq", **marks))
    changes = pl.concat(parts, how="diagonal").with_columns(_change=pl.lit(value=True))
    found = pl.concat([changes, _births(lives, changes, inside)], how="diagonal")
    missing = [name for name in _MARKS if name not in found.columns]
    return found.with_columns(pl.lit(None, pl.Boolean).alias(name) for name in missing)


def _births(lives: pl.DataFrame, changes: pl.DataFrame, inside: pl.Expr) -> pl.DataFrame:
    """Deals that began, with the commit that each began with: the first of its facts of that moment."""
    began = lives.select("life", at="begin").filter(inside)
    first = changes.filter(changes["at"] == lives["begin"].gather(changes["life"]))
    commits = first.group_by("life").agg(pl.col("seq").min())
    return beside(began, commits).with_columns(_birth=pl.lit(value=True))
