"""
A slot of a cluster that moves a step at a time while stores work, and links that let it move between their calls.

Where a real move would need luck to meet a batch in its middle, the commands that move are sent within the batch.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from clusters import Cluster, id_of, say
from dealdb.connection.cluster.cluster_link import ClusterLink, slot_of
from dealdb.errors import StoreError
from lossy import FaultyLink, Network
from servers import Server
from store_model import parts_of

_ALL = 1_000_000


class Step(NamedTuple):
    """
    What moves next.

    Attributes
    ----------
    calls
        How many calls of the links come before it.
    slot
        That begins to move, if none is on its way.
    n
        Keys that move.
    """

    calls: int
    slot: int
    n: int


class Mover:
    """
    Moves slots of a cluster of two primaries, one at a time.

    Attributes
    ----------
    planned
        Steps between the next calls.
    within
        Commits of the next batch before the move of their slot, and the keys that move there; None for no move.
    ended
        Moves that have come to their end.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.planned: deque[Step] = deque()
        self.within: tuple[int, int] | None = None
        self.ended = 0
        self._moving: int | None = None
        self._homes: dict[int, Server] = {}

    def bring_home(self, slots: Iterable[int]) -> None:
        """Have slots where they were when this was first asked for, so that a run can be repeated."""
        for slot in slots:
            owner = self.cluster.owner(slot)
            home = self._homes.setdefault(slot, owner)
            if owner is not home:
                self.cluster.move(slot, home)

    @property
    def is_moving(self) -> bool:
        return self._moving is not None

    def tick(self) -> None:
        """A link is about to call."""
        if not self.planned:
            return
        step = self.planned.popleft()
        if step.calls:
            self.planned.appendleft(step._replace(calls=step.calls - 1))
        else:
            self.go_on(step.slot, step.n)

    def go_on(self, slot: int, n: int = 1) -> None:
        """Begin to move a slot, if none is on its way; then move some of its keys, or end it where none is left."""
        if self._moving is None:
            self.cluster.begin_move(slot, self.cluster.other(slot))
            self._moving = slot
        slot = self._moving
        to = self.cluster.other(slot)
        if n and not self.cluster.move_keys(slot, to, n):
            self.cluster.end_move(slot, to)
            self._moving = None
            self.ended += 1

    def wait(self) -> None:
        """Somebody waits, and the move goes on, if there is one."""
        if self._moving is None:
            time.sleep(0.002)
        else:
            self.go_on(self._moving)

    def finish(self) -> None:
        """Have no slot on its way."""
        self.planned.clear()
        self.within = None
        while self._moving is not None:
            self.go_on(self._moving, _ALL)

    def weave(self, slot: int, commands: Sequence[tuple[Any, ...]]) -> tuple[int, list[Any]]:
        """What begins the planned move, for the node that has the slot, and how many commits come before it."""
        if self.within is None or self._moving is not None:
            return 0, []
        (at, n), self.within = self.within, None
        at = 1 + at % (len(commands) - 1)
        old, new = self.cluster.owner(slot), self.cluster.other(slot)
        say(new, "CLUSTER", "SETSLOT", slot, "IMPORTING", id_of(old))
        self._moving = slot
        woven: list[Any] = [("CLUSTER", "SETSLOT", slot, "MIGRATING", id_of(new))]
        # those that the commits before it make, too
        made = [key for command in commands[:at] for key in command[3 : 3 + int(command[2])]]
        if keys := sorted(set(made))[:n]:
            woven.append(("MIGRATE", new.host, new.port, "", 0, 5_000, "KEYS", *keys))
        return at, woven


class MovingLink(FaultyLink):
    """
    A faulty link to a cluster: slots move between its calls, and within its batches.

    Attributes
    ----------
    torn
        Batches that a move met in their middle.
    """

    def __init__(self, link: Any, network: Network, mover: Mover) -> None:
        super().__init__(link, network)
        self._mover = mover
        self.torn = 0

    def each_node(self) -> list[FaultyLink]:
        return [MovingLink(node, self.network, self._mover) for node in self._link.each_node()]

    def calls(self, commands: Any, *, retry: bool = False) -> Any:
        self._mover.tick()
        return super().calls(commands, retry=retry)

    def call(self, *command: Any, retry: bool = False) -> Any:
        self._mover.tick()
        return super().call(*command, retry=retry)

    def _arrive_all(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """In one exchange, as a real link sends them."""
        if len(commands) < 2:
            return super()._arrive_all(commands)
        assert isinstance(self._link, ClusterLink)
        slot = slot_of(commands[0][3])
        counter, seq = self._reached(commands[0])
        at, woven = self._mover.weave(slot, commands)
        try:
            sent = [*commands[:at], *woven, *commands[at:]]
            replies = self._link._to(slot).calls(sent)
        except StoreError:
            self.torn += self._note_some(commands, counter, seq)
            raise
        del replies[at : at + len(woven)]
        for command, reply in zip(commands, replies, strict=True):
            self._note(command, reply)
        return replies

    def _reached(self, commit: tuple[Any, ...]) -> tuple[int, int]:
        """Counter of its writer, and last commit of its partition."""
        meta, _, writers = commit[3:6]
        record = self._link.call("HGET", writers, parts_of(commit)[0]) or b"0"
        return int(record.split()[0]), int(self._link.call("HGET", meta, "seq") or 0)

    def _note_some(self, commands: Sequence[tuple[Any, ...]], counter: int, seq: int) -> bool:
        """Note those that were carried out since; returns whether they are some and not all."""
        now, _ = self._reached(commands[0])
        done = [command for command in commands if counter < parts_of(command)[1] <= now]
        for n, command in enumerate(done, 1):
            self._note(command, (b"ok", b"%d" % (seq + n)))
        return 0 < len(done) < len(commands)
