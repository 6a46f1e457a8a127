"""The feed of partitions tells each commit of each of them once, and what it tells is what one of one piece tells."""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from connected import eventually, in_threads, pause, waiting_feeds
from dealdb import Commit, DealDatabase, Feed, FeedReset
from dealdb.errors import QueryError, StoreDamaged
from dealdb.store.archive.segments import SealedRows
from dealdb.store.checkpoint.write import write_checkpoint
from followed import Collector, following, mirrored, present, told
from servers import Server

STAGES = ("Lead", "Won", "Lost", None)


def parts_of(db: DealDatabase) -> list[Any]:
    store: Any = db._store
    return list(store._partitions)


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase("127.0.0.1", server.port, actor="ann", partitions=4) as db:
        yield db


def by_partition(commits: list[Commit]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for commit in commits:
        found[commit.partition].append(commit.seq)
    return dict(found)


def assert_whole(commits: list[Commit]) -> None:
    """Each commit of each partition once, and in order."""
    for numbers in by_partition(commits).values():
        assert numbers == list(range(1, len(numbers) + 1))


def changes_of_deals(commits: list[Commit]) -> dict[str, list[tuple[str, str, dict[str, Any]]]]:
    """What happened to each deal, in order, without the clock."""
    found: dict[str, list[tuple[str, str, dict[str, Any]]]] = defaultdict(list)
    for commit in commits:
        for deal in commit.deals:
            values = {name: value for name, value in deal.values.items() if name != "updated"}
            found[deal.id].append((commit.actor, deal.outcome, values))
    return found


def checkpoints(db: DealDatabase) -> None:
    """Two of each partition: what is before the first of them is in the sealed history alone."""
    for _ in range(2):
        for n in range(16):
            db.save_deal({"id": f"trim {n}", "amount": random.randrange(10**9)})
        db.query.frame()
        for part in parts_of(db):
            with part._live._lock:
                assert write_checkpoint(part.link, part.keys, part._live._replica)


def act(draw: random.Random, n: int) -> Callable[[DealDatabase], Any]:
    deal, stage = str(draw.randrange(12)), draw.choice(STAGES)
    match draw.randrange(7):
        case 0:
            return lambda db: db.delete_deal(deal)
        case 1:
            rows = [{"id": str(k), "amount": k + n, "name": None} for k in range(n % 9, 9)]
            return lambda db: db.loader.load(rows, bar=False, rejects=False)
        case 2:
            return lambda db: db.save_deal({"id": deal, f"own{n % 3}": n, "tags": ["a", str(n)]})
        case 3:
            return lambda db: db.save_deal({"id": deal, "seats": 5 if n < 20 else Decimal("7.5")})
        case _:
            return lambda db: db.save_deal({"id": deal, "amount": n, "stage": stage})


@pytest.mark.parametrize("partitions", [4, 64])
def test_it_tells_of_each_deal_what_one_of_one_piece_tells(server: Server, partitions: int) -> None:
    draw = random.Random(partitions)
    with (
        DealDatabase.from_url(server.url, collection="parted", partitions=partitions) as db,
        DealDatabase.from_url(server.url, collection="single") as single,
    ):
        lives = [each.changes(timeout_s=0) for each in (db, single)]
        parts: list[Commit] = []
        theirs: list[Commit] = []
        for n in range(60):
            do = act(draw, n)
            do(db)
            do(single)
            if n % 7 == 0:
                parts += list(lives[0])
                theirs += list(lives[1])
            if n == 40 and partitions == 4:
                checkpoints(db)
        parts += list(lives[0])
        theirs += list(lives[1])
        everything = told(db)
        for commits in (parts, everything):
            assert_whole(commits)
            mine = {id_: all_ for id_, all_ in changes_of_deals(commits).items() if id_[0] != "t"}
            assert mine == changes_of_deals(theirs)
            assert mirrored(commits) == present(db)
        assert sorted(map(key_of, parts)) == sorted(map(key_of, everything))
        for commit in draw.sample(parts, 5):
            at = parts.index(commit)
            rest = told(db, commit.token)
            assert sorted(map(key_of, rest)) == sorted(map(key_of, parts[at + 1 :]))
            assert_in_order(rest)


def key_of(commit: Commit) -> tuple[int, int]:
    return commit.partition, commit.seq


def assert_in_order(commits: list[Commit]) -> None:
    for numbers in by_partition(commits).values():
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_while_it_catches_up_the_earliest_is_next(db: DealDatabase) -> None:
    for n in range(120):
        db.save_deal({"id": n, "amount": n})
    commits = told(db)
    assert_whole(commits)
    assert [commit.when for commit in commits] == sorted(commit.when for commit in commits)


def test_what_is_sealed_comes_partition_after_partition(db: DealDatabase) -> None:
    for n in range(40):
        db.save_deal({"id": n, "amount": n})
    everything = told(db)
    checkpoints(db)
    again = told(db)
    assert_whole(again)
    known = {key_of(commit): commit for commit in again}
    for commit in everything:
        assert known[key_of(commit)].deals == commit.deals
    assert mirrored(again) == present(db)


def test_of_sealed_loads_that_it_passes_over_no_deal_is_read(
    db: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.loader.load([{"id": f"d{n}", "amount": n} for n in range(400)])
    checkpoints(db)
    loaded = [commit for commit in told(db) if len(commit.deals) > 20]
    assert len(loaded) == 4
    token = told(db)[-1].token
    db.save_deal({"id": "d7", "amount": 1})
    read: list[int] = []
    texts = SealedRows.texts

    def noted(held: SealedRows, fields: Any, row: int, n: int) -> Any:
        read.append(n)
        return texts(held, fields, row, n)

    monkeypatch.setattr(SealedRows, "texts", noted)
    assert [commit.deals[0].id for commit in told(db, token)] == ["d7"]
    assert read == []


# where it begins ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("trimmed", [False, True])
def test_beginnings(db: DealDatabase, trimmed: bool) -> None:
    for n in range(20):
        db.save_deal({"id": n})
    early = {key_of(commit) for commit in told(db)}
    moment = pause()
    for n in range(9):
        db.save_deal({"id": n, "amount": n})
    if trimmed:
        checkpoints(db)
    everything = told(db)
    late = {key_of(commit) for commit in everything} - early
    since: Any
    for since in (moment, moment.isoformat(), moment.replace(tzinfo=None)):
        commits = told(db, since)
        assert {key_of(commit) for commit in commits} == late
        assert_in_order(commits)
    today = datetime.now(UTC).date()
    assert len(told(db, today - timedelta(days=1))) == len(everything)
    for since in (today + timedelta(days=2), str(today + timedelta(days=2))):
        assert told(db, since) == []
    assert told(db, None) == []
    assert told(db, "0") == told(db, "0-0000000000000000") == everything
    with db.changes(since=0, timeout_s=0) as feed:
        first = next(feed)
        assert feed.token == first.token
        token = feed.token
        assert token.startswith("p4:")
    assert told(db, token) == everything[1:]
    assert told(db, everything[-1].token) == []


@pytest.mark.parametrize("since", [1, "7"])
def test_a_number_names_no_commit(db: DealDatabase, since: Any) -> None:
    db.save_deal({"id": 1})
    with pytest.raises(QueryError, match="each counts its own commits"):
        db.changes(since)


@pytest.mark.parametrize("token", ["p4:", "p4:AAAA", "p3", "p2:" + "A" * 86, "px:AAAA"])
def test_what_is_no_token(db: DealDatabase, token: str) -> None:
    db.save_deal({"id": 1})
    with pytest.raises(QueryError, match="is not a start"):
        db.changes(token)


def test_a_token_of_another_number_of_partitions_is_of_another_history(server: Server) -> None:
    def of(name: str, partitions: int) -> DealDatabase:
        return DealDatabase.from_url(server.url, collection=name, partitions=partitions)

    with of("one", 1) as one, of("two", 2) as two, of("four", 4) as four, of("other", 4) as other:
        all_of_them = {"one": one, "two": two, "four": four, "other": other}
        tokens = {}
        for name, db in all_of_them.items():
            for n in range(8):
                db.save_deal({"id": n})
            tokens[name] = told(db)[-1].token
        for name, db in all_of_them.items():
            for whose, token in tokens.items():
                if whose == name:
                    assert told(db, token) == []
                    continue
                with pytest.raises(FeedReset, match="since=0") as reset:
                    db.changes(token)
                assert reset.value.token == token


# as it happens -----------------------------------------------------------------------------------------


@pytest.fixture
def follow(db: DealDatabase) -> Iterator[Callable[..., Collector]]:
    with following(db) as start:
        yield start


def test_it_waits_beside_the_pool_on_one_socket(server: Server) -> None:
    with DealDatabase("127.0.0.1", server.port, max_connections=1, partitions=64) as db:
        db.save_deal({"id": "first"})
        collector = Collector(db.changes())
        assert eventually(lambda: len(waiting_feeds(server)) == 1)
        for n in range(100):
            db.save_deal({"id": n})
        assert eventually(lambda: collector.has_told(*map(str, range(100))))
        assert not collector.has_told("first")
        assert eventually(lambda: len(waiting_feeds(server)) == 1)
        assert db.connection.pool_stats().open == 1
        collector.stop()
        assert collector.failure is None
        assert eventually(lambda: not waiting_feeds(server))


def test_writers_checkpoints_and_cuts_beside_two_followers(
    db: DealDatabase, server: Server, follow: Callable[..., Collector]
) -> None:
    db.save_deal({"id": "first"})
    followers = [follow(0), follow(0)]
    stop = threading.Event()

    def write(who: int) -> None:
        for n in range(60):
            db.save_deal({"id": f"{who}-{n % 20}", "amount": n})

    def disturb() -> None:
        with server.client() as client:
            while not stop.wait(0.05):
                for entry in waiting_feeds(server):
                    client.client_kill_filter(_id=entry["id"])

    disturbing = threading.Thread(target=disturb)
    disturbing.start()
    in_threads(3, write)
    checkpoints(db)
    stop.set()
    disturbing.join()
    db.save_deal({"id": "last"})
    for each in followers:
        assert eventually(partial(each.has_told, "last"))
        assert each.failure is None
        assert_whole(each.seen)
        assert mirrored(each.seen) == present(db)


def test_a_timeout_ends_the_iteration_and_not_the_feed(db: DealDatabase) -> None:
    db.save_deal({"id": 1})
    with db.changes(timeout_s=0.2) as feed:
        assert list(feed) == []
        db.save_deal({"id": 2})
        assert [deal.id for commit in feed for deal in commit.deals] == ["2"]


def test_a_collection_that_has_not_begun_is_followed(server: Server) -> None:
    with DealDatabase.from_url(server.url, partitions=4) as db, db.changes(timeout_s=0) as feed:
        assert list(feed) == []
        db.save_deal({"id": 1})
        assert mirrored(list(feed)) == present(db)


def test_one_that_is_begun_with_other_partitions_ends_the_feed(server: Server) -> None:
    with DealDatabase.from_url(server.url, partitions=4) as db:
        feed = db.changes(timeout_s=0)
        with DealDatabase.from_url(server.url, partitions=8) as other:
            other.save_deal({"id": 1})
        with pytest.raises(StoreDamaged, match="open the database again"):
            next(feed)


# what is wrong -----------------------------------------------------------------------------------------


def test_an_emptied_server_is_noticed(
    db: DealDatabase, server: Server, follow: Callable[..., Collector]
) -> None:
    for n in range(9):
        db.save_deal({"id": n})
    collector = follow(0)
    assert eventually(lambda: collector.has_told(*map(str, range(9))))
    with server.client() as client:
        client.flushall()
    assert eventually(lambda: isinstance(collector.failure, FeedReset))


@pytest.mark.parametrize("again", [0, 1, 2, 7])
def test_a_partition_that_was_set_back_is_noticed(
    db: DealDatabase, server: Server, again: int
) -> None:
    for n in range(20):
        db.save_deal({"id": n})
    number = db.place_of("7").partition
    keys = parts_of(db)[number].keys
    with server.client() as client:
        before = {key: client.dump(key) for key in (keys.log, keys.meta, keys.writers)}
        feed = db.changes(timeout_s=0)
        others = db.changes(timeout_s=0)
        for _ in range(2):
            db.save_deal({"id": "7", "name": "lost"})
        lost = list(feed)
        for key, value in before.items():
            client.restore(key, 0, value, replace=True)
    with DealDatabase("127.0.0.1", server.port) as after:
        for n in range(again):
            after.save_deal({"id": "7", "amount": n})
    with pytest.raises(FeedReset, match=f"commit {lost[-1].seq} of partition {number}") as reset:
        list(feed)
    assert reset.value.token == lost[-1].token
    with pytest.raises(FeedReset, match=f"of partition {number}") as reset:
        db.changes(lost[-1].token)
    assert reset.value.token == lost[-1].token
    # who was not there yet goes on
    assert [deal.values["amount"] for commit in others for deal in commit.deals] == list(
        range(again)
    )


@pytest.mark.parametrize("sealed", [True, False])
def test_the_removed_log_of_a_partition_is_no_end(
    db: DealDatabase, server: Server, sealed: bool
) -> None:
    for n in range(12):
        db.save_deal({"id": n})
    feed = db.changes(timeout_s=0)
    for n in range(12):
        db.save_deal({"id": n, "amount": n})
    if sealed:
        checkpoints(db)
        db.save_deal({"id": 7, "amount": 70})
    keys = parts_of(db)[db.place_of(7).partition].keys
    with server.client() as client:
        client.delete(keys.log)
    # nothing is left that could prove the history to be the same
    with pytest.raises((StoreDamaged, FeedReset)):
        list(feed)


def test_it_says_what_it_is(db: DealDatabase) -> None:
    db.save_deal({"id": 1})
    with db.changes() as feed:
        assert isinstance(feed, Feed)
        assert repr(feed).endswith("collection 'deal' after 3 commits>")


def test_the_token_of_as_many_partitions_as_there_can_be(server: Server) -> None:
    with DealDatabase.from_url(server.url, partitions=256) as db:
        for n in range(300):
            db.save_deal({"id": n})
        commits = told(db)
        assert_whole(commits)
        assert len(commits[-1].token) < 5_500
        assert told(db, commits[150].token) == commits[151:]
