"""``SlotMap``: which node of a cluster has which slot, as its nodes say."""

from __future__ import annotations

import logging
import threading
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

from hiredis import pack_command

from dealdb.connection.endpoint import DEFAULT_PORT, Endpoint, parse_endpoint
from dealdb.connection.fork import renew_in_child
from dealdb.connection.protocol.wire import Wire
from dealdb.connection.settings import Settings
from dealdb.errors import AccessDenied, ServerUnavailable, StoreError

logger = logging.getLogger(__name__)

N_SLOTS = 16_384
# short limits of its own: with those of commands, one dead node that is asked first would hold everybody up
_CONNECT_S = 0.3
_ANSWER_S = 0.5
# a map that was asked for is not asked for again within this time, whatever many callers meet
_FRESH_S = 0.05
# an answer that took longer may be that of a node that stood still, and was replaced meanwhile without knowing it
_LATE_S = 0.2
# how long each answer of a node that has just failed to answer is taken for late
_DOUBTED_S = 10.0
_QUESTION = pack_command(("CLUSTER", "SLOTS"))  # type: ignore[arg-type]  # its stub asks for a tuple of one


class _Range(NamedTuple):
    """Slots that one primary has."""

    first: int
    last: int
    primary: Endpoint


class _Told(NamedTuple):
    """What a node has told: the map, host names of nodes by their addresses, and which node it was."""

    ranges: list[_Range]
    names: dict[Endpoint, Endpoint]
    by: Endpoint

    @property
    def n_slots(self) -> int:
        """How many slots have an owner."""
        return sum(each.last - each.first + 1 for each in self.ranges)


