"""What is done to a cluster while it is used: each deed breaks something, and mends it again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from clusters import Cluster, say
from connected import eventually
from faults.cluster.losses import Outage
from networks import Host, Network
from servers import Server

# how long a primary has at most to be replaced
_PATIENCE_S = 20.0


class Deeds:
    """
    Deeds drawn from a seed.

    Parameters
    ----------
    cluster, network, hosts
        The cluster; the network of its nodes and their hosts by port, None and nothing where all are on loopback.
    slots
        Those of the partitions.
    can_move_whole
        Whether the servers can move a slot in one step.

    Attributes
    ----------
    outages
        When primaries were gone.
    """

    def __init__(
        self,
        cluster: Cluster,
        slots: list[int],
        draw: random.Random,
        *,
        network: Network | None,
        hosts: dict[int, Host],
        can_move_whole: bool,
    ) -> None:
        self._cluster, self._slots, self._draw = cluster, slots, draw
        self._network, self._hosts = network, hosts
        self.outages: list[Outage] = []
        self.kinds: dict[str, Callable[[int], None]] = {
            "killed": self._kill,
            "frozen": self._freeze,
            "slot moved key by key": self._move,
        }
        if can_move_whole:
            self.kinds["slot moved in one step"] = self._move_whole
        if network is not None:
            self.kinds["cut off"] = self._cut_off
            self.kinds["hidden from clients"] = self._hide

    def do(self, kind: str) -> None:
        """Do one, and wait until the cluster is whole again."""
        if kind == "nodes added":
            self._add()
        else:
            self.kinds[kind](self._draw.choice(self._slots))
        assert eventually(self._cluster.is_whole), f"after {kind}"

    def _gone(
        self, kind: str, slot: int, begin: Callable[[], None], end: Callable[[], None]
    ) -> None:
        """A primary is gone until another has taken its place, or a while."""
        old = self._cluster.owner(slot)
        slots = {each for each in self._slots if self._cluster.owner(each) is old}
        # only now: to ask for the owners takes a while, and what is lost is told by this moment
        outage = Outage(kind, time.monotonic(), slots)
        self.outages.append(outage)
        begin()
        ends = time.monotonic() + _PATIENCE_S
        while time.monotonic() < ends and self._cluster.owner(slot) is old:
            time.sleep(0.1)
        outage.replaced = self._cluster.owner(slot) is not old
        outage.lasted_s = round(time.monotonic() - outage.began, 1)
        time.sleep(self._draw.uniform(0, 1))
        end()

    def _kill(self, slot: int) -> None:
        node = self._cluster.owner(slot)
        self._gone("killed", slot, node.kill, lambda: (node.start(), None)[1])

    def _freeze(self, slot: int) -> None:
        node = self._cluster.owner(slot)
        self._gone("frozen", slot, node.freeze, node.thaw)

    def _cut_off(self, slot: int) -> None:
        assert self._network is not None
        network, host = self._network, self._hosts[self._cluster.owner(slot).port]
        self._gone("cut off", slot, lambda: network.cut_off(host), lambda: network.join_again(host))

    def _hide(self, slot: int) -> None:
        """The cluster misses nothing, so nobody takes its place."""
        assert self._network is not None
        host = self._hosts[self._cluster.owner(slot).port]
        self._network.hide(host)
        time.sleep(self._draw.uniform(0.2, 3))
        self._network.show(host)

    def _move(self, slot: int, to: Server | None = None) -> None:
        to = to or self._other(slot)
        self._cluster.move(slot, to, self._draw.uniform(0, 0.3) if slot in self._slots else 0.0)

    def _move_whole(self, slot: int) -> None:
        self._cluster.move_whole(slot, self._other(slot))

    def _other(self, slot: int) -> Server:
        owner = self._cluster.owner(slot)
        primaries = [node for node in self._cluster.nodes if say(node, "ROLE")[0] == b"master"]
        return self._draw.choice([node for node in primaries if node is not owner])

    def _add(self) -> None:
        """A primary and its replica join, and get a quarter of the partitions."""
        added, replica = self._cluster.add_pair()
        # one that loses its last slot would become a replica
        for slot in [n for n in range(32) if n not in self._slots][:8]:
            self._move(slot, added)
        for slot in self._draw.sample(self._slots, max(1, len(self._slots) // 4)):
            self._move(slot, added)
        # whoever had its first slot before may have claimed it for a moment, and is followed since
        self._cluster.follow(replica, added)
