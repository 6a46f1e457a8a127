"""A link on which commits go missing: the request, the reply, or a copy that arrives much later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgpack
from hiredis import Reader

from dealdb.connection import Link, Settings, packed
from dealdb.connection.wire import Wire
from dealdb.errors import ServerUnavailable
from dealdb.store.batch import unpacked
from store_model import parts_of

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
        status: bytes = link.call(*self.command)[0]
        return status


class LateTransaction:
    """A transaction on a connection that the writer has given up, and whose end is still on its way."""

    def __init__(self, link: Link, watched: Sequence[str], look: Sequence[Any], age: int) -> None:
        self._wire = Wire(link.settings, link.db)
        self._wire.connect()
        request = b"".join([packed(("WATCH", *watched)), *look, packed(("MULTI",))])
        self.found = self._wire.exchange_many(request, 2 + len(look))[1:-1]
        self.age = age
        self.commands, self.count = b"", 0

    @property
    def key(self) -> tuple[str, int]:
        """Writer and counter."""
        return added_of(self.commands)[:2]

    def replies(self) -> Sequence[Any] | None:
        """What the server replies when the end arrives."""
        replies: list[Any] = self._wire.exchange_many(
            self.commands + packed(("EXEC",)), self.count + 1
        )
        self._wire.close()
        last: Sequence[Any] | None = replies[-1]
        return last

    def arrive(self, link: FaultyLink) -> bytes:
        """Status that the commit script would have answered."""
        replies = self.replies()
        link.note_added(self.commands, replies)
        return b"gap" if replies is None else b"ok"


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
        self.held: list[Held | LateTransaction] = []
        self.open: set[tuple[str, int]] = set()
        self.age = 0


class FaultyLink:
    """
    A process's way to the server.

    Attributes
    ----------
    done
        Commits of the present call that the server carried out: kind, payload and answer.
    happened
        Whether the last one that was sent is among them.
    """

    def __init__(self, link: Link, network: Network) -> None:
        self._link = link
        self._network = network
        self._fault: Fault | None = None
        self._skip = 0
        self._sent: tuple[str, int] | None = None
        self.settings: Settings = link.settings
        self.done: list[tuple[str, bytes, bytes]] = []
        self.happened = False

    def plan(self, fault: Fault | None, *, skip: int = 0, give_up: bool = False) -> None:
        """What happens to the commit after ``skip`` others of the next call, and whether the caller tries again."""
        self._fault, self._skip, self._sent = fault, skip, None
        self.settings = replace(self._link.settings, retry_deadline_s=1e-9 if give_up else 30)
        self.done = []

    def gave_up(self) -> None:
        """The call ended without knowing what became of its last commit."""
        if self._sent:
            self._network.open.add(self._sent)

    def calls(self, commands: Any, *, retry: bool = False) -> Any:
        return self._link.calls(commands, retry=retry)

    def call(self, *command: Any, retry: bool = False) -> Any:
        if not is_commit(command):
            return self._link.call(*command, retry=retry)
        fault = self._take_fault()
        if fault in ("request", "delay"):
            if fault == "delay":
                self._network.held.append(Held(command, self._network.age))
            self._note(command)
            raise ServerUnavailable("the link broke", sent=True)
        reply = self._link.call(*command, retry=retry)
        self._note(command, reply)
        if fault == "reply":
            raise ServerUnavailable("the link broke", sent=True)
        if fault == "double" and reply[0] in (b"ok", b"repeat"):
            self._network.held.append(Held(command, self._network.age))
        return reply

    def transact(
        self,
        watched: Sequence[str],
        look: Sequence[Any],
        writes: Callable[[list[Any]], Any],
        meanwhile: Callable[[], None] | None = None,
        **options: Any,
    ) -> Any:
        fault = self._take_fault()
        if fault == "delay":
            late = LateTransaction(self._link, watched, look, self._network.age)
            decided = writes(late.found)
            if decided is None:
                return None
            late.commands, late.count = decided
            self._network.held.append(late)
            self.note_added(late.commands, None)
            raise ServerUnavailable("the link broke", sent=True)
        sent: list[bytes] = []

        def spied(found: list[Any]) -> Any:
            decided = writes(found)
            if decided:
                sent.append(decided[0])
            if decided and fault == "request":
                self.note_added(decided[0], None)
                raise ServerUnavailable("the link broke", sent=True)
            return decided

        replies = self._link.transact(watched, look, spied, meanwhile, **options)
        if sent:
            self.note_added(sent[0], replies)
        if sent and fault == "reply":
            raise ServerUnavailable("the link broke", sent=True)
        return replies

    def keep(self) -> AbstractContextManager[Wire | None]:
        return self._link.keep()

    def _take_fault(self) -> Fault | None:
        if not self._fault or self._skip:
            self._skip = max(self._skip - 1, 0)
            return None
        fault, self._fault = self._fault, None
        return fault

    def note_added(self, commands: bytes, replies: Sequence[Any] | None) -> None:
        """Note what became of a transaction, as of a call of the script that would have set the same."""
        writer, counter, payload, answer = added_of(commands)
        self._sent = (writer, counter)
        self.happened = replies is not None
        if replies is not None:
            self._network.open.discard((writer, counter))
            self.done.append(("set", payload, answer))

    def _note(self, command: Sequence[Any], reply: Sequence[bytes] = ()) -> None:
        writer, counter, kind, payload = parts_of(command)
        status = reply[0] if reply else b""
        if kind != "void":
            self._sent = (writer, counter)
            self.happened = status == b"ok"
        if status in (b"ok", b"repeat"):
            self._network.open.discard((writer, counter))
        if status == b"ok" and kind != "void":
            self.done.append((kind, payload, reply[1]))


def is_commit(command: Sequence[Any]) -> bool:
    """Whether this calls the script of commits, which has all the collection's keys first."""
    return str(command[0]).startswith("EVAL") and "deals:writers" in command


def added_of(commands: bytes) -> tuple[str, int, bytes, bytes]:
    """Writer, counter, payload of the script that would set the same, and its answer."""
    reader = Reader()
    reader.feed(commands)
    entry = last = reader.gets()
    while (command := reader.gets()) is not False:
        last = command
    about = dict(zip(entry[3::2], entry[4::2], strict=True))
    frame = unpacked(about[b"data"])
    columns = frame.drop("id").to_dict(as_series=False)
    payload = msgpack.packb([frame["id"].to_list(), list(columns), list(columns.values())])
    return about[b"writer"].decode(), int(about[b"counter"]), payload, last[3].partition(b" ")[2]


class FailingLink:
    """The link of a process that dies after so many calls."""

    def __init__(self, link: Link, calls: int) -> None:
        self._link = link
        self._left = calls
        self.settings = link.settings

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

    def transact(self, *what: Any, **options: Any) -> Any:
        self._count()
        return self._link.transact(*what, **options)
