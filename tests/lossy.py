"""
A link on which commits go missing: the request, the reply, or a copy that arrives much later.

It stands in for a real one, since no socket lets a copy arrive exactly between two steps of a random run, some hundred
times a second. That a real link says of its failures what this one says is held by ``faults/test_commits.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgpack

from dealdb.connection import Link, Settings
from dealdb.errors import ServerRefused, ServerUnavailable
from dealdb.store.encoding import unpacked
from store_model import is_by_hand, parts_of

Fault = Literal["request", "reply", "delay", "double"]


@dataclass(frozen=True)
class Held:
    """A copy of a commit that is still on its way."""

    command: tuple[Any, ...]
    age: int

    @property
    def key(self) -> tuple[str, int]:
        """Writer and counter."""
        return parts_of(self.command)[:2]

    def arrive(self, link: FaultyLink) -> bytes:
        """Status that the server answers."""
        try:
            status: bytes = link.call(*self.command)[0]
        except ServerRefused as refusal:
            # a copy names the script alone: a server that was never sent it carries out nothing
            if refusal.reply != "NOSCRIPT":
                raise
            return b"gap"
        return status


class Network:
    """
    What the links of several processes have in common.

    Attributes
    ----------
    held
        Copies that are on their way.
    open
        Writer and counter of commits whose outcome nobody knows yet: a late copy may be carried out.
    age
        Rises when the server's history is replaced: copies from before can be news to it.
    """

    def __init__(self) -> None:
        self.held: list[Held] = []
        self.open: set[tuple[str, int]] = set()
        self.age = 0


class FaultyLink:
    """
    A process's way to the server.

    Attributes
    ----------
    network
        What it has in common with the links of other processes.
    done
        Commits of the present call that the server carried out: kind, payload, answer, and whether by hand.
    places
        Of each of these the key of the writers.
    missing
        Writer and counter of those of the last sending that the server did not carry out.
    """

    def __init__(self, link: Link, network: Network) -> None:
        self._link = link
        self.network = network
        self._fault: Fault | None = None
        self._skip = 0
        self._cut = 0
        self.settings: Settings = link.settings
        self.done: list[tuple[str, bytes, bytes, bool]] = []
        self.places: list[str | None] = []
        self.missing: set[tuple[str, int]] = set()

    def each_node(self) -> list[FaultyLink]:
        return [self]

    def whereabouts(self) -> object:
        return self._link.whereabouts()

    def plan(
        self, fault: Fault | None, *, skip: int = 0, cut: int = 0, give_up: bool = False
    ) -> None:
        """
        What happens to the commit after ``skip`` others of the next call, and whether the caller tries again.

        Of commits that are sent at once, ``cut`` arrive before it happens.
        """
        self._fault, self._skip, self._cut = fault, skip, cut
        self.missing = set()
        self.settings = replace(self._link.settings, retry_deadline_s=1e-9 if give_up else 30)
        self.done, self.places = [], []

    def gave_up(self) -> None:
        """The call ended without knowing what became of the commits that it sent last."""
        self.network.open |= self.missing

    def calls(self, commands: Any, *, retry: bool = False) -> Any:
        if not commands or not all(map(is_commit, commands)):
            return self._link.calls(commands, retry=retry)
        return self._send(commands)

    def call(self, *command: Any, retry: bool = False) -> Any:
        if not is_commit(command):
            return self._link.call(*command, retry=retry)
        return self._send([command])[0]

    def _send(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        fault = self._take_fault()
        keys = [parts_of(command)[:2] for command in commands]
        if parts_of(commands[0])[2] != "void":
            self.missing = set(keys)
        n_arrive = len(commands)
        if fault in ("request", "delay"):
            n_arrive = self._cut % n_arrive
        replies = self._arrive_all(commands[:n_arrive])
        late = commands[n_arrive:] if fault == "delay" else []
        if fault == "double":
            late = [c for c, reply in zip(commands, replies, strict=True) if is_counted(reply)]
        self.network.held += [Held(command, self.network.age) for command in late]
        if fault in ("request", "delay", "reply"):
            raise ServerUnavailable("the link broke", sent=True)
        return replies

    def _arrive_all(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        return [self._arrive(command) for command in commands]

    def _arrive(self, command: tuple[Any, ...]) -> Any:
        reply = self._link.call(*command)
        self._note(command, reply)
        return reply

    def _take_fault(self) -> Fault | None:
        if not self._fault or self._skip:
            self._skip = max(self._skip - 1, 0)
            return None
        fault, self._fault = self._fault, None
        return fault

    def _note(self, command: Sequence[Any], reply: Sequence[bytes]) -> None:
        writer, counter, kind, payload = parts_of(command)
        if not is_counted(reply):
            return
        # a void uses up the counters of those before it too
        known = {key for key in self.network.open if key[0] == writer and key[1] <= counter}
        self.network.open -= known if kind == "void" else {(writer, counter)}
        if kind != "void":
            self.missing.discard((writer, counter))
            if reply[0] == b"ok":
                self.done.append((*as_set(kind, payload), reply[1], is_by_hand(command)))
                self.places.append(writers_in(command))


def is_counted(reply: Sequence[bytes]) -> bool:
    """Whether an answer uses up the counter."""
    return reply[0] in (b"ok", b"repeat")


def is_commit(command: Sequence[Any]) -> bool:
    """Whether this calls the script of commits, which has all the collection's keys first."""
    return str(command[0]).startswith("EVAL") and writers_in(command) is not None


def writers_in(command: Sequence[Any]) -> str | None:
    """Key of the writers of the collection, or of its partition, that a commit goes to."""
    texts = (part for part in command[3:] if isinstance(part, str))
    return next((t for t in texts if t.startswith("deals:") and t.endswith(":writers")), None)


def as_set(kind: str, payload: bytes) -> tuple[str, bytes]:
    """Kind and payload of a commit; of new deals in bulk those of a commit that would have set the same."""
    if kind != "add":
        return kind, payload
    ids, *columns = unpacked(payload)
    texts = [column.to_list() for column in columns]
    return "set", msgpack.packb([ids.to_list(), [column.name for column in columns], texts])


class FailingLink:
    """The link of a process that dies after so many calls."""

    def __init__(self, link: Link, calls: int) -> None:
        self._link = link
        self._left = calls
        self.settings = link.settings

    def each_node(self) -> list[FailingLink]:
        return [self]

    def whereabouts(self) -> object:
        return self._link.whereabouts()

    def _count(self) -> None:
        if not self._left:
            raise ServerUnavailable("the process died")
        self._left -= 1

    def call(self, *command: Any, retry: bool = False) -> Any:
        self._count()
        return self._link.call(*command, retry=retry)

    def calls(self, commands: Any, *, retry: bool = False) -> Any:
        self._count()
        return self._link.calls(commands, retry=retry)
