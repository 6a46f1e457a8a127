"""
The columns of a collection in memory, kept up to date from the log.

A column is a Polars Series indexed by row number; a change is scattered into it in place. Polars copies a
column before it changes it when a frame that was handed out still refers to it, so such frames never change.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import nullcontext
from itertools import chain

import polars as pl

from dealdb.errors import StoreDamaged
from dealdb.model.columns import decode_column, is_text, nulls
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Field, FieldType, Schema
from dealdb.store.encoding import check_change, unpacked_all
from dealdb.store.log.entry import Entry, Position, Run, runs_of, unknown_kind
from dealdb.store.log.reader import HistoryReset
from dealdb.store.replica.changing import (
    changing,
    chunks_of,
    decoded,
    retyped,
    values_of,
    with_fewer_pieces,
    with_values,
)
from dealdb.store.replica.deferred import Ahead, Waiting, nothing_waits
from dealdb.store.replica.gather import Gathered
from dealdb.store.replica.made_of_texts import MadeOfTexts
from dealdb.store.replica.row_log import RowLog

# commits unpacked together: what they are made of is gone before the garbage collector looks through it
_AT_ONCE = 64


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
    height
        Rows, deleted ones included.
    columns
        A Series for each field that does not wait; a row whose ``id`` is null is a deleted deal.
    has_deleted
        Whether there is such a row.
    changes
        Commits and rows that were applied; a reader may set it back.
    chunks
        Digests by field and number, of full chunks that the last checkpoint of it wrote, and that have not changed.
    text_changes
        Rows whose texts were changed, for who keeps something made of them; another log once all may have changed.
    """

    def __init__(
        self,
        *,
        position: Position | None = None,
        time_ms: int = 0,
        schema: Schema | None = None,
        pipeline: Pipeline | None = None,
        frame: pl.DataFrame | None = None,
        waiting: Waiting | None = None,
        height: int = 0,
        stages: Collection[str] | None = (),
        has_deleted: bool = False,
        made_of_texts: MadeOfTexts | None = None,
    ) -> None:
        self.position = position or Position()
        self.time_ms = time_ms
        self.schema = Schema(0, ())
        # without stages it is false, and may have a zone
        self.pipeline = Pipeline() if pipeline is None else pipeline
        self.changes = 0
        self.chunks: dict[str, dict[int, str]] = {}
        self.text_changes = RowLog(made_of_texts)
        self.height, self.has_deleted = height, has_deleted
        self.columns: dict[str, pl.Series] = {}
        self._waiting = waiting or nothing_waits()
        # kept up with the changes: looking through the column for each query would cost more than most queries
        self._stages: set[str | None] | None = None if stages is None else set(stages)
        self._new_stages: set[str | None] = set()
        if frame is not None:
            self.columns = {column.name: column for column in frame}
            self.height, self.has_deleted = frame.height, bool(frame["id"].null_count())
            self._stages = None
        if schema is not None and waiting is not None:
            self.schema = schema
        elif schema is not None:
            self._use_schema(schema)

    @property
    def stages(self) -> set[str | None]:
        """Every stage that occurs or has occurred. Costs as ``read_stages`` does."""
        return self._known_stages() | self._new_stages

    def read_stages(self) -> None:
        """Have ``stages`` at hand, which may have to be read from a column that waits. Costs as ``need`` does."""
        self._known_stages()

    def _known_stages(self) -> set[str | None]:
        if self._stages is None:
            self.need(["stage"])
            self._stages = set(self.columns["stage"].unique()) if "stage" in self.columns else set()
        return self._stages

    @property
    def has_all(self) -> bool:
        """Whether no column waits."""
        return not self._waiting.changes

    @property
    def waiting(self) -> Waiting:
        """The columns that wait, for who reads them; only the replica changes it."""
        return self._waiting

    def need(self, names: Iterable[str] | None = None) -> None:
        """
        Have these columns wait no longer; None for all.

        Raises
        ------
        HistoryReset
            If the checkpoint that has them is gone: the replica has to be rebuilt.

        Cost
        ----
        One round trip, unless none of them waits.
        """
        changes = self._waiting.changes
        asked = changes if names is None else dict.fromkeys(names)
        wanted = [name for name in asked if name in changes]
        for column in self._waiting.read(wanted).values():
            self._end_wait(column)

    def ahead(self) -> Ahead | None:
        """A column that waits, for who reads it ahead; None where none does."""
        names = list(self._waiting.changes)
        return Ahead(self._waiting, names) if names else None

    def put(self, ahead: Ahead, column: pl.Series) -> None:
        """Have a column that was read ahead wait no longer, if it still does."""
        if self._waiting is ahead.waiting and column.name in self._waiting.changes:
            self._end_wait(column)

    def _end_wait(self, column: pl.Series) -> None:
        """Take a column as it was at the checkpoint, with what was changed in it since."""
        name, waiting = column.name, self._waiting
        rows = waiting.changed_rows(name)
        before = column[rows]
        column = waiting.with_changes(column)
        if is_text(column.dtype):
            changed, _ = changing(column, rows, before)
            self._note_texts(changed)
        self.columns[name] = column
        # last: after an interrupt before this it is read again
        del waiting.changes[name]

    def _note_texts(self, rows: pl.Series) -> None:
        self.text_changes = self.text_changes if self.text_changes.add(rows) else RowLog()

    def twin(self) -> Replica:
        """The same state, which stays as it is when this changes; columns that wait are not in it."""
        twin = Replica(
            position=self.position,
            time_ms=self.time_ms,
            pipeline=self.pipeline,
            height=self.height,
            has_deleted=self.has_deleted,
        )
        twin.schema, twin._stages = self.schema, self.stages
        twin.columns = {name: column.clone() for name, column in self.columns.items()}
        return twin

    def row_numbers(self) -> pl.Series:
        """Row number of each deal, deleted ones left out."""
        self.need(["id"])
        rows = pl.Series("row", range(self.height), dtype=pl.UInt32)
        return rows.filter(self.columns["id"].is_not_null()) if self.columns else rows

    def all_rows(self) -> pl.DataFrame:
        """The columns as they are, by row number, deleted rows included; shared until they change."""
        return self.rows(self.schema)

    def rows(self, names: Iterable[str]) -> pl.DataFrame:
        """Some columns, as ``all_rows`` has all."""
        names = list(names)
        self.need(names)
        if not names:
            return pl.DataFrame(height=self.height)
        return pl.DataFrame([self.columns[name] for name in names])

    def some_rows(self, rows: pl.Series) -> pl.DataFrame | None:
        """
        All columns of some rows, in the order given, while those that wait keep waiting.

        None if the checkpoint that has these is gone.
        """
        ascending = rows.sort()
        found = self._waiting.read_rows(self._waiting.changes, ascending)
        if found is None:
            return None
        columns = [
            found[name] if name in found else self.columns[name][ascending] for name in self.schema
        ]
        return pl.DataFrame(columns)[ascending.search_sorted(rows)]

    def apply(self, entries: Sequence[Entry]) -> None:
        """
        Bring the columns forward by these commits, which must follow the position.

        Raises
        ------
        StoreDamaged
            If one of them is not what dealdb wrote.
        """
        before: Schema | None = self.schema
        try:
            with entries[-1].reading() if entries else nullcontext():
                self._apply(entries)
        except StoreDamaged as problem:
            if not isinstance(problem, HistoryReset):
                # says which of them it is
                for entry in entries:
                    before = entry.ensure_readable(before)
            raise

    def _apply(self, entries: Sequence[Entry]) -> None:
        gathered = Gathered(self.height)
        for run in runs_of(entries):
            match run.kind:
                case "set" | "mend":
                    gathered = self._set(gathered, run)
                case "delete":
                    gathered.deleted += chain.from_iterable(unpacked_all(run.packed_rows))
                case "pipeline":
                    self.pipeline = Pipeline.from_json(run.data[-1])
                case "facts":
                    # what was so before is no part of the present; that it can be read is for who reads it
                    pass
                case "add" | "schema":
                    self._scatter(gathered)
                    self._add(run) if run.kind == "add" else self._use_schemas(run)
                    gathered = Gathered(self.height)
                case _:
                    raise unknown_kind(run.last.seq, run.kind)
            self.changes += len(run.data)
            self.position, self.time_ms = run.last, run.times_ms[-1]
        self._scatter(gathered)
        self.columns.update({name: with_fewer_pieces(each) for name, each in self.columns.items()})

    def _add(self, run: Run) -> None:
        frames: list[pl.DataFrame] = []
        height = self.height
        for first, time_ms, added in zip(run.heights, run.times_ms, run.added, strict=True):
            if first > height:
                msg = "rows that nobody has given"
                raise ValueError(msg)
            if first == height:
                frames.append(added)
                height += added.height
            else:
                # after a scan of the hashes, commits can repeat rows that are there already
                self._extend(frames)
                self._overlay(added, first, time_ms)
                frames, height = [], self.height
        self._extend(frames)

    def _overlay(self, added: pl.DataFrame, first: int, time_ms: int) -> None:
        """Set rows from ``first`` on, some of which exist."""
        gathered = Gathered(self.height)
        (_, ids), *columns = added.to_dict(as_series=False).items()
        change = (ids, [name for name, _ in columns], [texts for _, texts in columns])
        rows = list(range(first, first + added.height))
        gathered.add("add", [change], [rows], [first], [time_ms])
        self._scatter(gathered)

    def _extend(self, frames: list[pl.DataFrame]) -> None:
        """Append new rows, given as columns of texts."""
        if not frames:
            return
        added = pl.concat(frames, how="diagonal")
        self.changes += added.height
        given = {name: decode_column(added[name], self.schema[name]) for name in added.columns}
        self._grow(given, added.height)
        if "stage" in added.columns:
            self._new_stages.update(added["stage"].unique())

    def _set(self, gathered: Gathered, run: Run) -> Gathered:
        """Gather commits that set fields; returns what to continue with."""
        for start in range(0, len(run.data), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            rows: list[list[int]] = unpacked_all(run.packed_rows[part])
            if gathered.deleted and not set(gathered.deleted).isdisjoint(chain.from_iterable(rows)):
                # the hash was put back by another program
                self._scatter(gathered)
                gathered = Gathered(self.height)
            changes = unpacked_all(run.data[part])
            for change, some in zip(changes, rows, strict=True):
                # a fourth part says since when, which is no part of the present
                ids, fields, columns, *_ = change
                check_change(ids, fields, columns, len(some), may_be_false=True)
            gathered.add(run.kind, changes, rows, run.heights[part], run.times_ms[part])
        return gathered

    def _use_schemas(self, run: Run) -> None:
        for text in run.data:
            self._use_schema(Schema.from_json(text))

    def _use_schema(self, schema: Schema) -> None:
        stay = {f.name for f in schema.fields if self.schema.get(f.name) == f}
        self.need([name for name in self._waiting.changes if name in schema and name not in stay])
        for name in self._waiting.changes.keys() - stay:
            del self._waiting.changes[name]
        self.chunks = {name: known for name, known in self.chunks.items() if name in stay}
        self.text_changes = RowLog()
        self.columns = {
            f.name: retyped(self.columns[f.name], self.schema.get(f.name), f)
            if f.name in self.columns
            else nulls(f, self.height)
            for f in schema.fields
            if f.name not in self._waiting.changes
        }
        self.schema = schema

    def _scatter(self, gathered: Gathered) -> None:
        self._new_stages.update(gathered.cells["stage"][1] if "stage" in gathered.cells else ())
        self.changes += gathered.n_rows
        if gathered.only_appends:
            self._append(gathered)
            return
        self._grow({}, max(gathered.next_row - self.height, 0))
        for name, (places, texts) in gathered.cells.items():
            self._put_texts(self.schema[name], places, texts)
        if gathered.stamps:
            microseconds = [second * 1_000_000 for second in gathered.stamps.values()]
            stamps = pl.Series(microseconds, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))
            self._put("updated", pl.Series(list(gathered.stamps), dtype=pl.UInt32), stamps)
        if gathered.deleted:
            self.has_deleted = True
            # last: a deal that is saved again after it was deleted gets another row
            for field in self.schema.fields:
                self._clear(field, gathered.deleted)

    def _put_texts(self, field: Field, places: list[int], texts: list[str | None]) -> None:
        """Put texts, of which the last one for a row counts."""
        # what waits can't be compared yet
        column = self.columns.get(field.name) if field.type is FieldType.TEXT else None
        put = values_of(field, places, texts, column)
        if put is not None:
            if column is not None:
                self._note_texts(put[0])
            self._put(field.name, *put)

    def _put(self, name: str, rows: pl.Series, values: pl.Series) -> None:
        if known := self.chunks.get(name):
            for number in chunks_of(rows):
                known.pop(number, None)
        if name in self._waiting.changes:
            self._waiting.changes[name].append((rows, values))
        else:
            self.columns[name] = with_values(self.columns[name], rows, values)

    def _clear(self, field: Field, places: list[int]) -> None:
        column, rows = self.columns.get(field.name), pl.Series(places, dtype=pl.UInt32)
        if field.type is FieldType.TEXT:
            self._put_texts(field, places, [None] * len(places))
        elif column is None or column[rows].null_count() < len(rows):
            self._put(field.name, rows, nulls(field, len(rows)))

    def _grow(self, values: dict[str, pl.Series], n: int) -> None:
        """Append ``n`` rows with these values; null in the other columns."""
        if not n:
            return
        for field in self.schema.fields:
            new = values[field.name] if field.name in values else nulls(field, n)
            if field.name in self._waiting.changes:
                self._waiting.changes[field.name].append((None, new))
            else:
                self.columns[field.name].extend(new)
        self.height += n

    def _append(self, gathered: Gathered) -> None:
        given = {
            name: decoded(texts, self.schema[name]) for name, (_, texts) in gathered.cells.items()
        }
        self._grow(given, gathered.next_row - self.height)
