"""Deals that were merged into others: each once, never in a circle, and what the survivor took over."""

from __future__ import annotations

from itertools import pairwise

import polars as pl

from dealdb.loader.history.rows.history_table import ROW

_NEAR_MS = 3_600_000


def circles(merges: pl.DataFrame) -> list[int]:
    """
    Rows of merges that form a circle; a chain ends in a survivor.

    Examples
    --------
    >>> rows = [("a", "b", 0), ("b", "c", 1), ("x", "y", 2), ("y", "x", 3)]
    >>> circles(pl.DataFrame(rows, schema=["id", "value", ROW], orient="row"))
    [2, 3]
    """
    into: dict[str, list[str]] = {}
    for loser, survivor in merges.select("id", "value").iter_rows():
        into.setdefault(loser, []).append(survivor)
    bad: set[tuple[str, str]] = set()
    done: set[str] = set()
    for first in into:
        # a walk in depth, with the deals on the way
        way: list[str] = [first]
        left: list[list[str]] = [list(into.get(first, ()))] if first not in done else []
        on_way = {first}
        while left:
            if not left[-1]:
                left.pop()
                done.add(way[-1])
                on_way.discard(way.pop())
                continue
            after = left[-1].pop()
            if after in on_way:
                round_ = [*way[way.index(after) :], after]
                bad |= set(pairwise(round_))
            elif after not in done:
                way.append(after)
                on_way.add(after)
                left.append(list(into.get(after, ())))
    pairs = merges.select("id", "value", ROW).iter_rows()
    return sorted({row for loser, survivor, row in pairs if (loser, survivor) in bad})


def once_each(facts: pl.DataFrame) -> pl.DataFrame:
    """Facts with the first merge of each deal alone: what is merged later into another is the survivor."""
    is_merge = pl.col("op") == "merge"
    losers, survivors = (
        facts.filter(is_merge)[name].unique().implode() for name in ("id", "value")
    )
    # of merges at one moment the one into a deal that is merged on
    first = (
        facts.filter(is_merge)
        .sort("at", ~pl.col("value").is_in(losers), "value", maintain_order=True)
        .unique("id", keep="first", maintain_order=True)
    )
    if first.is_empty():
        return facts
    rest = facts.filter(~is_merge)
    told = pl.col("source").str.contains("(?i):.*merge") & pl.col("id").is_in(survivors)
    moments = first.select(pl.col("value").alias("id"), pl.col("at").alias("merged")).sort("merged")
    taken = (
        rest.filter(told)
        .sort("at")
        .join_asof(
            moments, left_on="at", right_on="merged", by="id", strategy="nearest",
            tolerance=_NEAR_MS, check_sortedness=False,
        )
    )  # fmt: skip
    # what the survivor took over is one change at the merge
    taken = taken.with_columns(pl.coalesce("merged", "at").alias("at")).drop("merged")
    return pl.concat(
        [rest.filter(~told.fill_null(value=False)), taken, first], how="diagonal_relaxed"
    )
