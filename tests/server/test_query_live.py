"""Queries over a real server: round trips are counted, and every answer is fresh."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dealdb import DealDatabase
from servers import Server


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}", actor="ann") as db:
        yield db


def commands(server: Server) -> int:
    with server.client() as client:
        return int(client.info("commandstats").get("cmdstat_xrange", {}).get("calls", 0))


def test_explain_counts_the_round_trips_that_the_server_saw(
    db: DealDatabase, server: Server
) -> None:
    db.save_deal({"id": 1, "name": "Acme", "amount": 5})
    with DealDatabase.from_url(f"unix://{server.socket}") as other:
        # the first query of a process also asks whether the collection has been looked through
        assert (other.query.explain("amount > 1").round_trips or 0) > 1
    db.query.frame()
    db.save_deal({"id": 2, "name": "Globex", "amount": 7})
    before = commands(server)
    second = db.query.explain("amount > 1", sort="-amount")
    assert (second.round_trips, second.kept) == (1, 2)
    assert commands(server) - before == 1
    assert db.as_of("2999-12-31").query.explain().round_trips == 0


def test_pages_are_fresh_and_skip_nothing_while_deals_are_saved(db: DealDatabase) -> None:
    for number in range(20):
        db.save_deal({"id": f"d{number:02}", "amount": number % 3})
    seen: list[str] = []
    cursor = None
    for turn in range(20):
        page = db.query.page(sort="-amount", size=3, cursor=cursor)
        seen.extend(page.items["id"])
        cursor = page.next
        if cursor is None:
            break
        db.save_deal({"id": f"new{turn}", "amount": turn % 4})
        db.delete_deal(f"new{turn - 1}")
    old = [deal_id for deal_id in seen if deal_id.startswith("d")]
    assert sorted(old) == [f"d{number:02}" for number in range(20)]
