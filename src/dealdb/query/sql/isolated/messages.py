"""Messages between a process and its child: a length, a text, and open files that go with it."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Sequence

_LENGTH = struct.Struct("!Q")
_MOST_FILES = 200
# nothing longer is ever sent on purpose
_MOST_BYTES = 2**30


class LinkLost(Exception):
    """The other side has ended."""


def send(link: socket.socket, message: bytes, files: Sequence[int] = ()) -> None:
    """
    Send a message.

    Raises
    ------
    LinkLost
        If the other side has ended.
    """
    try:
        head = _LENGTH.pack(len(message))
        sent = socket.send_fds(link, [head], list(files)) if files else link.send(head)
        link.sendall(head[sent:] + message)
    except (BrokenPipeError, ConnectionResetError) as problem:
        raise LinkLost from problem


def receive(link: socket.socket, until: float | None = None) -> tuple[bytes, list[int]]:
    """
    The next message, and the files that came with it.

    Parameters
    ----------
    until
        Moment of ``time.monotonic`` at which to stop waiting; None for never.

    Raises
    ------
    LinkLost
        If the other side has ended.
    TimeoutError
        If no message has come until then.
    """
    files: list[int] = []
    head = b""
    while len(head) < _LENGTH.size:
        _wait(link, until)
        try:
            part, more, _, _ = socket.recv_fds(link, _LENGTH.size - len(head), _MOST_FILES)
        except ConnectionResetError as problem:
            raise LinkLost from problem
        files += more
        if not part:
            raise LinkLost
        head += part
    return _exactly(link, _LENGTH.unpack(head)[0], until), files


def _exactly(link: socket.socket, length: int, until: float | None) -> bytes:
    if length > _MOST_BYTES:
        raise LinkLost
    parts = bytearray()
    while len(parts) < length:
        _wait(link, until)
        try:
            part = link.recv(min(length - len(parts), 2**20))
        except ConnectionResetError as problem:
            raise LinkLost from problem
        if not part:
            raise LinkLost
        parts += part
    return bytes(parts)


def _wait(link: socket.socket, until: float | None) -> None:
    if until is None:
        link.settimeout(None)
        return
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    link.settimeout(left)
