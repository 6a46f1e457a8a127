"""Every public method works on a collection of partitions; what it gives, the tests beside this one say."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dealdb import DealDatabase
from dealdb.database import LiveDeals
from dealdb.store import Store
from dealdb.store.partitions.partitioned import PartitionedStore
from servers import Server

# what each test below tries, or what asks no collection
TRIED = {
    "health", "examine", "is_connected", "select_database", "close", "mend", "check_backup", "from_url", "embedded",
    "save_deal", "update_deal", "get_deal", "get_deals", "place_of", "delete_deal", "acting_as", "set_pipeline",
    "deal_history", "changes", "as_of", "pinned", "check", "count_foreign", "repair", "backup", "restore",
    "rename_field", "retype_field", "drop_field", "check_clock", "check_log",
}  # fmt: skip

ASKED: dict[str, Callable[[DealDatabase, Path], object]] = {
    "changes": lambda db, _: [commit.seq for commit in db.changes(since=0, timeout_s=0)],
    "as_of in event time": lambda db, _: db.as_of("2030-01-01", time="event").query.count(),
    "pinned": lambda db, _: db.pinned().query.count(),
    "repair": lambda db, _: db.repair().remaining,
    "repair from history": lambda db, _: db.repair(from_history=True).remaining,
    "repair of facts": lambda db, _: db.repair(facts=True).remaining,
    "backup": lambda db, folder: db.backup(folder / "file"),
    "rename_field": lambda db, _: db.rename_field("seats", "places"),
    "retype_field": lambda db, _: db.retype_field("seats", "text"),
    "drop_field": lambda db, _: db.drop_field("seats"),
    "history.load": lambda db, _: db.history.load(
        [{"id": "1", "at": "2026-01-01", "field": "name", "value": "x"}], rejects=False
    ),
    "history.span": lambda db, _: db.history.span(),
    "load with resume": lambda db, folder: db.loader.load(csv(folder), resume=True),
    "load with at": lambda db, folder: db.loader.load(csv(folder), at="name"),
    "dry run with at": lambda db, folder: db.loader.load(csv(folder), at="name", dry_run=True),
    "load with delete_missing": lambda db, folder: db.loader.load(
        csv(folder), delete_missing=True, everything=True
    ),
    "sql of the history": lambda db, _: db.query.sql("SELECT count(*) FROM history"),
    "waterfall": lambda db, _: db.analytics.waterfall(since="2026-01-01"),
    "time_in_stage": lambda db, _: db.analytics.time_in_stage(),
}


def csv(folder: Path) -> Path:
    path = folder / "deals.csv"
    path.write_text("id,name\n9,2026-01-01\n")
    return path


@pytest.fixture
def db(server: Server) -> Any:
    with DealDatabase.from_url(server.url, partitions=4) as db:
        for number in range(6):
            db.save_deal({"id": number, "seats": 5, "stage": "Won", "amount": 10})
        yield db


@pytest.mark.parametrize("name", ASKED)
def test_what_can_be_asked_of_any_collection_works(
    db: DealDatabase, tmp_path: Path, name: str
) -> None:
    db.query.find()
    ASKED[name](db, tmp_path)
    assert db.check().ok


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
    own = {"renew", "to_settle", "has", "take_over"}
    assert methods(Store) - methods(PartitionedStore) <= own
    for name in methods(Store) - own:
        mine, theirs = (getattr(kind, name) for kind in (PartitionedStore, Store))
        if callable(theirs):
            names = [list(inspect.signature(each).parameters) for each in (mine, theirs)]
            assert names[0] == names[1], name


@pytest.mark.parametrize("partitions", [None, 4])
def test_a_single_deal_waits_for_no_engine(server: Server, partitions: int | None) -> None:
    code = (
        "import sys; from dealdb import DealDatabase\n"
        f"with DealDatabase.from_url({server.url!r}, partitions={partitions}) as db:\n"
        "    db.save_deal({'id': 1, 'stage': 'Won'})\n"
        "    db.update_deal(1, amount=db.get_deal(1).rev)\n"
        "    sys.exit('polars' in sys.modules or not db.delete_deal(1))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
