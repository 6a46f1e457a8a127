"""
The one place where the Redis client's exceptions become ours.

The client's tree can't be matched by parents: a wrong password, a refused right and a loading server are all
``redis.ConnectionError`` there, a timeout is not. So the order of the tests below matters, and the tests go
through them by a table. Messages name the server by a URL without its password and never quote an argument.
"""

from __future__ import annotations

import re
import socket
import ssl

from redis import exceptions as client

from dealdb.connection.endpoint import Endpoint
from dealdb.connection.protocol.replies import ErrorReply, ReplyBeyondBounds, parse_reply
from dealdb.errors import AccessDenied, ServerRefused, ServerUnavailable, StoreError

_LOGIN_REFUSED = (
    client.AuthenticationError,
    client.AuthenticationWrongNumberOfArgsError,
    client.AuthorizationError,
    client.ExternalAuthProviderError,
)
# replies that say "not now" rather than "no"; none of them has run the command
_NOT_NOW = frozenset({"LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN"})
# what a server says that is no longer a primary, and the end of a wait for the same reason; nothing has run
_DEMOTED = frozenset({"READONLY", "MASTERDOWN", "UNBLOCKED"})
# what a node of a cluster says of keys that are elsewhere, or on their way
_ELSEWHERE = frozenset({"MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN"})
# a link that ends in the middle says nothing about TLS itself
_CUT_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
_CUT = (*_CUT_TLS, ConnectionResetError, BrokenPipeError)
_CLOSED_BY_SERVER = "closed by server"
# what OpenSSL calls a certificate that is past its time, not yet in it, or another host's
_EXPIRED, _NOT_YET_VALID, _WRONG_HOST, _WRONG_ADDRESS = 10, 9, 62, 64
# alerts with which a server refuses the certificate of a client
_CERTIFICATE_REFUSED = re.compile(
    r"ALERT_(UNKNOWN_CA|(BAD|UNSUPPORTED)_CERTIFICATE|CERTIFICATE_(EXPIRED|REVOKED|UNKNOWN)|ACCESS_DENIED|DECRYPT_ERROR)"
)
_GIVE_CERTIFICATE = "give tls_cert= and tls_key="


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
    >>> print(translate(client.ResponseError("WRONGTYPE not a hash"), "redis://h:6379/0"))
    redis://h:6379/0 refused: WRONGTYPE not a hash; another program uses this key: choose another collection
    """
    reply = reply_of(error)
    said = reply.explained(in_cluster="+cluster://" in where)
    if isinstance(error, _LOGIN_REFUSED):
        return AccessDenied(f"{where} refused the user or password: {said}")
    if reply.is_missing_right:
        return AccessDenied(f"{where} withholds a right from this user: {said}")
    if reply.word == "DENIED":
        return AccessDenied(f"{where} lets nobody in from this machine: {said}")
    if reply.word in _NOT_NOW:
        return ServerUnavailable(f"{where} can't answer yet: {said}")
    if isinstance(error, client.ResponseError):
        return ServerRefused(f"{where} refused: {said}", reply=reply.word)
    if isinstance(error, ReplyBeyondBounds):
        return ServerUnavailable(f"{where} sends what no server of deals does: {error}; is it one?")
    if isinstance(error, client.InvalidResponse):
        return ServerUnavailable(
            f"{where} does not speak the Redis protocol: is it the right port?"
        )
    return _broken_link(error, where)


def reply_of(error: BaseException) -> ErrorReply:
    """The server's reply in one of the client's errors; of an error that has none, its text."""
    # the client cuts the word off the errors that it knows, and keeps it separately
    return parse_reply(str(error), getattr(error, "status_code", None))


def reason_of(error: StoreError) -> str:
    """
    Why a command failed, in a word that quotes nothing: the first of the server's reply, or the name of what broke.

    Examples
    --------
    >>> reason_of(ServerUnavailable("gone"))
    'ServerUnavailable'
    """
    cause = error.__cause__
    if cause is None:
        return type(error).__name__
    return reply_of(cause).word if is_reply(error) else type(_of_system(cause)).__name__


def is_passing(error: StoreError) -> bool:
    """Whether the same try may go well a moment later: not so for an unknown host, or if it is not a Redis server."""
    cause = error.__cause__
    return error.retryable and not (
        isinstance(cause, client.InvalidResponse)
        or isinstance(getattr(cause, "__context__", None), socket.gaierror)
    )


def is_misnamed(error: StoreError) -> bool:
    """Whether a server could not be asked under the name it was given: there is no such host, or it is another's."""
    if error.__cause__ is None:
        return False
    cause = _of_system(error.__cause__)
    is_of_another = getattr(cause, "verify_code", None) in (_WRONG_HOST, _WRONG_ADDRESS)
    return isinstance(cause, socket.gaierror) or is_of_another


