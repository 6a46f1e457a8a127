"""Sockets that are killed, and servers that are late, restarted or loading: what is sent again, and what once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from connected import connected, eventually, in_threads, sockets
from dealdb.connection import Link
from dealdb.errors import ServerUnavailable
from servers import Server

# under everysec a kill may lose what the server has not yet written, because a sync is under way
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


def kill_sockets(server: Server) -> None:
    with server.client() as client:
        for entry in sockets(server):
            client.client_kill_filter(_id=entry["id"])


def test_killed_idle_socket_is_replaced_before_use(server: Server) -> None:
    with connected(server) as connection:
        for number in range(20):
            assert connection.link().call("INCR", "n") == number + 1
            kill_sockets(server)
            # the server closes its end after it has answered
            assert eventually(lambda: not sockets(server))


def test_reads_survive_a_loop_of_client_kill(server: Server) -> None:
    done = threading.Event()

    def kill_on() -> None:
        while not done.is_set():
            kill_sockets(server)
            time.sleep(0.005)

    with connected(server, max_connections=4) as connection:
        link = connection.link()
        link.call("SET", "k", "v")

        def read(thread: int) -> None:
            for number in range(100):
                word = f"{thread}/{number}"
                assert link.call("ECHO", word, retry=True) == word.encode()

        killer = threading.Thread(target=kill_on)
        killer.start()
        failures = in_threads(8, read)
        done.set()
        killer.join()
    assert failures == []


def test_write_is_sent_once_when_its_reply_is_late(new_server: Callable[..., Server]) -> None:
    server = new_server()
    with connected(server, socket_timeout_s=0.8) as connection:
        connection.ping()
        server.freeze()
        with pytest.raises(ServerUnavailable, match="did not answer in time") as caught:
            connection.link().call("INCR", "n")
        server.thaw()
        assert caught.value.retryable
        # the late reply of the INCR is not taken for the answer to this
        assert connection.link().call("GET", "n") == b"1"


def test_read_is_sent_again_until_its_deadline(new_server: Callable[..., Server]) -> None:
    server = new_server()
    with connected(server, socket_timeout_s=0.1, retry_deadline_s=10) as connection:
        connection.link().call("SET", "k", "v")
        server.freeze()
        thawing = threading.Timer(0.5, server.thaw)
        thawing.start()
        assert connection.link().call("GET", "k", retry=True) == b"v"
        thawing.join()
        server.freeze()
    with connected(server, socket_timeout_s=0.1, retry_deadline_s=0.3) as connection:
        with pytest.raises(ServerUnavailable):
            connection.link().call("GET", "k", retry=True)
        server.thaw()


def test_restart_is_waited_for_by_reads_and_by_writes_not_yet_sent(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(*DURABLE)
    with connected(server) as connection:
        assert connection.link().call("INCR", "n") == 1
        for number in (2, 3):
            with restarting(server):
                assert connection.link().call("GET", "n", retry=True) == b"%d" % (number - 1)
            with restarting(server):
                assert connection.link().call("INCR", "n") == number


@contextmanager
def restarting(server: Server) -> Iterator[None]:
    """Killed now, and started again a moment later."""
    server.kill()
    starting = threading.Timer(0.1, server.start)
    starting.start()
    yield
    starting.join()


def test_loading_server_is_waited_for(new_server: Callable[..., Server]) -> None:
    server = new_server(*DURABLE)
    with server.client() as client:
        batch = client.pipeline(transaction=False)
        for number in range(5_000):
            batch.set(f"k{number}", "v")
        batch.execute()
    # microseconds for each command of the file; the server looks up from loading after every 1,000
    server.options = (*server.options, "--key-load-delay", "100")
    server.kill()
    starting = threading.Thread(target=server.start)
    starting.start()
    with connected(server, retry_deadline_s=20) as connection:
        link = connection.link()
        # a batch that is no read is turned away, for a part of it might have run
        with pytest.raises(ServerUnavailable, match="can't answer yet: LOADING"):
            call_until_it_listens(link)
        assert link.call("INCR", "n") == 1
        assert link.call("DBSIZE", retry=True) == 5_001
    starting.join()


def call_until_it_listens(link: Link) -> None:
    while True:
        try:
            # the first is answered also by a server that is loading
            link.calls([("INFO", "server"), ("PING",)])
        except ServerUnavailable as error:
            if "can't be reached" not in str(error):
                raise
        else:
            return
