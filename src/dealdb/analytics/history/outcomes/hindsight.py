"""Hindsight: how much the won value of a period changed after it had been reported."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from dealdb.analytics.history.money import BLANK as IS_BLANK
from dealdb.analytics.history.money import balanced
from dealdb.analytics.history.outcomes.closings import (
    BLANK,
    UNDATED,
    WON,
    check_sums,
    closed_deals,
    closed_within,
    count,
    money,
)
from dealdb.analytics.history.past import Past, spine
from dealdb.analytics.options import Day, Window
from dealdb.analytics.result import MetricResult
from dealdb.store.facts.facts import Facts

_FIGURES = ("n", "value", "blank")
THEN, ADDED, UP, DOWN, REMOVED, NOW = _BUCKETS = ("then", "added", "up", "down", "removed", "now")


def hindsight(past: Past, known: Facts, *, since: Day = None, until: Day = None) -> MetricResult:
    """
    Won value of a period as it was known once, and as it is known now, with what made the difference.

    Parameters
    ----------
    past
        The past, as it is known now.
    known
        Facts as they were recorded until an earlier moment.
    since, until
        Days on which the deals closed, ``until`` itself outside.

    Returns
    -------
    MetricResult
        A row for each ``bucket``: ``then``, ``added`` (wins that were not known), ``up`` and ``down`` (amounts that
        changed), ``removed`` (no longer won in the period) and ``now``, with ``n`` deals, ``value`` and ``blank``
        (deals without an amount). ``then`` + ``added`` + ``up`` - ``down`` - ``removed`` = ``now``, in every group: a
        deal is in the group of its closing as it is known now, or of then where it is no longer won. One whose amount
        is in another currency now is ``removed`` from that of then, and ``added`` to that of now.

    Raises
    ------
    QueryError
        If an option can't be understood, a moment is before the first fact, or the amounts can't be summed exactly.

    Source
    ------
    docs/metrics.md#hindsight
    """
    window = past.bounds(since, until)[2]
    keys = past.keys(("bucket", *_FIGURES))
    now, undated = _wins(past, keys, window)
    then = _known_wins(past, known, keys, window)
    lines = _lines(then, now, keys, in_one=past.convert is not None)
    check_sums(lines)
    currency, keys = past.currency(lines, keys)
    sums = lines.group_by(*keys, "bucket").agg(n=count(), value=money(), blank=BLANK)
    table = (
        spine(lines, keys, "bucket", _BUCKETS)
        .join(sums, on=[*keys, "bucket"], how="left", nulls_equal=True, maintain_order="left")
        .with_columns(pl.col(_FIGURES).fill_null(0))
    )
    if past.convert is not None:
        table = balanced(table, keys, (THEN, ADDED, UP), ends=(THEN, NOW))
    return past.result(
        "hindsight",
        table,
        lines,
        keys=keys,
        rows=("bucket",),
        figures=_FIGURES,
        n=lines["id"].n_unique(),
        window=window,
        currency=currency,
        counts={UNDATED: undated},
        counted={"blank": IS_BLANK},
    )


def _known_wins(past: Past, known: Facts, keys: list[str], window: Window) -> pl.DataFrame:
    """
    Wins as they were known.

    Which deals count is judged by what is known now, and of deals that are unknown now by what was known of them.
    """
    if known.first is None or known.first >= past.moment:
        return _wins(past, keys, window)[0].clear()
    before = replace(past, facts=known, notes=[])
    if past.where is None:
        return _wins(before, keys, window)[0]
    kept, of_now = past.values([]).select("id"), past.facts.lives.select("id")
    everyone = _wins(replace(before, where=None), keys, window)[0]
    unknown = _wins(before, keys, window)[0].join(of_now, on="id", how="anti")
    return pl.concat([everyone.join(kept, on="id", how="semi"), unknown])


def _wins(past: Past, keys: list[str], window: Window) -> tuple[pl.DataFrame, int]:
    """Deals won in the window: ``id``, the groups, ``currency``, ``value``, ``from``, ``to``, ``at``."""
    closed = closed_deals(past, window, WON)
    wins = past.grouped(closed_within(closed, window), keys, by_at="event")
    columns = dict.fromkeys(("id", *keys, "currency", "value", "_unpriced", "at"))
    return wins.select(*columns), closed["_closed"].null_count() if window else 0


def _lines(then: pl.DataFrame, now: pl.DataFrame, keys: list[str], *, in_one: bool) -> pl.DataFrame:
    """A line for each deal in each bucket, of the group that it is in now, or was in then."""
    both = then.join(now, on="id", how="full", coalesce=True, suffix="_now")
    shared = [name for name in dict.fromkeys((*keys, "currency")) if name != "id"]
    was, is_now = pl.col("at").is_not_null(), pl.col("at_now").is_not_null()
    before, after = pl.col("value"), pl.col("value_now")
    change = after.fill_null(0) - before.fill_null(0)
    has_money = (before.fill_null(0) != 0) | (after.fill_null(0) != 0)
    # what it was in one currency can't be compared with what it is in another
    is_other = pl.col("currency").ne_missing(pl.col("currency_now")) & has_money
    moves = was & is_now & is_other & pl.lit(not in_one)
    stays = was & is_now & ~moves
    without = pl.col("_unpriced"), pl.col("_unpriced_now")
    either = pl.any_horizontal(without)
    parts = (
        (THEN, was, before, without[0]),
        (ADDED, ~was | moves, after, without[1]),
        (UP, stays & (change > 0), change, either),
        (DOWN, stays & (change < 0), -change, either),
        (REMOVED, ~is_now | moves, before, without[0]),
        (NOW, is_now, after, without[1]),
    )
    dtype = now.schema["value"]

    def group(name: str, bucket: str) -> pl.Expr:
        of_then = ~is_now
        if name == "currency" and bucket in (THEN, REMOVED):
            of_then = of_then | moves
        return pl.when(of_then).then(pl.col(name)).otherwise(pl.col(f"{name}_now")).alias(name)

    told = [
        both.filter(condition).select(
            "id",
            *(group(name, bucket) for name in shared),
            before.cast(pl.String).alias("from"),
            after.cast(pl.String).alias("to"),
            value=value.cast(dtype),
            _unpriced=unpriced,
            at=pl.coalesce("at_now", "at"),
            bucket=pl.lit(bucket),
        )
        for bucket, condition, value, unpriced in parts
    ]
    return pl.concat(told)
