"""
The commit script, and what it is sent: changes with their writer, counters and digests.

``commit.lua`` describes its arguments and its answers.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha1
from importlib.resources import files
from typing import Any, NamedTuple, Self, TypeAlias
from zlib import crc32

from dealdb.connection import Link
from dealdb.errors import ServerRefused, ServerUnavailable, StoreError
from dealdb.model.fiscal import time_zone
from dealdb.model.moments import from_epoch_ms
from dealdb.store.commit.change import Change, Lazily, Reply
from dealdb.store.commit.durability import Wait, is_reached
from dealdb.store.keys import Keys

_SCRIPT = files("dealdb.store.commit").joinpath("commit.lua").read_bytes()
_SCRIPT_SHA1 = sha1(_SCRIPT, usedforsecurity=False).hexdigest()
_MS, _NO_TIME = timedelta(milliseconds=1), timedelta()
_Command: TypeAlias = tuple[str | bytes, ...]


class Sending(NamedTuple):
    """
    Commits of one writer that are sent together.

    Attributes
    ----------
    writer
        Its name.
    known
        Commit that the collection had when the name was chosen; empty for a name that may be forgotten.
    changes
        What each of them says.
    first
        Counter of the first; the others have those behind it.
    digests
        By which the server distinguishes each from other commits with its counter.
    """

    writer: str
    known: str
    changes: Sequence[Change]
    first: int
    digests: Sequence[str]

    @classmethod
    def of(cls, writer: str, known: str, changes: Sequence[Change], first: int) -> Self:
        """Give each change a digest."""
        # not the contents alone: two commits may say the same, and are two all the same
        nonce = secrets.token_hex(4)
        # only when it is asked for: it needs the change, and the server may have the first ones by then
        makers = [partial(_digest_of, changes, place, nonce) for place in range(len(changes))]
        digests = [makers[0]()] if len(makers) == 1 else Lazily(makers)
        return cls(writer, known, changes, first, digests)

    def at(self, place: int) -> tuple[Change, int, str]:
        """One of the changes, its counter and its digest."""
        return self.changes[place], self.first + place, self.digests[place]


class CommitScript:
    """The script as one collection runs it, for any writer."""

    def __init__(self, link: Link, keys: Keys, actor: str) -> None:
        self._link = link
        self._keys = keys
        # keys of every commit
        self._common = (keys.meta, keys.log, keys.writers)
        self._actor = actor
        self._of_thread = threading.local()

    @contextmanager
    def acting_as(self, actor: str) -> Iterator[None]:
        """Let the commits of this thread be in the name of another meanwhile."""
        before = self._actor_now
        self._of_thread.actor = actor
        try:
            yield
        finally:
            self._of_thread.actor = before

    @property
    def _actor_now(self) -> str:
        return getattr(self._of_thread, "actor", self._actor)

    def run(self, sending: Sending, wait: Wait | None = None) -> tuple[list[Reply], bool]:
        """
        Send commits once; returns the replies, and whether they were found to be where ``wait`` waits for.

        Raises
        ------
        StoreError
            If one of them was refused, or the answers did not come.

        Cost
        ----
        One round trip; another where the server does not have the script yet.
        """
        try:
            answers, reached = self._exchange(
                self._commands(sending, "EVALSHA", _SCRIPT_SHA1), wait
            )
        except ServerRefused as refusal:
            if refusal.reply != "NOSCRIPT":
                raise
            answers, reached = self._exchange(self._commands(sending, "EVAL", _SCRIPT), wait)
        return [Reply(status.decode(), tuple(rest)) for status, *rest in answers], reached

    def _commands(self, sending: Sending, *words: str | bytes) -> Sequence[_Command]:
        """The commands that run the script, each made when it is packed."""

        def command(place: int) -> _Command:
            return (*words, *self._arguments(sending, *sending.at(place)))

        n = len(sending.changes)
        return [command(0)] if n == 1 else Lazily([partial(command, place) for place in range(n)])

    def _exchange(self, commands: Sequence[_Command], wait: Wait | None) -> tuple[list[Any], bool]:
        if wait:
            return self._exchange_and_wait(commands, wait)
        # a single one that the server turns away has certainly not run
        if len(commands) == 1:
            return [self._link.call(*commands[0])], False
        return self._link.calls(commands), False

    def _exchange_and_wait(
        self, commands: Sequence[_Command], wait: Wait
    ) -> tuple[list[Any], bool]:
        *answers, waited = self._link.calls([*commands, wait], keep_errors=True)
        refusals = [answer for answer in answers if isinstance(answer, StoreError)]
        if refusals:
            # of several, the others may have been carried out
            has_rest = len(refusals) < len(answers)
            refusals[0].sent = has_rest and isinstance(refusals[0], ServerUnavailable)
            raise refusals[0]
        # a repeat has written nothing, on this connection
        wrote = all(status == b"ok" for status, *_ in answers)
        return answers, wrote and is_reached(wait, waited)

    def _arguments(
        self, sending: Sending, change: Change, counter: int, digest: str
    ) -> list[str | bytes]:
        prefix = self._keys.deal_prefix
        # numbers as text: the link would look for them among all arguments
        arguments: list[str | bytes] = [str(3 + len(change.ids)), *self._common]
        arguments += [prefix + deal_id for deal_id in change.ids]
        arguments += [sending.writer, str(counter), digest, sending.known]
        arguments += [change.kind, change.version, change.condition.text]
        arguments += [self._actor_now, change.payload]
        mark = change.mark
        if mark:
            arguments += [mark.name, mark.note]
        if change.values:
            arguments += [*([] if mark else ["", ""]), change.values]
        elif change.texts and not mark:
            arguments += ["", "", _hand(change), *_flat(change.texts)]
        return arguments


def _hand(change: Change) -> str:
    """What says that somebody saves a deal: since when, and how far the pipeline's zone is ahead of UTC then."""
    hand = f"hand@{change.at}" if change.at else "hand"
    if not change.zone:
        return hand
    zone = time_zone(change.zone)
    # clocks that don't agree matter only where they stand on both sides of a change of the offset
    moment = from_epoch_ms(change.at).astimezone(zone) if change.at else datetime.now(zone)
    return f"{hand} {(moment.utcoffset() or _NO_TIME) // _MS} {change.zone}"


def _flat(texts: Mapping[str, str | None]) -> list[str]:
    """A deal as arguments of the script: how many fields, their names, and the texts of those that have one."""
    return [str(len(texts)), *texts, *(text for text in texts.values() if text is not None)]


def _digest_of(changes: Sequence[Change], place: int, nonce: str) -> str:
    """A nonce and 8 hex digits of what one of the changes says."""
    change = changes[place]
    payload = change.payload
    said = "\0".join((change.kind, change.version, change.condition.text, *change.ids)).encode()
    content = crc32(payload.encode() if isinstance(payload, str) else payload, crc32(said))
    return f"{nonce}{content:08x}"
