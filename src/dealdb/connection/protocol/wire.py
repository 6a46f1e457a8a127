"""
One socket to the server: opened on one database, used by one caller at a time, closed rather than trusted.

This is the only module that drives the Redis client's connections. They are built with every habit of the
client off that would act behind our back: no retries (it would resend writes), no maintenance notifications
(they turn the check for unread replies off), no decoding, no library name sent at each connect.

The protocol is pinned to RESP2: it needs no ``HELLO`` right and no round trip to begin, and nothing in it
arrives unasked, so anything unread on an idle socket proves that the socket can't be trusted. Replies are
plain: bytes, integers, None and lists, and a hash is a flat list of names and values.

Every exchange begins with a ``HELLO``, which needs no right: its reply says whether the server is a primary. A
primary that was demoted keeps answering over the sockets that it has, with what it had then.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import time
import traceback
from collections.abc import Iterable
from itertools import chain
from typing import Any, Protocol

from redis.exceptions import RedisError

from dealdb.connection.endpoint import Endpoint
from dealdb.connection.protocol.connecting import READ_BYTES, new_connection
from dealdb.connection.protocol.redis_py import RedisPyParts, error_reply
from dealdb.connection.protocol.sending import joined, pieces_of
from dealdb.connection.protocol.translate import has_not_run, translate
from dealdb.connection.settings import Settings
from dealdb.errors import ServerUnavailable, StoreError

logger = logging.getLogger(__name__)

# a firewall drops an idle link without a word; one asked after this many seconds answers before it is used
IDLE_CHECK_S = 30.0
IDLE_CHECK_TIMEOUT_S = 1.0
# how long a socket that we give up waits for the server to close its end
HANG_UP_TIMEOUT_S = 0.2
# how long a replica is what its address leads to, without a new look
REPLICA_TRUST_S = 1.0
_PING = b"*1\r\n$4\r\nPING\r\n"
_HELLO = b"*1\r\n$5\r\nHELLO\r\n"


class Finder(Protocol):
    """Who says where the server is, where that may change."""

    def primary(self) -> Endpoint:
        """Its address now; ServerUnavailable where nobody says."""
        ...

    def still_name(self, address: Endpoint) -> bool:
        """Whether an address is still that."""
        ...


class Wire:
    """
    One socket to one database of the server, not connected until ``connect``.

    Attributes
    ----------
    db
        The database that its commands go to; it never sends SELECT once it is connected.
    node
        Of a cluster, the one that it leads to; else None.
    holder
        Thread that has it, or None; its pool says so.
    all_refused
        Whether each command of the last batch was answered with an error.
    none_ran
        Whether all commands of the last batch were refused by a server that is not the one for them: none has run.
    used_at
        When it last came back to its pool, on the monotonic clock.
    """

    __slots__ = (
        *("__weakref__", "_address", "_connection", "_finder", "_on_replica", "_opened_at"),
        *("_parts", "_poller", "_question", "_ready", "_settings", "_was_primary"),
        *("all_refused", "db", "holder", "node", "none_ran", "used_at"),
    )

    def __init__(
        self,
        settings: Settings,
        db: int,
        *,
        asks_role: bool = True,
        finder: Finder | None = None,
        node: Endpoint | None = None,
    ) -> None:
        self._settings = settings
        self._finder = finder
        self.node = node
        # what the finder named for the socket that is open; else the node
        self._address = node
        self._question = _HELLO if asks_role else b""
        self._use(new_connection(settings, db))
        self._ready = False
        self.db = db
        self.holder: int | None = None
        self.none_ran = self.all_refused = False
        self.used_at = self._opened_at = 0.0
        self._on_replica = self._was_primary = False

    def _use(self, connection: Any) -> None:
        self._connection = connection
        self._parts = RedisPyParts(connection)

    @property
    def ready(self) -> bool:
        """True when it is connected and no reply is outstanding."""
        return self._ready

    @property
    def is_outdated(self) -> bool:
        """Whether a replica gave the last answer, and the address may lead to another server by now."""
        if not self._on_replica:
            return False
        return self._was_primary or time.monotonic() - self._opened_at > REPLICA_TRUST_S

    def is_sound(self) -> bool:
        """Whether it is connected, with nothing unread, and the server still at the other end, and what it was."""
        if not self._ready or self._has_unread() or not self._is_named():
            return False
        return time.monotonic() - self.used_at < IDLE_CHECK_S or self._answers()

    def connect(self, timeout_s: float | None = None) -> None:
        """
        Open the socket, log in and choose the database, after closing what was open before.

        Where a finder says where the primary is, the server is asked whether it is one.
        """
        self.close()
        connection = self._connection
        if self._finder is not None:
            self._address = self._finder.primary()
        if self._address is not None:
            connection.host, connection.port = self._address
        connection.socket_connect_timeout = timeout_s or self._settings.socket_timeout_s
        try:
            connection.connect()
            self._poller = select.poll()
            self._poller.register(self._parts.open_socket, select.POLLIN)
            again, self._opened_at = self._opened_at > 0, time.monotonic()
            self._was_primary = False
            self._ready = True
        except (RedisError, OSError) as error:
            raise translate(error, self._where) from error
        except BaseException as interrupt:
            _keep_no_socket(interrupt)
            raise
        finally:
            # an interrupt in the middle leaves a socket that is logged in but on database 0
            if not self._ready:
                self.close()
        if self._finder is not None and self._question:
            self._replies(pieces_of(self._question), 0, timeout_s)
            if self._on_replica:
                self.close()
                msg = f"{self._where} is not a primary yet, though the Sentinels name it: they may be choosing one"
                raise ServerUnavailable(msg)
        logger.info("%s %s", "reconnected to" if again else "connected to", self._where)

    def exchange(self, packed: bytes, timeout_s: float | None = None) -> Any:
        """
        Send one packed command and read its reply; an error reply is raised as ours.

        Whatever cuts it short, an interrupt too, closes the socket: a late reply must not meet the next command.
        """
        [reply] = self._replies(pieces_of(self._question + packed), 1, timeout_s)
        if isinstance(reply, RedisError):
            raise translate(reply, self._where) from reply
        return reply

    def exchange_many(
        self,
        packed: Iterable[bytes],
        count: int,
        *,
        keep_errors: bool = False,
        timeout_s: float | None = None,
    ) -> list[Any]:
        """
        Send packed commands together and read all replies; then the first error reply is raised.

        The server has the first ones while the others are packed. With ``keep_errors`` none is raised, and ours
        take their places.
        """
        self.send(packed)
        return self.receive(count, keep_errors=keep_errors, timeout_s=timeout_s)

    def send(self, packed: Iterable[bytes]) -> None:
        """Send packed commands together; ``receive`` reads the replies, before anything else is sent."""
        self.none_ran = self.all_refused = False
        self._send(joined(chain([self._question], packed)))

    def receive(
        self, count: int, *, keep_errors: bool = False, timeout_s: float | None = None
    ) -> list[Any]:
        """Read the replies to all commands that were sent; as ``exchange_many``."""
        replies = self._receive(count, timeout_s)
        # among them "LOADING", which the client takes for an error of the connection
        refusals = [reply for reply in replies if isinstance(reply, RedisError)]
        self.all_refused = len(refusals) == count
        self.none_ran = self.all_refused and all(map(has_not_run, refusals))
        if refusals and keep_errors:
            return [
                self._kept(reply) if isinstance(reply, RedisError) else reply for reply in replies
            ]
        if refusals:
            raise translate(refusals[0], self._where) from refusals[0]
        return replies

    def _kept(self, refusal: RedisError) -> StoreError:
        error = translate(refusal, self._where)
        error.__cause__ = refusal
        return error

    def _replies(
        self, pieces: Iterable[bytes | memoryview], count: int, timeout_s: float | None = None
    ) -> list[Any]:
        """Send packed commands, the question for the role before them, and read the replies to the commands."""
        self._send(pieces)
        return self._receive(count, timeout_s)

    def _send(self, pieces: Iterable[bytes | memoryview]) -> None:
        # in this order no number of interrupts leaves an unread reply on a wire that counts as ready
        self._ready = False
        is_sent = False
        try:
            self._connection.send_packed_command(pieces, check_health=False)
            is_sent = True
        except (RedisError, OSError) as error:
            raise translate(error, self._where) from error
        finally:
            if not is_sent:
                self.close()

    def _receive(self, count: int, timeout_s: float | None = None) -> list[Any]:
        try:
            replies = self._read_many(count + bool(self._question), timeout_s)
            self._ready = True
        except (RedisError, OSError) as error:
            raise translate(error, self._where) from error
        finally:
            if not self._ready:
                self.close()
        if self._question:
            self._note_role(replies.pop(0))
        if not self._is_named():
            self.close()
            msg = f"{self._where} answered, but is no primary any more: what it did since then gets lost"
            raise ServerUnavailable(msg)
        return replies

    def _is_named(self) -> bool:
        """Whether its server is what the finder names; true of all where there is none."""
        if self._finder is None or self._address is None:
            return True
        return self._finder.still_name(self._address)

    def _has_unread(self) -> bool:
        """Whether anything has come unasked, the end of the connection too."""
        return self._parts.has_read_ahead(tls=self._settings.tls) or bool(self._poller.poll(0))

    def _note_role(self, about: Any) -> None:
        """Take in the reply to HELLO; a server that does not know the command is taken for a primary."""
        self._on_replica = isinstance(about, list) and b"replica" in about
        self._was_primary = self._was_primary or not self._on_replica

    def _read_many(self, count: int, timeout_s: float | None = None) -> list[Any]:
        """So many replies, errors among them."""
        replies: list[Any] = []
        while len(replies) < count:
            try:
                # waits for at least one; those that came with it need no further look at the socket
                replies.append(self._parts.read_reply(timeout_s))
            except (RedisError, OSError):
                # what a server says before it closes a new socket says more than that it has closed it
                if replies and isinstance(replies[0], RedisError):
                    raise replies[0] from None
                raise
            self._parts.take_read_ahead(replies, count)
        return replies

    def ping(self, timeout_s: float) -> None:
        """Ask for a PONG, which has to come within ``timeout_s``."""
        self.exchange(_PING, timeout_s)

    def close(self) -> None:
        """Close the socket, if it is open."""
        self._ready = False
        try:
            self._connection.disconnect()
        except BaseException as interrupt:
            _keep_no_socket(interrupt)
            raise

    def hang_up(self) -> None:
        """Tell the server that nothing more will come; it closes its end as soon as it notices."""
        # the caller that uses it may close it at this moment
        open_socket = self._parts.open_socket
        if open_socket is not None:
            with contextlib.suppress(OSError):
                _shut_down(open_socket, socket.SHUT_WR)

    def cut(self) -> None:
        """End the connection from another thread: a caller that waits for a reply sees that none will come."""
        open_socket = self._parts.open_socket
        if open_socket is not None:
            with contextlib.suppress(OSError):
                _shut_down(open_socket, socket.SHUT_RDWR)

    def finish(self, timeout_s: float) -> None:
        """Wait for the server to close its end after ``hang_up``, then close ours."""
        open_socket = self._parts.open_socket
        if open_socket is not None:
            poller = select.poll()
            poller.register(open_socket, select.POLLIN)
            poller.poll(timeout_s * 1000)
        self.close()

    def rebind(self, db: int, node: Endpoint | None) -> None:
        """Leave the database or node for another one, by a new socket."""
        self.hang_up()
        self.finish(HANG_UP_TIMEOUT_S)
        self._use(new_connection(self._settings, db))
        self._opened_at = 0.0
        self.db, self.node, self._address = db, node, node

    def _answers(self) -> bool:
        # only a link that is gone is not an answer: what the server refuses, it refuses the command too
        try:
            self.ping(IDLE_CHECK_TIMEOUT_S)
        except StoreError:
            return self._ready
        return True

    @property
    def _where(self) -> str:
        where = self._settings.where_db(self.db)
        return f"{where} (now {self._address})" if self._address else where


def _keep_no_socket(interrupt: BaseException) -> None:
    """Take from a traceback, which may be kept for long, a socket that the client has not noted yet, or no longer."""
    traceback.clear_frames(interrupt.__traceback__)


def _shut_down(open_socket: socket.socket, how: int) -> None:
    # of the socket below TLS: that of TLS takes its layer away from under a thread that reads
    socket.socket.shutdown(open_socket, how)


def overhear(settings: Settings, timeout_s: float) -> StoreError | None:
    """
    What a server says to a connection before it is asked anything; None where it waits to be asked.

    A server that lets nobody in, or wants a certificate, says so and hangs up. A sender sees at that moment
    only the broken link, and what the server said is lost.
    """
    connection = new_connection(settings, settings.db)
    connection.socket_connect_timeout = timeout_s
    if settings.sentinels:
        # whoever they name has said what it had to say when it was asked for its role
        return None
    try:
        with RedisPyParts(connection).bare_socket() as open_socket:
            open_socket.settimeout(timeout_s)
            said = open_socket.recv(READ_BYTES)
        if not said.startswith(b"-"):
            return None
        raise error_reply(said[1:].decode(errors="replace").strip())
    except TimeoutError:
        return None
    except (RedisError, OSError) as error:
        return translate(error, settings.where)
