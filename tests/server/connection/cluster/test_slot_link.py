"""Commands to a slot of a cluster: a real one, whose slots move and whose nodes die, freeze and come back."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from typing import Any

import pytest

from clusters import N_SLOTS, PATIENT, Cluster, id_of, say
from connected import eventually, replicated
from dealdb.connection import RedisConnection
from dealdb.connection.cluster.cluster_link import slot_of
from dealdb.connection.cluster.slot_link import SlotLink
from dealdb.connection.cluster.slots import SlotMap
from dealdb.connection.endpoint import Endpoint
from dealdb.connection.server.measuring import sockets_accepted
from dealdb.errors import (
    AccessDenied,
    ConfigError,
    PoolTimeout,
    ServerRefused,
    ServerUnavailable,
    StoreError,
)
from servers import Server, free_port

KEY, OTHER = "{a}key", "{a}other"


@pytest.fixture
def connection(pair: Cluster) -> Iterator[RedisConnection]:
    with RedisConnection().connect_url(pair.url) as found:
        yield found


def slot_link(connection: RedisConnection, slot: int) -> SlotLink:
    assert connection._slots is not None
    return SlotLink(connection._open_pool, connection._slots, slot)


def test_each_slot_is_asked_of_its_node(pair: Cluster, connection: RedisConnection) -> None:
    for name in "abcdefgh":
        key = f"{{{name}}}key"
        link = slot_link(connection, slot_of(key))
        assert link.call("SET", key, name) == b"OK"
        assert link.calls([("GET", key), ("STRLEN", key)]) == [name.encode(), 1]
    assert sum(int(say(node, "DBSIZE")) for node in pair.primaries) == 8
    assert all(say(node, "DBSIZE") for node in pair.primaries)
    assert connection.is_connected()
    assert connection.health().reachable


def test_a_slot_that_has_moved_is_followed(pair: Cluster, connection: RedisConnection) -> None:
    slot = slot_of(KEY)
    link, to = slot_link(connection, slot), pair.other(slot)
    link.call("SET", KEY, "1")
    pair.move(slot, to)
    # a change is as good as a read: the node that has it no more has not carried it out
    assert link.call("INCR", KEY) == 2
    assert link.calls([("INCR", KEY), ("INCR", KEY)]) == [3, 4]
    assert slot_link(connection, slot).call("GET", KEY) == b"4"


def test_while_a_slot_moves_its_keys_are_asked_for_on_both_sides(
    pair: Cluster, connection: RedisConnection
) -> None:
    slot = slot_of(KEY)
    link, to = slot_link(connection, slot), pair.other(slot)
    link.call("SET", KEY, "1")
    pair.begin_move(slot, to)
    # still here; a new one is there already
    assert link.call("INCR", KEY) == 2
    assert link.call("SET", OTHER, "new") == b"OK"
    assert say(to, "CLUSTER", "COUNTKEYSINSLOT", slot) == 1
    pair.move_keys(slot, to)
    assert link.call("INCR", KEY) == 3
    assert link.calls([("INCR", KEY), ("GET", OTHER)]) == [4, b"new"]
    errors = link.calls([("INCR", KEY), ("INCR", OTHER)], keep_errors=True)
    assert errors[0] == 5
    assert isinstance(errors[1], StoreError)
    # the map says nothing else until it is done
    assert connection._slots is not None
    assert connection._slots.node_of(slot).port == pair.owner(slot).port
    pair.end_move(slot, to)
    assert link.call("INCR", KEY) == 6


def test_nodes_that_send_a_command_to_one_another_give_no_reply(
    pair: Cluster, connection: RedisConnection
) -> None:
    """Nothing has run, and a list of replies with their refusals has nothing else to say."""
    slot = slot_of(KEY)
    to, owner = pair.other(slot), pair.owner(slot)
    # the other one was never told
    say(owner, "CLUSTER", "SETSLOT", slot, "MIGRATING", id_of(to))
    with RedisConnection().connect_url(pair.url, retry_deadline_s=0.3) as hasty:
        link = slot_link(hasty, slot)
        for keep_errors in (False, True):
            with pytest.raises(ServerRefused, match="don't agree") as caught:
                link.calls([("INCR", KEY), ("INCR", OTHER)], keep_errors=keep_errors)
            assert not caught.value.sent
    told = threading.Timer(0.3, say, (to, "CLUSTER", "SETSLOT", slot, "IMPORTING", id_of(owner)))
    told.start()
    assert slot_link(connection, slot).calls([("INCR", KEY)], keep_errors=True) == [1]
    told.join()


def test_a_right_that_a_slot_on_its_way_takes_is_named(pair: Cluster) -> None:
    for node in pair.nodes:
        say(node, "ACL", "SETUSER", "ann", "on", ">pw", "~*", "+@all", "-asking")
    slot = slot_of(KEY)
    pair.begin_move(slot, pair.other(slot))
    url = pair.url.replace("://", "://ann:pw@")
    with RedisConnection().connect_url(url) as connection:
        link = slot_link(connection, slot)
        with pytest.raises(AccessDenied, match="asking"):
            link.calls([("INCR", KEY)])
        with pytest.raises(AccessDenied, match="asking"):
            link.call("INCR", KEY)


def test_keys_on_both_sides_at_once_are_waited_for(
    pair: Cluster, connection: RedisConnection
) -> None:
    slot = slot_of(KEY)
    link, to = slot_link(connection, slot), pair.other(slot)
    link.calls([("SET", KEY, "1"), ("SET", OTHER, "2")])
    pair.begin_move(slot, to)
    pair.move_keys(slot, to, 1)
    rest = threading.Timer(0.3, pair.move_keys, (slot, to))
    rest.start()
    # TRYAGAIN until the other one is there too
    assert sorted(link.call("MGET", KEY, OTHER)) == [b"1", b"2"]
    rest.join()
    with RedisConnection().connect_url(pair.url, retry_deadline_s=0.1) as hasty:
        pair.end_move(slot, to)
        back = pair.other(slot)
        pair.begin_move(slot, back)
        pair.move_keys(slot, back, 1)
        with pytest.raises(ServerUnavailable, match="TRYAGAIN") as caught:
            slot_link(hasty, slot).call("MGET", KEY, OTHER)
        assert not caught.value.sent


def test_a_batch_that_meets_the_end_of_a_move_is_not_sent_again_in_part(
    pair: Cluster, connection: RedisConnection
) -> None:
    """The first command runs, the second is elsewhere: a change must not run twice, a read may."""
    slot = slot_of(KEY)
    link, to = slot_link(connection, slot), pair.other(slot)
    link.calls([("SET", KEY, "1"), ("SET", OTHER, "1")])
    pair.begin_move(slot, to)
    moved = say(pair.owner(slot), "CLUSTER", "GETKEYSINSLOT", slot, 1)[0]
    stays = KEY if moved == OTHER.encode() else OTHER
    pair.move_keys(slot, to, 1)
    with pytest.raises(ServerUnavailable, match="in the middle of a batch") as caught:
        link.calls([("INCR", stays), ("INCR", moved)])
    assert caught.value.sent
    assert link.call("GET", stays) == b"2"
    assert link.call("GET", moved) == b"1"


def test_the_sockets_of_all_nodes_together_are_as_many_as_allowed(pair: Cluster) -> None:
    slots = [slot_of(f"{{{name}}}") for name in "abcdefghij"]
    with RedisConnection().connect_url(
        pair.url, max_connections=2, pool_timeout_s=0.2
    ) as connection:
        for slot in slots:
            slot_link(connection, slot).call("PING")
        assert connection.pool_stats().open == 2
        pool = connection._open_pool
        assert connection._slots is not None
        nodes = connection._slots.primaries()
        done, both = threading.Event(), threading.Barrier(3)

        def hold() -> None:
            wire = pool.checkout(0, node=nodes[0])
            both.wait(10)
            done.wait(10)
            pool.release(wire)

        holders = [threading.Thread(target=hold) for _ in range(2)]
        for holder in holders:
            holder.start()
        both.wait(10)
        with pytest.raises(PoolTimeout):
            slot_link(connection, slots[0]).call("PING")
        done.set()
        for holder in holders:
            holder.join()
        # both lead to one node, and one of them is led to the other
        for slot in slots:
            assert slot_link(connection, slot).call("PING") == b"PONG"
        assert connection.pool_stats().open == 2


def test_threads_wait_for_a_socket_to_their_node_rather_than_take_those_of_others(
    pair: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [f"{{{name}}}key" for name in "abcdefghij"]
    with (
        RedisConnection().connect_url(pair.url, max_connections=4) as connection,
        ThreadPoolExecutor(8) as threads,
    ):
        link = connection.link()

        def ask(number: int) -> None:
            assert link.call("INCR", keys[number % len(keys)]) > 0

        list(threads.map(ask, range(200)))
        assert connection.pool_stats().open == 4
        # on a busy machine a command may take longer than one is waited for
        monkeypatch.setattr("dealdb.connection.pool.PATIENCE_S", 1.0)
        before = sockets_accepted(link) or 0
        list(threads.map(ask, range(800)))
        # to lead a socket from node to node takes longer than a command; one asks which nodes there are
        assert (sockets_accepted(link) or 0) - before <= 9
        assert sum(int(n) for n in link.calls([("GET", key) for key in keys], retry=True)) == 1000


def test_who_waits_for_one_node_holds_up_nobody_who_wants_another(pair: Cluster) -> None:
    with (
        RedisConnection().connect_url(pair.url, max_connections=4) as connection,
        ExitStack() as stack,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("dealdb.connection.pool.PATIENCE_S", 60.0)
        slots, pool = connection._slots, connection._open_pool
        assert slots is not None
        busy, free = slots.primaries()
        # a thread for each, as each has one socket
        one, two, three, four, five = (stack.enter_context(ThreadPoolExecutor(1)) for _ in range(5))
        first, _, _, other = wires = [
            thread.submit(pool.checkout, 0, None, node).result()
            for thread, node in ((one, busy), (two, busy), (four, free), (three, free))
        ]
        waits = five.submit(pool.checkout, 0, 10.0, busy)
        assert eventually(lambda: pool.stats().waiting == 1)
        three.submit(pool.release, other).result()
        # one to the other node is free, and is led nowhere else
        assert pool.stats().waiting == 1
        assert three.submit(pool.checkout_more, free).result() is other
        one.submit(pool.release, first).result()
        assert waits.result(10) is first
        assert len(set(map(id, wires))) == 4


def test_a_node_that_is_killed_or_freezes_is_replaced(new_server: Callable[..., Server]) -> None:
    cluster = Cluster(new_server)
    slot = slot_of(KEY)
    with RedisConnection().connect_url(cluster.url, **PATIENT) as connection:
        link = slot_link(connection, slot)
        link.call("SET", KEY, "1")
        for number, fault in enumerate(("kill", "freeze"), 2):
            old = cluster.owner(slot)
            assert replicated(old)
            if fault == "kill":
                old.kill()
            else:
                old.freeze()
            began = time.monotonic()
            # a read is sent again; the reply to a change may be lost
            assert link.call("GET", KEY, retry=True) == str(number - 1).encode()
            assert time.monotonic() - began < 20
            assert link.call("INCR", KEY) == number
            if fault == "kill":
                old.start()
            else:
                old.thaw()


def test_an_answer_of_a_primary_that_was_replaced_while_it_froze_does_not_count(
    new_server: Callable[..., Server],
) -> None:
    """It says what is old by now, and what it was told is lost."""
    cluster = Cluster(new_server)
    slot = slot_of(KEY)
    far = next(f"{{{name}}}key" for name in "bcdefgh" if is_elsewhere(cluster, f"{{{name}}}", slot))
    # patient, so that it still waits when the old one wakes up
    with (
        RedisConnection().connect_url(cluster.url, socket_timeout_s=40.0) as connection,
        ThreadPoolExecutor(3) as pool,
    ):
        link, both = slot_link(connection, slot), connection.link()
        link.call("SET", KEY, "1")
        old = cluster.owner(slot)
        # a new one would be answered only after the others, when the old primary knows
        open_sockets(connection, Endpoint(old.host, old.port), 3)
        assert replicated(old)
        old.freeze()
        try:
            change = pool.submit(link.call, "APPEND", KEY, "late")
            read = pool.submit(link.call, "GET", KEY, retry=True)
            reads = pool.submit(both.calls, [("GET", far), ("GET", KEY), ("GET", far)], retry=True)
            new = cluster.wait_for_another(slot, old)
            say(new, "SET", KEY, "2")
        finally:
            old.thaw()
        with pytest.raises(ServerUnavailable, match="answered late") as caught:
            change.result()
        # nobody knows whether it has run, as far as the link is concerned
        assert caught.value.sent
        assert read.result() == b"2"
        assert reads.result() == [None, b"2", None]


def test_an_answer_of_a_node_that_was_replaced_while_it_got_a_slot_does_not_count(
    new_server: Callable[..., Server],
) -> None:
    """What it was told after an ASKING is lost with it, though the slot was never its own."""
    cluster = Cluster(new_server)
    slot = slot_of(KEY)
    to = cluster.other(slot)
    # patient, so that it still waits when the node wakes up
    with (
        RedisConnection().connect_url(cluster.url, socket_timeout_s=40.0) as connection,
        ThreadPoolExecutor(1) as pool,
    ):
        link = slot_link(connection, slot)
        link.call("PING")
        cluster.begin_move(slot, to)
        open_sockets(connection, Endpoint(to.host, to.port), 1)
        assert replicated(to)
        own = next(n for n in range(0, N_SLOTS, 500) if cluster.owner(n) is to)
        to.freeze()
        try:
            change = pool.submit(link.call, "SET", KEY, "late")
            cluster.wait_for_another(own, to)
        finally:
            to.thaw()
        with pytest.raises(ServerUnavailable, match="answered late") as caught:
            change.result()
        assert caught.value.sent


def open_sockets(connection: RedisConnection, node: Endpoint, n: int) -> None:
    """Have so many idle ones to a node."""
    pool, all_have_one = connection._open_pool, threading.Barrier(n)

    def open_one(_: int) -> None:
        wire = pool.checkout(0, node=node)
        if not wire.is_sound():
            wire.connect()
        all_have_one.wait(20)
        pool.release(wire)

    with ThreadPoolExecutor(n) as threads:
        list(threads.map(open_one, range(n)))


def is_elsewhere(cluster: Cluster, key: str, slot: int) -> bool:
    return cluster.owner(slot_of(key)) is not cluster.owner(slot)


def test_a_node_that_did_not_answer_is_doubted_for_a_while(
    pair: Cluster, connection: RedisConnection
) -> None:
    slot = slot_of(KEY)
    link, slots = slot_link(connection, slot), connection._slots
    assert slots is not None
    link.call("SET", KEY, "1")
    node, asked_at = slots.node_of(slot), slots._asked_at
    assert link.call("GET", KEY) == b"1"
    assert slots._asked_at == asked_at
    slots.doubt(node)
    # it is asked of another whether it still has the slot
    assert link.call("GET", KEY) == b"1"
    assert slots._asked_at > asked_at
    to = pair.other(slot)
    pair.move(slot, to)
    assert link.call("GET", KEY) == b"1"


def test_an_answer_counts_though_nobody_tells_whether_the_node_still_has_the_slot(
    pair: Cluster,
) -> None:
    """A right that is withdrawn meanwhile is no word on a change that has run."""
    for node in pair.nodes:
        say(node, "ACL", "SETUSER", "ann", "on", ">pw", "~*", "+@all")
    slot = slot_of(KEY)
    with RedisConnection().connect_url(pair.url.replace("://", "://ann:pw@")) as connection:
        link, slots = slot_link(connection, slot), connection._slots
        assert slots is not None
        assert link.call("INCR", KEY) == 1
        for node in pair.nodes:
            say(node, "ACL", "SETUSER", "ann", "-cluster")
        slots.doubt(slots.node_of(slot))
        assert link.call("INCR", KEY) == 2
        assert link.calls([("INCR", KEY), ("INCR", KEY)]) == [3, 4]


def test_a_node_whose_name_nobody_knows_any_more_is_replaced(
    new_server: Callable[..., Server], flavor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a name is there as long as its node runs."""
    if flavor == "redis62":
        pytest.skip("its nodes have no names")
    names, gone, look_up = count(), set[str](), socket.getaddrinfo

    def find(host: Any, *more: Any, **named: Any) -> Any:
        if host in gone:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        is_node = isinstance(host, str) and host.endswith(".test")
        return look_up("127.0.0.1" if is_node else host, *more, **named)

    def start(*options: str) -> Server:
        named = ("--cluster-announce-hostname", f"node{next(names)}.test")
        return new_server(*options, *named, "--cluster-preferred-endpoint-type", "hostname")

    monkeypatch.setattr(socket, "getaddrinfo", find)
    cluster, slot = Cluster(start), slot_of(KEY)
    with RedisConnection().connect_url(cluster.url, **PATIENT) as connection:
        link, slots = slot_link(connection, slot), connection._slots
        assert slots is not None
        old = cluster.owner(slot)
        assert eventually(lambda: is_named(slots, slot))
        link.call("SET", KEY, "1")
        assert replicated(old)
        gone.add(slots.node_of(slot).host)
        old.kill()
        assert link.call("INCR", KEY) == 2


