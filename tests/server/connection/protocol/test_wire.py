"""A socket that has idled, or has something unread, before it is used again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connected import connected
from dealdb.connection.link import packed_command
from servers import Server


def test_unread_data_on_an_idle_socket_is_never_taken_for_a_reply(server: Server) -> None:
    with connected(server, max_connections=1) as connection:
        pool = connection._open_pool
        wire = pool.checkout(0)
        wire.connect()
        wire._connection.send_command("ECHO", "stale")
        assert wire._connection.can_read(30)
        pool.release(wire)
        assert connection.link().call("ECHO", "fresh") == b"fresh"


def test_a_reply_that_was_read_with_another_is_never_taken_for_a_later_one(server: Server) -> None:
    """It waits in the parser, and the socket has nothing to show for it."""
    with connected(server, max_connections=1) as connection:
        pool = connection._open_pool
        wire = pool.checkout(0)
        wire.connect()
        assert (
            wire.exchange(packed_command(("ECHO", "first")) + packed_command(("ECHO", "stale")))
            == b"first"
        )
        if not wire._connection._parser._reader.has_data():
            pytest.skip("the replies came apart")
        assert not wire._poller.poll(0)
        assert not wire.is_sound()
        pool.release(wire)
        assert connection.link().call("ECHO", "fresh") == b"fresh"


def test_socket_that_idled_long_is_asked_before_use(
    new_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = new_server()
    monkeypatch.setattr("dealdb.connection.protocol.wire.IDLE_CHECK_S", 0.0)
    with connected(server) as connection:
        connection.ping()
        with server.client() as client:
            client.config_resetstat()
            connection.link().call("ECHO", "x")
            assert client.info("commandstats")["cmdstat_ping"]["calls"] == 1
