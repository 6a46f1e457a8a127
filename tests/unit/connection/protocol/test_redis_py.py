"""The private parts of the Redis client that we use are there: a new version that lacks one fails here."""

from __future__ import annotations

import inspect
import socket
from collections.abc import Iterator

import hiredis
import pytest
from redis import connection as client
from redis._parsers.base import BaseParser
from redis._parsers.hiredis import NOT_ENOUGH_DATA, _HiredisParser
from redis.exceptions import ResponseError

from dealdb.connection.protocol.connecting import new_connection
from dealdb.connection.protocol.redis_py import RedisPyParts, error_reply
from dealdb.connection.settings import Settings


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_each_part_is_where_we_look_for_it(listener: socket.socket) -> None:
    ours = new_connection(Settings(host="127.0.0.1", port=listener.getsockname()[1]), 0)
    assert ours._sock is None
    assert isinstance(ours._parser, _HiredisParser)
    assert "timeout" in inspect.signature(_HiredisParser.read_response).parameters
    assert callable(_HiredisParser.read_from_socket)
    assert isinstance(ours._parser._buffer, bytearray)
    ours.connect()
    with listener.accept()[0]:
        assert isinstance(ours._sock, socket.socket)
        assert isinstance(ours._parser._reader, hiredis.Reader)
        assert ours._parser._reader.has_data() is False
        assert ours._parser._reader.len() == 0
        assert ours._parser._reader.gets() is NOT_ENOUGH_DATA
        ours.disconnect()
    assert ours._sock is None
    for kind in (client.Connection, client.SSLConnection, client.UnixDomainSocketConnection):
        assert callable(kind._connect)
    assert isinstance(BaseParser.parse_error("ERR no"), ResponseError)
    assert isinstance(error_reply("ERR no"), ResponseError)


def test_replies_come_one_by_one_and_what_came_with_them_is_seen(listener: socket.socket) -> None:
    ours = new_connection(Settings(host="127.0.0.1", port=listener.getsockname()[1]), 0)
    parts = RedisPyParts(ours)
    assert parts.has_read_ahead(tls=False)
    ours.connect()
    with listener.accept()[0] as server:
        assert not parts.has_read_ahead(tls=False)
        server.sendall(b"+OK\r\n:1\r\n-ERR no\r\n:3\r\n")
        assert parts.read_reply(5) == b"OK"
        assert parts.has_read_ahead(tls=False)
        replies: list[object] = []
        parts.take_read_ahead(replies, 2)
        assert (replies[0], type(replies[1])) == (1, ResponseError)
        parts.take_read_ahead(replies, 9)
        assert replies[2:] == [3]
        assert not parts.has_read_ahead(tls=False)
    ours.disconnect()
    assert parts.has_read_ahead(tls=False)
    assert parts.open_socket is None
