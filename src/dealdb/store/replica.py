"""
The columns of a collection in memory, kept up to date from the log.

A column is a Polars Series indexed by row number; a change is scattered into it in place. Polars copies a
column before it changes it when a frame that was handed out still refers to it, so such frames never change.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import polars as pl

from dealdb.columns import decode_column, dtype_of
from dealdb.pipeline import Pipeline
from dealdb.schema import Field, Schema
from dealdb.store.log import Entry, Position

# appending adds a chunk; a scan slows down with their number, and joining them copies the column
_MAX_CHUNKS = 32


class Replica:
    """
    State of a collection at one position of its log. Not thread-safe: its store holds the lock.

    Attributes
    ----------
    position
        The last commit that is in it.
    time_ms
        When that was, milliseconds since 1970, UTC.
    schema, pipeline
        As of that commit.
    columns
        A Series for each field; a row whose ``id`` is null is a deleted deal.
    stages
        Every stage that occurs or has occurred.
    """

    def __init__(
        self,
        *,
        position: Position | None = None,
        time_ms: int = 0,
        schema: Schema | None = None,
        pipeline: Pipeline | None = None,
        frame: pl.DataFrame | None = None,
    ) -> None:
        self.position = position or Position()
        self.time_ms = time_ms
        self.schema = Schema(0, ())
        self.pipeline = pipeline or Pipeline()
        self.columns: dict[str, pl.Series] = {}
        if frame is not None:
            self.columns = {column.name: column for column in frame}
        if schema is not None:
            self._use_schema(schema)
        # kept up with the changes: looking through the column for each query would cost more than most queries
        self.stages: set[str | None] = (
            set(self.columns["stage"].unique()) if self.columns else set()
        )

    @property
    def height(self) -> int:
        """Rows, deleted ones included."""
        return len(self.columns["id"]) if self.columns else 0

    def frame(self) -> pl.DataFrame:
        """All deals, without the rows of deleted ones; shares its columns until they change."""
        if not self.columns:
            return pl.DataFrame()
        frame = pl.DataFrame([self.columns[name] for name in self.schema])
        return frame.filter(pl.col("id").is_not_null()) if frame["id"].null_count() else frame

    def all_rows(self) -> pl.DataFrame:
        """The columns as they are, by row number, deleted rows included."""
        return pl.DataFrame([self.columns[name] for name in self.schema])

    def apply(self, entries: Iterable[Entry]) -> None:
        """Bring the columns forward by these commits, which must follow the position."""
        batch = _Batch(self.height)
        for entry in entries:
            if entry.kind in ("set", "mend"):
                ids, fields, columns = entry.change
                if fields != batch.fields:
                    self._scatter(batch)
                    batch = _Batch(self.height, fields)
                batch.add(entry, ids, columns)
            else:
                self._scatter(batch)
                self._apply_other(entry)
                batch = _Batch(self.height)
            self.position, self.time_ms = entry.position, entry.time_ms
        self._scatter(batch)
        for name, column in self.columns.items():
            if column.n_chunks() > _MAX_CHUNKS:
                self.columns[name] = column.rechunk()

    def _apply_other(self, entry: Entry) -> None:
        match entry.kind:
            case "delete":
                rows = pl.Series(entry.rows, dtype=pl.UInt32)
                for name, column in self.columns.items():
                    column.scatter(rows, _nulls(self.schema[name], len(rows)))
            case "schema":
                self._use_schema(Schema.from_json(entry.data))
            case "pipeline":
                self.pipeline = Pipeline.from_json(entry.data)

    def _use_schema(self, schema: Schema) -> None:
        height = self.height
        self.columns = {f.name: self._column_for(f, height) for f in schema.fields}
        self.schema = schema

    def _column_for(self, field: Field, height: int) -> pl.Series:
        column = self.columns.get(field.name)
        if column is None:
            return _nulls(field, height)
        return column if column.dtype == dtype_of(field) else column.cast(dtype_of(field))

    def _scatter(self, batch: _Batch) -> None:
        if not batch.rows:
            return
        rows = pl.Series(batch.rows, dtype=pl.UInt32)
        fields = [self.schema[name] for name in batch.fields]
        given = dict(zip(batch.fields, batch.columns, strict=True))
        texts = {"id": batch.ids, **given}
        self.stages.update(texts.get("stage", ()))
        if batch.only_appends:
            for field in self.schema.fields:
                new = (
                    _decoded(texts[field.name], field)
                    if field.name in texts
                    else _nulls(field, len(rows))
                )
                self.columns[field.name].extend(new)
            return
        grown = max(batch.next_row - self.height, 0)
        for field in self.schema.fields:
            self.columns[field.name].extend(_nulls(field, grown))
        for field in [self.schema["id"], *fields]:
            self.columns[field.name].scatter(rows, _decoded(texts[field.name], field))
        if batch.stamped:
            stamps = pl.Series(list(batch.stamped.values()), dtype=pl.Datetime("us", "UTC"))
            self.columns["updated"].scatter(pl.Series(list(batch.stamped), dtype=pl.UInt32), stamps)


class _Batch:
    """Consecutive commits that set the same fields, gathered to be applied as columns."""

    def __init__(self, height: int, fields: list[str] | None = None) -> None:
        self.fields = fields or []
        self.next_row = height
        self.rows: list[int] = []
        self.ids: list[str | None] = []
        self.columns: list[list[str | None]] = [[] for _ in self.fields]
        self.only_appends = True
        self.stamped: dict[int, datetime] = {}

    def add(self, entry: Entry, ids: list[str], columns: list[list[str | None]]) -> None:
        """Gather one commit."""
        rows = entry.rows
        known = [row for row in rows if row < entry.height]
        if known or entry.height != self.next_row:
            # after a scan of the hashes, commits can repeat rows that are there already
            self.only_appends = False
            if entry.kind == "set" and "updated" not in self.fields:
                # the commit script stamps what it changes in deals that were there before
                when = datetime.fromtimestamp(entry.time_ms // 1000, UTC)
                self.stamped.update(dict.fromkeys(known, when))
        self.next_row = max(self.next_row, entry.height + len(rows) - len(known))
        self.rows += rows
        self.ids += ids
        for gathered, column in zip(self.columns, columns, strict=True):
            gathered += column


def _decoded(texts: list[str | None], field: Field) -> pl.Series:
    return decode_column(pl.Series(field.name, texts, dtype=pl.String), field)


def _nulls(field: Field, height: int) -> pl.Series:
    return pl.Series(field.name, [None], dtype=dtype_of(field)).new_from_index(0, height)
