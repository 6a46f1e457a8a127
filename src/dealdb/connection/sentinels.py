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
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

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
        self._lock = threading.Lock()
        renew_in_child(self)

    def renew(self) -> None:
        """Begin in a forked child with sockets of its own."""
        self._lock = threading.Lock()
        self.close()

    def close(self) -> None:
        """Close the sockets to them; they are opened again when they are asked."""
        for wire in self._wires:
            wire.close()

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
        with self._lock:
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
        with self._lock:
            if self._word is None or time.monotonic() - self._word.asked_at > TRUSTED_S:
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

    def _ask_all(self, wires: Iterable[Wire]) -> list[_Word | StoreError]:
        now = time.monotonic()
        return [self._ask(wire, now) for wire in wires]

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

    def _ask(self, wire: Wire, now: float) -> _Word | StoreError:
        try:
            if not wire.is_sound():
                wire.connect(_CONNECT_S)
            about, found = wire.exchange_many(
                self._questions, len(self._questions), timeout_s=_ANSWER_S
            )
            wire.used_at = now
        except StoreError as problem:
            self._left_alone[wire] = now + _LEFT_ALONE_S
            return problem
        self._left_alone.pop(wire, None)
        facts = dict(zip(about[::2], about[1::2], strict=True))
        host, port = found
        return _Word(Endpoint(host.decode(), int(port)), int(facts[b"config-epoch"]), now)


def _words(answers: Iterable[_Word | StoreError]) -> list[_Word]:
    return [answer for answer in answers if isinstance(answer, _Word)]


def _settings_of(settings: Settings, address: Endpoint) -> Settings:
    """How one Sentinel is reached: with a login of its own."""
    return replace(
        settings,
        host=address.host,
        port=address.port,
        db=0,
        username=settings.sentinel_username,
        password=settings.sentinel_password,
        sentinels=(),
        sentinel_name=None,
        sentinel_username=None,
        sentinel_password=None,
    )
