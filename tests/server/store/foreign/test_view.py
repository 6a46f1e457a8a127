"""Hashes of another program are shown as deals, and no read writes anything."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import redis

from dealdb import DealDatabase, NotAdopted, NotAdoptedWarning
from dealdb.store.foreign import freshness
from servers import Server

STAGES = ("lead", "Closed Won", "Closed Lost")


@pytest.fixture
def client(server: Server) -> Iterator[redis.Redis]:
    with server.client() as client:
        yield client


@pytest.fixture
def db(server: Server, client: redis.Redis) -> Iterator[DealDatabase]:
    fill(client)
    with DealDatabase(port=server.port) as db:
        yield db


def fill(client: redis.Redis, n_deals: int = 30) -> None:
    for n in range(n_deals):
        client.hset(
            f"deal:{n}",
            mapping={
                "title": f"Deal {n}",
                "value": f"{1000 + n}.50",
                "stage": STAGES[n % 3],
                "created_at": f"2026-01-{n % 28 + 1:02}",
                "closed_at": f"2026-02-{n % 28 + 1:02}",
                "seats": n,
            },
        )


def dump(client: redis.Redis) -> dict[Any, Any]:
    return {key: client.dump(key) for key in sorted(client.keys("*"))}


READS: dict[str, Callable[[DealDatabase, Path], Any]] = {
    "find": lambda db, _: db.query.find("amount > 10", sort="-amount"),
    "count": lambda db, _: db.query.count("stage = 'lead'"),
    "page": lambda db, _: db.query.page(size=3),
    "facets": lambda db, _: db.query.facets(["stage"]),
    "search": lambda db, _: db.query.search("Deal"),
    "sql": lambda db, _: db.query.sql("SELECT sum(amount) FROM deals"),
    "history in sql": lambda db, _: db.query.sql("SELECT count(*) FROM history"),
    "frame": lambda db, _: db.query.frame(),
    "explain": lambda db, _: db.query.explain("amount > 10"),
    "export": lambda db, path: db.loader.export(path / "out.csv"),
    "dry run": lambda db, _: db.loader.load([{"id": 1, "amount": 5}], dry_run=True),
    "summary": lambda db, _: db.analytics.summary(),
    "win rate": lambda db, _: db.analytics.win_rate(by="stage"),
    "get": lambda db, _: db.get_deal(3),
    "get some": lambda db, _: db.get_deals([3, 4, 999]),
    "len": lambda db, _: len(db),
    "contains": lambda db, _: 3 in db,
    "deal_history": lambda db, _: db.deal_history(3),
    "changes": lambda db, _: list(db.changes(0, timeout_s=0)),
    "as_of": lambda db, _: db.as_of("2999-01-01").query.frame(),
    "as_of before": lambda db, _: db.as_of("2020-01-01").query.frame(),
    "schema": lambda db, _: db.schema,
    "pipeline": lambda db, _: db.pipeline,
    "health": lambda db, _: db.health(),
    "examine": lambda db, _: list(db.examine()),
    "check": lambda db, _: db.check(),
    "check_log": lambda db, _: db.check_log(),
    "check_clock": lambda db, _: db.check_clock(),
}


@pytest.mark.filterwarnings("ignore::dealdb.NotAdoptedWarning")
@pytest.mark.parametrize("name", READS)
def test_no_read_writes(db: DealDatabase, client: redis.Redis, name: str, tmp_path: Path) -> None:
    before = dump(client)
    READS[name](db, tmp_path)
    db.close()
    assert dump(client) == before


CHANGES: dict[str, Callable[[DealDatabase, Path], Any]] = {
    "save": lambda db, _: db.save_deal({"id": 1, "amount": 5}),
    "save a new one": lambda db, _: db.save_deal({"id": "new", "colour": "red"}),
    "update": lambda db, _: db.update_deal(1, amount=5),
    "delete": lambda db, _: db.delete_deal(1),
    "load": lambda db, _: db.loader.load([{"id": 1, "amount": 5, "colour": "red"}]),
    "rename": lambda db, _: db.rename_field("seats", "licences"),
    "drop": lambda db, _: db.drop_field("seats"),
    "backup": lambda db, path: db.backup(path / "b"),
    "repair": lambda db, _: db.repair(),
}


@pytest.mark.filterwarnings("ignore::dealdb.NotAdoptedWarning")
@pytest.mark.parametrize("name", CHANGES)
def test_changes_are_refused(
    db: DealDatabase, client: redis.Redis, name: str, tmp_path: Path
) -> None:
    before = dump(client)
    with pytest.raises(NotAdopted, match="dealdb repair --adopt"):
        CHANGES[name](db, tmp_path)
    assert dump(client) == before


def test_deals_are_typed_as_those_of_a_load(db: DealDatabase) -> None:
    with pytest.warns(NotAdoptedWarning, match="30 hashes of another program are shown") as told:
        frame = db.query.find("amount > 1028", sort="id")
    # the warning points at the caller
    assert told[0].filename == __file__
    assert frame["id"].to_list() == ["28", "29"]
    with warnings.catch_warnings():
        # once is enough
        warnings.simplefilter("error")
        deal = db.get_deal(28)
        assert db.get_deals([99]) == [None]
    assert deal == {
        "id": "28",
        "name": "Deal 28",
        "stage": "Closed Won",
        "amount": Decimal("1028.50"),
        "created": datetime.date(2026, 1, 1),
        "closed": datetime.date(2026, 2, 1),
        "title": "Deal 28",
        "value": "1028.50",
        "created_at": "2026-01-01",
        "closed_at": "2026-02-01",
        "seats": 28,
    }
    assert deal is not None
    assert deal.rev == 0
    assert len(db) == db.health().deals == 30
    assert "not adopted" in db.health().warnings[-1]
    assert db.schema["seats"].describe() == "int"
    assert db.pipeline.names(dealdb_kind("won")) == ["Closed Won"]
    assert db.analytics.summary()["won"] == 10
    assert db.as_of("2999-12-31").query.count() == 30
    assert db.as_of("2020-12-31").query.count() == 0
    assert not db.check().ok


def dealdb_kind(name: str) -> Any:
    from dealdb import Kind

    return Kind(name)


@pytest.mark.filterwarnings("ignore::dealdb.NotAdoptedWarning")
def test_later_reads_see_changes_after_a_pause(
    db: DealDatabase, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert db.query.count("value = 'new'") == 0
    client.hset("deal:1", "value", "7.25")
    # one deal is read from its hash, always
    assert db.get_deal(1)["amount"] == Decimal("7.25")  # type: ignore[index]
    assert db.query.count("amount = 7.25") == 0
    monkeypatch.setattr(freshness, "FRESH_S", 0)
    monkeypatch.setattr(freshness, "_TIMES_AS_LONG", 0)
    with DealDatabase(port=db.connection.settings.port) as other:
        assert other.query.count("amount = 7.25") == 1
        client.hset("deal:1", "value", "8.25")
        assert other.query.count("amount = 8.25") == 1
        client.delete(*client.keys("deal:*"))
        assert other.query.count() == 0


@pytest.mark.filterwarnings("ignore::dealdb.NotAdoptedWarning")
def test_hashes_that_come_to_an_empty_collection_are_shown(
    server: Server, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freshness, "FRESH_S", 0)
    monkeypatch.setattr(freshness, "_TIMES_AS_LONG", 0)
    with DealDatabase(port=server.port) as db:
        assert db.query.count() == 0
        client.hset("deal:1", "value", "7.25")
        assert db.query.count("amount = 7.25") == 1
        with pytest.raises(NotAdopted):
            db.save_deal({"id": 2})


@pytest.mark.filterwarnings("ignore::dealdb.NotAdoptedWarning")
def test_reads_of_an_adoption_that_was_interrupted_write_nothing(
    db: DealDatabase, client: redis.Redis, tmp_path: Path, server: Server
) -> None:
    db.repair(adopt=True)
    client.hset("deal:new", mapping={"value": "5", "title": "New"})
    client.hdel("deals:meta", "adopted")
    before = dump(client)
    for read in READS.values():
        with DealDatabase(port=server.port) as fresh:
            read(fresh, tmp_path)
    assert dump(client) == before
    with DealDatabase(port=server.port) as fresh:
        assert len(fresh) == 31
        assert fresh.query.find("name = 'New'")["amount"].to_list() == [Decimal(5)]
        assert fresh.query.find("id = '7'")["amount"].to_list() == [Decimal("1007.50")]
        assert fresh.repair(adopt=True).adopted == 1
        assert fresh.check().ok
        assert fresh.query.find("name = 'New'")["amount"].to_list() == [Decimal(5)]


@pytest.mark.filterwarnings("error::dealdb.NotAdoptedWarning")
def test_where_there_are_none_nothing_is_said(server: Server) -> None:
    with DealDatabase(port=server.port) as db:
        assert db.query.count() == 0
        db.save_deal({"id": 1})
        assert db.query.count() == 1
