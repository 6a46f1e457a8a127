"""Facts that were kept and are lost are named, and made again from the log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from connected import checkpoint
from dealdb import DealDatabase
from dealdb.errors import ConfigError, StoreDamaged, StoreError
from dealdb.store.archive.manifest import read_manifest
from dealdb.store.checkpoint import lease, write
from dealdb.store.facts import rebuild
from dealdb.store.facts.following.follower import FactsLog
from dealdb.store.facts.kept_tables import whole_ledger
from dealdb.store.facts.rebuild import lost_pieces, state_of_facts
from dealdb.store.ledger.kept import has_facts
from servers import Server


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(server.url, cache=False) as db:
        for n in range(5):
            db.save_deal({"id": n, "amount": n, "stage": "Lead"})
        db.delete_deal(4)
        yield db


def damage(db: DealDatabase, table: str) -> str:
    store = db._store
    manifest = read_manifest(store.link, store.keys)
    assert manifest
    assert manifest.generations[0].facts
    key = store.keys.chunk(manifest.generations[0].facts.tables[table][0].digest)
    store.link.call("SETRANGE", key, 30, b"damage")
    return key


def state(db: DealDatabase) -> tuple[bool, str]:
    return state_of_facts(db._store.link, db._store.keys)


def assert_whole(db: DealDatabase) -> None:
    link, keys = db._store.link, db._store.keys
    whole, found = whole_ledger(link, keys), FactsLog(link, keys)._begun_with_tables()
    assert found
    for name, table in whole.tables.items():
        if name != "ids":
            assert sorted(found.table(name).rows(), key=repr) == sorted(table.rows(), key=repr)


def test_what_is_lost_is_named_and_made_again(db: DealDatabase) -> None:
    assert state(db)[0]
    checkpoint(db)
    assert "kept up to commit " in state(db)[1]
    assert db.check().ok
    key = damage(db, "cells:amount")
    assert lost_pieces(db._store.link, db._store.keys) == [key]
    is_well, found = state(db)
    assert not is_well
    assert key in found
    report = db.check()
    assert report.lost_facts == (key,)
    assert not report.ok
    assert not report.differences
    db.save_deal({"id": 1, "amount": 7})
    assert db.repair(facts=True).facts == 5
    assert state(db)[0]
    assert db.check().ok
    assert_whole(db)
    assert not db._store.link.call("EXISTS", "deals:lease")


def test_facts_are_kept_of_a_collection_without_checkpoint_and_after_a_restore(
    db: DealDatabase, tmp_path: Path
) -> None:
    assert db.repair(facts=True).facts == 5
    assert_whole(db)
    db.backup(tmp_path / "b.backup")
    db._store.link.call("FLUSHDB")
    db.restore(tmp_path / "b.backup")
    assert not state(db)[0]
    assert db._store.facts().of("amount").height == 5
    assert db.repair(facts=True).facts == 5
    assert_whole(db)
    names = {key.decode() for key in db._store.link.call("SMEMBERS", "deals:chunks")}
    manifest = read_manifest(db._store.link, db._store.keys)
    assert manifest
    assert names == manifest.keys(db._store.keys)


def test_a_history_that_is_not_whole_is_not_kept(db: DealDatabase) -> None:
    db._store.link.call("DEL", "deals:log")
    db.save_deal({"id": 9})
    with pytest.raises(StoreDamaged, match="incomplete"):
        db.repair(facts=True)
    assert not db._store.link.call("EXISTS", "deals:lease")
    assert not state(db)[0]


def test_it_waits_for_others_and_gives_up(db: DealDatabase) -> None:
    checkpoint(db)
    assert lease.take(db._store.link, db._store.keys, "another")
    with (
        patch.object(rebuild, "_PAUSE_S", 0.01),
        pytest.raises(StoreError, match="other processes write checkpoints"),
    ):
        db.repair(facts=True)


def test_a_checkpoint_of_the_meantime_is_not_overwritten(db: DealDatabase) -> None:
    checkpoint(db)
    calls: list[int] = []

    def publish(*given: object) -> bool:
        if not calls:
            calls.append(1)
            db.save_deal({"id": 1, "amount": 9})
            db._store.link.call("DEL", "deals:lease")
            checkpoint(db)
        return write.publish(*given)  # type: ignore[arg-type]

    with patch.object(rebuild, "publish", publish), patch.object(rebuild, "_PAUSE_S", 0.01):
        assert db.repair(facts=True).facts == 6
    manifest = read_manifest(db._store.link, db._store.keys)
    assert manifest
    assert has_facts(manifest.generations[0])
    assert_whole(db)


def test_it_takes_no_other_option(db: DealDatabase) -> None:
    with pytest.raises(ConfigError, match="takes no other option"):
        db.repair(facts=True, adopt=True)
