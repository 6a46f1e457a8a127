"""Checkpoints that fail are tried again, and leases that are left behind don't block."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from connected import eventually
from dealdb.connection import Link, RedisConnection
from dealdb.store import Store
from dealdb.store.checkpoint.write import write_checkpoint
from servers import Server


@pytest.fixture
def store(link: Link) -> Store:
    for n in range(5):
        Store(link).save({"id": n, "amount": n})
    return Store(link)


@pytest.fixture
def due(monkeypatch: pytest.MonkeyPatch, store: Store) -> Store:
    """A store for whose queries a checkpoint is due."""
    monkeypatch.setattr("dealdb.store.checkpoint.schedule.MIN_CHANGES", 4)
    return store


def checkpoint(store: Store) -> bool:
    store.snapshot()
    return write_checkpoint(store.link, store.keys, store._live._replica)


def query(store: Store) -> None:
    """Query, and wait for the end of the checkpoint that this has begun, if it has."""
    store.snapshot()
    thread = store._live._schedule._thread
    if thread is not None:
        thread.join(60)


def has_checkpoint(link: Link) -> bool:
    return bool(link.call("EXISTS", "deals:checkpoint"))


# what has failed is tried again --------------------------------------------------------------------------


def test_a_checkpoint_that_a_full_server_refused_is_tried_again(due: Store, link: Link) -> None:
    link.call("CONFIG", "SET", "maxmemory", 1)
    try:
        query(due)
        assert not has_checkpoint(link)
    finally:
        link.call("CONFIG", "SET", "maxmemory", 0)
    query(due)
    assert has_checkpoint(link)
    assert not link.call("EXISTS", "deals:lease")


def test_tries_have_growing_pauses(due: Store, link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dealdb.store.checkpoint.schedule._FIRST_PAUSE_S", 3_600.0)
    link.call("CONFIG", "SET", "maxmemory", 1)
    try:
        for _ in range(3):
            query(due)
    finally:
        link.call("CONFIG", "SET", "maxmemory", 0)
    # the second try was at once; the third one is an hour away
    query(due)
    assert not has_checkpoint(link)
    schedule = due._live._schedule
    assert schedule._n_failed == 2
    schedule._not_before = 0.0
    query(due)
    assert has_checkpoint(link)


def test_what_another_process_has_written_is_not_written_again(due: Store, link: Link) -> None:
    link.call("SET", "deals:lease", f"another {link.call('TIME')[0].decode()}", "PX", 60_000)
    query(due)
    assert not has_checkpoint(link)
    link.call("DEL", "deals:lease")
    other = Store(link)
    query(other)
    assert has_checkpoint(link)
    other.save({"id": 9})
    before = link.call("GET", "deals:checkpoint")
    query(due)
    assert link.call("GET", "deals:checkpoint") == before


def test_the_checkpoint_of_a_load_is_tried_again(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dealdb.store.live.during_load.MIN_CHANGES", 4)
    monkeypatch.setattr("dealdb.store.checkpoint.schedule.MIN_CHANGES", 4)
    monkeypatch.setattr("dealdb.store.checkpoint.schedule._SETTLING_PAUSES_S", (0.0, 0.2, 0.2, 0.0))
    store = Store(link)
    with store.settling() as settling:
        for n in range(5):
            store.save({"id": n})
        settling.written(5)
        link.call("SET", "deals:lease", f"another {link.call('TIME')[0].decode()}", "PX", 150)
    assert has_checkpoint(link)


def test_who_leaves_does_not_wait_for_a_hanging_server_twice(
    new_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for the command that is under way, and not again for giving the lease back."""
    monkeypatch.setattr("dealdb.store.checkpoint.schedule.MIN_CHANGES", 4)
    server = new_server()
    begun = threading.Event()

    class Freezing(Link):
        __slots__ = ()

        def call(self, *command: Any, retry: bool = False) -> Any:
            if command[0] == "TYPE" and not begun.is_set():
                server.freeze()
                begun.set()
            return super().call(*command, retry=retry)

    connection = RedisConnection()
    connection.connect("127.0.0.1", server.port, socket_timeout_s=1, retry_deadline_s=4)
    link = connection.link()
    for n in range(5):
        Store(link).save({"id": n})
    store = Store(Freezing(link._pool, link.db))
    store.snapshot()
    assert begun.wait(30)
    store.finish()
    thread = store._live._schedule._thread
    assert thread
    assert thread.is_alive()
    server.thaw()
    thread.join(60)
    assert not thread.is_alive()
    assert not link.call("EXISTS", "deals:lease", "deals:checkpoint")
    query(store)
    assert has_checkpoint(link)
    connection.close()


# the lease -----------------------------------------------------------------------------------------------


def age_of_lease(link: Link, seconds: int) -> None:
    """Leave a lease behind that was taken so long ago, and that won't expire for a long time."""
    now = int(link.call("TIME")[0])
    link.call("SET", "deals:lease", f"dead {now - seconds}", "PX", 7_200_000)


@pytest.mark.parametrize(("seconds", "blocks"), [(30, True), (90, False), (-90, False)])
def test_a_lease_of_long_ago_or_of_the_future_is_taken_over(
    store: Store, link: Link, seconds: int, *, blocks: bool
) -> None:
    """When the clock is set back, expiry moves away; what the lease says of itself shows that it is a leftover."""
    age_of_lease(link, seconds)
    assert checkpoint(store) is not blocks
    assert bool(link.call("EXISTS", "deals:lease")) is blocks


def test_a_lease_of_an_older_version_blocks_for_a_minute(
    store: Store, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dealdb.store.checkpoint.lease.LEASE_S", 1)
    link.call("SET", "deals:lease", "0123456789abcdef", "PX", 7_200_000)
    assert not checkpoint(store)
    assert link.call("PTTL", "deals:lease") <= 1_000
    assert eventually(lambda: checkpoint(store))


def test_the_lease_of_another_is_not_given_back(store: Store, link: Link) -> None:
    store.snapshot()
    write = write_checkpoint

    class Slow(Link):
        __slots__ = ()

        def call(self, *command: Any, retry: bool = False) -> Any:
            if command[0] == "SMEMBERS":
                age_of_lease(link, 0)
            return super().call(*command, retry=retry)

    slow = Slow(link._pool, link.db)
    assert write(slow, store.keys, store._live._replica)
    assert link.call("GET", "deals:lease").startswith(b"dead ")


def test_a_lease_of_the_wrong_type_is_no_lease(store: Store, link: Link) -> None:
    link.call("RPUSH", "deals:lease", "x")
    assert checkpoint(store)
    assert not link.call("EXISTS", "deals:lease")
