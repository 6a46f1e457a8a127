"""
What we use of the Redis client's insides, which its makers may change: in this file and nowhere else.

A test names each of them, so that a new version of the client fails there and not in the middle of a call.
"""

from __future__ import annotations

import socket
from contextlib import AbstractContextManager
from typing import Any

from redis._parsers.base import BaseParser
from redis._parsers.hiredis import NOT_ENOUGH_DATA
from redis.exceptions import RedisError


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
