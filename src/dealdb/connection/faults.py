"""
The one place where the Redis client's exceptions become ours.

The client's tree can't be matched by parents: a wrong password, a refused right and a loading server are all
``redis.ConnectionError`` there, a timeout is none. So the order of the tests below matters, and the tests go
through them by a table. Messages name the server by a URL without its password and never quote an argument.
"""

from __future__ import annotations

import re
import socket
import ssl

from redis import exceptions as client

from dealdb.errors import AccessDenied, ServerRefused, ServerUnavailable, StoreError

_LOGIN_REFUSED = (
    client.AuthenticationError,
    client.AuthenticationWrongNumberOfArgsError,
    client.AuthorizationError,
    client.ExternalAuthProviderError,
)
# replies that say "not now" rather than "no"; none of them has run the command
_NOT_NOW = frozenset({"LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN"})
# what a server says that is no primary any more, and the end of a wait for the same reason; nothing has run
_DEMOTED = frozenset({"READONLY", "MASTERDOWN", "UNBLOCKED"})
# a link that ends in the middle says nothing about TLS itself
_CUT_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
# the server quotes the arguments of a command that it does not know
_QUOTED_ARGUMENTS = ", with args beginning with"
# before version 7 a server wraps an error that a script meets; the one inside tells what is wrong
_IN_SCRIPT = re.compile(r"(?:Error running script .*)?@user_script: ?\d+: -?([A-Z]+ .*)", re.DOTALL)
_SHOWN = 200


def translate(error: Exception, where: str) -> StoreError:
    """
    Our error for one of the client's; raise it ``from`` the client's.

    Parameters
    ----------
    error
        What the Redis client raised: a ``redis.RedisError`` or an ``OSError``.
    where
        The server as ``Settings.where`` shows it.

    Examples
    --------
    >>> translate(
    ...     client.OutOfMemoryError("command not allowed", status_code="OOM"), "redis://h:6379/0"
    ... )
    ServerRefused('redis://h:6379/0 refused: OOM command not allowed')
    """
    if isinstance(error, _LOGIN_REFUSED):
        return AccessDenied(f"{where} refused the user or password: {_text(error)}")
    if isinstance(error, client.NoPermissionError):
        return AccessDenied(f"{where} withholds a right from this user: {_text(error)}")
    reply = _reply(error)
    if reply in _NOT_NOW:
        return ServerUnavailable(f"{where} can't answer yet: {_text(error)}")
    if isinstance(error, client.ResponseError):
        return ServerRefused(f"{where} refused: {_text(error)}", reply=reply)
    if isinstance(error, client.InvalidResponse):
        return ServerUnavailable(
            f"{where} does not speak the Redis protocol: is it the right port?"
        )
    return _broken_link(error, where)


def is_passing(error: StoreError) -> bool:
    """Whether the same try may go well a moment later: not so for an unknown host, or what is no Redis server."""
    cause = error.__cause__
    return error.retryable and not (
        isinstance(cause, client.InvalidResponse)
        or isinstance(getattr(cause, "__context__", None), socket.gaierror)
    )


def is_not_now(error: StoreError) -> bool:
    """Whether the server itself said that it can't run commands now, so that this one has not run."""
    return error.__cause__ is not None and _reply(error.__cause__) in _NOT_NOW


def is_demoted(error: BaseException | None) -> bool:
    """Whether an error of the client's is the server's answer that it is no primary, or not any more."""
    return error is not None and _reply(error) in _DEMOTED


def is_reply(error: StoreError) -> bool:
    """Whether it is the server's own answer, so that this command has not run; else the link failed."""
    answers = (client.ResponseError, client.BusyLoadingError, *_LOGIN_REFUSED)
    return isinstance(error.__cause__, answers)


def is_missing_right(error: StoreError) -> bool:
    """Whether the server knows the user and withholds one right, rather than refuse the login."""
    return isinstance(error.__cause__, client.NoPermissionError)


def _broken_link(error: Exception, where: str) -> StoreError:
    # the client keeps the operating system's error only as the context of its own
    cause = error.__context__ if isinstance(error.__context__, OSError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return AccessDenied(
            f"{where}: the server's certificate is not trusted: {cause.args[-1]}; give tls_ca="
        )
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, _CUT_TLS):
        return AccessDenied(
            f"{where}: no TLS with this server: {cause.args[-1]}; does that port speak TLS?"
        )
    if isinstance(cause, PermissionError):
        return AccessDenied(f"{where}: this user may not open the socket")
    if isinstance(cause, socket.gaierror):
        return ServerUnavailable(f"{where}: there is no such host: {cause.strerror}")
    if isinstance(error, client.TimeoutError | TimeoutError):
        hint = "; does that port speak TLS?" if where.startswith("rediss:") else ""
        return ServerUnavailable(f"{where} did not answer in time: {_text(error)}{hint}")
    return ServerUnavailable(f"{where} can't be reached: {_text(error)}")


def _reply(error: BaseException) -> str:
    """First word of the server's error, e.g. ``WRONGTYPE``."""
    # the client cuts the word off the errors that it knows, and keeps it beside
    inner = _IN_SCRIPT.search(str(error))
    if inner:
        return inner[1].partition(" ")[0]
    return getattr(error, "status_code", None) or str(error).partition(" ")[0]


def _text(error: Exception) -> str:
    inner = _IN_SCRIPT.search(str(error))
    if inner:
        return inner[1].rstrip(". ")[:_SHOWN]
    word, text = getattr(error, "status_code", None), str(error)
    text = text if not word or text.startswith(word) else f"{word} {text}"
    text = text.partition(_QUOTED_ARGUMENTS)[0].rstrip(". ")
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
