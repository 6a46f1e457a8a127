"""``ClusterLink``: commands to the nodes of a cluster, each to whichever has its keys."""

from __future__ import annotations

import time
from binascii import crc_hqx
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import lru_cache
from typing import Any

from dealdb.connection.cluster.slot_link import SlotLink
from dealdb.connection.cluster.slots import N_SLOTS, SlotMap
from dealdb.connection.endpoint import Endpoint
from dealdb.connection.link import Argument, Link, OwnLink, count_trip, packed_command
from dealdb.connection.pool import Pool
from dealdb.connection.protocol.translate import redirected
from dealdb.connection.protocol.wire import Wire
from dealdb.errors import AccessDenied, ServerRefused, ServerUnavailable, StoreError

# where the first key stands, of commands in which that is not their first argument
_KEY_AT = {"EVAL": 3, "EVALSHA": 3, "XINFO": 2, "MEMORY": 2, "OBJECT": 2}
# what is about the server, not about keys: it follows the command before it in a batch, as WAIT has to
_ABOUT_SERVER = frozenset(
    {
        *("ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DBSIZE", "ECHO", "HELLO", "INFO"),
        *("LATENCY", "PING", "SCAN", "SCRIPT", "TIME", "WAIT", "WAITAOF"),
    }
)


@lru_cache(maxsize=1024)
def slot_of(key: str) -> int:
    """
    Slot of a key: that of what stands in its first braces, if anything does.

    Examples
    --------
    >>> slot_of("deal:{5.69}:42") == slot_of("deals:{5.69}:log"), slot_of("deal:42")
    (True, 5772)
    """
    begin = key.find("{")
    end = key.find("}", begin + 1) if begin >= 0 else -1
    hashed = key[begin + 1 : end] if end > begin + 1 else key
    return crc_hqx(hashed.encode(), 0) % N_SLOTS


def slot_asked(command: Sequence[Argument]) -> int | None:
    """
    Slot of the first key of a command; None for one that has no key.

    Examples
    --------
    >>> slot_asked(("HGET", "{a}", "f")) == slot_asked(("EVAL", "return 1", 1, "{a}b"))
    True
    >>> slot_asked(("XREAD", "COUNT", 1, "STREAMS", "{a}", "0-0")) == slot_asked(("GET", "{a}"))
    True
    >>> slot_asked(("PING",)) is None
    True
    """
    name = command[0] if isinstance(command[0], str) else bytes(command[0]).decode()  # type: ignore[arg-type]  # a text or bytes
    if name in _ABOUT_SERVER:
        return None
    place = command.index("STREAMS") + 1 if name == "XREAD" else _KEY_AT.get(name, 1)
    if place >= len(command) or (name in ("EVAL", "EVALSHA") and int(command[2]) == 0):
        return None
    key = command[place]
    return slot_of(key.decode() if isinstance(key, bytes) else str(key))


