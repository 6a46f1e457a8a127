"""The server's limit: HSET commands that were encoded before, sent with nothing else to do."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from itertools import islice

from hiredis import pack_command

from benchmarks.deals import Deals
from benchmarks.measure import timed
from benchmarks.servers import Server

BATCH = 500
# batches on their way: enough that the server never waits, few enough that no buffer grows
_WINDOW = 8
# the first commits of a collection are its schema and its stages
_FIRST_REV = 3


def hset_batches(deals: Deals, *, internal: bool = True) -> list[bytes]:
    """
    HSET commands for all deals, in batches.

    Parameters
    ----------
    internal
        Whether with the fields ``_row`` and ``_rev``, as dealdb writes them: then the hashes are the very same.
    """
    return [b"".join(batch) for batch in _batched(_commands(deals, internal=internal))]


def _commands(deals: Deals, *, internal: bool) -> Iterator[bytes]:
    for row, (id_, fields) in enumerate(deals.each_hash()):
        own = ("_row", str(row), "_rev", str(_FIRST_REV + row // BATCH)) if internal else ()
        pairs = (part for pair in fields.items() for part in pair)
        yield pack_command(("HSET", f"deal:{id_}", *own, *pairs))


def _batched(commands: Iterator[bytes]) -> Iterator[list[bytes]]:
    while batch := list(islice(commands, BATCH)):
        yield batch


def send(server: Server, batches: list[bytes], count: int) -> float:
    """Send all batches over one connection and read all answers; the seconds that took."""
    with socket.create_connection(server.address) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.sendall(b"SELECT %d\r\n" % server.db)
        assert link.recv(16) == b"+OK\r\n"
        return timed(lambda: _exchange(link, batches, count))


def _exchange(link: socket.socket, batches: list[bytes], count: int) -> None:
    answered = 0
    for number, batch in enumerate(batches):
        link.sendall(batch)
        while answered < (number + 1 - _WINDOW) * BATCH:
            answered += _answers(link)
    while answered < count:
        answered += _answers(link)


def _answers(link: socket.socket) -> int:
    data = link.recv(65_536)
    if not data or b"-" in data:
        raise RuntimeError(f"the server refused: {data[:200]!r}")
    return data.count(b"\n")
