"""The server's clock goes wrong and right again: commits are in order of their numbers, and their times are true."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from dealdb import DealDatabase
from servers import Server

YEAR = timedelta(days=365)


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase(port=server.port) as db:
        yield db


def now_of(server: Server) -> datetime:
    with server.client() as client:
        seconds, micros = client.time()
    return datetime.fromtimestamp(seconds + micros / 1e6, UTC)


def pretend_ahead(server: Server, by: timedelta) -> int:
    """Let the last commit bear a time of the future, as one made under a wrong clock does; returns that time."""
    with server.client() as client:
        ahead = int((now_of(server) + by).timestamp() * 1000)
        client.hset("deals:meta", "time", ahead)
    return ahead


def test_commits_after_a_clock_that_was_ahead_bear_true_times(
    db: DealDatabase, server: Server
) -> None:
    db.save_deal({"id": 1, "n": 1})
    ahead = pretend_ahead(server, YEAR)
    db.save_deal({"id": 1, "n": 2})
    deal = db.get_deal(1)
    assert deal is not None
    updated = deal["updated"]
    assert isinstance(updated, datetime)
    assert abs(updated - now_of(server)) < timedelta(minutes=1)
    with server.client() as client:
        [[_, entry]] = client.xrevrange("deals:log", count=1)
        time, future = client.hmget("deals:meta", "time", "future")
    assert entry[b"time"] == time
    assert int(time) < ahead - 1000
    # what says that some commits bear other times is kept
    assert int(future or 0) == ahead
    assert db.deal_history(1)["when"][-1] <= now_of(server)


def test_the_furthest_time_is_kept(db: DealDatabase, server: Server) -> None:
    db.save_deal({"id": 1, "n": 1})
    furthest = pretend_ahead(server, 2 * YEAR)
    db.save_deal({"id": 1, "n": 2})
    pretend_ahead(server, YEAR)
    db.save_deal({"id": 1, "n": 3})
    with server.client() as client:
        assert int(client.hget("deals:meta", "future") or 0) == furthest


def test_a_clock_that_is_set_right_by_little_is_not_told(db: DealDatabase, server: Server) -> None:
    db.save_deal({"id": 1, "n": 1})
    pretend_ahead(server, timedelta(seconds=5))
    db.save_deal({"id": 1, "n": 2})
    with server.client() as client:
        assert client.hget("deals:meta", "future") is None
    assert not [warning for warning in db.health().warnings if "future" in warning]


def test_health_tells_of_times_to_come(db: DealDatabase, server: Server) -> None:
    db.save_deal({"id": 1, "n": 1})
    ahead = pretend_ahead(server, YEAR)
    year = str(datetime.fromtimestamp(ahead / 1000, UTC).year)
    assert any("times in the future" in w and year in w for w in db.health().warnings)
    db.save_deal({"id": 1, "n": 2})
    assert any("times in the future" in w and year in w for w in db.health().warnings)
