"""Facts are kept with checkpoints: from tables or from the log, they are the same."""

from __future__ import annotations

import logging
from pathlib import Path
from unittest.mock import patch

import polars as pl
import pytest

from dealdb import DealDatabase
from dealdb.connection import Link, round_trips
from dealdb.errors import StoreDamaged
from dealdb.store import Store
from dealdb.store.archive import kept_facts
from dealdb.store.archive.kept_facts import KeptFacts
from dealdb.store.archive.manifest import Generation, read_manifest
from dealdb.store.checkpoint import write
from dealdb.store.checkpoint.write import write_checkpoint
from dealdb.store.commit.batch import Batch
from dealdb.store.facts.following.follower import FactsLog
from dealdb.store.facts.kept_tables import whole_ledger
from dealdb.store.ledger.kept import has_facts
from dealdb.store.ledger.ledger import Ledger
from servers import Server


@pytest.fixture
def store(link: Link) -> Store:
    return Store(link, actor="Ann")


def checkpoint(store: Store, *, anew: bool = True) -> Generation:
    store.snapshot()
    assert write_checkpoint(store.link, store.keys, store._live.replica(), anew=anew)
    return newest(store)


def newest(store: Store) -> Generation:
    manifest = read_manifest(store.link, store.keys)
    assert manifest
    return manifest.generations[0]


def kept(store: Store) -> KeptFacts:
    facts = newest(store).facts
    assert facts
    return facts


def begun(store: Store) -> Ledger:
    return FactsLog(store.link, store.keys)._begun()


def tables(ledger: Ledger) -> dict[str, list[tuple[object, ...]]]:
    """All that a ledger has, without what is left out of the ids since the changes say it."""
    found = {name: sorted(table.rows(), key=repr) for name, table in ledger.tables.items()}
    rows = ledger.touches.table()["row"].unique()
    found["ids"] = sorted(ledger.all_ids(rows).rows())
    found["commits"] = ledger.commits().rows()
    return found


def fill(store: Store, n: int) -> None:
    schema = store.schema()
    for start in range(0, n, 50):
        ids = [str(i) for i in range(start, min(start + 50, n))]
        store.add(schema, [Batch.of(ids, {"name": [f"n{i}" for i in ids]})])
    for i in range(0, n, 3):
        store.save({"id": str(i), "amount": i, "stage": "Lead"})


def test_tables_and_the_log_behind_them_are_the_whole_log(store: Store) -> None:
    fill(store, 120)
    first = checkpoint(store)
    assert first.facts
    assert first.facts.rows_of("commits") == first.position.seq
    store.save({"id": "3", "amount": "7.5"}, at=1_000)
    store.delete("4")
    store.save({"id": "4", "stage": "Won"})
    assert tables(begun(store)) == tables(whole_ledger(store.link, store.keys))
    second = checkpoint(store)
    assert has_facts(second)
    store.save({"id": "3", "amount": None})
    assert tables(begun(store)) == tables(whole_ledger(store.link, store.keys))


def test_a_checkpoint_writes_what_is_new_and_joins_small_pieces_now_and_then(store: Store) -> None:
    fill(store, 400)
    before = set(checkpoint(store).facts.keys(store.keys))  # type: ignore[union-attr]
    sizes = []
    for n in range(12):
        for i in range(10):
            store.save({"id": str(i), "amount": n * 100 + i + 1})
        facts = checkpoint(store).facts
        assert facts
        sizes.append([piece.n_rows for piece in facts.tables["cells:amount"]])
        if n == 0:
            # fields that nobody changed have their pieces
            assert facts.tables["cells:stage"] == kept(store).tables["cells:stage"]
            assert len(before & set(facts.keys(store.keys))) >= 2
    assert all(len(each) <= 4 for each in sizes)
    assert any(len(each) > 1 for each in sizes)
    assert tables(begun(store)) == tables(whole_ledger(store.link, store.keys))
    # what was joined is gone
    names = {key.decode() for key in store.link.call("KEYS", "deals:chunk:*")}
    manifest = read_manifest(store.link, store.keys)
    assert manifest
    needed = {key for key in manifest.keys(store.keys) if key.startswith("deals:chunk:")}
    assert names == needed


def test_a_load_joins_pieces_only_where_they_are_many(store: Store) -> None:
    for n in range(4):
        store.save({"id": str(n), "amount": n})
        checkpoint(store, anew=False)
    assert len(kept(store).tables["commits"]) == 4
    store.save({"id": "9"})
    with patch("dealdb.store.ledger.keeping.MANY", 4):
        checkpoint(store, anew=False)
    assert len(kept(store).tables["commits"]) == 1
    assert tables(begun(store)) == tables(whole_ledger(store.link, store.keys))


def test_large_tables_are_cut(store: Store) -> None:
    with (
        patch.object(kept_facts, "PIECE_ROWS", 50),
        patch("dealdb.store.ledger.keeping._MOST_CHANGES", 60),
        patch.object(kept_facts, "_SMALL_ROWS", 20),
    ):
        fill(store, 170)
        facts = checkpoint(store).facts
        assert facts
        assert max(piece.n_rows for some in facts.tables.values() for piece in some) <= 50
        assert len(facts.tables["cells:name"]) > 3
        assert tables(begun(store)) == tables(whole_ledger(store.link, store.keys))


