"""
What is at the other end, reported if it refuses or cuts what a Redis or Valkey server would carry out.

A Sentinel knows no command for data, a proxy ends the connection at a command that it does not pass, and a server that
lets nobody in says so and hangs up while we are still sending. The reply alone says none of that, so here the server
is asked, once a command has failed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from dealdb.connection.endpoint import Endpoint
from dealdb.connection.link import Argument, Link, OwnLink
from dealdb.connection.pool import Pool
from dealdb.connection.protocol.translate import is_cut, is_unknown_command
from dealdb.connection.protocol.wire import overhear
from dealdb.connection.server.info import ask_info, mode
from dealdb.errors import ServerRefused, ServerUnavailable, StoreError

# seconds that each question may take: it is asked when the caller has waited already
_PATIENCE_S = 0.5
# a link that breaks by chance does not break at the same command so many times, with a PING answered before each
_ROUNDS = 3
# what stands for a script that must not run again; twemproxy passes none without a key
_IN_PLACE = {"EVAL": ("return 1",), "EVALSHA": ("0" * 40,)}


class TellingLink(Link):
    """A link whose errors say what the server is, where that is why they came."""

    __slots__ = ("_carried_out",)

    def __init__(
        self,
        pool: Pool,
        db: int,
        revive: Callable[[], None] | None = None,
        trouble: Callable[[], str | None] | None = None,
    ) -> None:
        super().__init__(pool, db, revive, trouble)
        # commands that went well once: a cut at one of them is a broken link, and nothing has to be asked
        self._carried_out: set[Argument] = set()

    def call(self, *command: Argument, retry: bool = False) -> Any:
        """As ``Link.call``; the first failure of a command costs some more round trips."""
        try:
            reply = super().call(*command, retry=retry)
        except StoreError as error:
            self._raise_told(error, [command], retry=retry)
            raise
        self._carried_out.add(command[0])
        return reply

    def calls(
        self,
        commands: Sequence[Sequence[Argument]],
        *,
        retry: bool = False,
        keep_errors: bool = False,
    ) -> list[Any]:
        """As ``Link.calls``; the first failure of a command costs some more round trips."""
        try:
            replies = super().calls(commands, retry=retry, keep_errors=keep_errors)
        except StoreError as error:
            self._raise_told(error, commands, retry=retry)
            raise
        self._carried_out.update(command[0] for command in commands)
        return replies

    def _raise_told(
        self, error: StoreError, commands: Sequence[Sequence[Argument]], *, retry: bool
    ) -> None:
        news = [command for command in commands if command[0] not in self._carried_out]
        told = self._told(error, news, retry=retry) if news else None
        if told is not None:
            told.sent = error.sent
            raise told from error.__cause__

    def _told(
        self, error: StoreError, commands: Sequence[Sequence[Argument]], *, retry: bool
    ) -> StoreError | None:
        if isinstance(error, ServerRefused) and is_unknown_command(error):
            with closing(self._asking()) as asking:
                said = sentinel(asking)
            return ServerRefused(f"{self._where}: {said}", reply=error.reply) if said else None
        if not is_cut(error):
            return None
        if self._pool.answered_at == 0 and (heard := overhear(self.settings, _PATIENCE_S)):
            return heard
        with closing(self._asking()) as asking:
            return self._told_of_proxy(asking, _first_of_each(commands, retry=retry))

    def _told_of_proxy(
        self, asking: Link, commands: Sequence[Sequence[Argument]]
    ) -> StoreError | None:
        first = [("HELLO",), *([("SELECT", self.db)] if self.db else [])]
        for name, *rest in (*first, *commands):
            if _always_cut(asking, (name, *rest)):
                said = name.decode() if isinstance(name, bytes) else name
                return ServerUnavailable(
                    f"{self._where} answers PING and ends the connection at {said}: it is a proxy that does not pass "
                    "this command, such as twemproxy; connect to the server itself"
                )
        return None

    def _asking(self) -> OwnLink:
        """A link that has one short try; to database 0, for not everything takes SELECT."""
        hasty = replace(
            self.settings,
            db=0,
            max_connections=1,
            socket_timeout_s=_PATIENCE_S,
            pool_timeout_s=_PATIENCE_S,
        )
        return OwnLink(Pool(hasty, asks_role=False), 0)

    @property
    def _where(self) -> str:
        return self.settings.where_db(self.db)


def sentinel(link: Link) -> str | None:
    """What to say of a server that is a Sentinel; None if it is not one, or can't be asked."""
    try:
        if mode(ask_info(link, "server")) != "sentinel":
            return None
        found = _primaries(link)
    except StoreError:
        return None
    settings = link.settings
    scheme, at = "rediss" if settings.tls else "redis", Endpoint(settings.host, settings.port)
    urls = " or ".join(f"{scheme}+sentinel://{at}/{name} (now {where})" for name, where in found)
    urls = urls or f"{scheme}+sentinel://{at}/NAME, NAME being what it calls the primary"
    return f"this is a Sentinel, which holds no deals: connect to {urls}"


def _primaries(link: Link) -> list[tuple[str, Endpoint]]:
    """Names and addresses of the primaries that a Sentinel watches."""
    try:
        masters = link.call("SENTINEL", "MASTERS")
    except StoreError:
        return []
    facts = [dict(zip(master[::2], master[1::2], strict=True)) for master in masters]
    return [
        (fact[b"name"].decode(), Endpoint(fact[b"ip"].decode(), int(fact[b"port"])))
        for fact in facts
    ]


def _first_of_each(
    commands: Sequence[Sequence[Argument]], *, retry: bool
) -> list[Sequence[Argument]]:
    """One of each command that may be sent again without harm; of a script, one that does nothing."""
    found: dict[Argument, Sequence[Argument]] = {}
    for command in commands:
        name = command[0]
        if name in _IN_PLACE:
            found.setdefault(
                name, (name, *_IN_PLACE[str(name)], 1, command[3] if len(command) > 3 else "k")
            )
        elif retry:
            found.setdefault(name, command)
    return list(found.values())


def _always_cut(asking: Link, command: Sequence[Argument]) -> bool:
    """Whether the connection ends at a command each time, while a PING is answered."""
    return all(_answers_ping(asking) and _is_cut(asking, command) for _ in range(_ROUNDS))


def _answers_ping(asking: Link) -> bool:
    try:
        asking.call("PING")
    except StoreError:
        return False
    return True


def _is_cut(asking: Link, command: Sequence[Argument]) -> bool:
    try:
        asking.call(*command)
    except ServerUnavailable as error:
        return is_cut(error)
    except StoreError:
        # an answer, if an unfriendly one
        return False
    return False
