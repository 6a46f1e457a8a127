"""A load that writes nothing, and counts exactly what it would have done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import polars as pl

from dealdb.errors import ConflictError
from dealdb.loader.store_protocol import Deals, LoadPiece, LoadTarget, Revised
from dealdb.loader.writing.conflicts import BatchCounts
from dealdb.model.columns import encode_column
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Field, Schema
from dealdb.store.commit.batch import Batch
from dealdb.store.commit.change import Mark
from dealdb.store.commit.durability import Durability
from dealdb.store.history.confirm import Seen
from dealdb.store.log.entry import Position


@dataclass(frozen=True, slots=True)
class _Found:
    rev: int = 0


class DryRun:
    """
    Stands for a store during a dry run: reads from it once, and keeps what would be written to itself.

    Parameters
    ----------
    store
        The collection; only read.
    """

    def __init__(self, store: LoadTarget) -> None:
        self._schema = store.schema()
        self._pipeline = store.pipeline()
        self._snapshot = store.snapshot()
        ids = self._snapshot.frame["id"].to_list()
        self._rows = {deal_id: row for row, deal_id in enumerate(ids)}
        self._texts: dict[str, pl.Series] = {}
        self._written: dict[str, dict[str, str | None]] = {}

    def schema(self) -> Schema:
        """Fields that there would be."""
        return self._schema

    def pipeline(self) -> Pipeline:
        """Stages that there would be."""
        return self._pipeline

    def snapshot(self) -> Deals:
        """Deals that exist."""
        return self._snapshot

    def declare(self, fields: Iterable[Field]) -> Schema:
        """Add or widen fields in mind."""
        self._schema = self._schema.with_fields(fields)
        return self._schema

    def redefine(self, change: Callable[[Pipeline], Pipeline]) -> Pipeline:
        """Make other stages of these in mind."""
        self._pipeline = change(self._pipeline)
        return self._pipeline

    def get_many(self, ids: Sequence[str]) -> Sequence[Revised | None]:
        """Something for each deal that would exist, None for the others."""
        return [_Found() if self._exists(deal_id) else None for deal_id in ids]

    def look(self) -> Seen:
        """What there would be; the last commit is nowhere, as a dry run adds none."""
        return Seen(self._schema, self._pipeline, Position(), len(self._rows))

    def depend(self) -> None:
        """Nothing: there is nothing to lose."""

    def promise(self, durability: Durability | None = None) -> None:
        """Nothing: nothing is written."""

    @property
    def partitions(self) -> int:
        """One: all is written in one place, to nowhere."""
        return 1

    @property
    def pieces(self) -> Sequence[LoadPiece]:
        """None that has anything of it."""
        return ()

    def piece_of(self, deal_id: str) -> int:  # noqa: ARG002  # the store's signature
        """The only one."""
        return 0

    def positions_of(self, position: Position) -> list[Position]:
        """That one."""
        return [position]

    def split(self, batches: Iterable[Batch]) -> Sequence[Batch]:
        """The batches."""
        return list(batches)

    def confirm(
        self,
        since: Position,
        durability: Durability | None = None,  # noqa: ARG002  # the store's signature
    ) -> Position:
        """Nowhere either."""
        return since

    def announce_load(self, load: str, notes: Sequence[str]) -> None:
        """Nothing: no other run continues it."""

    def forget_load(self, load: str) -> None:
        """Nothing: a dry run leaves everything as it is."""

    def delete_many(
        self,
        ids: Sequence[str],
        *,
        max_rev: int | None = None,  # noqa: ARG002  # the store's signature
        mark: Mark | None = None,  # noqa: ARG002  # likewise
    ) -> int:
        """How many such deals there would be."""
        return sum(map(self._exists, ids))

    def add(
        self,
        schema: Schema,  # noqa: ARG002  # the store's signature
        batches: Sequence[Batch],  # noqa: ARG002  # likewise
        marks: Sequence[Mark | None],  # noqa: ARG002  # likewise
    ) -> int:
        """None: ``write`` finds out what is new."""
        return 0

    def write(
        self,
        schema: Schema,  # noqa: ARG002  # the store's signature
        batch: Batch,
        *,
        max_rev: int | None = None,
        mark: Mark | None = None,  # noqa: ARG002  # likewise
    ) -> BatchCounts:
        """Outcome that a batch would have."""
        batch = batch.within(self._schema)
        ids, columns = batch.ids, batch.columns
        known = [self._exists(deal_id) for deal_id in ids]
        if max_rev == 0 and any(known):
            raise ConflictError(ids[known.index(True)], expected_rev=0, actual_rev=1)
        inserted = known.count(False)
        updated = sum(map(all, zip(known, self._differing(ids, columns), strict=True)))
        for place, deal_id in enumerate(ids):
            cells = {name: column[place] for name, column in columns.items()}
            self._written.setdefault(deal_id, {}).update(cells)
        return BatchCounts(inserted, updated, len(ids) - inserted - updated)

    def settling(self) -> AbstractContextManager[None]:
        """Nothing: nothing is written."""
        return nullcontext()

    def _exists(self, deal_id: str) -> bool:
        return deal_id in self._rows or deal_id in self._written

    def _differing(self, ids: Sequence[str], columns: Mapping[str, Sequence[str | None]]) -> list[bool]:  # fmt: skip
        rows = pl.Series([self._rows.get(deal_id) for deal_id in ids], dtype=pl.UInt32)
        written = [self._written.get(deal_id, {}) for deal_id in ids]
        differs = [False] * len(ids)
        for name, after in columns.items():
            stored = self._stored(name, rows)
            for place, (old, new) in enumerate(zip(stored, after, strict=True)):
                if written[place].get(name, old) != new:
                    differs[place] = True
        return differs

    def _stored(self, name: str, rows: pl.Series) -> list[str | None]:
        frame = self._snapshot.frame
        if name not in frame.columns:
            return [None] * rows.len()
        if name not in self._texts:
            self._texts[name] = encode_column(frame[name], self._snapshot.schema[name])
        return self._texts[name].gather(rows).to_list()