def is_not_now(error: StoreError) -> bool:
    """Whether the server itself said that it can't run commands now, so that this one has not run."""
    return error.__cause__ is not None and reply_of(error.__cause__).word in _NOT_NOW


def is_demoted(error: BaseException | None) -> bool:
    """Whether an error of the client's is the server's answer that it is not a primary, or no longer one."""
    return error is not None and reply_of(error).word in _DEMOTED


def has_not_run(error: BaseException) -> bool:
    """Whether an error of the client's is the server's answer that another one is to be asked: nothing has run."""
    return reply_of(error).word in _DEMOTED | _ELSEWHERE


def redirected(error: BaseException | None) -> tuple[str, Endpoint | None]:
    """
    What a node of a cluster says of keys that it hasn't, as a word: ``MOVED``, ``ASK`` and so on, and who has them.

    The word is empty for an error that says nothing of the kind; of an address without a host, that is empty too.
    """
    word = "" if error is None else reply_of(error).word
    if isinstance(error, client.AskError):
        return word, Endpoint(error.host, error.port)
    return (word if word in _ELSEWHERE else ""), None


def is_reply(error: StoreError) -> bool:
    """Whether it is the server's own answer, so that this command has not run; else the link failed."""
    answers = (client.ResponseError, client.BusyLoadingError, *_LOGIN_REFUSED)
    return isinstance(error.__cause__, answers)


def is_missing_right(error: StoreError) -> bool:
    """Whether the server knows the user and withholds one right, rather than refuse the login."""
    return isinstance(error, AccessDenied) and _answers(error, "is_missing_right")


def is_unknown_command(error: StoreError) -> bool:
    """Whether the server does not know the command."""
    return isinstance(error, ServerRefused) and _answers(error, "is_unknown_command")


def is_cut(error: StoreError) -> bool:
    """Whether the other side ended the connection instead of answering."""
    cause = error.__cause__
    if not isinstance(error, ServerUnavailable) or not isinstance(cause, Exception):
        return False
    return isinstance(_of_system(cause), _CUT) or _CLOSED_BY_SERVER in str(cause)


def _answers(error: StoreError, question: str) -> bool:
    cause = error.__cause__
    return cause is not None and bool(getattr(reply_of(cause), question))


def _of_system(error: BaseException) -> BaseException:
    """The operating system's error, which the client keeps only as the context of its own."""
    return error.__context__ if isinstance(error.__context__, OSError) else error


def _broken_link(error: Exception, where: str) -> StoreError:
    cause = _of_system(error)
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, _CUT_TLS):
        return AccessDenied(f"{where}: {_tls_fault(cause)}")
    if isinstance(cause, PermissionError):
        return AccessDenied(f"{where}: this user may not open the socket")
    if isinstance(cause, socket.gaierror):
        return ServerUnavailable(f"{where}: there is no such host: {cause.strerror}")
    said = reply_of(error).explained().removeprefix("ERR ")
    if isinstance(error, client.TimeoutError | TimeoutError):
        hint = "; does that port speak TLS?" if where.startswith("rediss:") else ""
        return ServerUnavailable(f"{where} did not answer in time: {said}{hint}")
    return ServerUnavailable(f"{where} can't be reached: {said}")


def _tls_fault(error: ssl.SSLError) -> str:
    # one that was not made by OpenSSL has none
    reason = getattr(error, "reason", None) or ""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _untrusted(error)
    if "CERTIFICATE_REQUIRED" in reason:
        return f"the server wants a client certificate: {_GIVE_CERTIFICATE}"
    if _CERTIFICATE_REFUSED.search(reason):
        return f"the server refused the client certificate (tls_cert): {error.args[-1]}"
    if "KEY_VALUES_MISMATCH" in reason:
        return f"tls_cert and tls_key can't be used any more: {error.args[-1]}"
    if "ALERT_HANDSHAKE_FAILURE" in reason:
        return f"no TLS with this server: {error.args[-1]}; if it wants a client certificate, {_GIVE_CERTIFICATE}"
    return f"no TLS with this server: {error.args[-1]}; does that port speak TLS?"


def _untrusted(error: ssl.SSLCertVerificationError) -> str:
    said = error.args[-1]
    code = getattr(error, "verify_code", None)
    if code == _EXPIRED:
        return f"the server's certificate has expired: renew it on the server ({said})"
    if code == _NOT_YET_VALID:
        return (
            f"the server's certificate is not valid yet: check the clocks of both machines ({said})"
        )
    if code in (_WRONG_HOST, _WRONG_ADDRESS):
        return f"the server's certificate is not trusted: {said}; connect by a name that is in it"
    return f"the server's certificate is not trusted: {said}; give tls_ca="
