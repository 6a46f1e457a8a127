"""``as_of`` while others go on: what they do between two of its commands is no damage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import pytest

from connected import checkpoint, pause
from dealdb import DealDatabase
from dealdb.connection import Link
from dealdb.store.history import as_of, last_commit
from dealdb.store.live import rebuild
from dealdb.store.log.reader import read_since
from servers import Server

# more commits than are read of a log at first
MANY = 130


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(server.url) as db:
        yield db


def amounts(db: DealDatabase, moment: datetime) -> list[int]:
    return [int(n) for n in db.as_of(moment).query.find(columns=["amount"])["amount"].drop_nulls()]


def before_once(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, act: Callable[[], None]
) -> None:
    """Have something happen before the first call of a function."""
    real = getattr(owner, name)

    def first(*given: object, **named: object) -> object:
        monkeypatch.setattr(owner, name, real)
        act()
        return real(*given, **named)

    monkeypatch.setattr(owner, name, first)


def test_segments_are_merged_meanwhile(
    db: DealDatabase, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = []
    for n in range(5):
        db.save_deal({"id": "x", "amount": n})
        moments.append(pause())
        db.save_deal({"id": f"y{n}"})
        checkpoint(db)
    with DealDatabase.from_url(server.url) as other, server.client() as client:
        before = set(client.keys("deals:history:*"))

        def merged() -> None:
            n = 0
            while before <= set(client.keys("deals:history:*")):
                other.save_deal({"id": "z", "amount": (n := n + 1)})
                checkpoint(other)

        before_once(monkeypatch, last_commit, "read_segment", merged)
        assert before
        assert amounts(db, moments[1])[0] == 1
        assert not before <= set(client.keys("deals:history:*"))


@pytest.mark.parametrize("begun_again", [False, True])
def test_the_collection_is_emptied_meanwhile(
    db: DealDatabase, server: Server, monkeypatch: pytest.MonkeyPatch, *, begun_again: bool
) -> None:
    for n in range(5):
        db.save_deal({"id": "x", "amount": n})
    moment = pause()
    db.save_deal({"id": "x", "amount": 9})
    with DealDatabase.from_url(server.url) as other, server.client() as client:

        def emptied() -> None:
            client.flushall()
            if begun_again:
                other.save_deal({"id": "y", "amount": 1})

        before_once(monkeypatch, as_of, "replica_at", emptied)
        assert amounts(db, moment) == []


def test_a_log_that_is_emptied_again_and_again_is_empty(
    db: DealDatabase, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill() -> None:
        for n in range(MANY):
            db.save_deal({"id": "x", "amount": n})

    fill()
    n_read = 0
    with server.client() as client, DealDatabase.from_url(server.url) as reader:

        def reset(*given: object, **named: object) -> object:
            pages = read_since(*given, **named)  # type: ignore[arg-type]

            def reading() -> Iterator[object]:
                nonlocal n_read
                for page in pages or ():
                    yield page
                    n_read += 1
                    # between two pages
                    if n_read <= 2:
                        client.flushall()
                    if n_read == 1:
                        fill()

            return None if pages is None else reading()

        monkeypatch.setattr(rebuild, "read_since", reset)
        assert reader.query.find().height == 0
        assert n_read >= 2


def test_a_history_that_is_read_needs_no_state(db: DealDatabase, server: Server) -> None:
    db.save_deal({"id": "x", "amount": 1})
    right = db.analytics.activity().frame
    link: Link = db._store.link
    link.call("HSET", "deals:meta", "seq", "many")
    with DealDatabase.from_url(server.url) as fresh:
        assert fresh.analytics.activity().frame.equals(right)
        assert fresh.deal_history("x").height == 1
    link.call("SET", "deals:meta", "another's")
    assert db.analytics.activity().frame.equals(right)
