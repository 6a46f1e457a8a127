"""A check of partitions finds what other programs did, in each of them and beside them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dealdb import DealDatabase, Problem
from dealdb.store.keys import Keys
from dealdb.store.partitions.layout import partition_of, tag_of
from servers import Server

P = 4


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(server.url, partitions=P) as db:
        db.loader.load([{"id": str(n), "name": f"n{n}", "amount": n} for n in range(300)])
        for n in range(0, 300, 7):
            db.delete_deal(n)
        db.save_deal({"id": 1, "stage": "Won"})
        yield db


@pytest.fixture
def client(server: Server) -> Any:
    with server.client() as client:
        yield client


def key_of(deal_id: str, number: int | None = None) -> str:
    number = partition_of(deal_id, P) if number is None else number
    return Keys("deal", tag_of(number, P)).deal(deal_id)


def found(db: DealDatabase) -> list[tuple[str, Problem]]:
    report = db.check()
    assert report.ok == (not report.differences)
    return [(each.deal, each.problem) for each in report.differences]


def test_nothing_is_found_where_only_dealdb_writes(db: DealDatabase) -> None:
    report = db.check()
    assert (report.ok, report.deals) == (True, len(db))


def test_what_others_did_to_deals_of_any_partition_is_found(db: DealDatabase, client: Any) -> None:
    assert len({partition_of(each, P) for each in ("1", "2", "3", "4", "5", "6")}) > 2
    client.hset(key_of("2"), "name", "theirs")
    client.delete(key_of("3"))
    client.hset(key_of("new"), "name", "theirs")
    assert sorted(found(db)) == [
        ("2", Problem.CHANGED),
        ("3", Problem.VANISHED),
        ("new", Problem.UNLOGGED),
    ]


def test_hashes_where_nobody_looks_for_them_are_found(db: DealDatabase, client: Any) -> None:
    wrong = (partition_of("1", P) + 1) % P
    client.hset(key_of("1", wrong), "name", "theirs")
    client.hset("deal:77", "name", "theirs")
    client.hset("deal:{99}:78", "name", "theirs")
    expected = [f"{{{tag_of(wrong, P)}}}:1", "77", "{99}:78"]
    assert sorted(found(db)) == sorted((name, Problem.FOREIGN) for name in expected)


def test_a_deal_that_was_committed_to_another_partition_is_found(db: DealDatabase) -> None:
    store: Any = db._opened_store()
    wrong = (partition_of("1", P) + 1) % P
    store._partitions[wrong].save({"id": "1", "name": "twice"})
    assert found(db) == [(f"{{{tag_of(wrong, P)}}}:1", Problem.FOREIGN)]


@pytest.mark.parametrize("partitions", [1, 4, 64])
def test_a_check_goes_through_the_keys_once(server: Server, client: Any, partitions: int) -> None:
    with DealDatabase.from_url(server.url, partitions=partitions) as db:
        db.loader.load([{"id": n, "name": "acme"} for n in range(3_000)], bar=False)
        client.config_resetstat()
        assert db.check().ok
        # a thousand keys at a time, some of which are no deals
        assert client.info("commandstats")["cmdstat_scan"]["calls"] <= 5
