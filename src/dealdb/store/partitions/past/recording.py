"""Facts of the past, each in the partition of its deal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from dealdb.model.schema import Field
from dealdb.store.commit.fact_writer import FactWriter, facts_in
from dealdb.store.partitions.layout import partition_of
from dealdb.store.partitions.partition import Partition


def record(
    partitions: Sequence[Partition],
    facts: pl.DataFrame,
    fields: Iterable[Field],
    stages: Iterable[str],
) -> int:
    """
    Write facts, in commits of some thousands of one partition; returns how many commits.

    Each commit happens as a whole or not at all. Where the writing is cut off, what was written stays; a load that is
    repeated finds it, and writes the rest.

    Parameters
    ----------
    partitions
        All of them, the head first.
    facts, fields, stages
        As of ``FactWriter.record``. Facts of one moment of a deal keep their order.

    Raises
    ------
    ValueError, SchemaError
        As ``FactWriter.record`` does; nothing was written.

    Cost
    ----
    One round trip for each partition that has some, and for every 80,000 of it; some more where fields or stages are
    new, and two for each partition that has yet to get these fields.
    """
    head = partitions[0]
    head.writers.promise()
    table = facts_in(facts)
    if table.is_empty():
        return 0
    wanted = list(fields)
    head.definitions.declare(wanted)
    head.definitions.cover_stages(stages)
    n_commits = 0
    for number, own in _by_partition(table, len(partitions)):
        part = partitions[number]
        part.keep_up()
        n_commits += FactWriter(part.writers, part.definitions).write(own, wanted)
    return n_commits


def _by_partition(table: pl.DataFrame, partitions: int) -> Iterable[tuple[int, pl.DataFrame]]:
    """Facts of each partition that has any, in their order."""
    ids = table["id"].unique()
    numbers = pl.DataFrame(
        {"id": ids, "_part": [partition_of(deal_id, partitions) for deal_id in ids]},
        schema={"id": pl.String, "_part": pl.UInt32},
    )
    placed = table.join(numbers, on="id", maintain_order="left")
    for number in sorted(numbers["_part"].unique()):
        yield number, placed.filter(pl.col("_part") == number).drop("_part")
