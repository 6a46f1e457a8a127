"""Disks that are full, and append-only files that end in the middle."""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connected import eventually, in_threads
from dealdb import DealDatabase
from dealdb.errors import OutcomeUnknown, ServerRefused, ServerUnavailable
from faults.agreement import assert_agreement
from servers import DURABLE, EVERY_SECOND, Server

SEED = 24
NOTE = "some text of a deal, " * 100
# a start of the server each
N_CUTS = 8


def enlarge(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)


@contextmanager
def on_disk(binary: Path, disk: Path, socket: Path, *options: str) -> Iterator[Server]:
    # the socket is elsewhere: of a full disk nothing can be had
    server = Server(binary, disk / "data", *options, socket=socket).start()
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.stop()


@pytest.fixture
def socket() -> Iterator[Path]:
    # not tmp_path: its path has to stay under 108 bytes
    with tempfile.TemporaryDirectory(prefix="dealdb") as folder:
        yield Path(folder) / "s"


class Acknowledged:
    """Saves until the server takes no more, and which of them it has acknowledged."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}
        self.errors: list[Exception] = []

    def save(self, db: DealDatabase, prefix: str) -> None:
        """Save new deals, and change some of them, until that fails."""
        for number in range(20_000):
            deal = f"{prefix}{number % 1_000}"
            try:
                db.save_deal({"id": deal, "n": number, "note": f"{NOTE}{number}"})
            except (ServerRefused, ServerUnavailable, OutcomeUnknown) as error:
                self.errors.append(error)
                return
            self.values[deal] = number
        pytest.fail("the disk was never full")

    def are_in(self, server: Server) -> bool:
        with server.client() as client:
            hashes = assert_agreement(client)
        unknown = sum(isinstance(error, OutcomeUnknown) for error in self.errors)
        # a change of which nobody knows may have happened: one for each thread
        ahead = [deal for deal, n in self.values.items() if hashes[deal]["n"] != str(n)]
        assert all(int(hashes[deal]["n"]) == self.values[deal] + 1_000 for deal in ahead)
        return len(ahead) + len(set(hashes) - set(self.values)) <= unknown


def test_a_full_disk_is_named_and_heals(binary: Path, small_disk: Path, socket: Path) -> None:
    saved = Acknowledged()
    with (
        on_disk(binary, small_disk, socket, *EVERY_SECOND) as server,
        DealDatabase(port=server.port) as db,
    ):
        assert in_threads(3, lambda thread: saved.save(db, f"t{thread}-")) == []
        for error in saved.errors:
            assert isinstance(error, ServerRefused)
            assert error.reply == "MISCONF"
            assert "free space on it" in str(error)
        assert len(saved.values) > 300
        # reads go on, and are right
        frame = db.query.frame()
        assert dict(zip(frame["id"], frame["n"], strict=True)) == saved.values
        some = next(iter(saved.values))
        deal = db.get_deal(some)
        assert deal is not None
        assert deal["n"] == saved.values[some]
        assert db.check().ok
        assert db.health().reachable
        with pytest.raises(ServerRefused, match="MISCONF"):
            db.delete_deal(some)
        with pytest.raises(ServerRefused, match="MISCONF"):
            db.loader.load([{"id": f"L{n}", "n": n} for n in range(100)], rejects=False)
        enlarge(small_disk)
        assert eventually(lambda: takes(db))
        saved.values["healed"] = 1
        # with everysec a second of the file may be in the server alone
        assert eventually(lambda: is_written(server))
        server.kill()
        server.start()
        saved.errors.clear()
        assert saved.are_in(server)


def takes(db: DealDatabase) -> bool:
    try:
        db.save_deal({"id": "healed", "n": 1})
    except ServerRefused:
        return False
    return True


def is_written(server: Server) -> bool:
    with server.client() as client:
        info: Any = client.info("persistence")
    return bool(info["aof_last_write_status"] == "ok" and info["aof_buffer_length"] == 0)


def test_a_full_disk_ends_a_server_that_writes_always(
    binary: Path, small_disk: Path, socket: Path
) -> None:
    saved = Acknowledged()
    with (
        on_disk(binary, small_disk, socket, *DURABLE) as server,
        DealDatabase(port=server.port, retry_deadline_s=0.5) as db,
    ):
        assert in_threads(3, lambda thread: saved.save(db, f"t{thread}-")) == []
        assert server.process is not None
        assert server.process.wait(30) == 1
        assert all(isinstance(error, OutcomeUnknown | ServerUnavailable) for error in saved.errors)
        assert len(saved.values) > 300
        assert not db.is_connected()
        enlarge(small_disk)
        server.start()
        unknown = [error for error in saved.errors if isinstance(error, OutcomeUnknown)]
        assert all(error.resolve() in (True, False) for error in unknown)
        assert saved.are_in(server)
        assert db.save_deal({"id": "next", "n": 1}).outcome == "inserted"
        assert db.check().ok


class Appended:
    """An append-only file that ends in some commits, and where each of their records ends."""

    def __init__(self, server: Server) -> None:
        with DealDatabase(port=server.port) as db:
            for n in range(5):
                db.save_deal({"id": f"a{n}", "n": n, "stage": "Won"})
            db.loader.load([{"id": f"b{n}", "n": n} for n in range(20)], rejects=False)
            # what is there behind each of the last three records, by the size of the file
            self.states = {self.size(server): self.state(server)}
            for change in (
                lambda: db.save_deal({"id": "a1", "n": 100, "name": "Acme"}),
                lambda: db.delete_deal("a2"),
                lambda: db.save_deal({"id": "new", "n": 1}),
            ):
                change()
                self.states[self.size(server)] = self.state(server)
        server.kill()
        self.folder, self.file = server.folder, self.path(server.folder)
        self.data = self.file.read_bytes()
        self.first = min(self.states)
        assert max(self.states) == len(self.data)

    @staticmethod
    def path(folder: Path) -> Path:
        # one file, or in a folder the part behind the last rewrite
        [path] = [*folder.glob("appendonlydir/*.incr.aof"), *folder.glob("appendonly.aof")]
        return path

    def size(self, server: Server) -> int:
        return self.path(server.folder).stat().st_size

    @staticmethod
    def state(server: Server) -> tuple[int, Any]:
        with server.client() as client:
            seq: Any = client.hget("deals:meta", "seq")
            return int(seq), assert_agreement(client)

    def cut(self, server: Server, size: int) -> None:
        """Start a server with the first bytes of the file, and look at what it has."""
        path = server.folder / self.file.relative_to(self.folder)
        if path.parent != server.folder:
            shutil.copytree(self.file.parent, path.parent, dirs_exist_ok=True)
        path.write_bytes(self.data[:size])
        server.start()
        whole = max(end for end in self.states if end <= size)
        assert self.state(server) == self.states[whole], f"cut at {size}"
        with DealDatabase(port=server.port) as db:
            assert db.check().ok
            assert db.save_deal({"id": "next", "n": 1}).outcome == "inserted"
            assert len(db) == db.query.count() == len(self.states[whole][1]) + 1
        self.state(server)
        server.kill()


@pytest.fixture
def appended(new_server: Callable[..., Server]) -> Appended:
    return Appended(new_server(*DURABLE))


@pytest.fixture
def other(new_server: Callable[..., Server]) -> Server:
    server = new_server(*DURABLE)
    server.kill()
    return server


def test_a_file_that_is_cut_somewhere_in_its_last_records(
    appended: Appended, other: Server
) -> None:
    places = range(appended.first, len(appended.data) + 1)
    for size in {*appended.states, *random.Random(SEED).sample(places, N_CUTS)}:
        appended.cut(other, size)


@pytest.mark.slow
def test_a_file_that_is_cut_anywhere_in_its_last_records(appended: Appended, other: Server) -> None:
    for size in range(appended.first, len(appended.data) + 1):
        appended.cut(other, size)
