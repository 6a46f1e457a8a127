from __future__ import annotations

import socket
import ssl

import pytest
from redis import exceptions as client
from redis._parsers.base import BaseParser

from dealdb.connection.faults import is_missing_right, is_passing, translate
from dealdb.errors import AccessDenied, ServerRefused, ServerUnavailable, StoreError

WHERE = "redis://:***@h:6379/0"


def answered(reply: str) -> Exception:
    """The exception that the client makes of an error reply."""
    error: Exception = BaseParser.parse_error(reply)  # type: ignore[no-untyped-call]
    return error


def caused(error: Exception, cause: Exception) -> Exception:
    error.__context__ = cause
    return error


REPLIES: list[tuple[str, type[StoreError], str]] = [
    ("WRONGPASS invalid username-password pair", AccessDenied, ""),
    ("NOAUTH Authentication required.", AccessDenied, ""),
    ("ERR invalid password", AccessDenied, ""),
    ("ERR Client sent AUTH, but no password is set", AccessDenied, ""),
    ("NOPERM this user has no permissions", AccessDenied, ""),
    ("LOADING Redis is loading the dataset in memory", ServerUnavailable, ""),
    ("BUSY Redis is busy running a script", ServerUnavailable, ""),
    ("MASTERDOWN Link with MASTER is down", ServerUnavailable, ""),
    ("CLUSTERDOWN The cluster is down", ServerUnavailable, ""),
    ("TRYAGAIN Multiple keys request during rehashing", ServerUnavailable, ""),
    ("ERR max number of clients reached", ServerUnavailable, ""),
    ("OOM command not allowed when used memory > 'maxmemory'.", ServerRefused, "OOM"),
    ("READONLY You can't write against a read only replica.", ServerRefused, "READONLY"),
    ("NOSCRIPT No matching script.", ServerRefused, "NOSCRIPT"),
    (
        "WRONGTYPE Operation against a key holding the wrong kind of value",
        ServerRefused,
        "WRONGTYPE",
    ),
    ("MISCONF Errors writing to the AOF file", ServerRefused, "MISCONF"),
    ("MOVED 3999 127.0.0.1:6381", ServerRefused, "MOVED"),
    ("STALE a word of our own script", ServerRefused, "STALE"),
    ("ERR DB index is out of range", ServerRefused, "ERR"),
]


@pytest.mark.parametrize(("reply", "expected", "word"), REPLIES)
def test_error_replies(reply: str, expected: type[StoreError], word: str) -> None:
    error = translate(answered(reply), WHERE)
    assert type(error) is expected
    assert getattr(error, "reply", "") == word
    assert str(error).startswith(WHERE)
    assert str(error).endswith(reply.rstrip("."))


BROKEN: list[tuple[Exception, type[StoreError], str, bool]] = [
    (client.ConnectionError("Error 111 connecting. Connection refused."), ServerUnavailable, "refused", True),
    (client.ConnectionError("Connection closed by server."), ServerUnavailable, "closed by server", True),
    (client.TimeoutError("Timeout reading from socket"), ServerUnavailable, "in time", True),
    (ConnectionResetError(104, "Connection reset by peer"), ServerUnavailable, "reset by peer", True),
    (client.InvalidResponse("Protocol Error: b'HTTP'"), ServerUnavailable, "Redis protocol", False),
    (
        caused(client.ConnectionError("x"), socket.gaierror(-2, "Name or service not known")),
        ServerUnavailable, "no such host: Name or service not known", False,
    ),
    (
        caused(client.ConnectionError("x"), ssl.SSLError(1, "[SSL] wrong version number")),
        AccessDenied, "does that port speak TLS", False,
    ),
    (
        caused(client.ConnectionError("x"), ssl.SSLCertVerificationError("self-signed certificate")),
        AccessDenied, "not trusted", False,
    ),
    (caused(client.ConnectionError("x"), PermissionError(13, "denied")), AccessDenied, "may not open", False),
]  # fmt: skip


@pytest.mark.parametrize(("error", "expected", "said", "passing"), BROKEN)
def test_broken_links(
    error: Exception, expected: type[StoreError], said: str, passing: bool
) -> None:
    ours = translate(error, WHERE)
    ours.__cause__ = error
    assert type(ours) is expected
    assert said in str(ours)
    assert is_passing(ours) is passing


def test_missing_right_is_told_from_a_refused_login() -> None:
    for reply, missing in (("NOPERM no permissions", True), ("WRONGPASS invalid", False)):
        cause = answered(reply)
        error = translate(cause, WHERE)
        error.__cause__ = cause
        assert is_missing_right(error) is missing


def test_arguments_that_the_server_quotes_are_cut_off() -> None:
    reply = "ERR unknown command 'FOO', with args beginning with: 'deal:1' 'CONFIDENTIAL'"
    said = str(translate(answered(reply), WHERE))
    assert "FOO" in said
    assert "CONFIDENTIAL" not in said
