"""What a page of partitions has missed, where the feed and the page see commits in different orders."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dealdb import DealDatabase
from dealdb.board.live.recent_of_partitions import RecentOfPartitions
from dealdb.board.parts.at_once import AtOnce
from dealdb.store.history.feed_start import vector_in, vector_token
from followed import told
from servers import Server


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(server.url, partitions=4) as db:
        for n in range(20):
            db.save_deal({"id": f"d{n}", "amount": n})
        yield db


def token_of(db: DealDatabase) -> str:
    found = AtOnce(db).token
    assert found is not None
    return found


def test_a_page_that_is_ahead_of_the_feed_is_told_when_that_has_come(db: DealDatabase) -> None:
    recent = RecentOfPartitions(begin := token_of(db))
    db.save_deal({"id": "d1", "amount": 100})
    db.save_deal({"id": "d2", "amount": 200})
    page = token_of(db)
    db.save_deal({"id": "d3", "amount": 300})
    now = token_of(db)
    assert recent.is_to_come(page, now)
    assert recent.since(page) is None
    first, second, third = told(db, begin)
    recent.add(first)
    assert recent.is_to_come(page, now)
    recent.add(second)
    # it has all that the page shows
    assert not recent.is_to_come(page, now)
    assert recent.since(page) == frozenset()
    recent.add(third)
    assert recent.since(page) == frozenset({"d3"})
    assert recent.since(begin) == frozenset({"d1", "d2", "d3"})
    assert recent.heads_after(begin) is not None
    assert recent.rows_between(begin, now) is None


def test_the_order_of_two_partitions_is_no_matter(db: DealDatabase) -> None:
    recent = RecentOfPartitions(begin := token_of(db))
    # of two partitions
    assert db.place_of("d1").partition != db.place_of("d2").partition
    db.save_deal({"id": "d1", "amount": 100})
    db.save_deal({"id": "d2", "amount": 200})
    commits = told(db, begin)
    for commit in commits:
        recent.add(commit)
    before, after = vector_in(begin), vector_in(recent.token)
    assert before
    assert after
    # a page that has seen the later one and not the earlier one: the feed has never been there
    n = commits[1].partition
    page = vector_token([*before[:n], after[n], *before[n + 1 :]])
    assert not recent.is_to_come(page, recent.token)
    assert recent.since(page) == frozenset({commits[0].deals[0].id})


def test_a_page_of_another_history_is_not_waited_for(db: DealDatabase) -> None:
    recent = RecentOfPartitions(begin := token_of(db))
    vector = vector_in(begin)
    assert vector
    (seq, chain), *rest = vector
    # more commits than there are; as many, and others; of another number of partitions; of one piece
    further = vector_token([(seq + 5, chain), *rest])
    another = vector_token([(seq, b"0123456789abcdef"), *rest])
    for page in (further, another, vector_token(rest), "7-0123456789abcdef", "", "x"):
        assert not recent.is_to_come(page, begin)
        assert recent.since(page) is None
        assert recent.heads_after(page) is None
    assert recent.since(None, 5) is None