def is_named(slots: SlotMap, slot: int) -> bool:
    """Whether the nodes have told each other what they are called."""
    slots.refresh()
    return slots.node_of(slot).host.endswith(".test")


def test_a_node_that_stands_still_while_the_map_is_asked_for_holds_nobody_up(
    pair: Cluster,
) -> None:
    """Neither its answer is waited for nor that to a login."""
    for node in pair.nodes:
        say(node, "CONFIG", "SET", "cluster-node-timeout", 60_000)
        say(node, "ACL", "SETUSER", "ann", "on", ">pw", "~*", "+@all")
    url = pair.url.replace("://", "://ann:pw@")
    with RedisConnection().connect_url(url, socket_timeout_s=100.0) as connection:
        slots = connection._slots
        assert slots is not None
        asked, other = slots.primaries()
        frozen = next(node for node in pair.nodes if node.port == asked.port)
        with frozen.frozen(), ThreadPoolExecutor(1) as pool:
            asking = pool.submit(slots._ask_since, time.monotonic(), other)
            try:
                assert eventually(asking.done)
            finally:
                frozen.thaw()
            asking.result()


def test_a_node_that_is_in_no_cluster_does_not_tell_the_map(pair: Cluster) -> None:
    """As one that has left it, but still stands in the URL."""
    lone = pair._new_node()
    url = f"redis+cluster://{lone.host}:{lone.port},{pair.nodes[0].host}:{pair.nodes[0].port}/"
    with RedisConnection().connect_url(url) as connection:
        assert connection.link().call("SET", KEY, 1) == b"OK"


def test_what_a_cluster_is_not(pair: Cluster, connection: RedisConnection) -> None:
    with pytest.raises(ConfigError, match="only database 0"):
        connection.select_db(1)
    with pytest.raises(ConfigError, match="only database 0"):
        RedisConnection().connect_url(pair.url + "3")
    port = free_port()
    with RedisConnection().connect_url(f"redis+cluster://127.0.0.1:{port}/") as nowhere:
        with pytest.raises(ServerUnavailable, match="no node of the cluster answers"):
            nowhere.link().call("PING")
        assert not nowhere.is_connected()
