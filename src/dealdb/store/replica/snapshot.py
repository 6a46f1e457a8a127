"""What a query or a metric works on: the deals at one commit, and what their columns and stages mean."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

import polars as pl

from dealdb.model.columns import empty_frame
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.store.log.entry import Position
from dealdb.store.replica.replica import Replica
from dealdb.store.replica.row_log import TextState

WholeRows: TypeAlias = Callable[[pl.Series], pl.DataFrame | None]


class Snapshot:
    """
    All deals as they were at one commit; never changes afterwards.

    Parameters
    ----------
    frame
        Columns, one for each field of the schema or as many as were asked for; rows in the order of first saving, of
        each partition if there are several.
    kept
        Boolean a row, true for those that count; None for all. Rows of deleted deals don't count. To leave them out
        of a column is to copy it, so a query takes ``rows`` and ``kept``, and copies only what it returns.
    schema
        Fields of the columns.
    pipeline
        Stages of the deals; one that occurs in ``frame`` and not here is open.
    seq
        Number of the last commit that is in it, 0 for none; of partitions, how many commits of all are in it.
    position
        That commit, which no other history has; None for deals that are not, or not all, from a log.
    whole_rows
        Gives all columns of some rows where ``frame`` has not all; None where they can't be had, or not sooner than
        all rows.
    text_states
        State of the texts of the replica, or of each of several whose rows follow one another; none where it is of no
        replica.

    Attributes
    ----------
    rows
        The columns as given.

    Examples
    --------
    >>> rows = pl.DataFrame({"id": ["1", None, "3"]})
    >>> deals = Snapshot(
    ...     frame=rows,
    ...     kept=rows["id"].is_not_null(),
    ...     schema=Schema.standard(),
    ...     pipeline=Pipeline(),
    ...     seq=1,
    ... )
    >>> deals.height, deals.frame["id"].to_list()
    (2, ['1', '3'])
    """

    __slots__ = (
        "__weakref__",
        "_frame",
        "_whole_rows",
        "kept",
        "pipeline",
        "position",
        "rows",
        "schema",
        "seq",
        "text_states",
    )

    def __init__(
        self,
        *,
        frame: pl.DataFrame,
        schema: Schema,
        pipeline: Pipeline,
        seq: int,
        kept: pl.Series | None = None,
        position: Position | None = None,
        whole_rows: WholeRows | None = None,
        text_states: Sequence[TextState] = (),
    ) -> None:
        self.rows = frame
        self.text_states = text_states
        self._whole_rows = whole_rows
        self.kept = kept
        self.schema = schema
        self.pipeline = pipeline
        self.seq = seq
        self.position = position
        self._frame: pl.DataFrame | None = None

    @property
    def frame(self) -> pl.DataFrame:
        """One row a deal that counts; where some rows don't, all columns are copied, once a snapshot."""
        if self._frame is None:
            self._frame = self.rows if self.kept is None else self.rows.filter(self.kept)
        return self._frame

    @property
    def height(self) -> int:
        """Number of deals that count."""
        return self.rows.height if self.kept is None else int(self.kept.sum())

    def deals_by_stage(self) -> dict[str, int]:
        """Number of deals in each stage that has any, the fullest first."""
        counted = (
            self.frame["stage"]
            .drop_nulls()
            .value_counts(sort=True)
            .sort("count", "stage", descending=[True, False])
        )
        return dict(counted.iter_rows())

    @property
    def has_all(self) -> bool:
        """Whether ``rows`` has all columns."""
        return self.rows.width >= len(self.schema.fields)

    def whole_rows(self, rows: pl.Series) -> pl.DataFrame | None:
        """All columns of some rows, by their numbers; None where a snapshot with all columns has to be asked for."""
        return self._whole_rows(rows) if self._whole_rows else None

    def narrowed(self, kept: pl.Series | None) -> Snapshot:
        """The same with other rows that count, all of which count here."""
        if kept is self.kept:
            return self
        return Snapshot(
            frame=self.rows,
            kept=kept,
            schema=self.schema,
            pipeline=self.pipeline,
            seq=self.seq,
            text_states=self.text_states,
        )


def snapshot_of(
    replica: Replica,
    names: Collection[str] | None = None,
    whole_rows: WholeRows | None = None,
) -> Snapshot:
    """Snapshot of a replica as it is now, with all columns or these; shares them until they change."""
    if not replica.schema.fields:
        return nothing(Schema.standard(), replica)
    pipeline = replica.pipeline
    if not pipeline:
        # nobody has ever said what the stages mean; where somebody has, one that is left out is open
        pipeline = pipeline.covering(sorted(filter(None, replica.stages)))
    return Snapshot(
        frame=replica.rows(replica.schema if names is None else names),
        kept=replica.rows(["id"])["id"].is_not_null() if replica.has_deleted else None,
        schema=replica.schema,
        pipeline=pipeline,
        seq=replica.position.seq,
        position=replica.position,
        whole_rows=whole_rows,
        text_states=(_text_state_of(replica),),
    )


def nothing(schema: Schema, replica: Replica | None = None) -> Snapshot:
    """What there is before the first deal, in a replica or none."""
    replica = replica or Replica()
    return Snapshot(
        frame=empty_frame(schema),
        schema=schema,
        pipeline=replica.pipeline,
        seq=replica.position.seq,
        position=replica.position,
        text_states=(_text_state_of(replica),),
    )


def _text_state_of(replica: Replica) -> TextState:
    return TextState(replica.text_changes, len(replica.text_changes), replica.height)
