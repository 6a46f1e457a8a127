"""What a link says where it gets nowhere: no server, another one, a refusal."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from connected import connected
from dealdb.connection import RedisConnection
from dealdb.errors import AccessDenied, SchemaError, ServerRefused, ServerUnavailable
from servers import Server, free_port


@contextmanager
def silent_listener(answer: bytes = b"") -> Iterator[int]:
    """A port that accepts, says ``answer`` at once, and then nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        links: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    links.append(listener.accept()[0])
                except OSError:
                    return
                links[-1].sendall(answer)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for link in links:
                link.close()


def test_nothing_listens() -> None:
    connection = RedisConnection().connect("127.0.0.1", free_port(), password="hunter2")
    with pytest.raises(
        ServerUnavailable, match=r"redis://:\*\*\*@127.0.0.1:\d+/0 can't be reached"
    ) as caught:
        connection.link().call("GET", "k", retry=True)
    assert "hunter2" not in str(caught.value)
    assert connection.pool_stats().in_use == 0


def test_no_such_host() -> None:
    with pytest.raises(ServerUnavailable, match="no such host"):
        RedisConnection().connect("no-such-host.invalid").link().call("PING", retry=True)


def test_no_such_unix_socket(tmp_path: object) -> None:
    with pytest.raises(ServerUnavailable, match=r"unix://.*/none"):
        RedisConnection().connect(unix_socket=f"{tmp_path}/none").link().call("PING")


def test_something_else_listens() -> None:
    with silent_listener(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        connection = RedisConnection().connect("127.0.0.1", port)
        with pytest.raises(ServerUnavailable, match="does not speak the Redis protocol"):
            connection.link().call("PING", retry=True)
        connection.close()


@pytest.mark.parametrize("size", [1, 16])
def test_wrong_password_fails_at_once(new_server: Callable[..., Server], size: int) -> None:
    server = new_server()
    with server.client() as client:
        client.config_set("requirepass", "right-one")
        for login in ({"password": "hunter2"}, {"username": "ann", "password": "hunter2"}, {}):
            with connected(server, max_connections=size, **login) as connection:
                with pytest.raises(AccessDenied, match="refused the user or password") as caught:
                    connection.link().call("GET", "k", retry=True)
                assert "hunter2" not in str(caught.value)
                assert not connection.is_connected()
        with connected(server, password="right-one", db=4) as connection:
            assert connection.link().call("PING") == b"PONG"
            assert connection.is_connected()
        client.execute_command("AUTH", "right-one")
        client.config_set("requirepass", "")


def test_password_that_the_server_does_not_ask_for(server: Server) -> None:
    with (
        connected(server, password="hunter2") as connection,
        pytest.raises(AccessDenied, match="without any password configured"),
    ):
        connection.link().call("PING")


def test_missing_right_and_unknown_command(server: Server) -> None:
    with server.client() as client:
        client.acl_setuser(
            "ann", enabled=True, passwords=["+pw"], keys="*", commands=["+get", "+select"]
        )
        with connected(server, username="ann", password="pw") as connection:
            with pytest.raises(AccessDenied, match="withholds a right"):
                connection.link().call("SET", "k", "CONFIDENTIAL")
            assert connection.link().call("GET", "k") is None
        client.acl_deluser("ann")
    with connected(server) as connection:
        with pytest.raises(ServerRefused) as caught:
            connection.link().call("NOSUCH", "k", "CONFIDENTIAL")
        assert caught.value.reply == "ERR"
        assert "CONFIDENTIAL" not in str(caught.value)
        assert connection.pool_stats().open == 1


def test_database_that_the_server_does_not_have(server: Server) -> None:
    with (
        connected(server, db=30, databases=64) as connection,
        pytest.raises(ServerRefused, match="DB index is out of range"),
    ):
        connection.link().call("PING")


def test_lone_surrogate_is_our_error(server: Server) -> None:
    with connected(server) as connection:
        with pytest.raises(SchemaError, match="lone surrogate"):
            connection.link().call("SET", "k", "a\ud800")
        assert connection.pool_stats().in_use == 0
