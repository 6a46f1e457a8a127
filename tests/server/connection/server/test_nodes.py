"""The health of a cluster is that of all its nodes, and says which of them it is about."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cli_runs import Run, run_fixture
from clusters import NODE_TIMEOUT_MS, Cluster, say, state_of
from connected import eventually, replicated
from dealdb import DealDatabase
from dealdb.connection import RedisConnection
from servers import Server

__all__ = ["run_fixture"]
IMPATIENT: dict[str, Any] = {"socket_timeout_s": 1.0, "retry_deadline_s": 0.5}


@pytest.fixture
def cluster(new_server: Callable[..., Server]) -> Cluster:
    # from the start: a server that is just turning it on can't be stopped
    def start(*options: str) -> Server:
        return new_server(*options, "--appendonly", "yes")

    return Cluster(start, has_replicas=False)


def address(node: Server) -> str:
    return f"127.0.0.1:{node.port}"


def about(warnings: tuple[str, ...], words: str) -> str:
    [found] = [each for each in warnings if words in each]
    return found


def test_each_node_is_asked(flavor: str, cluster: Cluster) -> None:
    with DealDatabase.from_url(cluster.url, partitions=16) as db:
        for n in range(40):
            db.save_deal({"id": n})
        health = db.health()
        assert (health.reachable, health.role, health.deals) == (True, "master", 40)
        assert {node.address for node in health.nodes} == set(map(address, cluster.primaries))
        assert {node.persistence for node in health.nodes} == {
            "aof everysec, rdb",
            "aof everysec",
        } & {health.persistence}
        assert health.ping_ms == max(node.ping_ms or 0 for node in health.nodes)
        assert health.memory_used_bytes == sum(node.memory_used_bytes or 0 for node in health.nodes)
        assert (health.memory_max_bytes, health.memory_policy) == (0, "noeviction")
        # Redis says only from 7.2 on what is on its disk
        assert health.durability == (("memory", "disk") if flavor == "valkey9" else ("memory",))
        assert health.warnings == ()


def test_what_is_wrong_with_one_node_is_said_of_that_one(cluster: Cluster, run: Run) -> None:
    _, second, third = cluster.primaries
    say(second, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    say(third, "CONFIG", "SET", "appendonly", "no")
    say(third, "CONFIG", "SET", "save", "")
    with DealDatabase.from_url(cluster.url, partitions=4, allow_eviction=True) as db:
        db.save_deal({"id": 1})
        health = db.health()
        removes = about(health.warnings, "removes deals")
        assert removes.startswith(f"{address(second)}: ")
        nothing = about(health.warnings, "nothing on disk")
        assert nothing.startswith(f"{address(third)}: ")
        assert health.memory_policy == "noeviction, allkeys-lru"
        assert health.durability == ("memory",)
        findings = list(db.examine())
    found = {(each.check, each.state, each.found) for each in findings if each.state != "ok"}
    assert ("eviction", "warn", f"{address(second)}: allkeys-lru, no limit") in found
    assert ("persistence", "warn", f"{address(third)}: none") in found
    # and by the program
    ran = run("health", "--url", cluster.url)
    assert f"node {address(second)}" in ran.out
    assert f"warning: {removes}" in ran.err
    nodes = json.loads(run("health", "--json", "--url", cluster.url).out)["nodes"]
    assert {node["address"]: node["memory_policy"] for node in nodes} == {
        address(node): "allkeys-lru" if node is second else "noeviction"
        for node in cluster.primaries
    }
    assert f"{address(third)}: none" in run("doctor", "--url", cluster.url).out


def test_slots_without_an_owner_are_told(cluster: Cluster) -> None:
    node = cluster.primaries[2]
    say(node, "CLUSTER", "DELSLOTS", 16_383)
    assert eventually(lambda: state_of(node)["cluster_state"] == "fail")
    with RedisConnection().connect_url(cluster.url) as connection:
        warning = about(connection.health().warnings, "1 of 16,384 slots have no owner")
        assert warning.startswith(f"{address(node)}: ")
        [danger] = [each for each in connection.dangers() if "no owner" in each.found]
        assert danger.grave
        assert "the cluster is down" in danger.found


def test_a_node_that_is_gone_is_told(cluster: Cluster) -> None:
    with DealDatabase.from_url(cluster.url, partitions=4, **IMPATIENT) as db:
        db.save_deal({"id": 1})
        gone = cluster.primaries[1]
        gone.kill()
        health = db.health()
        assert health.reachable
        assert about(health.warnings, "does not answer").startswith(f"the node {address(gone)} ")
        assert [node.address for node in health.nodes if not node.reachable] == [address(gone)]
        assert any("can't be read" in warning for warning in health.warnings)
        assert health.deals is None
        [finding] = [each for each in db.examine() if "does not answer" in each.found]
        assert (finding.check, finding.state) == ("cluster", "fail")
        for node in cluster.primaries:
            if node is not gone:
                node.kill()
        assert not db.health().reachable


def test_a_node_that_hangs_holds_up_the_health_of_no_other(cluster: Cluster) -> None:
    for node in cluster.nodes:
        say(node, "CONFIG", "SET", "cluster-node-timeout", 60_000)
    with (
        RedisConnection().connect_url(cluster.url, socket_timeout_s=100.0) as connection,
        ThreadPoolExecutor(1) as threads,
    ):
        assert connection.is_connected()
        hanging, *others = cluster.primaries
        for node in others:
            say(node, "CONFIG", "RESETSTAT")
        with hanging.frozen():
            asking = threads.submit(connection.health)
            try:
                assert eventually(lambda: all(map(was_asked, others)))
                assert not asking.done()
            finally:
                hanging.thaw()
        assert all(node.reachable for node in asking.result().nodes)


def was_asked(node: Server) -> bool:
    with node.client() as client:
        return int(client.info("commandstats").get("cmdstat_ping", {}).get("calls", 0)) > 0


def test_it_is_connected_if_all_nodes_answer(new_server: Callable[..., Server]) -> None:
    cluster = Cluster(new_server)
    with RedisConnection().connect_url(cluster.url, **IMPATIENT) as connection:
        assert connection.is_connected()
        for node in cluster.primaries:
            say(node, "CONFIG", "SET", "cluster-node-timeout", 60_000)
        for node in cluster.primaries:
            with node.frozen():
                assert not connection.is_connected()
            assert eventually(connection.is_connected)
        for node in cluster.nodes:
            say(node, "CONFIG", "SET", "cluster-node-timeout", NODE_TIMEOUT_MS)
        old = cluster.owner(0)
        assert replicated(old)
        old.kill()
        # its replica takes its place, though nobody sends a command
        assert eventually(connection.is_connected)


def test_changes_that_no_replica_has_are_warned_of(new_server: Callable[..., Server]) -> None:
    cluster = Cluster(new_server)
    with RedisConnection().connect_url(cluster.url) as connection:
        warning = about(connection.health().warnings, "min-replicas-to-write is 0")
        assert warning.startswith("each node: ")
        say(cluster.primaries[0], "CONFIG", "SET", "min-replicas-to-write", 1)
        warning = about(connection.health().warnings, "min-replicas-to-write is 0")
        others = {address(node) for node in cluster.primaries[1:]}
        assert set(warning.partition(": the server")[0].split(", ")) == others


def test_a_replica_that_may_become_primary_without_its_data_is_warned_of(
    new_server: Callable[..., Server],
) -> None:
    cluster = Cluster(new_server)
    words = "a replica that does not have its data yet"
    with RedisConnection().connect_url(cluster.url) as connection:
        assert not [each for each in connection.health().warnings if words in each]
        risky = cluster.primaries[0]
        say(risky, "CONFIG", "SET", "cluster-replica-validity-factor", 0)
        warning = about(connection.health().warnings, words)
        assert warning.startswith(f"{address(risky)}: ")
        assert "set it to 10" in warning
