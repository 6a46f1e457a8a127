"""
Keeps the log as it is written, past the proxy: ``python -m faults.collector SOCKET FOLDER``.

What a checkpoint trims before it is read is taken from the sealed history; the two are compared at the end of the run.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from faults.history import Damaged, Entry, read_log, read_sealed, write_entries
from faults.journal import Board


class Collector:
    """Appends what is new in the log to a file."""

    def __init__(self, client: redis.Redis, path: Path) -> None:
        self._client = client
        self._file = path.open("ab")
        self.seq = 0

    def step(self) -> int:
        """Number of entries that were new."""
        entries = read_log(self._client, self.seq)
        if self.seq and entries and entries[0].seq == self.seq:
            entries = entries[1:]
        elif entries and entries[0].seq > self.seq + 1:
            entries = list(read_sealed(self._client, self.seq + 1))
        return self._keep(entries)

    def _keep(self, entries: list[Entry]) -> int:
        self._file.write(write_entries(entries))
        self._file.flush()
        self.seq = entries[-1].seq if entries else self.seq
        return len(entries)


def main(socket: str, folder: str) -> None:
    client = redis.Redis(
        unix_socket_path=socket, protocol=2, retry=Retry(NoBackoff(), 0), socket_timeout=10
    )
    board, parent = Board(Path(folder) / "board"), os.getppid()
    collector = Collector(client, Path(folder) / "log.msgpack")
    while not 0 < board.last_seq <= collector.seq and os.getppid() == parent:
        try:
            new = collector.step()
        except (redis.RedisError, Damaged):
            # away; or another checkpoint has taken the place of the one that was being read
            new = 0
        if new < 500:
            time.sleep(0.05)


if __name__ == "__main__":
    main(*sys.argv[1:])
