"""Whole deals of a query's result, by a process that has read no more than the columns of its filter and order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import product
from typing import Any

import polars as pl
import pytest

from connected import checkpoint, ended
from dealdb import DealDatabase
from dealdb.store.archive.manifest import read_manifest
from servers import Server

ROWS = 4
LARGEST: dict[str, Any] = {"where": "amount >= 3", "sort": "-amount", "limit": 3}


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("archive.chunks", "live.columns", "checkpoint.schedule"):
        monkeypatch.setattr(f"dealdb.store.{module}.CHUNK_ROWS", ROWS)
    monkeypatch.setattr("dealdb.store.archive.chunks._GROUP_ROWS", 2)


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    """A process that has all columns, of deals that changed in every way since the checkpoint."""
    with DealDatabase.from_url(server.url) as db:
        for n in range(5 * ROWS):
            tags = None if n % 3 else [f"t{n}", "both"]
            name = f"Deal {n}" if n % 5 else None
            db.save_deal({"id": n, "name": name, "stage": "Won", "amount": n % 7, "tags": tags})
        db.save_deal({"id": 0, "seats": 5, "created": date(2026, 1, 31), "rate": 0.5})
        checkpoint(db)
        db.save_deal({"id": 3, "name": "Renamed", "stage": "New stage", "tags": ["x"]})
        db.save_deal({"id": 3, "name": None})
        db.save_deal({"id": 6, "note": "a new column", "seats": 2.5})
        db.delete_deal(7)
        db.save_deal({"id": 7, "name": "Again", "amount": 6})
        for n in range(100, 103):
            db.save_deal({"id": n, "name": f"Later {n}", "amount": n, "tags": [f"t{n}"]})
        db.save_deal({"id": 101, "name": "Later, and changed"})
        db.delete_deal(102)
        yield db


def newcomer(db: DealDatabase) -> DealDatabase:
    return DealDatabase.from_url(db.connection.settings.where)


def waits(db: DealDatabase) -> bool:
    live = db._store._live
    with live._lock:
        return not live._replica.has_all


@pytest.mark.parametrize("where", [None, "amount >= 3", "stage = 'New stage'", "id = 'none'"])
def test_few_whole_deals_are_those_of_the_columns(db: DealDatabase, where: str | None) -> None:
    sorts: list[Any] = [None, "-amount", ["stage", "-id"]]
    for sort, (limit, offset) in product(sorts, ((5, 0), (2, 3), (0, 0), (4, 15))):
        asked: dict[str, Any] = {"sort": sort, "limit": limit, "offset": offset}
        with newcomer(db) as cold:
            found = cold.query.find(where, **asked)
            assert waits(cold), asked
            assert found.equals(db.query.find(where, **asked), null_equal=True), asked
            assert found.schema == db.query.frame(text=True).schema
            # who asks again is served alike, and has the columns soon
            assert cold.query.find(where, **asked).equals(found, null_equal=True), asked
            ended("dealdb-read-ahead")
            assert not waits(cold)
            assert cold.query.find(where, **asked).equals(found, null_equal=True), asked


def test_many_deals_are_taken_from_the_columns(db: DealDatabase) -> None:
    with newcomer(db) as cold:
        assert cold.query.find("amount >= 0", limit=1_000).equals(db.query.find("amount >= 0"))
        assert not waits(cold)


def test_few_deals_need_few_chunks(db: DealDatabase, server: Server) -> None:
    manifest = read_manifest(db._store.link, db._store.keys)
    assert manifest is not None
    columns = manifest.generations[0].columns
    assert columns is not None
    with newcomer(db) as cold, server.client() as client:
        client.config_resetstat()
        assert cold.query.find(limit=1, id="6").height == 1
        asked = int(client.info("commandstats")["cmdstat_get"]["calls"])
    # the manifest, the chunks of the id, and one chunk of each other column
    assert asked <= 1 + len(columns.digests["id"]) + len(columns.digests) - 1


def test_deals_of_a_commit_that_is_not_the_last_any_more_are_asked_for_anew(
    db: DealDatabase,
) -> None:
    rows = pl.Series([1, 2], dtype=pl.UInt32)
    with newcomer(db) as cold:
        before = cold._store.snapshot(["amount"])
        db.save_deal({"id": 1, "name": "Other"})
        now = cold._store.snapshot(["amount"])
        assert before.whole_rows(rows) is None
        found = now.whole_rows(rows.reverse())
        assert found is not None
        assert found["name"].to_list() == ["Deal 2", "Other"]


def test_deals_whose_chunks_are_gone_are_asked_for_anew(db: DealDatabase, server: Server) -> None:
    with newcomer(db) as cold:
        part = cold._store.snapshot(["amount"])
        with server.client() as client:
            client.delete(*client.keys("deals:chunk:*"))
        assert part.whole_rows(pl.Series([1], dtype=pl.UInt32)) is None
        # two at once: the columns of the order are there, those of the rest are not
        found = cold.query.find(**LARGEST)
        assert found.equals(db.query.find(**LARGEST), null_equal=True)
