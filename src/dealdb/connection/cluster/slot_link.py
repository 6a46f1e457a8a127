"""
``SlotLink``: commands to whichever node of a cluster has a slot.

What a node answers, whether the command has run, and what is done:

================================== ======== ===========================================================
reply                              has run  done
================================== ======== ===========================================================
MOVED                              no       the map is corrected, and the command sent to the new node
ASK                                no       ASKING and the command go to the node that is named, this once
TRYAGAIN, LOADING, BUSY            no       tried again, with growing pauses, until ``retry_deadline_s``
CLUSTERDOWN, MASTERDOWN, READONLY, no       the same, with a new map
NOREPLICAS
no such host, or the certificate   no       the same: the map may name another one by now
is one for another name
a cut, a reset, no reply in time,  unknown  a read is tried again, with a new map; of a change, the error
or a late one of a node that has            says that it was sent: who made it can tell it by its counter
been replaced
any of these for some of a batch   some     as unknown
================================== ======== ===========================================================
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import Any

from hiredis import pack_command

from dealdb.connection.cluster.slots import SlotMap
from dealdb.connection.endpoint import Endpoint
from dealdb.connection.link import (
    Argument,
    Link,
    OwnLink,
    count_trip,
    is_answered,
    packed_command,
)
from dealdb.connection.pool import Pool
from dealdb.connection.protocol.translate import (
    is_misnamed,
    is_not_now,
    is_passing,
    reason_of,
    redirected,
)
from dealdb.connection.protocol.wire import Wire
from dealdb.connection.retry import Pauses
from dealdb.errors import ServerUnavailable, StoreError

logger = logging.getLogger(__name__)

_ASKING = pack_command(("ASKING",))
# redirections that are followed at once: more of them in a row mean that the nodes don't agree yet
_MOST_HOPS = 5
# a node that answers so will be replaced, or gets its replicas back; nothing has run
_NOT_YET = frozenset({"CLUSTERDOWN", "MASTERDOWN", "READONLY", "NOREPLICAS"})


class SlotLink(Link):
    """
    A way to the keys of one slot, wherever they are; else as ``Link``.

    Attributes
    ----------
    slot
        Number of the slot.
    """

    __slots__ = ("_slots", "slot")

    def __init__(self, pool: Pool, slots: SlotMap, slot: int) -> None:
        super().__init__(pool, 0)
        self._slots = slots
        self.slot = slot

    @property
    def address(self) -> str:
        """Of the node that has the slot."""
        return str(self._slots.node_of(self.slot))

    def apart(self) -> OwnSlotLink:
        """As ``Link.apart``: a way over a socket of its own."""
        self._pool.refuse_if_closed()
        pool = Pool(replace(self.settings, max_connections=1))
        return OwnSlotLink(pool, self._slots, self.slot)

    def calls(
        self,
        commands: Sequence[Sequence[Argument]],
        *,
        retry: bool = False,
        keep_errors: bool = False,
    ) -> list[Any]:
        """As ``Link.calls``; that a node has not the keys is no answer, even where errors are kept."""
        if not commands:
            return []

        def exchange(wire: Wire) -> list[Any]:
            packed = (packed_command(tuple(command)) for command in commands)
            replies = wire.exchange_many(packed, len(commands), keep_errors=keep_errors)
            for reply in replies:
                if isinstance(reply, StoreError) and redirected(reply.__cause__)[0]:
                    raise reply
            return replies

        found: list[Any] = self._deliver(exchange, commands, retry=retry, keep_errors=keep_errors)
        return found

    def _deliver(
        self,
        exchange: Callable[[Wire], Any],
        commands: Sequence[Sequence[Argument]],
        *,
        retry: bool,
        single: bool = False,
        keep_errors: bool = False,
    ) -> Any:
        pauses, ever_sent, n_hops = Pauses(self.settings.retry_deadline_s), False, 0
        asked: Endpoint | None = None
        while True:
            wire, sent, node = None, False, asked
            try:
                node = asked or self._slots.node_of(self.slot)
                wire = self._pool.checkout(0, node=node)
                if not wire.is_sound():
                    wire.connect()
                sent, sent_at = True, time.monotonic()
                count_trip()
                if not asked:
                    found = exchange(wire)
                    self._refuse_late(node, sent_at)
                    return found
                replies = _ask(wire, commands, keep_errors=keep_errors)
                self._refuse_late(node, sent_at, is_asked=True)
                return replies[0] if single else replies
            except StoreError as failure:
                word, elsewhere = redirected(failure.__cause__)
                answered = wire is not None and is_answered(failure, wire, single=single)
                may_have_run = sent and not (answered if single else bool(wire and wire.none_ran))
                failure.sent = ever_sent = ever_sent or (sent and not answered)
                asked = self._follow(word, elsewhere, node)
                if node is not None and not answered and isinstance(failure, ServerUnavailable):
                    self._slots.doubt(node)
                hops = elsewhere is not None and not may_have_run and n_hops < _MOST_HOPS
                passes = (
                    word
                    or reason_of(failure) in _NOT_YET
                    # the map names it so, and may name another one by now
                    or (wire is not None and is_misnamed(failure))
                    or self._is_worth_another(failure)
                )
                if (may_have_run and not retry) or not (hops or (passes and not pauses.over)):
                    # of a batch that met the move of its keys, some have run
                    problem = self._torn(failure) if word and may_have_run else failure
                    raise problem from failure.__cause__
                reason = reason_of(failure)
            finally:
                if wire is not None:
                    self._give_back(wire)
            logger.debug("slot %d, sent again: %s", self.slot, reason)
            n_hops += 1
            if not hops:
                n_hops, asked = 0, None
                if word != "TRYAGAIN":
                    with suppress(ServerUnavailable):
                        self._slots.refresh(avoid=node)
                pauses.wait()

    def _follow(
        self, word: str, elsewhere: Endpoint | None, node: Endpoint | None
    ) -> Endpoint | None:
        """Note where a node says that the keys are; returns whom to ask this once."""
        if elsewhere is None:
            return None
        # a node that has no name for another host means its own
        there = elsewhere if elsewhere.host or not node else Endpoint(node.host, elsewhere.port)
        there = self._slots.named(there)
        if word == "ASK":
            return there
        self._slots.moved(self.slot, there)
        return None

    def _refuse_late(self, node: Endpoint, sent_at: float, *, is_asked: bool = False) -> None:
        counts = (
            self._slots.is_still_primary(node, sent_at)
            if is_asked
            else self._slots.still_has((self.slot,), node, sent_at)
        )
        if not counts:
            raise ServerUnavailable(
                f"{self.settings.where} (now {node}) answered late, and another node has slot {self.slot:,} by now"
            )

    def _torn(self, failure: StoreError) -> ServerUnavailable:
        torn = ServerUnavailable(
            f"{self.settings.where}: slot {self.slot:,} was moved in the middle of a batch: {reason_of(failure)}"
        )
        torn.sent = True
        return torn

    def _is_worth_another(self, failure: StoreError) -> bool:
        known = self._pool.answered_at > 0 or is_not_now(failure)
        return isinstance(failure, ServerUnavailable) and known and is_passing(failure)


class OwnSlotLink(SlotLink, OwnLink):
    """A link to a slot with one socket of its own, as ``SlotLink.apart`` makes it."""

    __slots__ = ()


def _ask(wire: Wire, commands: Sequence[Sequence[Argument]], *, keep_errors: bool) -> list[Any]:
    """Send commands to a node that is just getting their keys, each after an ASKING."""
    packed = (packed_command(tuple(command)) for command in commands)
    pairs = chain.from_iterable((_ASKING, command) for command in packed)
    both = wire.exchange_many(pairs, 2 * len(commands), keep_errors=True)
    replies = both[1::2]
    refusals = [reply for reply in replies if isinstance(reply, StoreError)]
    elsewhere = [refusal for refusal in refusals if redirected(refusal.__cause__)[0]]
    # each ASKING was answered, which says nothing of the commands
    wire.none_ran = len(elsewhere) == len(commands)
    wire.all_refused = len(refusals) == len(commands)
    if elsewhere:
        # without the right to ASKING, the node sends the commands back to where they came from
        raise next((each for each in both[::2] if isinstance(each, StoreError)), elsewhere[0])
    if refusals and not keep_errors:
        raise refusals[0]
    return replies
