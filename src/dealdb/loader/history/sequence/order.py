"""Which of several facts of one moment comes first, so that neither files nor rows need an order."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import pairwise

import polars as pl

from dealdb.loader.history.facts_read import END_OPS, FACT_SCHEMA
from dealdb.loader.history.rows.history_table import ROW

_ONE = ("id", "field", "at")
# keys are compared as texts, as the fold of facts does
_BY_KEY = (pl.col("key"), pl.col(ROW))


def chained(changes: pl.DataFrame) -> pl.DataFrame:
    """
    Changes in an order in which each begins with the value that the one before ended with.

    Parameters
    ----------
    changes
        ``id``, ``field``, ``at``, ``old``, ``value``, ``key`` and ``ROW``.

    Returns
    -------
    polars.DataFrame
        Sorted by deal, field and moment, with ``order`` among those of one moment, and ``decided``: whether the
        values say it. Where the keys say another order, the place in the chain stands before each of them.

    Examples
    --------
    >>> changes = pl.DataFrame(
    ...     {
    ...         "id": ["1", "1"],
    ...         "field": ["stage"] * 2,
    ...         "at": [0, 0],
    ...         "old": ["Demo", "Lead"],
    ...         "value": ["Offer", "Demo"],
    ...         "key": ["1", "2"],
    ...         ROW: [0, 1],
    ...     }
    ... )
    >>> chained(changes)["value"].to_list()
    ['Demo', 'Offer']
    """
    # the same number twice is one change; without one, a deal may have gone the same way twice
    keyed = pl.col("key").is_not_null()
    once = changes.filter(keyed).unique(
        [*_ONE, "old", "value", "key"], keep="last", maintain_order=True
    )
    changes = pl.concat([once, changes.filter(~keyed)])
    changes = changes.sort(*_ONE, *_BY_KEY, maintain_order=True)
    changes = changes.with_columns(
        pl.lit(0, dtype=pl.Int64).alias("order"),
        pl.lit(value=False).alias("decided"),
        pl.int_range(pl.len()).alias("\0at"),
    )
    again = changes.select(pl.struct(_ONE).is_duplicated()).to_series()
    fields = changes.filter(again).select("id", "field").unique()
    tied = changes.join(fields, on=["id", "field"], how="semi", maintain_order="left")
    if tied.is_empty():
        return changes.drop("\0at")
    found = [
        row
        for _, part in tied.group_by("id", "field", maintain_order=True)
        for row in _chain_of_field(part)
    ]
    fixed = pl.DataFrame(
        found, schema={"\0at": pl.Int64, "order": pl.Int64, "decided": pl.Boolean}, orient="row"
    )
    changes = changes.update(fixed, on="\0at").drop("\0at")
    changes = changes.sort(*_ONE, "order", maintain_order=True)
    return changes.with_columns(_key_in_order().alias("key"))


def _key_in_order() -> pl.Expr:
    """Keys that have the order of the chain as texts: whoever only compares keys finds the last change, too."""
    is_later = (pl.col("key") >= pl.col("key").shift(1).over(_ONE)).fill_null(value=True)
    decided = pl.col("decided") & (pl.len().over(_ONE) > 1)
    rank = pl.col("order").cast(pl.String).str.zfill(6) + pl.lit("/")
    return pl.when(decided & ~is_later.all().over(_ONE)).then(rank + pl.col("key")).otherwise("key")


def _chain_of_field(part: pl.DataFrame) -> list[tuple[int, int, bool]]:
    """Number, order and whether it is decided, of each change of one field."""
    found: list[tuple[int, int, bool]] = []
    before: tuple[Hashable, ...] = ()
    for _, group in part.group_by("at", maintain_order=True):
        places, olds, news = (group[name].to_list() for name in ("\0at", "old", "value"))
        steps = list(zip(olds, news, strict=True))
        path = chain(steps, before)
        places_in = {step: n for n, step in enumerate(path or ())}
        if path is None:
            # rows that the source has twice
            different = list(dict.fromkeys(steps))
            path = chain(different, before)
            ranks = {different[step]: n for n, step in enumerate(path or ())}
            places_in = {n: ranks.get(step, n) for n, step in enumerate(steps)}
        found += [(places[n], place, path is not None) for n, place in places_in.items()]
        last = max(places_in, key=lambda n: (places_in[n], n))
        before = (steps[last][1],)
    return found


def chain(
    steps: Sequence[tuple[Hashable, Hashable]], before: tuple[Hashable, ...] = ()
) -> list[int] | None:
    """
    Numbers of the steps in an order in which each begins where the one before ends; None where there is none.

    Parameters
    ----------
    steps
        Where each begins and ends.
    before
        Where the first should begin, or nothing.

    Examples
    --------
    >>> chain([("b", "c"), ("a", "b")]), chain([("a", "b"), ("c", "d")])
    ([1, 0], None)
    """
    leaving: dict[Hashable, list[int]] = {}
    balance: dict[Hashable, int] = {}
    for number in reversed(range(len(steps))):
        old, new = steps[number]
        leaving.setdefault(old, []).append(number)
        balance[old] = balance.get(old, 0) + 1
        balance[new] = balance.get(new, 0) - 1
    starts = [value for value, n in balance.items() if n > 0]
    if not starts:
        # a round begins where the change before ended
        starts = [value for value in before if value in leaving] or [steps[0][0]]
    start = starts[0]
    # the way of Hierholzer: each step is taken once, and loops are put in where they begin
    path: list[int] = []
    stack: list[tuple[Hashable, int | None]] = [(start, None)]
    while stack:
        value, taken = stack[-1]
        if leaving.get(value):
            step = leaving[value].pop()
            stack.append((steps[step][1], step))
        else:
            stack.pop()
            if taken is not None:
                path.append(taken)
    path.reverse()
    joined = all(steps[a][1] == steps[b][0] for a, b in pairwise(path))
    return path if len(path) == len(steps) and joined else None


def placed(facts: pl.DataFrame) -> tuple[pl.DataFrame, int, int]:
    """
    Facts in the one order that they have whatever the order of the rows, each once; ties; and repeated ones.

    Facts of one moment are ordered: those of a day alone first, the end of a deal last, between them by field, chain,
    key and, where nothing else tells, by place in the source.
    """
    n_before = facts.height
    is_end = pl.col("op").is_in(END_OPS)
    facts = facts.sort(
        "id", "at", pl.col("precision") != "day", is_end, "field", "order", *_BY_KEY,
        nulls_last=False, maintain_order=True,
    )  # fmt: skip
    facts = facts.unique([*_ONE, "op", "value", "key"], keep="last", maintain_order=True)
    place = pl.int_range(pl.len(), dtype=pl.UInt32).alias("place")
    ties = _n_ties(facts)
    # what ends a deal is no fact of a field
    field = pl.when(pl.col("field") != "").then("field").alias("field")
    return facts.with_columns(place, field).select(list(FACT_SCHEMA)), ties, n_before - facts.height


def _n_ties(facts: pl.DataFrame) -> int:
    """Facts of one deal, field and moment that differ, and that neither values nor keys order."""
    # a retracted fact is no rival of the one that it names
    rivals = facts.filter(pl.col("op") != "retract")
    rivals = rivals.filter(pl.struct(_ONE).is_duplicated())
    by_key = (pl.col("key").null_count() == 0) & (pl.col("key").n_unique() == pl.len())
    differ = pl.struct("op", "value").n_unique() > 1
    groups = rivals.group_by(_ONE).agg(
        pl.len(), differ.alias("differ"), (pl.col("decided").all() | by_key).alias("ordered")
    )
    return int(groups.filter(pl.col("differ") & ~pl.col("ordered"))["len"].sum())
