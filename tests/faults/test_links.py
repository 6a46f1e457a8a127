"""Links that break, hang or crawl, and clients that are killed, while many write: nothing lost, nothing twice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import pytest

from connected import eventually, in_threads, sockets
from dealdb import Deal, DealDatabase
from dealdb.errors import ConflictError, OutcomeUnknown, PoolTimeout, StoreError
from faults.proxy import Proxy
from servers import Server

Told = Counter[tuple[str, str]]


def told(server: Server) -> Told:
    """How often each value of each deal stands in the history."""
    with DealDatabase(port=server.port) as db, db.changes(0, timeout_s=0) as feed:
        return Counter(
            (deal.id, str(deal.values["n"]))
            for commit in feed
            for deal in commit.deals
            if "n" in deal.values
        )


@contextmanager
def meanwhile(work: Callable[[], object], every_s: float) -> Iterator[list[float]]:
    """Do something again and again beside; yields when it was done."""
    done, times = threading.Event(), list[float]()

    def loop() -> None:
        while not done.wait(every_s):
            work()
            times.append(time.monotonic())

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield times
    finally:
        done.set()
        thread.join(30)


def kill_clients(server: Server) -> None:
    with server.client() as client:
        # not the one that asks
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


# the ends of a link -------------------------------------------------------------------------------------------


def test_a_link_that_is_cut_in_the_middle_of_many_new_deals(proxy: Proxy, durable: Server) -> None:
    """Some of the commits that were sent at once have arrived, and the last of them in part."""
    with DealDatabase(port=proxy.port, socket_timeout_s=1) as db:
        db.save_deal({"id": "warm", "n": 0})
        for number, at in enumerate((3_000, 9_000, 15_000, 21_000)):
            deals = [{"id": f"{number}-{n}", "n": n} for n in range(1_000)]
            proxy.fault("cut_request", matching=b"EVALSHA", at=at)
            assert db.loader.load(deals, batch_size=50, rejects=False).inserted == 1_000
            assert proxy.is_idle()
        assert len(db) == 4_001
        assert db.check().ok
    counts = told(durable)
    assert (len(counts), set(counts.values())) == (4_001, {1})


def test_sockets_that_the_other_end_has_closed_for_good(proxy: Proxy) -> None:
    """FIN alone: what the client sends still goes out, and nothing ever comes back."""
    with DealDatabase(port=proxy.port, socket_timeout_s=0.5, retry_deadline_s=5) as db:
        for n in range(5):
            db.save_deal({"id": n, "n": n})
            assert db.query.count() == n + 1
            assert proxy.half_close_all() > 0
        # in the middle of an exchange: a change, a read, and the read of a query
        for kind in ("half_close", "mute"):
            for matching in (b"EVALSHA", b"HGETALL", b"XRANGE"):
                proxy.fault(kind, matching=matching)
        assert db.save_deal({"id": 1, "n": 100}).outcome == "updated"
        assert db.save_deal({"id": 1, "n": 101}).outcome == "updated"
        assert number_of(db.get_deal(1)) == 101
        assert sum(db.query.frame()["n"]) == 101 + 0 + 2 + 3 + 4
        assert proxy.is_idle()
        assert db.health().pool_in_use == 0
        assert db.health().log_length == 1 + 5 + 2


def test_bytes_that_come_one_by_one(proxy: Proxy, durable: Server) -> None:
    with (
        DealDatabase(port=proxy.port) as db,
        DealDatabase(port=durable.port) as direct,
        db.changes(0, timeout_s=0) as feed,
    ):
        proxy.chop(0.05)
        for n in range(4):
            assert db.save_deal({"id": n, "name": f"Müller {n}", "n": n}).outcome == "inserted"
        rows = [{"id": f"L{n}", "name": "Łódź" * 20, "n": n} for n in range(300)]
        assert db.loader.load(rows, rejects=False).inserted == 300
        assert db.query.frame().equals(direct.query.frame())
        assert db.get_deals([f"L{n}" for n in range(50)]) == direct.get_deals(
            [f"L{n}" for n in range(50)]
        )
        assert sum(len(commit.deals) for commit in feed) == 304


@pytest.mark.parametrize("kind", ["lose_reply", pytest.param("swallow", marks=pytest.mark.slow)])
def test_any_exchange_of_the_first_changes_may_be_cut(
    proxy: Proxy, kind: Literal["lose_reply", "swallow"]
) -> None:
    """A new process asks and notes more than the commit itself: all of it is safe to ask or note again."""
    for after in range(16):
        with DealDatabase(port=proxy.port, collection=f"c{after}", socket_timeout_s=1) as db:
            # a server that never answered may be a wrong address
            assert db.is_connected()
            proxy.fault(kind, after=after)
            assert db.save_deal({"id": 1, "n": 1, "stage": "Lead"}).outcome == "inserted"
            assert db.save_deal({"id": 1, "n": 2}).outcome == "updated"
            assert db.delete_deal(1)
            assert db.query.count() == 0
            if proxy.is_idle():
                assert db.save_deal({"id": 1, "n": 1}).outcome == "inserted"
            else:
                assert after > 6
                proxy.heal()
    assert proxy.counts[kind] > 6


# many at once -------------------------------------------------------------------------------------------------


def test_a_competing_save_is_not_overwritten_by_a_resend(proxy: Proxy, durable: Server) -> None:
    with DealDatabase(port=proxy.port) as slow, DealDatabase(port=durable.port) as quick:
        slow.save_deal({"id": 1, "n": 0})
        proxy.fault("lose_reply", matching=b"EVALSHA")
        # the resend is on its way while somebody else saves
        proxy.fault("delay", matching=b"EVALSHA", seconds=1)
        saving = threading.Thread(target=slow.save_deal, args=({"id": 1, "n": 1},))
        saving.start()
        assert eventually(lambda: proxy.counts["delay"] == 1)
        assert quick.save_deal({"id": 1, "n": 2}).outcome == "updated"
        saving.join(30)
        assert number_of(quick.get_deal(1)) == 2
        assert [*quick.deal_history(1)["after"]] == ["0", "1", "2"]


def test_counters_that_many_raise_over_a_flaky_link(proxy: Proxy, durable: Server) -> None:
    """Each thread reads a deal and saves it one higher, if it is still the one that was read."""
    n_threads, n_each = 6, 15
    with DealDatabase(port=proxy.port, socket_timeout_s=1, retry_deadline_s=10) as db:
        db.save_deal({"id": "counter", "n": 0})
        proxy.chance(0.1, ("swallow", "cut_request", "lose_reply", "cut_reply", "late", "rst"))

        def raise_it(_: int) -> None:
            for _ in range(n_each):
                while not try_to_raise(db):
                    pass

        assert in_threads(n_threads, raise_it) == []
        proxy.heal()
    assert sum(proxy.counts.values()) > 10
    counts = told(durable)
    assert counts == {("counter", str(n)): 1 for n in range(n_threads * n_each + 1)}


def number_of(deal: Deal | None) -> int:
    assert deal is not None
    found = deal["n"]
    assert isinstance(found, int)
    return found


def try_to_raise(db: DealDatabase) -> bool:
    deal = db.get_deal("counter")
    assert deal is not None
    try:
        db.save_deal({"id": "counter", "n": number_of(deal) + 1}, expect_rev=deal.rev)
    except ConflictError:
        return False
    except OutcomeUnknown as unknown:
        return unknown.resolve()
    return True


def test_64_threads_share_10_sockets_of_which_5_hang(proxy: Proxy, durable: Server) -> None:
    patience = {"pool_timeout_s": 0.3, "socket_timeout_s": 1, "retry_deadline_s": 20}
    last: dict[int, int] = {}
    timeouts: list[float] = []
    with DealDatabase(port=proxy.port, **patience) as db:  # type: ignore[arg-type]
        db.save_deal({"id": "warm", "n": -1})
        proxy.fault("mute", matching=b"EVALSHA", times=5)

        def save(thread: int) -> None:
            for n in range(8):
                began = time.monotonic()
                try:
                    db.get_deal(thread)
                    db.save_deal({"id": thread, "n": n})
                    last[thread] = n
                except PoolTimeout:
                    timeouts.append(time.monotonic() - began)

        with meanwhile(lambda: kill_clients(durable), 0.2) as kills:
            assert in_threads(64, save) == []
        assert proxy.is_idle()
        assert kills
        assert all(seconds < 10 for seconds in timeouts)
        assert db.connection.pool_stats().in_use == 0
        assert len(sockets(durable)) <= 10
        assert {thread: number_of(db.get_deal(thread)) for thread in last} == last
        assert in_threads(64, lambda n: save_one(db, 100 + n)) == []
        assert db.check().ok
    assert set(told(durable).values()) == {1}


def test_all_sockets_hang(proxy: Proxy) -> None:
    with DealDatabase(port=proxy.port, pool_timeout_s=0.3, socket_timeout_s=30) as db:
        db.save_deal({"id": "warm", "n": -1})
        proxy.hold()
        stuck = [threading.Thread(target=save_one, args=(db, n)) for n in range(10)]
        for thread in stuck:
            thread.start()
        assert eventually(lambda: db.connection.pool_stats().in_use == 10)
        for call in (lambda: db.get_deal("warm"), lambda: db.save_deal({"id": "none", "n": 0})):
            with pytest.raises(PoolTimeout) as caught:
                call()
            assert (caught.value.size, caught.value.in_use) == (10, 10)
        proxy.heal()
        for thread in stuck:
            thread.join(60)
        assert db.connection.pool_stats().in_use == 0
        assert len(db) == 11


def save_one(db: DealDatabase, n: int) -> None:
    while True:
        try:
            db.save_deal({"id": f"one {n}", "n": n})
        except PoolTimeout:
            continue
        return


@pytest.mark.parametrize("n_kills", [20, pytest.param(400, marks=pytest.mark.slow)])
def test_clients_that_are_killed_each_50_ms(durable: Server, n_kills: int) -> None:
    saved: list[list[str]] = [[] for _ in range(4)]
    with DealDatabase(port=durable.port, retry_deadline_s=20) as db:

        def save(thread: int) -> None:
            while len(saved[thread]) < 50 or len(kills) < n_kills:
                n = str(len(saved[thread]))
                assert db.save_deal({"id": thread, "n": int(n)}).outcome != "unchanged"
                saved[thread].append(n)

        with meanwhile(lambda: kill_clients(durable), 0.05) as kills:
            assert in_threads(4, save) == []
    assert told(durable) == Counter(
        (str(thread), n) for thread, values in enumerate(saved) for n in values
    )


# changes that are held back -----------------------------------------------------------------------------------


def test_a_pause_of_changes_that_lasts_longer_than_the_deadline(durable: Server) -> None:
    with (
        durable.client() as client,
        DealDatabase(port=durable.port, socket_timeout_s=0.6, retry_deadline_s=0.6) as db,
        DealDatabase(port=durable.port, socket_timeout_s=0.3, retry_deadline_s=30) as patient,
    ):
        for each in (db, patient):
            each.save_deal({"id": "before", "n": 0})
        client.execute_command("CLIENT", "PAUSE", 60_000, "WRITE")
        with pytest.raises(OutcomeUnknown) as caught:
            db.save_deal({"id": "impatient", "n": 1})
        assert db.get_deal("before") is not None
        assert db.query.count() == 1
        with pytest.raises(StoreError):
            caught.value.resolve()
        saving = threading.Thread(target=patient.save_deal, args=({"id": "patient", "n": 1},))
        saving.start()
        # it sends more than one copy
        time.sleep(0.7)
        client.execute_command("CLIENT", "UNPAUSE")
        saving.join(30)
        assert caught.value.resolve() is ("impatient" in db)
        assert "patient" in db
        assert db.save_deal({"id": "impatient", "n": 1}).rev
        assert db.save_deal({"id": "next", "n": 1}).outcome == "inserted"
        assert db.check().ok
    assert set(told(durable).values()) == {1}
