"""The live feed tells each commit once and in order, whatever happens to the link, the log or the server."""

from __future__ import annotations

import os
import pickle
import random
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connected import checkpoint, eventually, in_threads, pause, try_checkpoint, waiting_feeds
from dealdb import DealDatabase, FeedReset, FieldType, NotAdoptedWarning
from dealdb.connection import RedisConnection
from dealdb.errors import QueryError, ServerUnavailable, StoreDamaged, StoreError
from dealdb.store import Store
from dealdb.store.archive.segments import SealedRows
from dealdb.store.history import feed as feed_module
from dealdb.store.history.feed import Feed as StoreFeed
from dealdb.store.history.feed_start import Since
from dealdb.store.keys import Keys
from faults.proxy import Proxy
from followed import Collector, following, mirrored, present, seqs, told
from lossy import FaultyLink, Network
from servers import Server


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase("127.0.0.1", server.port, actor="ann") as db:
        yield db


def trim(db: DealDatabase) -> None:
    """Two checkpoints: what is before the first of them is in the sealed history alone."""
    for _ in range(2):
        db.save_deal({"id": "trim", "amount": random.randrange(10**9)})
        checkpoint(db)


@pytest.fixture
def follow(db: DealDatabase) -> Iterator[Callable[..., Collector]]:
    with following(db) as start:
        yield start


# what is told ------------------------------------------------------------------------------------------


def test_a_commit_says_who_when_and_what(db: DealDatabase) -> None:
    feed = db.changes(timeout_s=0)
    db.save_deal({"id": 7, "stage": "Won", "amount": "12.50", "closed": date(2026, 1, 31)})
    db.save_deal({"id": 7, "amount": 13, "stage": None})
    db.delete_deal(7)
    schema, pipeline, first, second, third = feed
    assert (schema.kind, schema.schema["amount"].describe()) == ("schema", "decimal(2)")
    assert pipeline.pipeline is not None
    assert "Won" in pipeline.pipeline
    [deal] = first.deals
    assert (first.kind, first.actor, first.seq) == ("save", "ann", 3)
    assert abs(first.when - datetime.now(UTC)) < timedelta(minutes=1)
    assert (deal.id, deal.outcome) == ("7", "inserted")
    values = {"stage": "Won", "amount": Decimal("12.50"), "closed": date(2026, 1, 31)}
    assert deal.values == values
    [deal] = second.deals
    stamp = db.deal_history(7)["when"][-1].replace(microsecond=0)
    assert deal.outcome == "updated"
    assert deal.values["amount"] == Decimal("13.00")
    assert deal.values["stage"] is None
    assert abs(deal.values["updated"] - stamp) < timedelta(seconds=2)
    assert [(d.id, d.outcome, d.values) for d in third.deals] == [("7", "deleted", {})]
    assert [each.rows for each in (schema, pipeline, first, second, third)] == [
        (),
        (),
        (0,),
        (0,),
        (0,),
    ]
    assert list(feed) == []


def test_values_never_reach_a_repr(db: DealDatabase) -> None:
    db.save_deal({"id": 7, "name": "hidden", "amount": "987654"})
    feed = db.changes(0, timeout_s=0)
    shown = f"{feed!r} {list(feed)} {feed!r}"
    assert "hidden" not in shown
    assert "987654" not in shown
    assert "<Commit 2: save by 'ann', 1 deals>" in shown


def test_types_are_those_of_the_commit(db: DealDatabase) -> None:
    db.save_deal({"id": 1, "seats": 5})
    db.save_deal({"id": 1, "seats": Decimal("5.5")})
    saves = [commit.deals[0].values["seats"] for commit in told(db) if commit.kind == "save"]
    assert saves == [5, Decimal("5.50")]
    assert isinstance(saves[0], int)
    [last] = told(db, since=told(db)[-2].token)
    assert last.schema["seats"].type is FieldType.DECIMAL


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3))]
)
def test_a_copy_made_from_the_feed_is_the_collection(
    db: DealDatabase, server: Server, seed: int
) -> None:
    rng = random.Random(seed)
    live = db.changes(timeout_s=0)
    parts = []
    for n in range(80):
        deal = rng.randrange(8)
        match rng.randrange(9):
            case 0:
                db.delete_deal(deal)
            case 1:
                db.loader.load([{"id": k, "amount": k + n, "name": None} for k in range(5)])
            case 2:
                try_checkpoint(db)
            case 3:
                db.save_deal({"id": deal, f"own{rng.randrange(3)}": n, "tags": ["a", str(n)]})
            case 4 if "own0" in db.schema and n > 40:
                db.rename_field("own0", "other") if "other" not in db.schema else None
            case 5:
                with server.client() as client:
                    client.hset(f"deal:{deal}", "name", f"outside {n}")
                db.repair()
            case 6:
                with server.client() as client:
                    client.delete(f"deal:{deal}")
                db.save_deal({"id": deal, "owner": "after"})
                assert not db.repair().remaining
            case _:
                db.save_deal({"id": deal, "amount": rng.randrange(99), "stage": rng.choice("ab")})
        if n % 7 == 0:
            parts += list(live)
    parts += list(live)
    assert mirrored(parts) == present(db)
    assert mirrored(told(db)) == present(db)
    assert seqs(parts) == list(range(1, parts[-1].seq + 1))
    middle = rng.choice(parts)
    assert told(db, middle.token) == parts[middle.seq :]


