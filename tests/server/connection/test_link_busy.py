"""A batch of which the server carries out one command, and then has no time for the next: it was sent all the same."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import redis

from clusters import Cluster
from connected import connected, eventually
from dealdb.connection import Link, RedisConnection
from dealdb.connection.cluster.cluster_link import slot_of
from dealdb.connection.cluster.slot_link import SlotLink
from dealdb.errors import ServerUnavailable
from dealdb.store.commit.change import Lazily
from servers import Server

# sent at once, so that the server has it before the next one is made
LONG = "x" * 100_000


@contextmanager
def kept_busy(server: Server) -> Iterator[Callable[[], None]]:
    """What has a script run that does not end, until the block does."""
    with server.client() as other, server.client() as client:
        client.config_set("lua-time-limit", 1)

        def run() -> None:
            with pytest.raises(redis.ResponseError):
                other.eval("while true do end", 0)

        running = threading.Thread(target=run)

        def start() -> None:
            running.start()
            assert eventually(lambda: is_busy(client))

        try:
            yield start
        finally:
            client.script_kill()
            running.join()
            client.config_set("lua-time-limit", 5_000)


def is_busy(client: redis.Redis) -> bool:
    try:
        client.dbsize()
    except redis.ResponseError as refusal:
        return str(refusal).startswith("BUSY")
    return False


def test_the_error_says_that_a_part_of_a_batch_may_have_run(server: Server) -> None:
    with connected(server, retry_deadline_s=0.1) as connection:
        assert meets_busy(connection.link(), server)


def test_the_error_says_so_on_a_cluster(pair: Cluster) -> None:
    with RedisConnection().connect_url(pair.url, retry_deadline_s=0.1) as connection:
        slot, slots = slot_of("key"), connection._slots
        assert slots is not None
        # that of the whole cluster makes all commands before it sends one
        assert meets_busy(SlotLink(connection._open_pool, slots, slot), pair.owner(slot))


def meets_busy(link: Link, server: Server) -> bool:
    """Whether an error says that the first of two changes may have been made, as it was."""
    link.call("SET", "key", "0")
    with kept_busy(server) as start:

        def second() -> tuple[str, ...]:
            assert eventually(lambda: link_sees(server))
            start()
            return ("APPEND", "key", "second")

        commands = Lazily([lambda: ("SET", "key", LONG), second])
        with pytest.raises(ServerUnavailable, match="BUSY") as caught:
            link.calls(commands)
    assert link.call("GET", "key") == LONG.encode()
    return caught.value.sent


def link_sees(server: Server) -> bool:
    """Whether the first change has been made."""
    with server.client() as client:
        return int(client.strlen("key")) == len(LONG)
