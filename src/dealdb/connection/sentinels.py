"""
``Sentinels``: where the primary is, as the Sentinels that watch it say.

An address is never kept against their word. A primary that froze, or lost its network, is replaced by one of its
replicas, and may come back before it knows: for seconds it takes changes that are dropped once it is a replica. So a
server's answers count as long as the Sentinels named it a moment ago, and they are asked again after that.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from hiredis import pack_command

from dealdb.connection.endpoint import DEFAULT_SENTINEL_PORT, Endpoint, parse_endpoint
from dealdb.connection.fork import renew_in_child
from dealdb.connection.protocol.wire import Wire
from dealdb.connection.settings import Settings
from dealdb.errors import ServerUnavailable, StoreError

logger = logging.getLogger(__name__)

# how long their word counts: they take longer to see that a primary is gone, and to choose another one
TRUSTED_S = 0.5
# a Sentinel answers from memory; one that does not is left alone for a while, unless no other answers
_CONNECT_S = 0.3
_ANSWER_S = 0.5
# of that, what is left to the last one, whose answer may have come while the others were waited for
_LEAST_S = 0.05
_LEFT_ALONE_S = 10.0


class _Word(NamedTuple):
    """The address that a Sentinel named, the number of the election that made it primary, and when it was asked."""

    address: Endpoint
    epoch: int
    asked_at: float


class Sentinels:
    """
    The Sentinels of one primary; any number of threads may ask.

    Parameters
    ----------
    settings
        With their addresses, and their name of the primary.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        addresses = [parse_endpoint(each, DEFAULT_SENTINEL_PORT) for each in settings.sentinels]
        self._wires = [
            Wire(_settings_of(settings, address), 0, asks_role=False) for address in addresses
        ]
        name = str(settings.sentinel_name)
        # the epoch first: an address that comes with a later one is not that of an earlier primary. And the address
        # apart, since while replicas are told of the new primary MASTER has that of the old one
        questions = ("SENTINEL", "MASTER", name), ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)
        self._questions = [pack_command(each) for each in questions]  # type: ignore[arg-type]  # its stub asks for a tuple of one
        self._word: _Word | None = None
        # until when Sentinels that did not answer are left alone
        self._left_alone: dict[Wire, float] = {}
        self._is_closed = False
        self._lock = threading.Lock()
        renew_in_child(self)

    def renew(self) -> None:
        """Begin in a forked child with sockets of its own."""
        self._lock = threading.Lock()
        self._shut()

    def close(self) -> None:
        """
        Keep no socket to them any more.

        Whoever waits for the server's answer may still ask them, and closes the sockets again.
        """
        self._is_closed = True
        self._shut()

    def _shut(self) -> None:
        """Close the sockets; where somebody is asking at this moment, that one does it afterwards."""
        if self._lock.acquire(blocking=False):
            try:
                for wire in self._wires:
                    wire.close()
            finally:
                self._lock.release()

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        finally:
            # only now: who closes meanwhile finds the lock free, or leaves it to this one
            if self._is_closed:
                self._shut()

    @property
    def has_answered(self) -> bool:
        """Whether any of them ever did."""
        return self._word is not None

    def primary(self) -> Endpoint:
        """
        The primary's address, asked now.

        Raises
        ------
        ServerUnavailable
            If no Sentinel answers, or none knows the name.

        Cost
        ----
        A round trip to each Sentinel, and a connect to each at first.
        """
        with self._asking():
            # chosen first: who fails now is left alone from now on
            others = self._chosen(left_alone=True)
            answers = self._ask_all(self._chosen(left_alone=False))
            if not _words(answers):
                answers += self._ask_all(others)
            return self._latest(answers).address

    def still_name(self, address: Endpoint) -> bool:
        """
        Whether an address is that of the primary, by what they said in the last half second; also if none answers.

        Cost
        ----
        As ``primary`` twice a second, else none.
        """
        # before the lock: what another caller has asked meanwhile is young enough
        oldest = time.monotonic() - TRUSTED_S
        with self._asking():
            if self._word is None or self._word.asked_at < oldest:
                answers = self._ask_all(self._chosen(left_alone=False))
                try:
                    self._latest(answers)
                except ServerUnavailable as problem:
                    # they watch, and don't serve: deals can be read and saved without them
                    if answers:
                        logger.warning("%s", problem)
                    return True
            return self._word is None or self._word.address == address

    def _chosen(self, *, left_alone: bool) -> list[Wire]:
        """The Sentinels that are left alone, or all others."""
        now = time.monotonic()
        return [
            wire for wire in self._wires if (self._left_alone.get(wire, 0.0) > now) is left_alone
        ]

    def _ask_all(self, wires: Sequence[Wire]) -> list[_Word | StoreError]:
        """Ask all of them at once: one after the other, the first word would be old when the last one has come."""
        now = time.monotonic()
        problems = [self._send(wire) for wire in wires]
        return [
            problem or self._receive(wire, now)
            for wire, problem in zip(wires, problems, strict=True)
        ]

    def _latest(self, answers: list[_Word | StoreError]) -> _Word:
        words = _words(answers)
        if words:
            # one that is cut off from the others does not know of later elections
            latest = max(words, key=lambda word: word.epoch)
            if (
                self._word
                and self._word.epoch > latest.epoch
                and 2 * len(words) <= len(self._wires)
            ):
                # few take back nothing; most of them do, where somebody has set them up anew
                latest = self._word._replace(asked_at=latest.asked_at)
            self._word = latest
            return latest
        problems = "; ".join(map(str, answers))
        raise ServerUnavailable(
            f"{self._settings.where}: no Sentinel names the primary: {problems}"
        )

    def _send(self, wire: Wire) -> StoreError | None:
        try:
            if not wire.is_sound():
                wire.connect(_CONNECT_S)
            wire.send(self._questions)
        except StoreError as problem:
            self._leave_alone(wire)
            return problem
        return None

    def _receive(self, wire: Wire, asked_at: float) -> _Word | StoreError:
        left_s = asked_at + _ANSWER_S - time.monotonic()
        try:
            replies = wire.receive(len(self._questions), timeout_s=max(left_s, _LEAST_S))
            word = _word_of(replies, asked_at)
        except StoreError as problem:
            self._leave_alone(wire)
            return problem
        wire.used_at = asked_at
        self._left_alone.pop(wire, None)
        return word

    def _leave_alone(self, wire: Wire) -> None:
        self._left_alone[wire] = time.monotonic() + _LEFT_ALONE_S


def _word_of(replies: Sequence[Any], asked_at: float) -> _Word:
    """The word in the replies to the two questions."""
    try:
        about, (host, port) = replies
        facts = dict(zip(about[::2], about[1::2], strict=True))
        return _Word(Endpoint(host.decode(), int(port)), int(facts[b"config-epoch"]), asked_at)
    except (TypeError, ValueError, LookupError, AttributeError):
        raise ServerUnavailable("it does not answer as a Sentinel does") from None


def _words(answers: Iterable[_Word | StoreError]) -> list[_Word]:
    return [answer for answer in answers if isinstance(answer, _Word)]


def _settings_of(settings: Settings, address: Endpoint) -> Settings:
    """How one Sentinel is reached: with a login of its own."""
    return replace(
        settings,
        host=address.host,
        port=address.port,
        db=0,
        # a login, or TLS, is to take no longer than an answer
        socket_timeout_s=min(_ANSWER_S, settings.socket_timeout_s),
        username=settings.sentinel_username,
        password=settings.sentinel_password,
        sentinels=(),
        sentinel_name=None,
        sentinel_username=None,
        sentinel_password=None,
    )
