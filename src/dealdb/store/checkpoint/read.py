"""Reading checkpoints: all columns together, or each when it is needed."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import polars as pl

from dealdb.connection import Link
from dealdb.store.archive.chunk_cache import ChunkCache
from dealdb.store.archive.manifest import Generation
from dealdb.store.keys import Keys
from dealdb.store.log.reader import HistoryReset
from dealdb.store.replica.deferred import Waiting
from dealdb.store.replica.made_of_texts import made_of_texts
from dealdb.store.replica.replica import Replica


def read_checkpoint(
    link: Link, keys: Keys, generation: Generation, cache: ChunkCache | None = None
) -> Replica | None:
    """
    Replica as of a checkpoint, or None when a chunk is missing or not what the manifest says.

    Cost
    ----
    One round trip, however many chunks; none where the cache has all of them.
    """
    replica = open_checkpoint(link, keys, generation, cache)
    try:
        replica.need()
    except HistoryReset:
        return None
    return replica


def open_checkpoint(
    link: Link, keys: Keys, generation: Generation, cache: ChunkCache | None = None
) -> Replica:
    """Replica as of a checkpoint, whose columns are read when they are needed, if they are there then."""
    columns = generation.columns

    def load(names: Collection[str]) -> dict[str, pl.Series] | None:
        found = columns.read(link, keys, names, cache) if columns else None
        # another program's chunks may have other rows than the manifest says
        right = found and all(len(column) == generation.height for column in found.values())
        return found if right else None

    def load_rows(names: Collection[str], rows: Sequence[int]) -> dict[str, pl.Series] | None:
        return columns.read_rows(link, keys, names, rows, cache) if columns else None

    def check_room(names: Collection[str]) -> None:
        if columns:
            columns.check_room(link, keys, names)

    return Replica(
        position=generation.position,
        time_ms=generation.time_ms,
        schema=generation.schema,
        pipeline=generation.pipeline,
        waiting=Waiting(
            load=load,
            load_rows=load_rows,
            check_room=check_room,
            height=generation.height,
            changes={name: [] for name in generation.schema},
            columns=columns,
        ),
        height=generation.height,
        stages=generation.stages,
        has_deleted=generation.has_deleted,
        made_of_texts=made_of_texts(generation, cache),
    )
