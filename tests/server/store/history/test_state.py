"""A state that is gone or damaged is said, and made again from the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dealdb import DealDatabase, StoreDamaged
from servers import Server

_DAMAGES: dict[str, Callable[[Any], object]] = {
    "gone": lambda client: client.delete("deals:meta"),
    "far ahead": lambda client: client.hset("deals:meta", "seq", "99999999999999"),
    "no number": lambda client: client.hset("deals:meta", "seq", "1e9"),
    "rows": lambda client: client.hset("deals:meta", "rows", "300000000"),
    "schema": lambda client: client.hset("deals:meta", "schema", "[" * 100_000),
    "version": lambda client: client.hset("deals:meta", "schema_version", "0" * 16),
    "future": lambda client: client.hset("deals:meta", "future", "x"),
}


@pytest.fixture
def filled(server: Server) -> DealDatabase:
    with server.client() as client:
        client.flushall()
    with DealDatabase("127.0.0.1", server.port) as db:
        for number in range(5):
            db.save_deal({"id": str(number), "stage": "Won"})
        db.delete_deal("3")
    return DealDatabase("127.0.0.1", server.port)


@pytest.mark.parametrize("damage", _DAMAGES)
def test_a_damaged_state_is_made_again(server: Server, filled: DealDatabase, damage: str) -> None:
    with server.client() as client, filled as db:
        before = client.hgetall("deals:meta")
        _DAMAGES[damage](client)
        with pytest.raises(StoreDamaged, match=r"'deals:meta'.*dealdb repair makes it again"):
            db.check()
        db.repair()
        after = client.hgetall("deals:meta")
        assert {name: after.get(name) for name in before if name != b"forgotten"} == {
            name: text for name, text in before.items() if name != b"forgotten"
        }
        assert db.check().ok
        assert db.save_deal({"id": "new"}).outcome == "inserted"


def test_without_a_history_it_says_what_to_do(server: Server, filled: DealDatabase) -> None:
    with server.client() as client, filled as db:
        client.hset("deals:meta", "rows", "x")
        client.delete("deals:log")
        with pytest.raises(StoreDamaged, match="restore a backup"):
            db.repair()


def test_what_the_log_has_lost_is_not_taken_for_a_damaged_state(
    server: Server, filled: DealDatabase
) -> None:
    with server.client() as client, filled as db:
        last = client.xrevrange("deals:log", count=1)[0][0]
        db.save_deal({"id": "0", "name": "the newest"})
        client.xdel("deals:log", client.xrevrange("deals:log", count=1)[0][0], last)
        with pytest.raises(StoreDamaged, match="restore a backup"):
            db.repair()


def test_an_empty_database_has_no_trouble(server: Server) -> None:
    with server.client() as client:
        client.flushall()
    with DealDatabase("127.0.0.1", server.port) as db:
        assert db.check().ok
        assert db.repair().adopted == 0
