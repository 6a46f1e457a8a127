"""Commands to a cluster: each goes to the node that has its keys, and what is sent together to several."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest

from clusters import Cluster, say
from connected import eventually
from dealdb.connection import Link, RedisConnection, round_trips
from dealdb.connection.cluster.cluster_link import slot_of
from dealdb.connection.server.measuring import remove_keys, sockets_accepted
from dealdb.errors import ServerRefused, ServerUnavailable
from servers import Server

NAMES = [f"{{{name}}}key" for name in "abcdefgh"]


@pytest.fixture
def link(pair: Cluster) -> Iterator[Link]:
    with RedisConnection().connect_url(pair.url) as found:
        yield found.link()


def keep_for_long(cluster: Cluster) -> None:
    """Let no node be taken for dead while it is frozen."""
    for node in cluster.nodes:
        say(node, "CONFIG", "SET", "cluster-node-timeout", 60_000)


def test_slots_are_those_of_the_server(pair: Cluster) -> None:
    for key in (
        *NAMES,
        "deal:42",
        "deal:{5.69}:42",
        "{}a",
        "a{}",
        "{a",
        "{{a}}b",
        "ü{ö}",
        "{a}{b}",
    ):
        assert slot_of(key) == say(pair.nodes[0], "CLUSTER", "KEYSLOT", key), key


def test_what_is_sent_together_goes_to_each_node_at_once(pair: Cluster, link: Link) -> None:
    for number, key in enumerate(NAMES):
        link.call("SET", key, number)
    assert all(say(node, "DBSIZE") for node in pair.primaries)
    before = round_trips()
    found = link.calls([("GET", key) for key in NAMES], retry=True)
    assert found == [str(number).encode() for number in range(len(NAMES))]
    assert round_trips() - before == 2
    # a command without a key follows the one before it
    assert link.calls([("SET", NAMES[0], 5), ("WAIT", 0, 100), ("GET", NAMES[1]), ("ECHO", "a")]) == [
        b"OK", 0, b"1", b"a",
    ]  # fmt: skip
    assert link.call("EVAL", "return redis.call('GET', KEYS[1])", 1, NAMES[3]) == b"3"
    assert sum(int(node.call("DBSIZE")) for node in link.each_node()) == len(NAMES)


def test_an_error_of_one_node_is_raised_after_all_were_asked(link: Link) -> None:
    for number, key in enumerate(NAMES):
        link.call("SET", key, number)
    commands = [("INCR", key) for key in NAMES[:2]] + [("HGET", NAMES[2], "f"), ("INCR", NAMES[3])]
    with pytest.raises(ServerRefused, match="WRONGTYPE"):
        link.calls(commands)
    assert link.call("GET", NAMES[3]) == b"4"
    kept = link.calls([("GET", NAMES[0]), ("HGET", NAMES[2], "f")], retry=True, keep_errors=True)
    assert kept[0] == b"1"
    assert isinstance(kept[1], ServerRefused)


def test_reads_of_several_nodes_follow_slots_that_move(pair: Cluster, link: Link) -> None:
    for number, key in enumerate(NAMES):
        link.call("SET", key, number)
    slot = slot_of(NAMES[2])
    to = pair.other(slot)
    pair.begin_move(slot, to)
    pair.move_keys(slot, to)
    expected = [str(number).encode() for number in range(len(NAMES))]
    assert link.calls([("GET", key) for key in NAMES], retry=True) == expected
    pair.end_move(slot, to)
    assert link.calls([("GET", key) for key in NAMES], retry=True) == expected
    before = round_trips()
    assert link.calls([("GET", key) for key in NAMES], retry=True) == expected
    assert round_trips() - before == 2


@pytest.fixture
def three(cluster: Cluster) -> Iterator[Cluster]:
    yield cluster
    cluster.be_as_at_first()


@pytest.mark.parametrize("number", [0, 1])
def test_all_nodes_are_asked_before_one_has_answered(three: Cluster, number: int) -> None:
    keep_for_long(three)
    nodes = {three.owner(slot_of(name)): name for name in NAMES}
    (*pair, (last_node, last)) = nodes.items()
    (frozen, slow), (node, quick) = pair if number else pair[::-1]
    with RedisConnection().connect_url(three.url) as connection:
        link = connection.link()
        link.calls([("GET", key) for key in nodes.values()], retry=True)
        frozen.freeze()
        try:
            # as if they were reads, to see from outside which have run
            commands = [("INCR", key) for key in (slow, quick, last)]
            asking = Thread(target=link.calls, args=(commands,), kwargs={"retry": True})
            asking.start()
            assert eventually(lambda: say(node, "GET", quick))
            # the last one says what is so when all others have been answered
            assert say(last_node, "GET", last) is None
        finally:
            frozen.thaw()
            asking.join()
        assert link.calls([("GET", key) for key in nodes.values()], retry=True) == [b"1"] * 3


def test_the_last_command_waits_for_those_of_other_nodes_only(pair: Cluster, link: Link) -> None:
    keep_for_long(pair)
    nodes = {pair.owner(slot_of(name)): name for name in NAMES}
    (here, one), (there, other) = nodes.items()
    there.freeze()
    try:
        commands = [("INCR", one), ("INCR", other), ("INCRBY", one, 10)]
        asking = Thread(target=link.calls, args=(commands,), kwargs={"retry": True})
        asking.start()
        assert eventually(lambda: say(here, "GET", one) == b"1")
    finally:
        there.thaw()
        asking.join()
    assert link.calls([("GET", one), ("GET", other)], retry=True) == [b"11", b"1"]


def test_a_pool_of_one_connection_asks_one_node_after_the_other(pair: Cluster) -> None:
    with RedisConnection().connect_url(pair.url, max_connections=1) as connection:
        link = connection.link()
        for number, key in enumerate(NAMES):
            link.call("SET", key, number)
        expected = [str(number).encode() for number in range(len(NAMES))]
        threads = [
            Thread(
                target=lambda: found.append(link.calls([("GET", key) for key in NAMES], retry=True))
            )
            for _ in range(6)
        ]
        found: list[Any] = []
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [expected] * 6
        assert (connection.pool_stats().open, connection.pool_stats().in_use) == (1, 0)


def test_a_node_that_dies_while_it_is_asked_gives_its_connections_back(pair: Cluster) -> None:
    with RedisConnection().connect_url(
        pair.url, socket_timeout_s=0.3, retry_deadline_s=1.0
    ) as connection:
        link = connection.link()
        reads = [("GET", key) for key in NAMES]
        link.calls(reads, retry=True)
        keep_for_long(pair)
        pair.nodes[1].freeze()
        try:
            with pytest.raises(ServerUnavailable):
                link.calls(reads, retry=True)
        finally:
            pair.nodes[1].thaw()
        assert connection.pool_stats().in_use == 0
        assert link.calls(reads, retry=True) == [None] * len(NAMES)


def test_keys_are_removed_on_all_nodes(pair: Cluster, link: Link) -> None:
    for key in NAMES:
        link.call("SET", key, "a")
    link.call("SET", "other", "a")
    assert remove_keys(link, "{") == len(NAMES)
    assert sum(int(say(node, "DBSIZE")) for node in pair.primaries) == 1
    before = sockets_accepted(link)
    with RedisConnection().connect_url(pair.url) as more:
        for key in NAMES:
            more.link().call("GET", key)
    after = sockets_accepted(link)
    assert before
    # one to each node, and one to ask for the map; another where it was asked which nodes there are
    assert after is not None
    assert before + 3 <= after <= before + 4


def test_a_node_that_has_joined_is_asked_too(new_server: Callable[..., Server]) -> None:
    """Whether or not a command has met one of its slots."""
    cluster = Cluster(new_server, 2, has_replicas=False)
    with RedisConnection().connect_url(cluster.url) as connection:
        link = connection.link()
        link.calls([("SET", key, "a") for key in NAMES])
        added = cluster.add_primary()
        for key in NAMES[:2]:
            cluster.move(slot_of(key), added)
            assert sum(len(node.call("KEYS", "*")) for node in link.each_node()) == len(NAMES)
        link.call("GET", NAMES[0])
        assert {node.address for node in link.each_node()} == addresses(cluster)


def test_each_node_is_asked_once_where_a_slot_went_and_came_back(pair: Cluster) -> None:
    here, there = pair.primaries
    key = next(key for key in NAMES if pair.owner(slot_of(key)) is here)
    pair.move(slot_of(key), there)
    with RedisConnection().connect_url(pair.url) as connection:
        link = connection.link()
        # the first slot of that node, by the map that is asked for now
        link.call("SET", key, "a")
        pair.move(slot_of(key), here)
        assert link.call("GET", key) == b"a"
        assert {node.address for node in link.each_node()} == addresses(pair)


def addresses(cluster: Cluster) -> set[str]:
    return {f"{node.host}:{node.port}" for node in cluster.primaries}