# where it begins ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("trimmed", [False, True])
def test_beginnings(db: DealDatabase, trimmed: bool) -> None:
    for n in range(4):
        db.save_deal({"id": n})
    moment = pause()
    for n in range(3):
        db.save_deal({"id": n, "amount": n})
    if trimmed:
        trim(db)
    everything = told(db)
    last = everything[-1].seq
    assert seqs(everything) == list(range(1, last + 1))
    assert seqs(told(db, 5)) == list(range(6, last + 1))
    assert seqs(told(db, "5")) == list(range(6, last + 1))
    assert told(db, everything[4].token) == everything[5:]
    assert seqs(told(db, moment)) == list(range(6, last + 1))
    assert seqs(told(db, moment.isoformat())) == list(range(6, last + 1))
    assert seqs(told(db, moment.replace(tzinfo=None))) == list(range(6, last + 1))
    today = datetime.now(UTC).date()
    assert len(told(db, today - timedelta(days=1))) == last
    assert told(db, today + timedelta(days=2)) == []
    assert told(db, str(today + timedelta(days=2))) == []
    assert told(db, last) == []
    assert told(db, None) == []


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
def test_a_date_begins_in_the_zone_of_the_pipeline(db: DealDatabase, zone: str) -> None:
    # whatever the hour, in one of the two it is another day than in UTC
    db.save_deal({"id": 1})
    db.set_pipeline(replace(db.pipeline, zone=zone))
    today = datetime.now(ZoneInfo(zone)).date()
    for since in (today, str(today)):
        assert [commit.kind for commit in told(db, since)][-1] == "pipeline"
    tomorrow = today + timedelta(days=1)
    assert told(db, tomorrow) == told(db, f" {tomorrow} ") == []


def test_what_is_no_beginning(db: DealDatabase) -> None:
    for since in ("yesterday-ish", -1, True, "", 1.5, "5-xyz"):
        with pytest.raises(QueryError, match="is not a start"):
            db.changes(since)  # type: ignore[arg-type]
    for timeout_s in (-1, float("nan"), "5"):
        with pytest.raises(QueryError, match="timeout_s"):
            db.changes(timeout_s=timeout_s)  # type: ignore[arg-type]


def test_a_moment_to_come_is_waited_for(db: DealDatabase) -> None:
    db.save_deal({"id": 1})
    soon = datetime.now(UTC) + timedelta(seconds=1)
    with db.changes(soon, timeout_s=60) as feed:
        db.save_deal({"id": 1, "amount": 5})
        while pause() <= soon:
            pass
        db.save_deal({"id": 2})
        assert [deal.id for deal in next(feed).deals] == ["2"]


def test_hashes_from_before_are_told_once_they_are_adopted(
    db: DealDatabase, server: Server
) -> None:
    with server.client() as client:
        client.hset("deal:9", "name", "old")
    with pytest.warns(NotAdoptedWarning):
        assert told(db) == []
    db.repair(adopt=True)
    assert mirrored(told(db)) == {"9": {"name": "old"}}


# what happens meanwhile --------------------------------------------------------------------------------


def test_it_waits_beside_the_pool_on_one_socket(server: Server) -> None:
    with DealDatabase("127.0.0.1", server.port, max_connections=1) as db:
        db.save_deal({"id": 1})
        collector = Collector(db.changes())
        assert eventually(lambda: len(waiting_feeds(server)) == 1)
        db.save_deal({"id": 2})
        assert collector.until(3) == [3]
        assert len(waiting_feeds(server)) == 1
        assert db.connection.pool_stats().open == 1
        collector.stop()
        assert eventually(lambda: not waiting_feeds(server))


