"""A store in memory for tests of the loader: what was written, checked as strictly as the server does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dealdb.errors import ConflictError
from dealdb.loader import DataLoader, LoadReport
from dealdb.loader.store_protocol import LoadPiece
from dealdb.model.columns import decode_frame
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Field, Schema
from dealdb.model.values import Value, decode, encode
from dealdb.store.commit.batch import Batch
from dealdb.store.commit.change import Mark
from dealdb.store.commit.durability import Durability
from dealdb.store.history.confirm import Seen
from dealdb.store.log.entry import Position
from dealdb.store.replica.snapshot import Snapshot


@dataclass(frozen=True)
class Written:
    inserted: int
    updated: int
    unchanged: int


@dataclass(frozen=True)
class Found:
    rev: int


class Recorder:
    """The narrow store that the loader writes to."""

    def __init__(self) -> None:
        self.deals: dict[str, dict[str, str]] = {}
        self.revs: dict[str, int] = {}
        self.batches: list[tuple[list[str], dict[str, list[str | None]]]] = []
        self._schema = Schema.standard()
        self._pipeline = Pipeline()

    def schema(self) -> Schema:
        return self._schema

    def pipeline(self) -> Pipeline:
        return self._pipeline

    def count(self) -> int:
        return len(self.deals)

    def set_pipeline(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def get_many(self, ids: Sequence[str]) -> list[Found | None]:
        return [
            Found(self.revs.get(deal_id, 0)) if deal_id in self.deals else None for deal_id in ids
        ]

    def look(self) -> Seen:
        return Seen(self._schema, self._pipeline, Position(), len(self.deals))

    def depend(self) -> None:
        pass

    @property
    def partitions(self) -> int:
        return 1

    @property
    def pieces(self) -> Sequence[LoadPiece]:
        return ()

    def piece_of(self, deal_id: str) -> int:
        return 0

    def positions_of(self, position: Position) -> list[Position]:
        return [position]

    def split(self, batches: Iterable[Batch]) -> list[Batch]:
        return list(batches)

    def promise(self, durability: Durability | None = None) -> None:
        pass

    def confirm(self, since: Position, durability: Durability | None = None) -> Position:
        return since

    def announce_load(self, load: str, notes: Sequence[str]) -> None:
        pass

    def forget_load(self, load: str) -> None:
        pass

    def delete_many(
        self, ids: Sequence[str], *, max_rev: int | None = None, mark: Mark | None = None
    ) -> int:
        self._check_revs(ids, max_rev)
        return sum(self.deals.pop(deal_id, None) is not None for deal_id in ids)

    def _check_revs(self, ids: Sequence[str], max_rev: int | None) -> None:
        if max_rev is None:
            return
        for deal_id in ids:
            rev = self.revs.get(deal_id, 0)
            if rev > max_rev or (max_rev == 0 and deal_id in self.deals):
                raise ConflictError(deal_id, expected_rev=max_rev, actual_rev=rev)

    def declare(self, fields: Iterable[Field]) -> Schema:
        self._schema = self._schema.with_fields(fields)
        return self._schema

    def redefine(self, change: Callable[[Pipeline], Pipeline]) -> Pipeline:
        self._pipeline = change(self._pipeline)
        return self._pipeline

    def add(self, schema: Schema, batches: Sequence[Batch], marks: Sequence[Mark | None]) -> int:
        for place, (batch, mark) in enumerate(zip(batches, marks, strict=True)):
            if not self.deals.keys().isdisjoint(batch.ids):
                return place
            self.write(schema, batch, mark=mark)
        return len(batches)

    def write(
        self,
        schema: Schema,
        batch: Batch,
        *,
        max_rev: int | None = None,
        mark: Mark | None = None,
    ) -> Written:
        batch = batch.within(schema)
        ids, columns = batch.ids, batch.columns
        self._check_revs(ids, max_rev)
        assert schema == self._schema
        assert len(set(ids)) == len(ids)
        assert "id" not in columns
        self.batches.append((list(ids), {name: list(cells) for name, cells in columns.items()}))
        outcomes = {"inserted": 0, "updated": 0, "unchanged": 0}
        for row, deal_id in enumerate(ids):
            assert deal_id
            before = self.deals.get(deal_id)
            after = dict(before or {})
            for name, cells in columns.items():
                text = cells[row]
                if text is None:
                    after.pop(name, None)
                else:
                    # the one text that the value has, or the server could not tell that nothing changed
                    assert encode(decode(text, schema[name]), schema[name]) == text
                    after[name] = text
            self.deals[deal_id] = after
            outcome = (
                "inserted" if before is None else "unchanged" if before == after else "updated"
            )
            outcomes[outcome] += 1
            if outcome != "unchanged":
                self.revs[deal_id] = len(self.batches)
        return Written(**outcomes)

    def settling(self) -> AbstractContextManager[None]:
        return nullcontext()

    def frame(self) -> pl.DataFrame:
        columns = {name: [deal.get(name) for deal in self.deals.values()] for name in self._schema}
        return decode_frame({**columns, "id": list(self.deals)}, self._schema.fields)

    def snapshot(self) -> Snapshot:
        return Snapshot(
            frame=self.frame(),
            schema=self._schema,
            pipeline=self._pipeline,
            seq=len(self.batches),
            position=Position(len(self.batches), b""),
        )

    def load(self, source: Any, **options: Any) -> LoadReport:
        """Load, and hold the report to what it promises."""
        report = DataLoader(lambda: self).load(source, **{"rejects": False, **options})
        done = (
            report.inserted + report.updated + report.unchanged + report.skipped + report.rejected
        )
        assert report.read == done
        assert sum(report.reasons.values()) == report.rejected
        return report

    def load_text(
        self, folder: Path, text: str | bytes, name: str = "deals.csv", **options: Any
    ) -> LoadReport:
        """Load a file of this text."""
        path = folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return self.load(path, **options)

    def values(self, deal_id: str) -> dict[str, Value]:
        """Typed values of a deal."""
        return {
            name: decode(text, self._schema[name]) for name, text in self.deals[deal_id].items()
        }
