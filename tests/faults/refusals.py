"""
A way to a server on which the n-th command of all links is refused, or finds the server in another state.

A refused command is replaced on its way by one that has the server answer with that error: so it comes over a real
socket, in its place among the replies, and the command itself has not run, as where the server refuses of its own. This
is for states that a server can't be put into between two commands (LOADING) or for one command alone. Of the others,
the server is put into the real state right before the command arrives.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Self

from hiredis import pack_command

_CHUNK = 262_144


class RefusingProxy:
    """
    A port that leads to a server; commands may be planned from any thread.

    Parameters
    ----------
    target
        Port of the server.

    Attributes
    ----------
    port
        Where a client connects.
    seen
        Commands since the last plan.
    met
        Those of them that were refused, or found the server in another state.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.heal()

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for link in list(self._sockets):
            _hang_up(link)
        for thread in self._threads:
            thread.join()

    def refuse(self, error: str, *, at: int, times: int = 1) -> None:
        """Let the command ``at`` from now, from 1, and those behind it, ``times`` in all, be answered with this."""
        self._plan(at, times, pack_command(("EVAL", "return {err=ARGV[1]}", "0", error)), None)  # type: ignore[arg-type]

    def change(self, state: Callable[[], object], *, at: int) -> None:
        """Call this right before the command ``at`` from now, from 1, arrives."""
        self._plan(at, 1, None, state)

    def heal(self) -> None:
        """Let all commands pass."""
        self._plan(0, 0, None, None)

    def _plan(
        self, at: int, times: int, instead: bytes | None, before: Callable[[], object] | None
    ) -> None:
        with self._lock:
            self._hit, self._instead, self._before = range(at, at + times), instead, before
            self.seen = self.met = 0

    def _passed(self, command: bytes) -> bytes:
        """What arrives of a command."""
        with self._lock:
            self.seen += 1
            if self.seen not in self._hit:
                return command
            self.met += 1
            if self._before:
                self._before()
            return self._instead or command

    def _spawn(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, name="refusals", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", self._target))
                self._sockets |= {client, server}
                self._spawn(self._pump, client, server, self._requests)
                self._spawn(self._pump, server, client, _chunks)

    def _pump(
        self, source: socket.socket, sink: socket.socket, read: Callable[..., Iterator[bytes]]
    ) -> None:
        with contextlib.suppress(OSError):
            for data in read(source):
                sink.sendall(data)
        # the one that ends last closes both
        with self._lock:
            is_last = sink not in self._sockets
            self._sockets.discard(source)
        _hang_up(sink)
        if is_last:
            source.close()
            sink.close()

    def _requests(self, source: socket.socket) -> Iterator[bytes]:
        waiting = b""
        for chunk in _chunks(source):
            waiting += chunk
            while (end := _end_of_command(waiting)) is not None:
                yield self._passed(waiting[:end])
                waiting = waiting[end:]


def _chunks(source: socket.socket) -> Iterator[bytes]:
    while chunk := source.recv(_CHUNK):
        yield chunk


def _hang_up(link: socket.socket) -> None:
    with contextlib.suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)


def _end_of_command(data: bytes) -> int | None:
    """Where the first command ends, an array of bulk strings; None where it is not complete."""
    end = data.find(b"\r\n")
    if end < 0:
        return None
    place = end + 2
    for _ in range(int(data[1:end])):
        end = data.find(b"\r\n", place)
        if end < 0:
            return None
        place = end + 2 + int(data[place + 1 : end]) + 2
        if place > len(data):
            return None
    return place