def test_a_cut_link_loses_nothing_and_repeats_nothing(
    db: DealDatabase, server: Server, follow: Callable[..., Collector]
) -> None:
    collector = follow()
    with server.client() as client:
        for n in range(60):
            db.save_deal({"id": n})
            if n % 6 == 0:
                for entry in waiting_feeds(server):
                    client.client_kill_filter(_id=entry["id"])
            if n % 10 == 0:
                for entry in waiting_feeds(server):
                    client.client_unblock(int(entry["id"]), error=True)
    assert collector.until(61) == list(range(1, 62))


def test_writers_on_a_lossy_link_are_told_once(server: Server) -> None:
    with RedisConnection().connect("127.0.0.1", server.port) as connection:
        link, network = connection.link(), Network()
        faulty = FaultyLink(link, network)
        store = Store(faulty)  # type: ignore[arg-type]
        feed = StoreFeed(link.apart(), Keys("deal"), Since(), 0)
        for n in range(40):
            faulty.plan(("request", "reply", "delay", "double")[n % 4])
            store.save({"id": n})
            for held in network.held:
                held.arrive(faulty)
        told = list(feed)
        feed.close()
    assert [deal.id for commit in told for deal in commit.deals] == [str(n) for n in range(40)]


def test_a_slow_follower_finds_what_was_trimmed(db: DealDatabase, server: Server) -> None:
    db.save_deal({"id": 1})
    feed = db.changes(0, timeout_s=0)
    live = db.changes(timeout_s=0)
    assert next(feed).seq == 1
    for n in range(250):
        db.save_deal({"id": n, "amount": n})
    assert next(live).seq == 3
    trim(db)
    with server.client() as client:
        assert client.xlen("deals:log") < 5
    last = told(db)[-1].seq
    assert seqs(list(feed)) == list(range(2, last + 1))
    assert seqs(list(live)) == list(range(4, last + 1))


def test_trims_beside_two_followers_and_writers(
    db: DealDatabase, follow: Callable[..., Collector]
) -> None:
    db.save_deal({"id": 0})
    first, second = follow(), follow(0)

    def work(number: int) -> None:
        for n in range(40):
            db.save_deal({"id": n % 7, "amount": number * 1000 + n})
            if n % 10 == number:
                try_checkpoint(db)

    assert in_threads(3, work) == []
    last = told(db, None) or told(db)
    final = last[-1].seq
    assert first.until(final) == list(range(3, final + 1))
    assert second.until(final) == list(range(1, final + 1))


def test_another_database_and_another_collection_are_not_told(
    db: DealDatabase, server: Server
) -> None:
    db.save_deal({"id": 1})
    feed = db.changes(timeout_s=0)
    db.select_database(3)
    db.save_deal({"id": 2})
    with DealDatabase("127.0.0.1", server.port, collection="lead") as leads:
        leads.save_deal({"id": 3})
    db.select_database(0)
    db.save_deal({"id": 4})
    assert [deal.id for commit in feed for deal in commit.deals] == ["4"]


def test_a_forked_child_follows_on_its_own(db: DealDatabase) -> None:
    feed = db.changes(timeout_s=60)
    db.save_deal({"id": 1})
    assert next(feed).seq == 1
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.write(write, pickle.dumps([next(feed).seq for _ in range(3)]))
        os._exit(0)
    db.save_deal({"id": 2})
    db.save_deal({"id": 3})
    assert [next(feed).seq for _ in range(3)] == [2, 3, 4]
    assert os.waitpid(child, 0)[1] == 0
    assert pickle.loads(os.read(read, 1000)) == [2, 3, 4]
    os.close(read)
    os.close(write)


def test_an_interrupt_leaves_it_whole(db: DealDatabase) -> None:
    db.save_deal({"id": 1})
    feed = db.changes(timeout_s=60)
    timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), 2))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        next(feed)
    db.save_deal({"id": 2})
    assert next(feed).seq == 3


# how it ends -------------------------------------------------------------------------------------------


def test_closing_ends_a_waiting_iteration(
    db: DealDatabase, server: Server, follow: Callable[..., Collector]
) -> None:
    collector = follow()
    assert eventually(lambda: len(waiting_feeds(server)) == 1)
    collector.stop()
    assert collector.failure is None
    assert list(collector.feed) == []


def test_closing_ends_the_wait_for_a_server_that_hangs(new_server: Callable[..., Server]) -> None:
    server = new_server()
    with DealDatabase("127.0.0.1", server.port, socket_timeout_s=600) as db:
        db.save_deal({"id": 1})
        collector = Collector(db.changes(0))
        assert eventually(lambda: len(collector.seen) > 0 and len(waiting_feeds(server)) == 1)
        server.freeze()
        # longer than it waits for a commit: now it waits for the server
        time.sleep(1.2)
        collector.feed.close()
        collector.join(60)
        assert not collector.is_alive()
        assert collector.failure is None
        server.thaw()


