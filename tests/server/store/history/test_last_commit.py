"""A clock that is set forwards and back: order is that of the commits, and the present is the present."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clocks import clock_of, commit_at, faketime, with_clock
from connected import checkpoint
from dealdb import DealDatabase
from dealdb.connection import Link, round_trips
from dealdb.errors import StoreDamaged
from dealdb.store.archive.manifest import read_manifest
from dealdb.store.checkpoint.lease import take
from dealdb.store.history.last_commit import last_until
from dealdb.store.keys import Keys
from servers import Server

YEAR = 365 * 86_400_000


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}", actor="ann") as db:
        yield db


@pytest.fixture
def link(db: DealDatabase) -> Link:
    return db._store.link


def moment(time_ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)


def amount_at(db: DealDatabase, time_ms: int) -> int | None:
    deal = db.as_of(moment(time_ms)).get_deal("x")
    return None if deal is None else int(deal["amount"])  # type: ignore[arg-type]


@pytest.mark.parametrize("sealed", [False, True])
def test_a_forward_glitch_does_not_hide_the_present(
    db: DealDatabase, link: Link, *, sealed: bool
) -> None:
    db.save_deal({"id": "x", "amount": 1})
    now = clock_of(link)
    commit_at(link, now + YEAR, 2)
    if sealed:
        checkpoint(db)
    commit_at(link, now + 1_000, 3)
    last = commit_at(link, now + 2_000, 4)
    if sealed:
        checkpoint(db)
        commit_at(link, now + 3_000, 5)
        checkpoint(db)
    assert amount_at(db, now + 500) == 1
    assert amount_at(db, now + 1_500) == 3
    assert amount_at(db, now + 2_500) == 4
    assert amount_at(db, now + 2 * YEAR) == (5 if sealed else 4)
    with db.changes(moment(now + 1_500), timeout_s=0) as feed:
        assert next(commit.seq for commit in feed) == last


def test_any_order_of_times(db: DealDatabase, link: Link) -> None:
    """Compared with the rule itself: after the last commit that is not later than the moment."""
    db.save_deal({"id": "x", "amount": 0})
    draw = random.Random(7)
    begin = clock_of(link)
    times: dict[int, int] = {}
    for n in range(1, 60):
        time_ms = begin + draw.randrange(1, 10_000)
        times[commit_at(link, time_ms, n)] = time_ms
        if n % 9 == 0:
            checkpoint(db)
    first = min(times)
    for asked in [begin, begin + 10_001, *(begin + draw.randrange(10_001) for _ in range(40))]:
        expected = max((seq for seq, t in times.items() if t <= asked), default=first - 1)
        assert last_until(link, db._store.keys, asked) == expected
        assert amount_at(db, asked) == expected - first + 1
        with db.changes(moment(asked), timeout_s=0) as feed:
            assert [commit.seq for commit in feed] == list(range(expected + 1, max(times) + 1))


def test_what_follows_a_told_commit_is_told_whatever_its_time(db: DealDatabase, link: Link) -> None:
    db.save_deal({"id": "x", "amount": 1})
    soon = clock_of(link) + 100_000
    with db.changes(moment(soon), timeout_s=0) as feed:
        for time_ms, amount in ((soon, 2), (soon + 1, 3), (soon - 1, 4)):
            commit_at(link, time_ms, amount)
        told = list(feed)
    assert [int(commit.deals[0].values["amount"]) for commit in told] == [3, 4]  # type: ignore[arg-type]


def test_the_present_is_found_in_few_round_trips(db: DealDatabase, link: Link) -> None:
    db.save_deal({"id": "x", "amount": 1})
    for n in range(3):
        commit_at(link, clock_of(link) + YEAR, n)
        checkpoint(db)
    db.save_deal({"id": "x", "amount": 9})
    later = clock_of(link) + 2 * YEAR
    before = round_trips()
    last_until(link, db._store.keys, later)
    assert round_trips() - before == 2


def test_segments_of_an_older_version_are_read(db: DealDatabase, link: Link) -> None:
    """Nothing says of what time they are."""
    db.save_deal({"id": "x", "amount": 1})
    now = clock_of(link)
    for n in range(4):
        commit_at(link, now + n * 1_000, n)
        checkpoint(db)
    manifest = read_manifest(link, db._store.keys)
    assert manifest
    text = link.call("GET", "deals:checkpoint").decode()
    for segment in manifest.history:
        assert segment.extent
        more = json.dumps([segment.extent, segment.index], separators=(",", ":"))[1:]
        assert text.count(f",{more}") == 1
        text = text.replace(f",{more}", "]")
    link.call("SET", "deals:checkpoint", text)
    assert [amount_at(db, now + n * 1_000 + 500) for n in range(4)] == [0, 1, 2, 3]
    link.call("DEL", manifest.history[1].key)
    assert amount_at(db, now + 3_500) == 3
    with pytest.raises(StoreDamaged, match="incomplete"):
        amount_at(db, now + 500)


@pytest.mark.skipif(faketime() is None, reason="no libfaketime on this machine")
def test_a_server_whose_clock_is_set(binary: Path, flavor: str, tmp_path: Path) -> None:
    """Forwards by a year, back again, and back by two hours: what a commit bears, and how long a lease lasts."""
    if flavor != "valkey9":
        pytest.skip("this server does not start with libfaketime")
    with tempfile.TemporaryDirectory(prefix="dealdb") as folder:
        server = Server(binary, Path(folder))
        try:
            with with_clock(server, tmp_path) as set_clock:
                clock_is_set(server, set_clock)
        finally:
            server.stop()


def clock_is_set(server: Server, set_clock: Callable[[str], None]) -> None:
    with DealDatabase.from_url(server.url) as db:
        link, keys = db._store.link, Keys("deal")
        db.save_deal({"id": "x", "amount": 1})
        now = clock_of(link)
        set_clock("+365d")
        db.save_deal({"id": "x", "amount": 2})
        assert take(link, keys, "dead")
        assert not take(link, keys, "other")
        set_clock("+0")
        # it was taken in a year's time
        assert take(link, keys, "other")
        db.save_deal({"id": "x", "amount": 3})
        checkpoint_fails = not take(link, keys, "third")
        set_clock("-7200")
        assert checkpoint_fails
        assert link.call("PTTL", keys.lease) > 3_600_000
        assert take(link, keys, "third")
        assert link.call("PTTL", keys.lease) <= 60_000
        assert amount_at(db, now + 2 * YEAR) == 3
