"""A primary with replicas and the Sentinels that watch it: real processes, each in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from connected import eventually
from servers import Server, free_port

NAME = "deals"
# what is gone for so long is replaced
DOWN_AFTER_MS = 1_000


class Watch:
    """One Sentinel; ``kill``, ``freeze`` and ``thaw`` it."""

    def __init__(self, binary: Path, folder: Path, primary: Server, *lines: str) -> None:
        self.port = free_port()
        folder.mkdir()
        config = folder / "sentinel.conf"
        said = (
            f"port {self.port}",
            "bind 127.0.0.1",
            f"dir {folder}",
            f"logfile {folder}/log",
            f"sentinel monitor {NAME} 127.0.0.1 {primary.port} 2",
            f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}",
            f"sentinel failover-timeout {NAME} 3000",
            *lines,
        )
        config.write_text("\n".join(said) + "\n")
        self.process = subprocess.Popen(
            [str(binary), str(config), "--sentinel"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def ask(self, what: str) -> Any:
        # one that is frozen must not hold a test up
        with redis.Redis(
            port=self.port, protocol=2, socket_timeout=0.3, retry=Retry(NoBackoff(), 0)
        ) as client:
            return client.execute_command("SENTINEL", what, NAME)

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


class Watched:
    """
    A primary, its replicas, and three Sentinels that choose another primary when it is gone.

    Parameters
    ----------
    start
        Starts a server with some options.
    folder
        For the Sentinels.
    options
        Of each server.
    """

    def __init__(
        self, start: Callable[..., Server], folder: Path, *options: str, n_replicas: int = 2
    ) -> None:
        quick = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")
        self.servers = [start(*quick, *options) for _ in range(n_replicas + 1)]
        for replica in self.servers[1:]:
            replica.demote(self.servers[0])
        binary = self.servers[0].binary
        self.sentinels = [Watch(binary, folder / f"sentinel{n}", self.servers[0]) for n in range(3)]

    @property
    def url(self) -> str:
        addresses = ",".join(each.address for each in self.sentinels)
        return f"redis+sentinel://{addresses}/{NAME}/0"

    def wait(self) -> None:
        """Until all know of each other: earlier none can be chosen."""
        assert eventually(self._is_ready)

    def _is_ready(self) -> bool:
        try:
            with self.servers[0].client() as client:
                replicas = client.info("replication")["connected_slaves"]
            known = [each.ask("MASTER") for each in self.sentinels]
        except redis.RedisError:
            return False
        facts = [
            each if isinstance(each, dict) else dict(zip(each[::2], each[1::2], strict=True))
            for each in known
        ]
        texts = [{_text(k): _text(v) for k, v in each.items()} for each in facts]
        n_others = len(self.servers) - 1
        return replicas == n_others and all(
            each["num-other-sentinels"] == "2" and each["num-slaves"] == str(n_others)
            for each in texts
        )

    def primary(self) -> Server:
        """The server that most Sentinels name, of those that answer."""
        named: list[int] = []

        def ask() -> bool:
            named[:] = filter(None, map(self._named_by, self.sentinels))
            return bool(named)

        assert eventually(ask)
        port = max(set(named), key=named.count)
        return next(each for each in self.servers if each.port == port)

    def _named_by(self, sentinel: Watch) -> int:
        try:
            address = sentinel.ask("GET-MASTER-ADDR-BY-NAME")
        except redis.RedisError:
            return 0
        return int(address[1])

    def wait_for_another(self, old: Server) -> Server:
        """The primary that takes the place of one that is gone."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            new = self.primary()
            if new is not old and new.process is not None:
                with new.client() as client:
                    if client.info("replication")["role"] == "master":
                        return new
            time.sleep(0.05)
        raise AssertionError("the Sentinels chose none")

    def end(self) -> None:
        for each in self.sentinels:
            each.end()


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


@contextmanager
def watched(
    start: Callable[..., Server], folder: Path, *options: str, n_replicas: int = 2
) -> Iterator[Watched]:
    """Servers and Sentinels that know of each other; the Sentinels end with the block."""
    found = Watched(start, folder, *options, n_replicas=n_replicas)
    try:
        found.wait()
        yield found
    finally:
        found.end()
