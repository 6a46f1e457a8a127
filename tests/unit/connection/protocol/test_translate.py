from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
from redis import exceptions as client
from redis._parsers.base import BaseParser

from dealdb.connection.protocol.translate import (
    is_missing_right,
    is_passing,
    is_unknown_command,
    translate,
)
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
    assert reply.removeprefix("ERR ").rstrip(".") in str(error)


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


# as servers have said them; the wrappings are those of Redis 7, Valkey 9 and Redis 6.2, of redis.call and redis.pcall
DIGEST = "948fb05a800633cd285d7440e4d64ca534f7c396"
BEFORE_7 = f"ERR Error running script (call to f_{DIGEST}): @user_script:1: @user_script: 1: "
IN_SCRIPTS = [
    ("OOM command not allowed when used memory > 'maxmemory'", ServerRefused, "raise maxmemory"),
    ("NOREPLICAS Not enough good replicas to write", ServerRefused, "lower it"),
    ("READONLY You can't write against a read only replica", ServerRefused, "connect to the primary"),
    ("MISCONF Errors writing to the AOF file: No space left on device", ServerRefused, "free space"),
]  # fmt: skip


@pytest.mark.parametrize(
    "wrapping", [f"{{}}. script: {DIGEST}, on @user_script:222.", "{}. script: on @user_script:1.", BEFORE_7 + "-{}.",
                 "@user_script: 3: -{}."],
)  # fmt: skip
@pytest.mark.parametrize(("reply", "expected", "said"), IN_SCRIPTS)
def test_what_a_script_wraps_around_a_reply_is_taken_off(
    wrapping: str, reply: str, expected: type[StoreError], said: str
) -> None:
    error = translate(answered(wrapping.format(reply)), WHERE)
    assert type(error) is expected
    assert getattr(error, "reply", "") == reply.partition(" ")[0]
    assert str(error).startswith(f"{WHERE} refused: {reply}; ")
    assert said in str(error)
    assert "script" not in str(error)


RIGHTS = [
    "ERR ACL failure in script: User ann has no permissions to run the 'xadd' command script: on @user_script:1.",
    "ERR ACL failure in script: No permissions to access a key script: on @user_script:1.",
    f"ERR The user executing the script can't run this command or subcommand script: {DIGEST}, on @user_script:1.",
    BEFORE_7 + "The user executing the script can't run this command or subcommand",
    BEFORE_7 + "The user executing the script can't access at least one of the keys mentioned in the command arguments",
    "@user_script: 1: The user executing the script can't run this command or subcommand",
]  # fmt: skip


@pytest.mark.parametrize("reply", RIGHTS)
def test_a_right_that_a_script_lacks_is_a_right_that_is_missing(reply: str) -> None:
    cause = answered(reply)
    error = translate(cause, WHERE)
    error.__cause__ = cause
    assert type(error) is AccessDenied
    assert is_missing_right(error)
    assert "@user_script" not in str(error)
    assert "docs/operations.md" in str(error)


def test_a_script_that_breaks_keeps_its_line() -> None:
    cause = answered(
        f"ERR user_script:5: attempt to index a nil value script: {DIGEST}, on @user_script:5."
    )
    error = translate(cause, WHERE)
    assert str(error) == f"{WHERE} refused: ERR user_script:5: attempt to index a nil value"


def test_every_reply_that_bears_on_a_save_has_cause_and_remedy() -> None:
    kinds = {
        "ServerRefused": "OOM READONLY MISCONF NOREPLICAS WRONGTYPE EXECABORT UNKILLABLE MOVED ASK CROSSSLOT",
        "ServerUnavailable": "LOADING BUSY MASTERDOWN CLUSTERDOWN TRYAGAIN",
        "AccessDenied": "NOAUTH WRONGPASS NOPERM DENIED",
    }
    page = (Path(__file__).parents[4] / "docs" / "errors.md").read_text()
    for kind, word in [(kind, word) for kind, words in kinds.items() for word in words.split()]:
        text = "7 h:6379" if word in ("MOVED", "ASK") else "as the server says it. And more of it."
        error = translate(answered(f"{word} {text}"), WHERE)
        assert type(error).__name__ == kind
        assert str(error).partition("; ")[2], error
        assert "And more of it" not in str(error)
        assert f"| `{word}` | `{kind}` |" in page


def test_unknown_commands_are_told_from_other_refusals() -> None:
    for reply, unknown in (
        ("ERR unknown command 'EVAL', with args beginning with: 'x'", True),
        ("ERR no", False),
    ):
        cause = answered(reply)
        error = translate(cause, WHERE)
        error.__cause__ = cause
        assert is_unknown_command(error) is unknown