def test_a_field_is_read_when_it_is_asked_for(store: Store) -> None:
    fill(store, 30)
    checkpoint(store)
    log = FactsLog(store.link, store.keys)
    before = round_trips()
    facts = log.recorded()
    # manifest, log, and the tables of all deals together
    assert round_trips() - before == 3
    facts.of("stage")
    facts.of("stage")
    assert round_trips() - before == 4
    log.recorded()
    assert round_trips() - before == 5


def test_facts_that_were_handed_out_stay_as_they_are(store: Store) -> None:
    store.save({"id": "1", "stage": "Lead", "amount": 1})
    checkpoint(store)
    log = FactsLog(store.link, store.keys)
    old = log.recorded()
    store.save({"id": "1", "stage": "Won", "amount": 2})
    store.save({"id": "2", "stage": "Won"})
    new = log.recorded()
    assert new.of("stage").height == 3
    assert old.of("stage").height == 1
    # pieces that another checkpoint has joined since
    checkpoint(store)
    checkpoint_n = 5
    for n in range(checkpoint_n):
        store.save({"id": "1", "amount": n + 10})
        checkpoint(store)
    assert [float(value) for value in old.of("amount")["value"]] == [1]
    assert [float(value) for value in new.of("amount")["value"]] == [1, 2]


@pytest.mark.parametrize("how", ["lost", "damaged", "another type", "another piece"])
@pytest.mark.parametrize("table", ["commits", "ids", "cells:amount"])
def test_the_log_stands_in_for_pieces(
    store: Store, how: str, table: str, caplog: pytest.LogCaptureFixture
) -> None:
    fill(store, 30)
    checkpoint(store)
    store.save({"id": "1", "amount": "5"})
    right = tables(whole_ledger(store.link, store.keys))
    key = store.keys.chunk(kept(store).tables[table][0].digest)
    other = store.keys.chunk(kept(store).tables["cells:name"][0].digest)
    match how:
        case "lost":
            store.link.call("DEL", key)
        case "damaged":
            store.link.call("SETRANGE", key, 20, b"damage")
        case "another type":
            store.link.call("DEL", key)
            store.link.call("HSET", key, "a", "b")
        case _:
            store.link.call("SET", key, store.link.call("GET", other))
    caplog.set_level(logging.WARNING)
    facts = FactsLog(store.link, store.keys).recorded()
    assert [float(v) for v in facts.of("amount").filter(pl.col("life") == 1)["value"]] == [5]
    assert "dealdb repair --facts" in caplog.text
    assert tables(begun(store)) == right
    # the next checkpoints go on behind what is damaged
    store.save({"id": "1", "amount": "6"})
    checkpoint(store)
    assert (
        FactsLog(store.link, store.keys).recorded().of("amount").height
        == facts.of("amount").height + 1
    )


def test_an_error_says_that_neither_tables_nor_history_are_whole(store: Store) -> None:
    fill(store, 30)
    with patch("dealdb.store.checkpoint.write._Checkpointer._bearable", 0):
        checkpoint(store)
    (segment,) = store.link.call("KEYS", "deals:history:*")
    store.link.call("DEL", segment)
    # the tables alone are enough
    facts = FactsLog(store.link, store.keys).recorded()
    assert facts.of("name").height == 30
    store.link.call("DEL", store.keys.chunk(kept(store).tables["cells:amount"][0].digest))
    with pytest.raises(
        StoreDamaged, match=r"tables of the facts of 'deal'.*incomplete after commit 0"
    ):
        FactsLog(store.link, store.keys).recorded().of("amount")


def test_a_history_without_its_beginning_is_not_kept(store: Store) -> None:
    store.save({"id": "1", "amount": 1})
    store.link.call("DEL", "deals:log")
    store.save({"id": "2", "amount": 1})
    assert checkpoint(store).facts is None


def test_what_an_older_version_has_not_kept_is_made_by_a_checkpoint_or_left(store: Store) -> None:
    fill(store, 30)
    generation = checkpoint(store)
    store.save({"id": "1", "amount": 1})
    text = store.link.call("GET", "deals:checkpoint").decode()
    without = text.replace('"facts":', '"unknown":')
    store.link.call("SET", "deals:checkpoint", without)
    assert newest(store).facts is None
    with patch.object(write, "_MOST_REBUILT", 0):
        assert checkpoint(store).facts is None
    store.save({"id": "1", "amount": 2})
    facts = checkpoint(store).facts
    assert facts
    assert generation.position.seq < facts.rows_of("commits") == newest(store).position.seq
    assert tables(begun(store)) == tables(whole_ledger(store.link, store.keys))


def test_a_process_keeps_pieces_on_its_disk(server: Server, tmp_path: Path) -> None:
    with DealDatabase.from_url(server.url, cache=tmp_path / "cache") as db:
        fill(db._store, 30)
        checkpoint(db._store)
        db._store.facts().of("stage")
    with DealDatabase.from_url(server.url, cache=tmp_path / "cache") as db:
        ledger, before = db._store._facts._begun(), round_trips()
        ledger.need(["commits", "ids", "cells:stage"])
        assert ledger.cells("stage").height == 10
        assert round_trips() == before
