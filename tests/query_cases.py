"""A query engine over a frame that no server holds, and the order of deals in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import polars as pl

from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.query.deal_source import FixedDeals
from dealdb.query.engine import QueryEngine
from dealdb.store.replica.snapshot import Snapshot


def snapshot_of(frame: pl.DataFrame) -> Snapshot:
    return Snapshot(frame=frame, schema=Schema.standard(), pipeline=Pipeline(), seq=1)


def engine_of(frame: pl.DataFrame) -> QueryEngine:
    return QueryEngine.over(frame)


class Frames(FixedDeals):
    """Deals that are new at each call."""

    def __init__(self, frames: Callable[[], pl.DataFrame]) -> None:
        self._frames = frames

    def snapshot(self, names: Collection[str] | None = None) -> Snapshot:
        return snapshot_of(self._frames())


def in_order(rows: list[dict[str, Any]], keys: list[str]) -> list[str]:
    """Oracle: stable sorts from the last key to the first, nulls last in either direction; ties by id."""
    if keys:
        rows = sorted(rows, key=lambda row: row["id"].encode())
    for key in reversed(keys):
        name, descending = key.removeprefix("-"), key.startswith("-")
        present = [row for row in rows if row[name] is not None]
        absent = [row for row in rows if row[name] is None]

        def value(row: dict[str, Any], name: str = name) -> Any:
            return row[name].encode() if isinstance(row[name], str) else row[name]

        # reverse=True keeps equal rows in their order, as sorted() promises
        rows = sorted(present, key=value, reverse=descending) + absent
    return [row["id"] for row in rows]
