"""Queries over a real server: round trips are counted, and every answer is fresh."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dealdb import DealDatabase, QueryError
from dealdb.database import LiveDeals
from dealdb.query.results.rows import kept_rows
from dealdb.store.checkpoint.write import write_checkpoint
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
        assert other.query.explain("amount > 1").round_trips > 1
    db.query.frame()
    db.save_deal({"id": 2, "name": "Globex", "amount": 7})
    before = commands(server)
    second = db.query.explain("amount > 1", sort="-amount")
    assert (second.round_trips, second.kept) == (1, 2)
    assert commands(server) - before == 1
    assert db.as_of("2999-12-31").query.explain().round_trips == 0


def test_a_query_does_not_wait_for_the_scan_of_another(
    db: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.save_deal({"id": 1, "amount": 5})
    scanning, go_on, answers = threading.Event(), threading.Event(), list[int]()

    def slow(*args: Any) -> Any:
        if threading.current_thread() is thread:
            scanning.set()
            assert go_on.wait(10)
        return kept_rows(*args)

    monkeypatch.setattr("dealdb.query.engine.kept_rows", slow)
    thread = threading.Thread(target=lambda: answers.append(db.query.count("amount > 1")))
    thread.start()
    assert scanning.wait(10)
    db.save_deal({"id": 2, "amount": 6})
    db.save_deal({"id": 1, "amount": 0})
    db.delete_deal(1)
    assert db.query.count("amount > 1") == 1
    assert db.query.frame()["id"].to_list() == ["2"]
    assert thread.is_alive()
    go_on.set()
    thread.join()
    # as of when it began
    assert answers == [1]
    assert db.query.frame()["amount"].to_list() == [6]


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


@pytest.mark.parametrize("partitions", [1, 4])
def test_a_field_that_gets_another_name_between_the_two_reads_of_a_find(
    server: Server, monkeypatch: pytest.MonkeyPatch, partitions: int
) -> None:
    """Where some are equal, the ids are read as well; the field that sorts may be another one by then."""
    with DealDatabase.from_url(server.url, partitions=partitions) as db:
        db.loader.load([{"id": n, "score": n % 2, "name": f"n{n}"} for n in range(40)], bar=False)
        for piece in db._store.pieces:
            piece._live.snapshot()
            write_checkpoint(piece.link, piece.keys, piece._live._replica)
        changes: list[Callable[[], object]] = [
            lambda: [db.save_deal({"id": n, "Score": n % 3}) for n in range(39, 0, -1)],
            lambda: db.rename_field("score", "old"),
        ]
        snapshot = LiveDeals.snapshot

        def changed(self: LiveDeals, *given: Any) -> Any:
            found = snapshot(self, *given)
            while self._db is not db and changes:
                changes.pop()()
            return found

        monkeypatch.setattr(LiveDeals, "snapshot", changed)
        with DealDatabase.from_url(server.url) as other:
            found = other.query.find(sort="-score", limit=3)
        assert not changes
        assert found.select("id", "Score").rows() == [("11", 2), ("14", 2), ("17", 2)]
        changes.append(lambda: db.rename_field("Score", "new"))
        with (
            DealDatabase.from_url(server.url) as other,
            pytest.raises(QueryError, match="score"),
        ):
            other.query.find(sort="-score", limit=3)
        assert not changes
