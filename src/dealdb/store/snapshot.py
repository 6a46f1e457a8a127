"""What a query or a metric works on: the deals at one commit, and what their columns and stages mean."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from dealdb.columns import empty_frame
from dealdb.pipeline import Pipeline
from dealdb.schema import Schema
from dealdb.store.replica import Replica


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """
    All deals as they were at one commit; never changes afterwards.

    Attributes
    ----------
    frame
        One row a deal, one column a field of the schema, in the order of first saving.
    schema
        Fields of the columns.
    pipeline
        Stages of the deals; has every stage that occurs in ``frame``.
    seq
        Number of the last commit that is in it; 0 for none.
    """

    frame: pl.DataFrame
    schema: Schema
    pipeline: Pipeline
    seq: int


def snapshot_of(replica: Replica) -> Snapshot:
    """Snapshot of a replica as it is now; shares its columns until they change."""
    if not replica.schema.fields:
        standard = Schema.standard()
        return Snapshot(
            frame=empty_frame(standard),
            schema=standard,
            pipeline=replica.pipeline,
            seq=replica.position.seq,
        )
    return Snapshot(
        frame=replica.frame(),
        schema=replica.schema,
        pipeline=replica.pipeline.covering(sorted(filter(None, replica.stages))),
        seq=replica.position.seq,
    )
