"""The history of one deal by the indexes: what a read of everything tells, and little of it is read."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

import polars as pl
import pytest

from dealdb import DealDatabase
from dealdb.connection import round_trips
from dealdb.errors import StoreDamaged
from dealdb.store.archive.lookup.recent_chunks import SHELF
from dealdb.store.archive.manifest import Manifest, read_manifest
from dealdb.store.archive.segments import Segment
from dealdb.store.checkpoint.write import write_checkpoint
from dealdb.store.history.changes import history_in, history_of
from dealdb.store.history.reading import read_history
from servers import Server

# updated again and again, deleted, deleted and saved again three times, updated, added in bulk and left alone, twice,
# removed by another program and saved again, in the log alone, and of no commit
DEALS = ("D1", "D2", "D3", "D4", "D500", "E7", "D6", "new", "never")


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}", cache=False) as db:
        yield db


def checkpoint(db: DealDatabase) -> None:
    db.query.count()
    assert write_checkpoint(db._store.link, db._store.keys, db._store._live.replica())


def manifest_of(db: DealDatabase) -> Manifest:
    manifest = read_manifest(db._store.link, db._store.keys)
    assert manifest
    return manifest


@pytest.fixture(scope="module")
def kept() -> dict[bytes, bytes]:
    """All keys of a server with that collection, once one has been made."""
    return {}


@pytest.fixture
def full(db: DealDatabase, server: Server, kept: dict[bytes, bytes]) -> DealDatabase:
    """A collection in whose history everything has happened."""
    with server.client() as client:
        if kept:
            for key, value in kept.items():
                client.restore(key, 0, value)
        else:
            with DealDatabase.from_url(f"unix://{server.socket}", cache=False) as other:
                fill(other)
            kept.update({key: client.dump(key) for key in client.scan_iter()})
    return db


def fill(db: DealDatabase) -> None:
    rows = [{"id": f"D{n}", "amount": n, "name": f"Deal {n}"} for n in range(1, 601)]
    db.loader.load(rows, bar=False)
    draw = random.Random(1)
    for round_ in range(3):
        for n in range(40):
            db.save_deal({"id": f"D{draw.randrange(1, 5)}", "amount": round_ * 100 + n})
        db.delete_deal("D3")
        db.save_deal({"id": "D3", "name": f"again {round_}"})
        checkpoint(db)
    db.delete_deal("D2")
    link = db._store.link
    link.call("DEL", "deal:D6")
    db.save_deal({"id": "D6", "name": "again"})
    db.loader.load([{"id": f"E{n}", "amount": n} for n in range(50)], bar=False)
    checkpoint(db)
    db.save_deal({"id": "D1", "amount": 1_000})
    db.save_deal({"id": "new"})


def wholly(db: DealDatabase, deal: str) -> pl.DataFrame:
    return history_of(db._store.link, db._store.keys, deal)


def all_wholly(db: DealDatabase) -> dict[str, pl.DataFrame]:
    """The history of each deal by one read of everything."""
    entries = list(read_history(db._store.link, db._store.keys))
    return {deal: history_in(entries, deal) for deal in DEALS}


def agree(db: DealDatabase, told: dict[str, pl.DataFrame] | None = None) -> None:
    """The history of each deal is what was told before, or what a read of everything tells."""
    for deal, history in (told or all_wholly(db)).items():
        assert db.deal_history(deal).equals(history), deal


def by_index(db: DealDatabase, deal: str = "D1") -> bool:
    """Whether the whole history is not read."""
    with patch("dealdb.store.history.changes.read_history", side_effect=AssertionError) as read:
        try:
            db.deal_history(deal)
        except AssertionError:
            assert read.called
            return False
    return True


def test_all_that_can_become_of_a_deal(full: DealDatabase, server: Server) -> None:
    agree(full)
    assert by_index(full, "never")
    assert full.deal_history("never").height == 0
    assert full.deal_history("D6")["change"].to_list() == ["inserted"] * 3
    with DealDatabase.from_url(f"unix://{server.socket}") as other:
        assert by_index(other)
        agree(other)
        # what comes later is seen by both
        other.save_deal({"id": "D4", "amount": -1})
        checkpoint(other)
        other.update_deal("D4", amount=-2)
        assert full.deal_history("D4")["after"].to_list()[-2:] == ["-1", "-2"]
        agree(full)
    full._store.link.call("FLUSHDB")
    assert full.deal_history("D1").height == 0
    full.save_deal({"id": "D1", "amount": 3})
    assert full.deal_history("D1")["after"].to_list() == ["3"]


def test_a_collection_that_nobody_has_checkpointed(db: DealDatabase) -> None:
    for n in range(250):
        db.save_deal({"id": n % 5, "amount": n})
    assert by_index(db, "3")
    assert db.deal_history(3).equals(wholly(db, "3"))
    db.save_deal({"id": 3, "amount": -1})
    assert db.deal_history(3)["after"].to_list()[-1] == "-1"


def test_three_round_trips_and_one_for_the_values_in_chunks(full: DealDatabase) -> None:
    full.deal_history("D1")
    # what another test has read is in memory
    SHELF.renew()
    for deal, most in (("D1", 3), ("E7", 4), ("E8", 3), ("new", 3), ("never", 2)):
        before = round_trips()
        full.deal_history(deal)
        assert round_trips() - before == most, deal


Damage = Callable[[DealDatabase, Segment], object]


def written(key: Callable[[Segment], str], place: int) -> Damage:
    return lambda db, segment: db._store.link.call("SETRANGE", key(segment), place, b"damage")


def index_key(segment: Segment) -> str:
    assert segment.index
    return segment.index.key


DAMAGES: dict[str, Damage] = {
    "head": written(index_key, 5),
    "block": lambda db, segment: written(index_key, segment.index.head_bytes)(db, segment),  # type: ignore[union-attr]
    "no index": lambda db, segment: db._store.link.call("DEL", index_key(segment)),
    "another index": lambda db, segment: db._store.link.call("SET", index_key(segment), b"x" * 9_999),
    "of another type": lambda db, segment: (
        db._store.link.call("DEL", index_key(segment)),
        db._store.link.call("RPUSH", index_key(segment), "x"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("is_known", [False, True])
def test_a_damaged_index_costs_time_alone(
    full: DealDatabase, damage: str, *, is_known: bool
) -> None:
    if is_known:
        full.deal_history("D1")
    told = all_wholly(full)
    DAMAGES[damage](full, manifest_of(full).history[1])
    agree(full, told)


@pytest.mark.parametrize("damage", sorted(set(DAMAGES) - {"block"}))
def test_a_checkpoint_makes_a_damaged_index_again(full: DealDatabase, damage: str) -> None:
    told = all_wholly(full)
    DAMAGES[damage](full, manifest_of(full).history[1])
    full.save_deal({"id": "other"})
    checkpoint(full)
    assert all(segment.index for segment in manifest_of(full).history)
    assert by_index(full)
    agree(full, told)


@pytest.mark.parametrize("how", ["lost", "damaged"])
def test_lost_history_is_told_and_never_left_out(full: DealDatabase, how: str) -> None:
    """Of a segment that has something of the deal; one that is missing is told in any case."""
    link = full._store.link
    agree(full)
    segment = manifest_of(full).history[0]
    if how == "lost":
        link.call("DEL", segment.key)
    else:
        link.call("SETRANGE", segment.key, link.call("STRLEN", segment.key) // 2, b"damage")
    for deal in ("D1", "D500", *(["never"] if how == "lost" else [])):
        with pytest.raises(StoreDamaged, match="incomplete"):
            full.deal_history(deal)


def test_segments_of_an_older_version_get_an_index_in_time(full: DealDatabase) -> None:
    """It leaves indexes out of the manifest that it writes, and removes them."""
    link = full._store.link
    document = json.loads(link.call("GET", "deals:checkpoint"))
    n = len(document["history"])
    assert n == 4
    document["history"] = [each[:6] for each in document["history"]]
    link.call("SET", "deals:checkpoint", json.dumps(document, separators=(",", ":")))
    assert not by_index(full)
    agree(full)
    for left in range(n - 1, -1, -1):
        full.save_deal({"id": "other", "amount": left})
        checkpoint(full)
        assert sum(not each.index for each in manifest_of(full).history) == left
    assert by_index(full)
    agree(full)
    known = {key.decode() for key in link.call("SMEMBERS", "deals:chunks")}
    assert known == manifest_of(full).keys(full._store.keys)
    stored = {key.decode() for key in link.call("KEYS", "deals:*") if key.count(b":") > 1}
    assert stored == known


def test_what_a_backup_restores_has_indexes(full: DealDatabase, tmp_path: Path) -> None:
    told = all_wholly(full)
    full.backup(tmp_path / "a.backup")
    full._store.link.call("FLUSHDB")
    full.restore(tmp_path / "a.backup")
    assert all(segment.index for segment in manifest_of(full).history)
    assert by_index(full)
    agree(full, told)


def test_facts_that_were_imported_are_found_too(full: DealDatabase) -> None:
    def told(day: str) -> list[dict[str, object]]:
        return [
            {"id": deal, "at": f"2026-01-{day}", "field": "stage", "value": f"of {day}"}
            for deal in ("D1", "D500", "ghost")
        ]

    full.history.load(told("05"))
    checkpoint(full)
    full.save_deal({"id": "D4", "amount": 4})
    full.history.load(told("07"))
    agree(full)
    for deal in ("D1", "D500", "ghost"):
        assert by_index(full, deal)
        assert full.deal_history(deal).equals(wholly(full, deal))
        told_of = full.deal_history(deal).filter(field="stage")
        assert told_of["after"].to_list() == ["of 05", "of 07"]


def test_what_was_added_in_bulk_is_found_by_the_index_whatever_its_values_are(
    db: DealDatabase,
) -> None:
    given: dict[str, list[object]] = {
        "tags": [["renewal", "EMEA"], [], None],
        "amount": [Decimal("1.50"), Decimal(-3), None],
        "share": [0.1, -0.0, None],
        "seats": [2**63 - 1, 0, None],
        "is_new": [True, False, None],
        "closed": [date(1, 1, 1), date(9999, 12, 31), None],
        "seen": [datetime(1969, 12, 31, 23, 59, 59, 500_000, UTC), datetime.max.replace(tzinfo=UTC), None],
        "probability": [Decimal("0.5"), Decimal(1), None],
        "note": ["a\0b", "", None],
    }  # fmt: skip
    ids = [f"D{n}" for n in range(30)]
    frame = pl.DataFrame({"id": ids, **{name: cells * 10 for name, cells in given.items()}})
    db.loader.load(frame, bar=False)
    checkpoint(db)
    for deal in ids[:3]:
        assert by_index(db, deal)
        assert db.deal_history(deal).equals(wholly(db, deal))
    assert db.deal_history("D0").height == len(given)


def test_an_interrupt_after_a_checkpoint_has_nothing_told_twice(db: DealDatabase) -> None:
    told = [{"id": 1, "at": "2026-01-05", "field": "owner", "value": "Ann"}]
    db.history.load(told)
    db.history.load([{**told[0], "op": "retract"}])
    db.save_deal({"id": 1, "owner": "Bob"})
    before = db.deal_history(1)
    assert before["change"].to_list() == ["updated", "retracted", "inserted"]
    checkpoint(db)
    with (
        patch("dealdb.store.history.index.one_deal.LogTail", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        db.deal_history(1)
    assert db.deal_history(1).equals(before)
