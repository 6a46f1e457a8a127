"""A signal's handler that closes the connection, at each line of an exchange: nobody hangs, and nothing stays open."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from connected import eventually, sockets
from dealdb.connection import RedisConnection
from dealdb.connection.pool import Pool
from dealdb.errors import StoreError
from servers import Server

FILES = ("link.py", "pool.py", "wire.py")


@pytest.mark.parametrize("others", ["none", "busy", "behind"])
def test_a_handler_may_close_the_connection_at_any_line(server: Server, others: str) -> None:
    """It runs in the thread that it interrupts, with whatever locks that one has."""
    line, kept = 0, []
    while True:
        line += 1
        connection = RedisConnection().connect("127.0.0.1", server.port, max_connections=1)
        kept.append(connection)
        link, closed = connection.link(), threading.Event()

        def close(connection: RedisConnection = connection, closed: Any = closed) -> None:
            connection.close()
            closed.set()

        def ask(number: int, link: Any = link) -> None:
            assert link.call("ECHO", number) == b"%d" % number

        link.call("PING")
        failures: list[BaseException] = []
        closing = threading.Thread(target=_closing, args=(ask, close, line, failures), daemon=True)
        other = threading.Thread(target=_until_closed, args=(ask, closed), daemon=True)
        if others == "busy":
            other.start()
        held = connection._open_pool.checkout(0) if others == "behind" else None
        closing.start()
        if held is not None:
            _until_waiting(connection, 1, closed)
            other.start()
            _until_waiting(connection, 2, closed)
            connection._open_pool.release(held)
        closing.join(30)
        assert not closing.is_alive(), line
        reached = closed.is_set()
        close()
        if others != "none":
            other.join(30)
            assert not other.is_alive(), line
        assert failures == [], line
        if not reached:
            break
    assert line > 40
    # though none of the connections is forgotten
    assert eventually(lambda: sockets(server) == [])
    assert all(connection.pool_stats().in_use == 0 for connection in kept)


def _until_waiting(connection: RedisConnection, callers: int, closed: threading.Event) -> None:
    while connection.pool_stats().waiting < callers and not closed.is_set():
        time.sleep(0.001)


def _until_closed(ask: Callable[[int], None], closed: threading.Event) -> None:
    with contextlib.suppress(StoreError):
        while not closed.is_set():
            ask(0)


def _closing(
    ask: Callable[[int], None], close: Callable[[], None], line: int, failures: list[BaseException]
) -> None:
    """Send commands, and close when so many lines of these files have begun, wherever that is."""
    begun, before = 0, sys.gettrace()

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal begun
        if Path(frame.f_code.co_filename).name not in FILES:
            return None
        if event == "line":
            begun += 1
            if begun == line:
                close()
        return trace

    sys.settrace(trace)
    try:
        ask(1)
    except StoreError:
        pass
    except BaseException as failure:
        failures.append(failure)
    finally:
        sys.settrace(before)


def test_a_second_signal_may_come_while_the_first_one_closes(server: Server) -> None:
    """At any instruction of ``Pool.close``; whoever waits is woken, and neither handler fails."""
    instruction, reached = 0, True
    while reached:
        instruction += 1
        connection = RedisConnection().connect("127.0.0.1", server.port, max_connections=1)
        link, pool, never = connection.link(), connection._open_pool, threading.Event()
        held = pool.checkout(0)
        waiting = threading.Thread(
            target=_until_closed, args=(lambda number, link=link: link.call("ECHO", number), never)
        )
        waiting.start()
        _until_waiting(connection, 1, never)
        reached = _closed_twice(pool, instruction)
        waiting.join(30)
        assert not waiting.is_alive(), instruction
        pool.release(held)
    assert instruction > 20


def _closed_twice(pool: Pool, instruction: int) -> bool:
    """Close a pool, and once more when so many instructions of the first have begun; whether there are so many."""
    begun, before = 0, sys.gettrace()

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal begun
        if frame.f_code is not Pool.close.__code__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            begun += 1
            if begun == instruction:
                pool.close()
        return trace

    sys.settrace(trace)
    try:
        pool.close()
    finally:
        sys.settrace(before)
    return begun >= instruction