def test_closing_the_database_closes_its_feeds(server: Server) -> None:
    with DealDatabase("127.0.0.1", server.port) as db:
        collector = Collector(db.changes())
        assert eventually(lambda: len(waiting_feeds(server)) == 1)
    collector.join(60)
    assert not collector.is_alive()
    assert collector.failure is None
    assert eventually(lambda: not waiting_feeds(server))


def test_no_feed_is_opened_on_a_closed_database(server: Server) -> None:
    db = DealDatabase("127.0.0.1", server.port)
    db.save_deal({"id": 1})
    db.close()
    with pytest.raises(StoreError, match="was closed"):
        db.changes()
    assert not waiting_feeds(server)


def test_of_loads_that_a_feed_passes_over_no_deal_is_read(
    db: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.loader.load([{"id": n, "amount": n} for n in range(5_000)])
    trim(db)
    all_of_them, last = told(db), db.changes().token
    read: list[int] = []
    texts = SealedRows.texts

    def noted(held: SealedRows, fields: Any, row: int, n: int) -> Any:
        read.append(n)
        return texts(held, fields, row, n)

    monkeypatch.setattr(SealedRows, "texts", noted)
    # the two commits of the trims
    found = told(db, all_of_them[-3].token)
    assert (found, read) == (all_of_them[-2:], [])
    with db.changes(all_of_them[-5].seq, timeout_s=0) as feed:
        assert (list(feed), feed.token) == (all_of_them[-4:], last)
    assert told(db, all_of_them[1].seq) == all_of_them[2:]


def test_a_timeout_ends_the_iteration_and_not_the_feed(db: DealDatabase) -> None:
    feed = db.changes(timeout_s=0.05)
    assert list(feed) == []
    db.save_deal({"id": 1})
    assert seqs(list(feed)) == [1, 2]
    assert list(feed) == []


def test_a_restart_is_survived(new_server: Callable[..., Server]) -> None:
    server = new_server("--appendonly", "yes", "--appendfsync", "always")
    with DealDatabase("127.0.0.1", server.port, retry_deadline_s=0.1, socket_timeout_s=1) as db:
        db.save_deal({"id": 1})
        feed = db.changes(timeout_s=60)
        server.kill()
        with pytest.raises(ServerUnavailable):
            next(feed)
        server.start()
        db.save_deal({"id": 2})
        assert next(feed).seq == 3


# another history ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("later", [0, 1, 9])
def test_an_emptied_server_is_noticed(
    db: DealDatabase, server: Server, follow: Callable[..., Collector], later: int
) -> None:
    for n in range(4):
        db.save_deal({"id": n})
    collector, token = follow(0), told(db)[-1].token
    collector.until(5)
    with server.client() as client:
        pipe = client.pipeline()
        pipe.flushdb()
        pipe.execute()
    for n in range(later):
        db.save_deal({"id": n})
    collector.join(60)
    assert isinstance(collector.failure, FeedReset)
    assert collector.failure.token == token
    assert seqs(collector.seen) == [1, 2, 3, 4, 5]
    with pytest.raises(FeedReset, match="commit 5"):
        db.changes(token)
    assert seqs(told(db)) == list(range(1, later + 2 if later else 1))


def test_a_restored_backup_is_noticed(db: DealDatabase, server: Server) -> None:
    for n in range(4):
        db.save_deal({"id": n})
    with server.client() as client:
        backup = {key: client.dump(key) for key in client.keys("*")}
        feed = db.changes(timeout_s=0)
        old = told(db)[2].token
        for n in range(3):
            db.save_deal({"id": n, "amount": n})
        assert len(list(feed)) == 3
        lost = feed.token
        client.flushdb()
        for key, value in backup.items():
            client.restore(key, 0, value)
    for n in range(3):
        db.save_deal({"id": n, "amount": n})
    db.save_deal({"id": 9})
    with pytest.raises(FeedReset):
        list(feed)
    with pytest.raises(FeedReset):
        db.changes(lost)
    assert seqs(told(db, old)) == list(range(4, 10))


def test_a_number_beyond_the_end_is_of_another_history(db: DealDatabase) -> None:
    db.save_deal({"id": 1})
    with pytest.raises(FeedReset, match="commit 99"):
        db.changes(99)
    with pytest.raises(FeedReset):
        db.changes("2-0123456789abcdef")


@pytest.mark.parametrize("sealed", [False, True])
def test_a_removed_log_is_no_end(db: DealDatabase, server: Server, sealed: bool) -> None:
    for n in range(4):
        db.save_deal({"id": n})
    if sealed:
        trim(db)
    feed = db.changes(2, timeout_s=0)
    db.save_deal({"id": 5})
    with server.client() as client:
        client.delete("deals:log")
    # nothing is left that could prove the history to be the same
    with pytest.raises((StoreDamaged, FeedReset)):
        list(feed)


def test_left_over_rows_are_not_told_as_deleted_deals(db: DealDatabase, server: Server) -> None:
    db.save_deal({"id": 1, "name": "old"})
    with server.client() as client:
        client.delete("deal:1")
    db.save_deal({"id": 1, "name": "new"})
    feed = db.changes(timeout_s=0)
    db.repair()
    assert [(commit.kind, commit.deals) for commit in feed][-1] == ("delete", ())
    assert mirrored(told(db)) == {"1": {"name": "new"}}


def test_an_unknown_kind_is_refused(db: DealDatabase, server: Server) -> None:
    db.save_deal({"id": 1})
    with server.client() as client:
        rest = client.xrange("deals:log")
        client.delete("deals:log")
        for entry_id, fields in rest:
            known = fields[b"kind"] == b"schema"
            client.xadd("deals:log", fields if known else {**fields, b"kind": b"new"}, id=entry_id)
    with pytest.raises(StoreDamaged, match="'new'"):
        told(db)


# a proxy that cuts what is silent ---------------------------------------------------------------------------------


@contextmanager
def impatient_proxy(server: Server, silence_s: float) -> Iterator[tuple[int, list[float]]]:
    """A port that passes everything on, and closes a connection after so long a silence; and when it did."""
    threads: list[threading.Thread] = []
    cuts: list[float] = []

    def serve(near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", server.port)) as far, suppress(OSError):
            while ready := select.select([near, far], [], [], silence_s)[0]:
                for source in ready:
                    data = source.recv(65_536)
                    if not data:
                        return
                    (far if source is near else near).sendall(data)
            cuts.append(time.monotonic())

    def accept() -> None:
        with suppress(OSError):
            while True:
                threads.append(threading.Thread(target=serve, args=(listener.accept()[0],)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept)
        accepting.start()
        yield listener.getsockname()[1], cuts
        listener.shutdown(socket.SHUT_RDWR)
        for thread in [accepting, *threads]:
            thread.join()


@pytest.mark.parametrize("silence_s", [0.5, 0.12])
def test_a_proxy_that_cuts_silence_ends_no_feed(
    server: Server, db: DealDatabase, silence_s: float
) -> None:
    db.save_deal({"id": "1"})
    with (
        impatient_proxy(server, silence_s) as (port, cuts),
        # shorter than the silence: a deadline that begins with the first cut would be over at once
        DealDatabase("127.0.0.1", port, retry_deadline_s=0.6) as behind,
        behind.changes(timeout_s=4 * silence_s + 2) as feed,
    ):
        began = time.monotonic()
        assert list(feed) == []
        assert time.monotonic() - began >= 4 * silence_s + 2
        # the feed's own socket once, and that of the pool; a few more where the machine is busy, and not each silence
        assert 1 <= len(cuts) <= max(4, (4 * silence_s + 2) / silence_s / 2)
        threading.Timer(silence_s * 1.7, db.save_deal, [{"id": "2"}]).start()
        assert [deal.id for deal in next(feed).deals] == ["2"]


def test_a_longer_wait_is_tried_again(
    server: Server, db: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "CAREFUL_S", 0.5)
    db.save_deal({"id": "1"})
    with (
        impatient_proxy(server, 0.3) as (port, cuts),
        DealDatabase("127.0.0.1", port) as behind,
        following(behind) as follow,
    ):
        collector = follow()
        assert eventually(lambda: len(cuts) >= 4)
        assert (collector.failure, collector.seen) == (None, [])


def test_a_proxy_that_cuts_each_wait_is_an_error(server: Server, db: DealDatabase) -> None:
    db.save_deal({"id": "1"})
    with (
        Proxy(server.port) as proxy,
        DealDatabase("127.0.0.1", proxy.port, retry_deadline_s=1) as behind,
        behind.changes(timeout_s=30) as feed,
    ):
        proxy.fault("swallow", matching=b"XREAD", times=10_000)
        began = time.monotonic()
        with pytest.raises(ServerUnavailable):
            next(feed)
        assert time.monotonic() - began < 15
        proxy.heal()
        db.save_deal({"id": "2"})
        assert [deal.id for deal in next(feed).deals] == ["2"]