class ClusterLink(Link):
    """
    A way to all keys of a cluster; else as ``Link``.

    A command goes to the node that has its keys, which must be of one slot. Of commands that are sent together and
    have keys of several slots, reads go to all nodes at once, and changes to each slot in turn: all replies are read,
    and then the first error is raised.
    """

    __slots__ = ("_home", "_slots")

    def __init__(self, pool: Pool, slots: SlotMap, home: int = 0) -> None:
        super().__init__(pool, 0)
        self._slots = slots
        # of commands without a key
        self._home = home

    def call(self, *command: Argument, retry: bool = False) -> Any:
        """As ``Link.call``."""
        slot = slot_asked(command)
        return self._to(self._home if slot is None else slot).call(*command, retry=retry)

    def calls(
        self,
        commands: Sequence[Sequence[Argument]],
        *,
        retry: bool = False,
        keep_errors: bool = False,
    ) -> list[Any]:
        """
        As ``Link.calls``.

        The last command is carried out after all others.

        Cost
        ----
        Of reads, one round trip where one node has all keys, else two, however many nodes there are, as long as the
        pool has a connection for each. Of changes, one for each slot.
        """
        slots = self._slots_of(commands)
        if len(set(slots)) <= 1:
            link = self._to(slots[0] if slots else self._home)
            return link.calls(commands, retry=retry, keep_errors=keep_errors)
        replies = dict((self._reads if retry else self._changes)(commands, slots))
        found = [replies[place] for place in range(len(commands))]
        failure = next((reply for reply in found if isinstance(reply, StoreError)), None)
        if failure is not None and not keep_errors:
            raise failure
        return found

    def _slots_of(self, commands: Sequence[Sequence[Argument]]) -> list[int]:
        """Slot of each; one without a key follows the one before it."""
        slots: list[int] = []
        for command in commands:
            slot = slot_asked(command)
            slots.append((slots[-1] if slots else self._home) if slot is None else slot)
        return slots

    def _changes(
        self, commands: Sequence[Sequence[Argument]], slots: Sequence[int]
    ) -> Iterator[tuple[int, Any]]:
        """Places of commands and their replies, errors among them."""
        # that of the last command last, so that what it says is younger than all else
        for slot in sorted(dict.fromkeys(slots), key=lambda slot: slot == slots[-1]):
            places = [place for place, each in enumerate(slots) if each == slot]
            some = [commands[place] for place in places]
            yield from zip(places, self._to(slot).calls(some, keep_errors=True), strict=True)

    def _reads(
        self, commands: Sequence[Sequence[Argument]], slots: Sequence[int]
    ) -> Iterator[tuple[int, Any]]:
        """As ``_changes``; all nodes work at the same time, but for the last command."""
        replies: dict[int, Any] = {}
        self._ask_all(self._at_once(slots), commands, slots, replies)
        # what has to go elsewhere by now, or later, goes on its own; so does the last command
        for place, command in enumerate(commands):
            if place not in replies or _is_passing(replies[place]):
                link = self._to(slots[place])
                [replies[place]] = link.calls([command], retry=True, keep_errors=True)
        yield from replies.items()

    def _at_once(self, slots: Sequence[int]) -> dict[Endpoint, list[int]]:
        """Places of the commands for each node; none where it is not known which node has a slot."""
        try:
            nodes = [self._slots.node_of(slot) for slot in slots]
        except ServerUnavailable:
            return {}
        if len(set(nodes)) > 1:
            # what the last command says is to be younger than all else
            nodes.pop()
        by_node: dict[Endpoint, list[int]] = {}
        for place, node in enumerate(nodes):
            by_node.setdefault(node, []).append(place)
        return by_node

    def _ask_all(
        self,
        by_node: Mapping[Endpoint, Sequence[int]],
        commands: Sequence[Sequence[Argument]],
        slots: Sequence[int],
        replies: dict[int, Any],
    ) -> None:
        """Send each node its commands, then note all replies; those that don't count are left out."""
        later: dict[Endpoint, Sequence[int]] = {}
        asked: list[tuple[Wire, Endpoint, Sequence[int]]] = []
        sent_at = time.monotonic()
        with ExitStack() as held:
            is_first = True
            for node, places in by_node.items():
                wire = self._wire_to(node, is_first=is_first)
                if wire is None:
                    later[node] = places
                    continue
                is_first = False
                held.callback(self._give_back, wire)
                with suppress(StoreError):
                    if not wire.is_sound():
                        wire.connect()
                    wire.send(packed_command(tuple(commands[place])) for place in places)
                    asked.append((wire, node, places))
            count_trip()
            for wire, node, places in asked:
                # who asks them once more notes that they are to be doubted
                with suppress(StoreError):
                    found = wire.receive(len(places), keep_errors=True)
                    if self._slots.still_has({slots[place] for place in places}, node, sent_at):
                        replies.update(zip(places, found, strict=True))
        if later:
            # the pool is too small, or busy
            self._ask_all(later, commands, slots, replies)

    def _wire_to(self, node: Endpoint, *, is_first: bool) -> Wire | None:
        if is_first:
            return self._pool.checkout(0, node=node)
        return self._pool.checkout_more(node)

    def apart(self) -> OwnLink:
        """
        As ``Link.apart``: a way over sockets of its own, one to each node that is asked.

        At most as many as the pool may have; where there are more nodes, they are led from one to another.
        """
        self._pool.refuse_if_closed()
        return OwnClusterLink(Pool(self.settings), self._slots, self._home)

    def node_of(self, key: str) -> tuple[int, str]:
        """Slot of a key, and the address of the node that has it. Costs as ``SlotMap.node_of`` does."""
        slot = slot_of(key)
        return slot, str(self._slots.node_of(slot))

    def each_node(self) -> list[Link]:
        """A way to each primary, for commands about all of its keys. Costs as ``SlotMap.first_slots`` does."""
        return [self._to(slot) for slot in self._slots.first_slots()]

    def whereabouts(self) -> Sequence[Sequence[bytes]] | None:
        """As ``Link.whereabouts``, by each node's own word. A round trip to each node more than ``each_node``."""
        said = [_slots_of_its_own(node) for node in self.each_node()]
        known = [slots for slots in said if slots is not None]
        return known if len(known) == len(said) else None

    def _to(self, slot: int) -> SlotLink:
        return SlotLink(self._pool, self._slots, slot)


class OwnClusterLink(ClusterLink, OwnLink):
    """A link to a cluster with sockets of its own, as ``ClusterLink.apart`` makes it."""

    __slots__ = ()


def _slots_of_its_own(node: Link) -> Sequence[bytes] | None:
    """Name and slots of a node, as it says; None where it does not, or keys of a slot are on both sides of a move."""
    try:
        told = node.call("CLUSTER", "NODES", retry=True)
    except (AccessDenied, ServerRefused):
        return None
    # name, address, flags, primary, two times, epoch and link; then its slots, those that move in brackets
    lines = (line.split() for line in told.splitlines())
    name, *slots = next(line[:1] + line[8:] for line in lines if b"myself" in line[2].split(b","))
    return None if any(slot.startswith(b"[") for slot in slots) else [name, *slots]


def _is_passing(reply: object) -> bool:
    """Whether a reply says that another node, or another time, may answer."""
    return isinstance(reply, StoreError) and (
        reply.retryable or bool(redirected(reply.__cause__)[0])
    )