class SlotMap:
    """
    The map of the slots of one cluster; any number of threads may ask and correct it.

    Parameters
    ----------
    settings
        With the addresses of some of its nodes.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # the login and TLS are to take no longer either; and made once, since files that are gone by then are refused
        self._hasty = replace(settings, socket_timeout_s=min(_ANSWER_S, settings.socket_timeout_s))
        self._seeds = [parse_endpoint(each, DEFAULT_PORT) for each in settings.cluster]
        self._ranges: list[_Range] = []
        # under which name a node is asked that others name by its address
        self._names: dict[Endpoint, Endpoint] = {}
        # slots that a node said have moved, since the map was made
        self._moved: dict[int, Endpoint] = {}
        self._asked_at = 0.0
        self._told_by: Endpoint | None = None
        # nodes that failed to answer, and until when they are doubted
        self._doubted: dict[Endpoint, float] = {}
        self._lock = threading.Lock()
        renew_in_child(self)

    def renew(self) -> None:
        """Begin in a forked child with a lock that nobody holds."""
        self._lock = threading.Lock()

    def node_of(self, slot: int) -> Endpoint:
        """
        The primary that has a slot.

        Raises
        ------
        ServerUnavailable
            If no node answers, or none has the slot.

        Cost
        ----
        None, but for the first time: a connect and a round trip to one node.
        """
        if not self._ranges:
            self.refresh()
        found = self._noted(slot)
        if found is None:
            raise ServerUnavailable(f"{self._settings.where}: no node has slot {slot:,}")
        return found

    def _noted(self, slot: int) -> Endpoint | None:
        """The primary that has a slot, as far as the map says."""
        with self._lock:
            moved = self._moved.get(slot)
            place = bisect_right(self._ranges, slot, key=lambda each: each.first) - 1
            found = self._ranges[place] if place >= 0 else None
        if moved is not None:
            return moved
        return found.primary if found is not None and slot <= found.last else None

    def primaries(self) -> list[Endpoint]:
        """The nodes that have slots. Costs as ``node_of`` does."""
        self.node_of(0)
        with self._lock:
            return list(
                dict.fromkeys([*(each.primary for each in self._ranges), *self._moved.values()])
            )

    def first_slots(self) -> list[int]:
        """
        A slot of each node that has some, of one that has joined since, too: no reply about a slot tells of all nodes.

        Cost
        ----
        A connect and a round trip to one node.
        """
        with suppress(ServerUnavailable):
            self._ask_since(time.monotonic(), avoid=None)
        self.node_of(0)
        with self._lock:
            firsts = {each.primary: each.first for each in reversed(self._ranges)}
        return sorted(firsts.values())

    def moved(self, slot: int, primary: Endpoint) -> None:
        """Note that a node said where a slot is now."""
        with self._lock:
            self._moved[slot] = primary

    def doubt(self, node: Endpoint) -> None:
        """Note that a node did not answer in time, or that the link to it broke."""
        self._doubted[node] = time.monotonic() + _DOUBTED_S

    def still_has(self, slots: Iterable[int], node: Endpoint, sent_at: float) -> bool:
        """
        Whether a node's answer about keys of some slots counts, which was asked for at a moment of the monotonic clock.

        A primary that froze, or was cut off, answers when it comes back, before it hears that another has its place:
        what it says is old by then, and what it was told gets lost. So the others are asked where an answer took long.
        Where none of them tells, it counts.

        Cost
        ----
        None where the answer came at once; else a connect and a round trip to another node.
        """
        return not self._is_late(node, sent_at) or all(self._noted(slot) == node for slot in slots)

    def is_still_primary(self, node: Endpoint, sent_at: float) -> bool:
        """As ``still_has``, for the answer of a node that has not got the slot yet: whether it has any, if it had."""
        with self._lock:
            had = self._has_slots(node)
        if not self._is_late(node, sent_at):
            return True
        with self._lock:
            return not had or self._has_slots(node)

    def _has_slots(self, node: Endpoint) -> bool:
        return any(each.primary == node for each in self._ranges)

    def _is_late(self, node: Endpoint, sent_at: float) -> bool:
        """Whether an answer is to be doubted; then the map is asked for anew."""
        now = time.monotonic()
        if now - sent_at < _LATE_S and self._doubted.get(node, 0.0) < now:
            return False
        # the command has run by now: that the map can't be asked for is no word on it
        with suppress(StoreError):
            self._ask_since(now, avoid=node)
        return True

    def named(self, node: Endpoint) -> Endpoint:
        """A node that another has named: under its host name, where one is needed."""
        return self._names.get(node, node)

    def refresh(self, avoid: Endpoint | None = None) -> None:
        """
        Ask for the map anew; another node than one that just failed, if another answers.

        Raises
        ------
        AccessDenied
            If the nodes that answer refuse the user, or withhold the right.
        ServerUnavailable
            If no node answers.

        Cost
        ----
        A connect and a round trip to the first node that answers; none if somebody has asked a moment ago.
        """
        self._ask_since(time.monotonic() - _FRESH_S, avoid)

    def _ask_since(self, moment: float, avoid: Endpoint | None) -> None:
        """Ask for the map, unless that was done after a moment."""
        with self._lock:
            if self._asked_at > moment and self._ranges:
                return
            problems: list[StoreError] = []
            best: _Told | None = None
            for node in self._whom_to_ask(avoid):
                try:
                    told = self._ask(node)
                except StoreError as problem:
                    problems.append(problem)
                    continue
                if best is None or told.n_slots > best.n_slots:
                    best = told
                # one that has left the cluster, or was never in it, knows of its own slots alone
                if best.n_slots == N_SLOTS:
                    break
            if best is not None:
                self._note(best)
                return
        if denied := [problem for problem in problems if isinstance(problem, AccessDenied)]:
            # nothing to wait for: it is said by a node that answers
            raise denied[0]
        said = "; ".join(map(str, problems))
        raise ServerUnavailable(f"{self._settings.where}: no node of the cluster answers: {said}")

    def _whom_to_ask(self, avoid: Endpoint | None) -> list[Endpoint]:
        """
        The nodes that are known, in the order in which they are asked.

        Whoever told the map that has proved wrong may be cut off from the others, and whoever is doubted may have stood
        still: they come after the others, and the one that has just failed comes last.
        """
        now = time.monotonic()
        nodes = dict.fromkeys([*(each.primary for each in self._ranges), *self._seeds])
        return sorted(
            nodes,
            key=lambda node: (
                node == avoid,
                self._doubted.get(node, 0.0) >= now,
                node == self._told_by,
            ),
        )

    def _note(self, told: _Told) -> None:
        # a certificate is one for a name
        self._names = told.names if self._settings.tls else {}
        self._ranges = [each._replace(primary=self.named(each.primary)) for each in told.ranges]
        self._moved.clear()
        self._asked_at, self._told_by = time.monotonic(), told.by

    def _ask(self, node: Endpoint) -> _Told:
        wire = Wire(self._hasty, 0, asks_role=False, node=node)
        try:
            wire.connect(_CONNECT_S)
            reply = wire.exchange(_QUESTION, _ANSWER_S)
        finally:
            wire.close()
        try:
            return _Told(_ranges(reply, node), dict(_names(reply, node)), node)
        except (TypeError, ValueError, LookupError, AttributeError):
            raise ServerUnavailable(f"{node} does not answer as a node of a cluster") from None


def _ranges(told: Iterable[Any], asked: Endpoint) -> list[_Range]:
    """The map of a reply to CLUSTER SLOTS."""
    return sorted(
        _Range(first, last, _endpoint(primary, asked)) for first, last, primary, *_ in told
    )


def _endpoint(node: Sequence[Any], asked: Endpoint) -> Endpoint:
    """Where a node is, as a reply says; one without a host is where the one is that was asked."""
    return Endpoint((node[0] or b"").decode() or asked.host, int(node[1]))


def _names(told: Iterable[Any], asked: Endpoint) -> Iterator[tuple[Endpoint, Endpoint]]:
    """Nodes that a reply names by address, and the same by host name, which it tells besides."""
    for _, _, *nodes in told:
        for node in nodes:
            # servers before Redis 7 don't tell it
            besides = node[3] if len(node) > 3 else ()
            said = dict(zip(besides[::2], besides[1::2], strict=False))
            if name := said.get(b"hostname"):
                found = _endpoint(node, asked)
                yield found, found._replace(host=name.decode())
