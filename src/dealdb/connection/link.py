"""Commands to one database of the server: sent once, or repeated where that is safe."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from hiredis import pack_command

from dealdb.connection.pool import Pool
from dealdb.connection.protocol.translate import (
    is_demoted,
    is_not_now,
    is_passing,
    is_reply,
    reason_of,
)
from dealdb.connection.protocol.wire import Wire
from dealdb.connection.retry import Pauses
from dealdb.connection.settings import Settings
from dealdb.errors import SchemaError, ServerRefused, ServerUnavailable, StoreError

logger = logging.getLogger(__name__)

Argument: TypeAlias = str | bytes | int | float
_PACKABLE = frozenset((str, bytes))


class _Trips(threading.local):
    """How many round trips the thread has made."""

    made = 0


_TRIPS = _Trips()


def round_trips() -> int:
    """
    Round trips that the calling thread has made so far, over any link; repeated ones count again.

    Examples
    --------
    >>> round_trips() >= 0
    True
    """
    return _TRIPS.made


def count_trip() -> None:
    """Count a round trip of the calling thread."""
    _TRIPS.made += 1


class Link:
    """
    A way to one database of the server, for good.

    Cheap to make and to keep, and any number of threads may share one. When its connection selects another
    database it goes on working on its own, so what began on a database finishes there.

    Replies are bytes, integers, None, and lists of them; a hash (HGETALL) is a flat list of names and values.

    Attributes
    ----------
    db
        Number of the database.
    settings
        How the server is reached.
    """

    __slots__ = ("_pool", "_revive", "_trouble", "db", "settings")

    def __init__(
        self,
        pool: Pool,
        db: int,
        revive: Callable[[], None] | None = None,
        trouble: Callable[[], str | None] | None = None,
    ) -> None:
        self._pool = pool
        self._revive = revive
        self._trouble = trouble
        self.db = db
        self.settings: Settings = pool.settings

    @property
    def denied(self) -> dict[str, float]:
        """Commands that this user may not run, and until when nobody asks for them again; one for the whole pool."""
        return self._pool.denied

    @property
    def is_closed(self) -> bool:
        """Whether the connection was closed."""
        return self._pool.is_closed

    def __repr__(self) -> str:
        return f"Link({self.settings.where_db(self.db)!r})"

    def call(self, *command: Argument, retry: bool = False) -> Any:
        """
        Send one command and return its reply.

        Parameters
        ----------
        command
            Its words and arguments, each on its own: ``call("CLIENT", "LIST")``.
        retry
            True for reads only: send it again, with growing waits, after a timeout or a cut, until
            ``retry_deadline_s``. False repeats only what has certainly not run: a connect that failed, or a
            command that the server turned away because it is loading or busy.

        Raises
        ------
        AccessDenied
            If the login is refused, a right is missing, or TLS fails; never retried.
        ServerRefused
            If the server answers with another error; ``reply`` is its first word.
        ServerUnavailable
            If no answer came: with ``retry=False`` the command has run once, or not at all.
        PoolTimeout
            If every connection stayed busy.

        Cost
        ----
        One round trip on one connection of the pool.
        """
        request = packed_command(command)
        return self._deliver(
            lambda wire: wire.exchange(request), [command], retry=retry, single=True
        )

    def calls(
        self,
        commands: Sequence[Sequence[Argument]],
        *,
        retry: bool = False,
        keep_errors: bool = False,
    ) -> list[Any]:
        """
        Send many commands at once, and return their replies in order.

        They run one after the other, but other clients' commands may run between them. All replies are
        read; then the first error among them is raised, and what the others did stays done.

        Parameters
        ----------
        commands
            As the arguments of ``call``.
        retry
            As in ``call``, for all of them together; False sends them at most once.
        keep_errors
            Whether errors that the server answers are not raised, but stand in the places of their replies.

        Raises
        ------
        AccessDenied, ServerRefused, ServerUnavailable, PoolTimeout
            As ``call`` does.
        SchemaError
            If a text has a lone surrogate; commands before it may have run by then.

        Cost
        ----
        One round trip on one connection of the pool; none when there are no commands.
        """
        if not commands:
            return []
        replies: list[Any] = self._deliver(
            lambda wire: wire.exchange_many(
                (packed_command(tuple(command)) for command in commands),
                len(commands),
                keep_errors=keep_errors,
            ),
            commands,
            retry=retry,
        )
        return replies

    def node_of(self, key: str) -> tuple[int, str] | None:  # noqa: ARG002  # there is but one server
        """Slot of a key in a cluster, and the address of the node that has it; None where there is no cluster."""
        return None

    @property
    def address(self) -> str:
        """Where the server is; of a link to the keys of one node, the address of that node."""
        return self.settings.where

    def each_node(self) -> list[Link]:
        """A way to each server that has some of the keys, for commands about all of them: this one."""
        return [self]

    def whereabouts(self) -> object:
        """
        Which server has which keys: where it is equal later, none has gone from one to another meanwhile.

        None where that can't be told, or some are on their way. There is but one server here.
        """
        return ()

    def apart(self) -> OwnLink:
        """
        A way to the same database over a socket of its own, beside the pool's; ``close`` it.

        For commands that block: they would keep a socket of the pool from everyone else. No round trip.

        Raises
        ------
        StoreError
            If the connection was closed.
        """
        # nobody would close it any more
        self._pool.refuse_if_closed()
        pool = Pool(replace(self.settings, db=self.db, max_connections=1))
        return OwnLink(pool, self.db, self._revive, self._trouble)

    def _deliver(
        self,
        exchange: Callable[[Wire], Any],
        commands: Sequence[Sequence[Argument]],
        *,
        retry: bool,
        single: bool = False,
    ) -> Any:
        pauses, ever_sent, anew = Pauses(self.settings.retry_deadline_s), False, False
        reason = ""
        while True:
            wire, sent, is_new = self._pool.checkout(self.db), False, True
            try:
                is_new = anew or not wire.is_sound()
                if is_new:
                    wire.connect()
                sent = True
                count_trip()
                reply = exchange(wire)
                # what a new socket leads to is what the address stands for, be it a replica
                if is_new or not wire.is_outdated:
                    return reply
                # a replica has changed nothing, and does not know what has changed elsewhere
                self._leave(wire)
                anew, reason = True, "a replica answered"
            except StoreError as failure:
                answered = is_answered(failure, wire, single=single)
                # whoever sent a change has to know: it is lost or done twice where this says too little
                failure.sent = ever_sent = ever_sent or (sent and not answered)
                # of a batch, the rest may have run though the server turned one away
                sent = sent and not (answered if single else wire.none_ran)
                demoted = is_demoted(failure.__cause__)
                if demoted:
                    self._leave(wire)
                # at once, but not again: a new socket leads to the new primary, or there is none yet
                anew = demoted and not is_new
                again = anew or (
                    (self._is_worth_another(failure) or self._will_be_replaced(failure))
                    and not pauses.over
                )
                reason = reason_of(failure)
                if (sent and not retry) or not again:
                    self._note_full(failure, commands)
                    self._explain(failure)
                    raise
            finally:
                self._give_back(wire)
            logger.debug("%s is sent again: %s", _Names(commands), reason)
            if anew:
                continue
            if self._revive is not None and not sent:
                self._revive()
            pauses.wait()

    def _leave(self, wire: Wire) -> None:
        """Close this socket and those that nobody uses: they reach a server that is no primary any more."""
        wire.close()
        self._pool.close_idle()

    def _give_back(self, wire: Wire) -> None:
        try:
            self._pool.release(wire)
        except BaseException:
            # a second interrupt, in the middle of it: the traceback would keep the wire, and its slot, for long
            self._pool.release(wire)
            raise

    def _note_full(self, failure: StoreError, commands: Sequence[Sequence[Argument]]) -> None:
        if isinstance(failure, ServerRefused) and failure.reply == "OOM":
            where = self.settings.where_db(self.db)
            logger.warning("%s refused %s: its memory is full", where, _Names(commands))

    def _explain(self, failure: StoreError) -> None:
        """Say in the error why the server fails, where that is known: e.g. that its disk is full."""
        if self._trouble is not None and (trouble := self._trouble()):
            failure.args = (f"{failure}; {trouble}",)

    def _is_worth_another(self, failure: StoreError) -> bool:
        if not isinstance(failure, ServerUnavailable):
            return False
        # a server that never once answered is a wrong address more often than one that restarts
        known = (
            self._pool.answered_at > 0
            or self._revive is not None
            or self._pool.is_watched
            or is_not_now(failure)
        )
        return known and is_passing(failure)

    def _will_be_replaced(self, failure: StoreError) -> bool:
        """Whether a server refuses changes until it is a primary, or has replicas, again: Sentinels see to that."""
        if not self._pool.is_watched or failure.__cause__ is None:
            return False
        return is_demoted(failure.__cause__) or reason_of(failure) == "NOREPLICAS"


def is_answered(failure: StoreError, wire: Wire, *, single: bool) -> bool:
    """
    Whether an error is the server's answer to a command, or batch, so that all of it need not be sent again.

    Of a batch that met a server without time for the rest, some commands may have run.
    """
    if not is_reply(failure):
        return False
    has_all = wire.ready and (wire.all_refused or not isinstance(failure, ServerUnavailable))
    return single or has_all


class OwnLink(Link):
    """A link with one socket of its own, as ``Link.apart`` makes it."""

    __slots__ = ()

    def close(self) -> None:
        """Close its socket, and end the command that is under way with an error, as any later one."""
        self._pool.close()
        self._pool.cut()


class _Names:
    """Names of commands for a log, made only where it is written; what they are about is nobody's business there."""

    __slots__ = ("_commands",)

    def __init__(self, commands: Sequence[Sequence[Argument]]) -> None:
        self._commands = commands

    def __str__(self) -> str:
        name = self._commands[0][0]
        said = name.decode() if isinstance(name, bytes) else str(name)
        others = len(self._commands) - 1
        return f"{said} and {others:,} more" if others else said


def packed_command(command: tuple[Argument, ...]) -> bytes:
    r"""
    A command as the protocol has it.

    Raises
    ------
    SchemaError
        If a text has a lone surrogate.

    Examples
    --------
    >>> packed_command(("PING",))
    b'*1\r\n$4\r\nPING\r\n'
    """
    if not _PACKABLE.issuperset(map(type, command)):
        # hiredis dies of a segmentation fault when a signal's handler raises while it turns a number into text
        command = tuple([_as_text(argument) for argument in command])
    try:
        # its stub asks for a tuple of one
        command_bytes: bytes = pack_command(command)  # type: ignore[arg-type]
    except UnicodeEncodeError as error:
        msg = f"a text can't be stored: it has the lone surrogate {error.object[error.start]!r}"
        raise SchemaError(msg, expected="text that UTF-8 can encode") from None
    return command_bytes


def _as_text(argument: Argument) -> Argument:
    # a bool is an int, and there is no telling what it should look like
    number = isinstance(argument, int | float) and not isinstance(argument, bool)
    return repr(argument) if number else argument
