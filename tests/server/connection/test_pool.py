from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from connected import connected, eventually, in_threads, sockets
from dealdb.connection import RedisConnection
from dealdb.errors import PoolTimeout, StoreError
from servers import Server

# busy on the server for a moment, so that callers queue
SLOW = "for i = 1, tonumber(ARGV[1]) do redis.call('PING') end return 1"


def opened_so_far(server: Server) -> int:
    with server.client() as client:
        return int(client.info("stats")["total_connections_received"])


def test_opens_nothing_before_first_use(server: Server) -> None:
    with connected(server) as connection:
        connection.link()
        assert sockets(server) == []
        assert connection.pool_stats().open == 0


def test_64_threads_share_10_sockets(server: Server) -> None:
    before = opened_so_far(server)
    with connected(server) as connection:
        link = connection.link()

        def save(thread: int) -> None:
            for number in range(25):
                link.call("HSET", f"deal:{thread}-{number}", "name", f"n{number}")
                assert link.call("HGET", f"deal:{thread}-{number}", "name") == b"n%d" % number

        assert in_threads(64, save) == []
        # the one more is the client that asks
        assert opened_so_far(server) - before <= 10 + 1
        assert len(sockets(server)) <= 10
        assert link.call("DBSIZE") == 1600
        stats = connection.pool_stats()
    assert (stats.size, stats.in_use, stats.waiting) == (10, 0, 0)
    assert stats.open <= 10
    assert stats.waited > 0
    assert sockets(server) == []


def test_pool_timeout_says_size_and_what_to_raise(new_server: Callable[..., Server]) -> None:
    server = new_server()
    with connected(server, max_connections=2, pool_timeout_s=0.1) as connection:
        connection.ping()
        server.freeze()
        busy = [threading.Thread(target=connection.is_connected) for _ in range(1)]
        busy += [threading.Thread(target=connection.link().call, args=("PING",)) for _ in range(1)]
        for thread in busy:
            thread.start()
        while connection.pool_stats().in_use < 2:
            time.sleep(0.001)
        with pytest.raises(PoolTimeout) as caught:
            connection.link().call("PING")
        server.thaw()
        for thread in busy:
            thread.join()
        assert (caught.value.size, caught.value.in_use, caught.value.retryable) == (2, 2, True)
        assert "2 of 2 are in use; raise max_connections or pool_timeout_s" in str(caught.value)
        assert connection.link().call("ECHO", "again") == b"again"
        assert connection.pool_stats().in_use == 0


def test_those_who_wait_are_served_in_order(server: Server) -> None:
    served: list[int] = []
    with connected(server, max_connections=1) as connection:
        link = connection.link()

        def use(number: int) -> None:
            link.call("PING")
            served.append(number)

        held = connection._open_pool.checkout(0)
        threads = []
        for number in range(8):
            threads.append(threading.Thread(target=use, args=(number,)))
            threads[-1].start()
            while connection.pool_stats().waiting <= number:
                time.sleep(0.001)
        connection._open_pool.release(held)
        for thread in threads:
            thread.join()
    # a served thread appends a moment after it gave its wire on, so neighbours may swap
    assert all(abs(place - number) <= 1 for place, number in enumerate(served))


def test_slot_of_a_wire_that_an_interrupt_lost_is_free_again(server: Server) -> None:
    with connected(server, max_connections=1) as connection:
        pool = connection._open_pool
        lost = pool.checkout(0)
        lost.connect()
        waiting = threading.Thread(target=connection.link().call, args=("PING",))
        waiting.start()
        while not connection.pool_stats().waiting:
            time.sleep(0.001)
        del lost
        waiting.join()
        assert len(sockets(server)) == 1


def test_close_wakes_those_who_wait(server: Server) -> None:
    connection = RedisConnection().connect("127.0.0.1", server.port, max_connections=1)
    link = connection.link()
    held = connection._open_pool.checkout(0)
    failures: list[BaseException] = []
    waiting = threading.Thread(
        target=lambda: failures.extend(in_threads(1, lambda _: link.call("PING")))
    )
    waiting.start()
    while not connection.pool_stats().waiting:
        time.sleep(0.001)
    connection.close()
    waiting.join()
    connection._open_pool.release(held)
    assert [type(error) for error in failures] == [StoreError]
    assert "closed" in str(failures[0])


def test_after_close_only_connect_helps(server: Server) -> None:
    with connected(server) as connection:
        link = connection.link()
        link.call("PING")
        connection.close()
        connection.close()
        assert sockets(server) == []
        assert not connection.is_connected()
        with pytest.raises(StoreError, match="was closed; connect again"):
            link.call("PING")
        assert connection.connect("127.0.0.1", server.port).link().call("PING") == b"PONG"


def test_no_socket_is_left_when_the_object_is_dropped(server: Server) -> None:
    connection = RedisConnection().connect("127.0.0.1", server.port)
    connection.ping()
    del connection
    assert eventually(lambda: sockets(server) == [])


def test_replies_in_order_and_first_error_after_all(server: Server) -> None:
    with connected(server) as connection:
        link = connection.link()
        assert link.calls([("SET", "a", 1), ("INCRBY", "a", 2), ("GET", "a"), ("GET", "b")]) == [
            b"OK",
            3,
            b"3",
            None,
        ]
        assert link.calls([]) == []
        with pytest.raises(StoreError, match="WRONGTYPE"):
            link.calls([("SET", "a", "x"), ("HGET", "a", "f"), ("INCR", "a"), ("SET", "c", "done")])
        assert link.call("GET", "c") == b"done"


def test_big_batches_go_through(server: Server) -> None:
    with connected(server, max_connections=1) as connection:
        link = connection.link()
        big = b"\x00\xff\r\n" * 500_000
        assert link.calls([("SET", f"k{number}", big) for number in range(5)]) == [b"OK"] * 5
        assert link.calls([("GET", f"k{number}") for number in range(5)]) == [big] * 5


def test_slow_commands_of_many_threads_all_get_their_own_reply(server: Server) -> None:
    with connected(server, max_connections=3) as connection:
        link = connection.link()

        def echo(thread: int) -> None:
            for number in range(20):
                link.call("EVAL", SLOW, 0, 20)
                word = f"{thread}/{number}"
                assert link.call("ECHO", word) == word.encode()
                assert link.calls([("ECHO", word), ("ECHO", "x")]) == [word.encode(), b"x"]

        assert in_threads(12, echo) == []
        assert len(sockets(server)) <= 3
