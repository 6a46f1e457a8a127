"""Databases of one connection: a link stays on its own, and sockets follow the one that is selected."""

from __future__ import annotations

import threading
import time

import pytest

from connected import connected, in_threads, sockets
from dealdb.connection import RedisConnection
from servers import Server


def test_link_stays_on_its_database(server: Server) -> None:
    with connected(server) as connection:
        old = connection.link()
        connection.select_db(3)
        old.call("SET", "here", "zero")
        connection.link().call("SET", "here", "three")
        assert (old.db, connection.link().db, connection.db) == (0, 3, 3)
    for db, value in ((0, b"zero"), (3, b"three")):
        with server.client(db) as client:
            assert client.get("here") == value


def test_idle_sockets_of_the_old_database_are_closed(server: Server) -> None:
    with connected(server) as connection:
        link = connection.link()
        in_threads(10, lambda _: link.call("PING"))
        assert {entry["db"] for entry in sockets(server)} == {"0"}
        connection.select_db(3)
        assert sockets(server) == []
        connection.link().call("PING")
        link.call("PING")
        assert [entry["db"] for entry in sockets(server)] == ["3"]


def test_selecting_the_same_database_keeps_the_sockets(server: Server) -> None:
    with connected(server) as connection:
        connection.ping()
        before = [entry["id"] for entry in sockets(server)]
        connection.select_db(0)
        connection.ping()
        assert [entry["id"] for entry in sockets(server)] == before


def test_never_sends_select_once_connected(server: Server) -> None:
    with server.client() as client:
        client.config_resetstat()
    with connected(server, db=2) as connection:
        for db in (5, 2, 5):
            for _ in range(10):
                connection.link().call("PING")
            connection.select_db(db)
    with server.client() as client:
        # once for each socket that was opened: db 2, db 5, db 2
        assert client.info("commandstats")["cmdstat_select"]["calls"] == 3


@pytest.mark.parametrize("size", [1, 10])
def test_16_threads_in_flight_finish_where_they_began(server: Server, size: int) -> None:
    done = threading.Event()
    counts: list[int] = []

    def watch() -> None:
        while not done.is_set():
            counts.append(len(sockets(server)))

    with connected(server, max_connections=size) as connection:

        def work(thread: int) -> None:
            for number in range(30):
                link = connection.link()
                key = f"{thread}/{number}"
                link.call("SET", key, link.db)
                assert link.call("GET", key) == b"%d" % link.db

        def switch(thread: int) -> None:
            for number in range(20):
                connection.select_db(number % 4)
                time.sleep(0.002)

        watcher = threading.Thread(target=watch)
        watcher.start()
        failures = in_threads(17, lambda thread: switch(thread) if thread == 16 else work(thread))
        done.set()
        watcher.join()
        assert failures == []
        assert {entry["db"] for entry in sockets(server)} <= {"3"}
        assert connection.pool_stats().in_use == 0
    assert 0 < max(counts) <= size
    total = 0
    for db in range(4):
        with server.client(db) as client:
            keys = client.keys()
            total += len(keys)
            assert all(client.get(key) == b"%d" % db for key in keys)
    assert total == 16 * 30


def test_old_link_gets_a_slot_from_a_full_pool_of_the_new_database(server: Server) -> None:
    with connected(server, max_connections=1) as connection:
        old = connection.link()
        connection.select_db(1)
        connection.ping()
        old.call("SET", "k", "v")
        assert old.call("GET", "k") == b"v"
        assert connection.link().call("GET", "k") is None
        assert connection.pool_stats().open == 1


def test_select_waits_for_no_server(server: Server) -> None:
    connection = RedisConnection().connect("127.0.0.1", 1)
    connection.select_db(7)
    assert connection.settings.db == 0
    assert connection.link().db == 7
