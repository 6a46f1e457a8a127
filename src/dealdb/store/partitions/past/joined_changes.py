"""Every change of every deal of a collection of partitions: the table of each, in one order."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from dealdb.store.history.changes import changes_of
from dealdb.store.log.entry import Position
from dealdb.store.partitions.partition import Partition

# behind the number of a commit, which counts in its partition
_PARTITION = "partition"


def joined_changes(partitions: Sequence[Partition], until: Sequence[Position]) -> pl.DataFrame:
    """
    The rows of ``changes_of`` of all partitions, each up to a commit of its own, with the number of its ``partition``.

    In the order of time, then of partitions, then of their commits. Where nothing tells of another moment than that of
    its commit, and a clock was set back, a commit counts from the earliest time of itself and those after it.

    Cost
    ----
    That of ``changes_of`` for each partition, one after the other.
    """
    parts = [
        changes_of(part.link, part.keys, each.seq)
        for part, each in zip(partitions, until, strict=True)
    ]
    # as the table of one piece: only what was told later is out of the order of commits
    is_told = any(map(_tells_of_before, parts))
    moment = pl.col("at") if is_told else pl.col("when").cum_min(reverse=True)
    joined = pl.concat(
        part.with_columns(moment.alias("_moment")).with_columns(
            pl.lit(number, pl.Int64).alias(_PARTITION)
        )
        for number, part in enumerate(parts)
    ).sort("_moment", _PARTITION, maintain_order=True)
    first, *others = parts[0].columns
    return joined.select(first, _PARTITION, *others)


def _tells_of_before(changes: pl.DataFrame) -> bool:
    is_told = pl.col("source").is_not_null() | (pl.col("at") != pl.col("when"))
    return bool(changes.select(is_told.any()).item())
