"""
What we use of the Redis client's insides, which its makers may change: in this file and nowhere else.

A test names each of them, so that a new version of the client fails there and not in the middle of a call.
"""

from __future__ import annotations

import re
import socket
import time
from contextlib import AbstractContextManager
from typing import Any

from redis._parsers.base import BaseParser
from redis._parsers.hiredis import NOT_ENOUGH_DATA, _HiredisParser
from redis.exceptions import RedisError, TimeoutError

from dealdb.connection.protocol.replies import ReplyBeyondBounds

# no server takes a larger value (proto-max-bulk-len), so none has one to send
MOST_BYTES = 512 * 2**20
# elements of one reply: dealdb never asks for as many
MOST_ELEMENTS = 2**20
# lists in one reply, and lines: each takes far more memory than its four bytes
_MOST_LISTS, _MOST_LINES = 2**19, 2**23
# a reply of less can't hold so many that it matters
_LOOKED_AT_BYTES = 2**20
# a reply that comes more slowly, once its time-out is over, is none: a byte now and then would keep a caller for ever
_LEAST_BYTES_A_SECOND = 1_000
# the beginning of a value or of a list, with its size
_SIZE = re.compile(rb"(?:([$*])([0-9]{1,30})|[:+-][^\r]*|[$*]-1)\r\n")
# a size that may be beyond the bounds has so many digits; most replies have none, also in what they carry
_LARGE = re.compile(rb"[$*][0-9]{7}")
# of a reply whose sizes are looked at one by one
_BEGINNING_BYTES = 4_096


def _pass_over(unasked: Any) -> Any:
    """What a server of another protocol sends unasked: no reply to anything."""
    return unasked


class BoundedParser(_HiredisParser):
    """The client's parser, for a server that nobody trusts: a reply has an end, and so has the memory for it."""

    def __init__(self, socket_read_size: int) -> None:
        super().__init__(socket_read_size)  # type: ignore[no-untyped-call]
        # the client's is a method, and a parser that refers to itself outlives its connection: the socket, too, where
        # an interrupt keeps the connection from closing it
        self.pubsub_push_handler_func = _pass_over

    # nothing: in Python code, as the client has it, an interrupt would be lost; the socket goes with its last reference
    __del__ = object.__init__

    def read_response(self, *args: Any, **more: Any) -> Any:
        """As the client's; the bounds are those of one reply."""
        self._began, self._n_bytes, self._n_lists, self._n_lines = time.monotonic(), 0, 0, 0
        return super().read_response(*args, **more)

    def read_from_socket(self, *args: Any, **more: Any) -> Any:
        """As the client's, with a look at what has come so far of a reply that goes on."""
        if self._n_bytes:
            self._check()
        reader: Any = self._reader
        before = reader.len() if reader is not None else 0
        found = super().read_from_socket(*args, **more)  # type: ignore[no-untyped-call]
        n = reader.len() - before
        self._n_bytes += n
        if self._n_bytes == n:
            self._check_sizes(bytes(self._buffer[: min(n, _BEGINNING_BYTES)]))
        elif self._n_bytes > _LOOKED_AT_BYTES:
            self._n_lists += self._buffer.count(b"\r\n*", 0, n)
            self._n_lines += self._buffer.count(b"\r\n", 0, n)
        return found

    def _check_sizes(self, said: bytes) -> None:
        """Look at the sizes with which a reply begins, before anything of it is kept."""
        if _LARGE.search(said) is None:
            return
        place = 0
        while size := _SIZE.match(said, place):
            kind, number = size[1], int(size[2] or b"0")
            if number > (MOST_BYTES if kind == b"$" else MOST_ELEMENTS):
                msg = f"a reply of {number:,} {'bytes' if kind == b'$' else 'elements'}"
                raise ReplyBeyondBounds(msg)
            place = size.end() + (number + 2 if kind == b"$" else 0)

    def _check(self) -> None:
        # what is pending is a value that has not come to its end
        reader: Any = self._reader
        if reader is not None and reader.len() > MOST_BYTES + len(self._buffer):
            msg = f"a value of more than {MOST_BYTES:,} bytes"
            raise ReplyBeyondBounds(msg)
        if self._n_lists > _MOST_LISTS or self._n_lines > _MOST_LINES:
            msg = "a reply of millions of lists or lines"
            raise ReplyBeyondBounds(msg)
        took = time.monotonic() - self._began
        limit = (self._socket_timeout or 0) + self._n_bytes / _LEAST_BYTES_A_SECOND
        if self._socket_timeout and took > limit:
            msg = f"{self._n_bytes:,} bytes of a reply in {took:.0f} seconds"
            raise TimeoutError(msg)


class RedisPyParts:
    """
    The parts of one of the client's connections that it keeps to itself.

    Parameters
    ----------
    connection
        One of ``redis.connection``, connected or not.
    """

    __slots__ = ("_connection", "_parser")

    def __init__(self, connection: Any) -> None:
        # Any: the client's classes are only half typed
        self._connection = connection
        # the same for as long as there is the connection; its reader is another after each connect
        self._parser = connection._parser

    @property
    def open_socket(self) -> Any:
        """Its socket; None where it is closed."""
        return self._connection._sock

    def has_read_ahead(self, *, tls: bool) -> bool:
        """
        Whether more was read from the socket than was asked for, or decoded by TLS: that no longer shows at the socket.

        A closed connection counts, so that nobody uses it again: the client closes one by itself, and an interrupt may
        keep us from noting it.
        """
        open_socket = self._connection._sock
        # a parser that never was on a socket has no reader at all
        if open_socket is None or self._parser._reader is None:
            return True
        return bool((tls and open_socket.pending()) or self._parser._reader.has_data())

    def read_reply(self, timeout_s: float | None) -> Any:
        """
        The next reply, waited for; an error reply is returned, not raised.

        The connection's own method would raise it, and looks after health checks and timeouts that we do without.
        """
        if timeout_s is None:
            return self._parser.read_response()
        return self._parser.read_response(timeout=timeout_s)

    def take_read_ahead(self, replies: list[Any], count: int) -> None:
        """Add replies that came with an earlier one, until there are so many; no look at the socket."""
        take = self._parser._reader.gets
        while len(replies) < count and (reply := take()) is not NOT_ENOUGH_DATA:
            replies.append(reply)

    def bare_socket(self) -> AbstractContextManager[socket.socket]:
        """A new socket to its server, TLS included, on which nothing was said yet."""
        opened: AbstractContextManager[socket.socket] = self._connection._connect()
        return opened


def error_reply(line: str) -> RedisError:
    """The client's error for an error reply, without the minus that it begins with."""
    error: RedisError = BaseParser.parse_error(line)  # type: ignore[no-untyped-call]
    return error
