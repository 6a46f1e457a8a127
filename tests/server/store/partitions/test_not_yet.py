"""Every public method gives the same with partitions as without, or says that it can't yet."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dealdb import DealDatabase, NotOnPartitions
from dealdb.database import LiveDeals
from dealdb.store import Store
from dealdb.store.partitions.not_yet import NotYet
from dealdb.store.partitions.partitioned import PartitionedStore
from servers import Server

# what each test below tries, or what asks no collection
TRIED = {
    "health", "examine", "is_connected", "select_database", "close", "mend", "check_backup", "from_url", "embedded",
    "save_deal", "update_deal", "get_deal", "get_deals", "place_of", "delete_deal", "acting_as", "set_pipeline",
    "deal_history", "changes", "as_of", "pinned", "check", "count_foreign", "repair", "backup", "restore",
    "rename_field", "retype_field", "drop_field", "check_clock", "check_log",
}  # fmt: skip

REFUSED: dict[str, Callable[[DealDatabase, Path], object]] = {
    "changes": lambda db, _: db.changes(since=0),
    "as_of in event time": lambda db, _: db.as_of("2030-01-01", time="event"),
    "pinned": lambda db, _: db.pinned(),
    "repair": lambda db, _: db.repair(),
    "repair from history": lambda db, _: db.repair(from_history=True),
    "repair of facts": lambda db, _: db.repair(facts=True),
    "rename_field": lambda db, _: db.rename_field("seats", "places"),
    "retype_field": lambda db, _: db.retype_field("seats", "text"),
    "drop_field": lambda db, _: db.drop_field("seats"),
    "history.load": lambda db, _: db.history.load(
        [{"id": "1", "at": "2026-01-01", "field": "name", "value": "x"}], rejects=False
    ),
    "history.span": lambda db, _: db.history.span(),
    "sql of the history": lambda db, _: db.query.sql("SELECT count(*) FROM history"),
    "waterfall": lambda db, _: db.analytics.waterfall(since="2026-01-01"),
    "time_in_stage": lambda db, _: db.analytics.time_in_stage(),
}


@pytest.fixture
def db(server: Server) -> Any:
    with DealDatabase.from_url(server.url, partitions=4) as db:
        for number in range(6):
            db.save_deal({"id": number, "seats": 5, "stage": "Won", "amount": 10})
        yield db


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_not_be_had_says_so_and_does_nothing(
    db: DealDatabase, server: Server, tmp_path: Path, name: str
) -> None:
    def state() -> dict[bytes, bytes]:
        return {key: client.dump(key) for key in client.keys("*")}

    db.query.find()
    with server.client() as client:
        before = state()
        with pytest.raises(NotOnPartitions, match="several partitions") as refused:
            REFUSED[name](db, tmp_path)
        assert refused.value.code == "not-on-partitions"
        assert state() == before
    assert not (tmp_path / "file").exists()


def test_the_rest_of_the_facade_works(db: DealDatabase) -> None:
    assert db.update_deal(1, name="Acme").outcome == "updated"
    assert [deal is None for deal in db.get_deals([1, 99, 2])] == [False, True, False]
    with db.acting_as("eve"):
        db.save_deal({"id": 1, "name": "by eve"}, durability="memory")
    assert db.deal_history(1)["who"].to_list()[-1] == "eve"
    assert db.as_of("2100-01-01").query.count() == 6
    assert db.as_of("2000-01-01").query.count() == 0
    assert db.count_foreign() == 0
    entries = LiveDeals(db).stage_entries(["1", "2", "3", "99"])
    assert {deal: stage for deal, (stage, _) in entries.items()} == dict.fromkeys("123", "Won")
    health = db.health()
    assert (health.deals, health.columns_bytes) == (6, None)
    assert (health.log_length or 0) > 6
    assert (db.check_clock(), db.check_log()) == (None, None)
    assert {finding.check for finding in db.examine() if finding.state == "fail"} == set()
    assert (db.place_of(1).partition, db.place_of(1).partitions) == (2, 4)
    assert db.delete_deal(1)
    assert len(db) == 5


def test_tables_and_queries_beside_the_deals_work(server: Server) -> None:
    with DealDatabase.from_url(server.url, partitions=4) as db:
        # before the first deal
        db.query.save("large", "amount > 5")
        db.rates.load([{"date": "2026-01-01", "currency": "EUR", "rate": "1.1"}])
        with DealDatabase.from_url(server.url) as other:
            assert list(other.query.saved()) == ["large"]
            assert other.rates.frame().height == 1
            other.save_deal({"id": 1, "amount": 6})
        assert db.query.run("large").height == 1


def test_every_method_of_the_facade_is_tried_here() -> None:
    public = {name for name, _ in inspect.getmembers(DealDatabase, callable) if name[0] != "_"}
    assert public == TRIED


def test_a_store_of_partitions_has_all_methods_of_a_store() -> None:
    def methods(kind: type) -> set[str]:
        return {name for name in dir(kind) if name[0] != "_"}

    # what only the store of one piece is asked for, by itself
    own = {"renew", "after", "to_settle", "has", "take_over"}
    assert methods(Store) - methods(PartitionedStore) <= own
    for name in methods(NotYet):
        mine, theirs = (inspect.signature(getattr(kind, name)) for kind in (NotYet, Store))
        assert list(mine.parameters) == list(theirs.parameters), name
