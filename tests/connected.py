"""A connection to a test server that is closed again, the rights it needs, the server's sockets, and waiting."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from dealdb import DealDatabase
from dealdb.connection import RedisConnection
from dealdb.connection.pool import Pool
from dealdb.connection.protocol.wire import Wire
from dealdb.store.checkpoint.write import write_checkpoint
from servers import Server

# begins a process, as far as the server and the folder of its cache see
Open: TypeAlias = Callable[..., DealDatabase]


@contextmanager
def connected(server: Server, **settings: Any) -> Iterator[RedisConnection]:
    with RedisConnection().connect("127.0.0.1", server.port, **settings) as connection:
        yield connection


def documented_rule() -> list[str]:
    """The access rule of docs/operations.md, for ACL SETUSER."""
    page = Path(__file__).parents[1] / "docs" / "operations.md"
    found = re.search(r"^```acl\n(.*?)^```$", page.read_text(), flags=re.M | re.S)
    assert found is not None
    return found[1].split()


@contextmanager
def wires_in_use(pool: Pool, n: int = 1) -> Iterator[list[Wire]]:
    """So many wires of a pool, in other threads: each of them can have one."""
    with ExitStack() as stack:
        threads = [stack.enter_context(ThreadPoolExecutor(1)) for _ in range(n)]
        wires = [thread.submit(pool.checkout, 0).result() for thread in threads]
        yield wires
        for thread, wire in zip(threads, wires, strict=True):
            thread.submit(pool.release, wire).result()


def sockets(server: Server) -> list[dict[str, str]]:
    """Clients as the server lists them, without those on its unix socket, one of which asks."""
    [listed] = server.ask("CLIENT LIST")
    entries = [
        dict(part.split("=", 1) for part in line.split(" "))
        for line in listed.decode().splitlines()
    ]
    return [entry for entry in entries if "U" not in entry["flags"]]


def waiting_feeds(server: Server) -> list[dict[str, str]]:
    """Clients that wait for news, as the server lists them."""
    with server.client() as client:
        return [entry for entry in client.client_list() if entry["cmd"].startswith("xread")]


def ended(name: str) -> None:
    """Wait for the threads of this name."""
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(60)
            assert not thread.is_alive()


def in_threads(count: int, work: Callable[[int], object]) -> list[BaseException]:
    """Run ``work`` in that many threads at once, and return what they raised."""
    failures: list[BaseException] = []
    ready = threading.Barrier(count)

    def run(number: int) -> None:
        ready.wait()
        try:
            work(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether it holds within 30 seconds: a busy machine takes its time."""
    began = time.monotonic()
    while not (found := holds()) and (waited := time.monotonic() - began) < 30:
        # to look all the time would slow down what is waited for
        time.sleep(0.002 + waited / 50)
    return found


def replicated(primary: Server, n: int = 1) -> bool:
    """
    Whether so many replicas have confirmed all that their primary has now.

    ``WAIT`` does not tell: it counts what its own connection has written, and one that wrote nothing is
    answered at once.
    """
    with primary.client() as client:
        _, offset, _ = client.execute_command("ROLE")

        def have_it() -> int:
            replicas = client.execute_command("ROLE")[2]
            return sum(int(confirmed) >= offset for _, _, confirmed in replicas)

        return eventually(lambda: have_it() >= n)


def pause() -> datetime:
    """A moment that lies between what was done before and what is done after."""
    time.sleep(0.003)
    now = datetime.now(UTC)
    time.sleep(0.003)
    return now


def checkpoint(db: DealDatabase) -> None:
    """Write a checkpoint of all commits so far."""
    assert try_checkpoint(db)


def try_checkpoint(db: DealDatabase) -> bool:
    """The same, unless another process writes one."""
    store = db._store
    store.snapshot()
    # other threads of a test may query meanwhile
    with store._live._lock:
        return write_checkpoint(store.link, store.keys, store._live._replica)
