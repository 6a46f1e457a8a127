"""Commands to a cluster: each goes to the node that has its keys, and what is sent together to several."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from clusters import Cluster, say
from dealdb.connection import Link, RedisConnection, round_trips
from dealdb.connection.cluster.cluster_link import ClusterLink, slot_of
from dealdb.connection.server.measuring import remove_keys, sockets_accepted
from dealdb.errors import ServerRefused
from servers import Server

NAMES = [f"{{{name}}}key" for name in "abcdefgh"]


@pytest.fixture
def pair(new_server: Callable[..., Server]) -> Cluster:
    return Cluster(new_server, 2, has_replicas=False)


@pytest.fixture
def link(pair: Cluster) -> Iterator[Link]:
    with RedisConnection().connect_url(pair.url) as found:
        yield found.link()


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


def test_the_last_command_of_all_is_carried_out_last(pair: Cluster, link: Link) -> None:
    """Its node has others before it, too: these may wait for it, and not it for those of other nodes."""
    keys = {pair.owner(slot_of(name)).port: name for name in NAMES}
    one, other = keys.values()
    order: list[str] = []
    ask = ClusterLink._ask

    def noted(self: Any, node: Any, reads: Any) -> Any:
        order.extend(command[1] for command in reads)
        return ask(self, node, reads)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClusterLink, "_ask", noted)
        link.calls([("GET", one), ("GET", other), ("STRLEN", one)], retry=True)
    assert order == [other, one, one]


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
    # one to each node, and one to ask for the map
    assert after == before + 3
