"""Where the deals of a query come from: the live ones, those of a moment of the past, or an example's rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, TypeAlias

import polars as pl

from dealdb.errors import QueryError, SchemaError

if TYPE_CHECKING:
    from dealdb.model.pipeline import Pipeline
    from dealdb.model.schema import Field
    from dealdb.store.log.entry import Position
    from dealdb.store.replica.snapshot import Snapshot

Rows: TypeAlias = pl.DataFrame | Sequence[Mapping[str, object]]


class QueryTexts(Protocol):
    """Where saved queries are kept: texts by name."""

    def saved_queries(self) -> Mapping[str, str]:
        """All texts by name."""

    def save_query(self, name: str, text: str) -> None:
        """Keep a text, in place of one of the same name."""

    def forget_query(self, name: str) -> bool:
        """Remove a text; whether there was one."""


class DealSource(Protocol):
    """What a query engine needs to know; it asks again for each query, so that none works on old deals."""

    def snapshot(self, names: Collection[str] | None = None) -> Snapshot:
        """
        All deals as they are now, with these columns at least; None for all columns.

        A name that no column has is left to the caller, who reports it.
        """

    def changes(self, until: Position) -> pl.DataFrame | None:
        """Table ``history`` of ``sql``: all changes up to a commit; None where no history is at hand."""

    def query_texts(self) -> QueryTexts | None:
        """Where saved queries are kept; None where none can be."""

    def round_trips(self) -> int:
        """Round trips to the server that the calling thread has made so far, for ``explain``."""


class FixedDeals:
    """
    Deals that never change and need no server, such as those of a moment of the past: no history, no saved queries.

    Parameters
    ----------
    snapshot
        The deals.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def __repr__(self) -> str:
        return f"{self._snapshot.height:,} deals"

    def snapshot(self, names: Collection[str] | None = None) -> Snapshot:  # noqa: ARG002  # all columns are at hand
        """The deals, whichever columns are asked for."""
        return self._snapshot

    def changes(self, until: Position) -> None:
        """No history."""

    def query_texts(self) -> None:
        """No saved queries."""

    def round_trips(self) -> int:
        """None are ever made."""
        return 0


def snapshot_of_rows(rows: Rows, pipeline: Pipeline | None = None) -> Snapshot:
    """Deals that are in no database; see ``QueryEngine.over``."""
    # not at the top: what queries a database has its snapshots from there
    from dealdb.model.columns import is_text
    from dealdb.model.pipeline import Pipeline
    from dealdb.model.schema import Schema, is_pattern
    from dealdb.store.replica.snapshot import Snapshot

    # types are read from all rows, since a column may have its first value far below
    frame = pl.DataFrame(rows, infer_schema_length=None)
    if found := next(filter(is_pattern, frame.columns), None):
        msg = f"a column of deals can't be called {found!r}: it would stand for all names that it fits"
        raise QueryError(msg)
    stages = frame["stage"] if "stage" in frame.columns else pl.Series([], dtype=pl.String)
    if not is_text(stages.dtype) and stages.dtype != pl.Null:
        msg = f"the column 'stage' has names of stages, which are texts, not {stages.dtype}"
        raise QueryError(msg)
    # one without stages may have a zone, and is false
    known = Pipeline() if pipeline is None else pipeline
    return Snapshot(
        frame=frame,
        schema=Schema(0, tuple(_fields_of(frame))),
        pipeline=known.covering(stages.drop_nulls().to_list()),
        seq=1,
    )


def _fields_of(frame: pl.DataFrame) -> Iterator[Field]:
    """Fields of the columns; of those that no collection could have, none."""
    from dealdb.model.columns import field_of

    for name, dtype in frame.schema.items():
        with suppress(SchemaError):
            if field := field_of(name, dtype):
                yield field
