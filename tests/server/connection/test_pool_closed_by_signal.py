"""A signal's handler that closes the connection, at each line of an exchange: nobody hangs, and nothing stays open."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from connected import eventually, sockets
from dealdb.connection import RedisConnection
from dealdb.errors import StoreError
from servers import Server

FILES = ("link.py", "pool.py", "wire.py")


@pytest.mark.parametrize("others_wait", [False, True])
def test_a_handler_may_close_the_connection_at_any_line(server: Server, others_wait: bool) -> None:
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
        threads = (
            [threading.Thread(target=_until_closed, args=(ask, closed))] if others_wait else []
        )
        failures: list[BaseException] = []
        threads.append(threading.Thread(target=_closing, args=(ask, close, line, failures)))
        for thread in threads:
            thread.daemon = True
            thread.start()
        threads[-1].join(30)
        assert not threads[-1].is_alive(), line
        reached = closed.is_set()
        close()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive(), line
        assert failures == []
        if not reached:
            break
    assert line > 40
    # though none of the connections is forgotten
    assert eventually(lambda: sockets(server) == [])
    assert all(connection.pool_stats().in_use == 0 for connection in kept)


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
