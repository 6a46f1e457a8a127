"""A cluster of real servers on loopback: its nodes are killed, frozen and promoted, and its slots move."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import redis

from connected import eventually
from servers import Server

N_SLOTS = 16_384
# a node that is gone for so long is replaced
NODE_TIMEOUT_MS = 1_000
# settings of a client for which a failover is but a pause
PATIENT: dict[str, Any] = {"socket_timeout_s": 1.0, "retry_deadline_s": 20.0}
# keys of a slot that are moved by one command
_AT_ONCE = 50


class Cluster:
    """
    Primaries with an even share of the slots, and a replica of each.

    Parameters
    ----------
    start
        Starts a server with some options.
    n
        Primaries.
    has_replicas
        Whether each has a replica.
    """

    def __init__(
        self, start: Callable[..., Server], n: int = 3, *, has_replicas: bool = True
    ) -> None:
        self._start = start
        n_nodes = 2 * n if has_replicas else n
        self.nodes = [self._new_node() for _ in range(n_nodes)]
        # of slots that have moved, who had them first
        self._first_owners: dict[int, Server] = {}
        self.primaries, replicas = self.nodes[:n], self.nodes[n:]
        bounds = [number * N_SLOTS // n for number in range(n + 1)]
        for node, first, stop in zip(self.primaries, bounds, bounds[1:], strict=False):
            say(node, "CLUSTER", "ADDSLOTS", *range(first, stop))
        for node in self.nodes[1:]:
            say(node, "CLUSTER", "MEET", self.nodes[0].host, self.nodes[0].port)
        assert eventually(lambda: all(knows(node, n_nodes) for node in self.nodes))
        for primary, replica in zip(self.primaries, replicas, strict=False):
            say(replica, "CLUSTER", "REPLICATE", id_of(primary))
        assert eventually(lambda: all(self._is_ready(node) for node in self.nodes))

    def be_as_at_first(self) -> None:
        """
        Take back what a test has done to nodes that all run: keys, scripts, moves of slots, and the node timeout.

        A cluster begins to answer two seconds after its nodes do, which is longer than most tests take.
        """
        for node in self.nodes:
            node.ask(
                "FLUSHALL", "SCRIPT FLUSH", f"CONFIG SET cluster-node-timeout {NODE_TIMEOUT_MS}"
            )
        for slot, first in self._first_owners.items():
            for node in self.nodes:
                node.ask(f"CLUSTER SETSLOT {slot} STABLE")
            if self.owner(slot) is not first:
                self.begin_move(slot, first)
                self.end_move(slot, first)
        assert eventually(self._is_known_who_was_first)
        self._first_owners.clear()
        assert eventually(lambda: all(self._is_ready(node) for node in self.nodes))

    def _is_known_who_was_first(self) -> bool:
        return all(
            owner_by(node, slot) == first.port
            for slot, first in self._first_owners.items()
            for node in self.nodes
        )

    def _new_node(self) -> Server:
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS))
        return self._start(*options, "--repl-diskless-sync-delay", "0")

    def add_pair(self) -> tuple[Server, Server]:
        """Another primary without slots, and its replica."""
        primary, replica = self._join(2)
        self.follow(replica, primary)
        return primary, replica

    def follow(self, replica: Server, primary: Server) -> None:
        """Have a server be the replica of another one, if it is not."""
        if say(replica, "ROLE")[:3] != [b"slave", primary.host.encode(), primary.port]:
            say(replica, "CLUSTER", "REPLICATE", id_of(primary))
        assert eventually(lambda: self._is_ready(replica))

    def add_primary(self) -> Server:
        """Another primary without slots."""
        [added] = self._join(1)
        self.primaries.append(added)
        return added

    def _join(self, n: int) -> list[Server]:
        added = [self._new_node() for _ in range(n)]
        for node in added:
            say(node, "CLUSTER", "MEET", self.nodes[0].host, self.nodes[0].port)
        self.nodes += added
        assert eventually(lambda: all(knows(node, len(self.nodes)) for node in self.nodes))
        assert eventually(lambda: all(self._is_ready(node) for node in added))
        return added

    def _is_ready(self, node: Server) -> bool:
        about = _facts(node.ask("INFO replication")[0])
        is_linked = about["role"] == "master" or about["master_link_status"] == "up"
        return is_linked and state_of(node)["cluster_state"] == "ok"

    @property
    def url(self) -> str:
        return f"redis+cluster://{','.join(f'{node.host}:{node.port}' for node in self.nodes[:2])}/"

    def owner(self, slot: int) -> Server:
        """The primary that has a slot, as most nodes say that answer."""
        named: list[int] = []

        def is_named() -> bool:
            running = (node for node in self.nodes if node.process)
            named.extend(port for node in running if (port := owner_by(node, slot)))
            return bool(named)

        # on a busy machine all of them may be late for once
        assert eventually(is_named)
        most = max(set(named), key=named.count)
        return next(node for node in self.nodes if node.port == most)

    def wait_for_another(self, slot: int, old: Server) -> Server:
        """The primary that takes the place of one that is gone."""
        assert eventually(lambda: self.owner(slot) is not old)
        return self.owner(slot)

    def other(self, slot: int) -> Server:
        """A primary that has it not."""
        owner = self.owner(slot)
        return next(node for node in self.primaries if node is not owner)

    def is_whole(self) -> bool:
        """Whether all nodes run, agree on the slots, and each primary has a replica that follows."""
        try:
            roles = [say(node, "ROLE") for node in self.nodes]
            followed = all(rest[1] for name, *rest in roles if name == b"master")
            return followed and all(self._is_ready(node) for node in self.nodes)
        except redis.RedisError:
            return False

    def move_whole(self, slot: int, to: Server) -> None:
        """Move a slot in one step, as Valkey 9 can."""
        owner = self.owner(slot)
        self._first_owners.setdefault(slot, owner)
        say(owner, "CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", id_of(to))
        assert eventually(lambda: owner_by(owner, slot) == to.port)

    def move(self, slot: int, to: Server, lasts_s: float = 0.0) -> None:
        """Move a slot with all its keys, in steps; they begin to move a while after the slot does."""
        self.begin_move(slot, to)
        time.sleep(lasts_s)
        self.move_keys(slot, to)
        self.end_move(slot, to)

    def begin_move(self, slot: int, to: Server) -> None:
        """Its keys may be on either side from now on."""
        owner = self.owner(slot)
        self._first_owners.setdefault(slot, owner)
        say(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", id_of(owner))
        say(owner, "CLUSTER", "SETSLOT", slot, "MIGRATING", id_of(to))

    def move_keys(self, slot: int, to: Server, n: int = 1_000_000) -> int:
        """Move so many of its keys; returns how many there were."""
        owner = self.owner(slot)
        keys = say(owner, "CLUSTER", "GETKEYSINSLOT", slot, n)
        for start in range(0, len(keys), _AT_ONCE):
            assert eventually(partial(_migrate, owner, to, keys[start : start + _AT_ONCE]))
        return len(keys)

    def end_move(self, slot: int, to: Server) -> None:
        """The slot is there from now on; only the two nodes know at first."""
        owner = self.owner(slot)
        for node in (to, owner):
            say(node, "CLUSTER", "SETSLOT", slot, "NODE", id_of(to))


def _migrate(owner: Server, to: Server, keys: Sequence[bytes]) -> bool:
    """Move keys; False where the nodes take a while to agree that they are a cluster, and none has moved."""
    try:
        say(owner, "MIGRATE", to.host, to.port, "", 0, 5_000, "KEYS", *keys)
    except redis.exceptions.ClusterDownError:
        return False
    return True


def say(node: Server, *command: Any) -> Any:
    with node.client() as client:
        return client.execute_command(*command)


def id_of(node: Server) -> str:
    found = say(node, "CLUSTER", "MYID")
    return found.decode() if isinstance(found, bytes) else str(found)


def state_of(node: Server) -> dict[str, str]:
    return _facts(node.ask("CLUSTER INFO")[0])


def _facts(told: bytes) -> dict[str, str]:
    lines = told.decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def knows(node: Server, n: int) -> bool:
    return int(state_of(node)["cluster_known_nodes"]) >= n


def owner_by(node: Server, slot: int) -> int:
    """Port of the owner of a slot, as a node says; 0 where it does not answer."""
    try:
        [ranges] = node.ask("CLUSTER SLOTS", timeout_s=0.3)
    except (OSError, redis.RedisError):
        return 0
    return next(
        (int(primary[1]) for first, last, primary, *_ in ranges if first <= slot <= last), 0
    )
