"""Activity: what was changed in deals, by whom or in whose deals, and when."""

from __future__ import annotations

import polars as pl

from dealdb.analytics.calendar.zone import as_moments
from dealdb.analytics.history.outcomes.closings import (
    closing_events,
    count,
    in_groups,
    previous,
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
# loads, imports of history and repairs: many deals in one commit
_BULK = ("add", "facts", "mend")
_MARKS = ("_change", "_move", "_push", "_amount", "_birth", "_closing")


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
        (moment of the last change) and ``bulk`` (changes that came by loads and imports).

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
    rows = past.chosen(_rows(past, inside))
    commits = past.facts.commits.select(
        "seq", pl.col("who").alias(_WHO), _bulk=pl.col("kind").is_in(_BULK)
    )
    if _WHO not in keys:
        commits = commits.drop(_WHO)
    told = rows.join(commits, on="seq", how="left").join(_deals(past), on="life")
    lines = past.grouped(told, keys, by_at="event")
    table = in_groups(
        lines,
        keys,
        deals_touched=pl.col("_deal").n_unique().cast(pl.UInt32),
        changes=count(pl.col("_change")),
        stage_moves=count(pl.col("_move")),
        pushes=count(pl.col("_push")),
        amount_changes=count(pl.col("_amount")),
        created=count(pl.col("_birth")),
        closed=count(pl.col("_closing")),
        days_active=past.zone.days_of_ms(pl.col("at")).n_unique().cast(pl.UInt32),
        last=as_moments(pl.col("at").max()),
        bulk=count(pl.col("_change") & pl.col("_bulk")),
    )
    return past.result(
        "activity",
        table,
        _each(lines, keys) if past.deals else lines,
        keys=keys,
        rows=(),
        counted=("deals_touched", lines),
        figures=_FIGURES,
        n=lines["_deal"].n_unique(),
        window=window,
    )


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


def _rows(past: Past, inside: pl.Expr) -> pl.DataFrame:
    """A row for each change of a field and for each deal that began, with marks of what it was."""
    lives = past.facts.lives.select("life", "begin")
    parts = []
    for name in past.facts.schema:
        if name in _STAMPS:
            continue
        facts = past.facts.of(name)
        if name == "stage":
            moved = pl.col("value").is_not_null() & previous("value").is_not_null()
            marked = facts.with_columns(_move=moved)
        elif name == "expected_close":
            marked = facts.with_columns(_push=pl.col("value") > previous("value"))
        elif name == "amount":
            marked = facts.join(lives, on="life", maintain_order="left").with_columns(
                _amount=pl.col("at") > pl.col("begin")
            )
        else:
            marked = facts
        parts.append(marked.filter(inside).select("life", "at", "seq", *_marks_of(marked)))
    changes = pl.concat(parts, how="diagonal").with_columns(_change=pl.lit(value=True))
    # the commit that a deal began with: the first of its facts of that moment
    began = lives.rename({"begin": "at"}).filter(inside)
    commits = changes.join(began, on=["life", "at"], how="semi").group_by("life")
    births = began.join(commits.agg(pl.col("seq").min()), on="life", how="left")
    closings = closing_events(past).filter(inside).select("life", "at", "seq")
    both = [
        births.with_columns(_birth=pl.lit(value=True)),
        closings.with_columns(_closing=pl.lit(value=True)),
    ]
    found = pl.concat([changes, *both], how="diagonal")
    missing = [name for name in _MARKS if name not in found.columns]
    return found.with_columns(pl.lit(None, pl.Boolean).alias(name) for name in missing)


def _marks_of(frame: pl.DataFrame) -> list[str]:
    return [name for name in frame.columns if name in _MARKS]


def _deals(past: Past) -> pl.DataFrame:
    """The first life of each deal: a deal that was saved again is one deal."""
    return past.facts.lives.select("life", _deal=pl.col("life").min().over("id"))
