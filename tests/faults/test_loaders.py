"""Loads by processes that are killed and run again, beside each other, and while the server forgets its scripts."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from children import with_tests
from connected import in_threads
from dealdb import DealDatabase
from faults.agreement import Texts, assert_agreement
from faults.refusals import RefusingProxy
from servers import Server

SEED = 14
OPTIONS: dict[str, Any] = {"batch_size": 20, "types": {"amount": "decimal(2)"}}
N_ROWS = 1_200
COUNTS = ("read", "inserted", "updated", "unchanged", "skipped", "rejected")
# says that it is there, waits to be told, loads, and tells what it did
CHILD = """
import json, sys
from dealdb import DealDatabase

port, path, options, rejects = sys.argv[1:]
with DealDatabase(port=int(port), retry_deadline_s=30) as db:
    len(db)
    print("ready", flush=True)
    sys.stdin.readline()
    report = db.loader.load(path, rejects=rejects, **json.loads(options))
    print(json.dumps({name: getattr(report, name) for name in NAMES}))
""".replace("NAMES", repr(COUNTS))


class Loader:
    """A process that loads."""

    def __init__(self, port: int, path: Path, rejects: Path, **options: Any) -> None:
        command = [sys.executable, "-c", CHILD, str(port), str(path)]
        command += [json.dumps({**OPTIONS, **options}), str(rejects)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=with_tests(),
        )  # fmt: skip
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        # it may have ended
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)

    def end(self) -> int:
        """Wait for the end; the exit code."""
        self.said = self.process.communicate(timeout=120)[0]
        return self.process.returncode

    def report(self) -> dict[str, int]:
        assert self.end() == 0
        report: dict[str, int] = json.loads(self.said)
        return report


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Rows of which some are of one deal, and some can't be loaded."""
    path = tmp_path / "deals.csv"
    lines = [
        f"d{n if n % 50 else n // 2},{'soon' if n % 97 == 5 else f'{n}.25'},o{n % 7}"
        for n in range(N_ROWS)
    ]
    path.write_text("\n".join(["id,amount,owner", *lines, ""]))
    return path


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    with server.client() as client:
        yield client


@pytest.fixture
def way(server: Server) -> Iterator[RefusingProxy]:
    with RefusingProxy(server.port) as way:
        yield way


def state_of(client: Any) -> dict[str, Texts]:
    """The deals, without what tells when they were written."""
    return {
        deal: {name: text for name, text in texts.items() if name not in ("_rev", "updated")}
        for deal, texts in assert_agreement(client).items()
    }


def bookmarks(client: Any) -> list[bytes]:
    return [name for name in client.hkeys("deals:writers") if name.startswith(b"load:")]


def adds_up(report: dict[str, int]) -> bool:
    return report["read"] == sum(report[name] for name in COUNTS[1:])


def in_one_go(server: Server, client: Any, path: Path) -> tuple[dict[str, int], Any, bytes]:
    """What an undisturbed load of the same file comes to: report, deals, rejects."""
    rejects = path.with_name("undisturbed.csv")
    with DealDatabase(port=server.port) as db:
        report = db.loader.load(path, rejects=rejects, **OPTIONS)
    counts = {name: getattr(report, name) for name in COUNTS}
    state = state_of(client)
    client.flushall()
    return counts, state, rejects.read_bytes()


def killing(loader: Loader, pause: float) -> Callable[[], None]:
    return threading.Timer(pause, loader.kill).start if pause else loader.kill


@pytest.mark.parametrize(
    "n_points", [4, pytest.param(100, marks=pytest.mark.slow)], ids=lambda n: f"{n} points"
)
def test_a_loader_that_is_killed_anywhere_goes_on(
    server: Server, client: Any, way: RefusingProxy, path: Path, n_points: int
) -> None:
    expected, state, rejected = in_one_go(server, client, path)
    assert adds_up(expected)
    rng, rejects, resumed = random.Random(SEED), path.with_name("rejects.csv"), 0
    for point in range(n_points):
        client.flushall()
        loader = Loader(way.port, path, rejects)
        # right before a command arrives, or a moment later; a load takes some 75 of them
        pause = rng.choice((0.0, rng.uniform(0, 0.02)))
        way.change(killing(loader, pause), at=rng.randint(1, 70))
        loader.go()
        code = loader.end()
        way.heal()
        assert code == -signal.SIGKILL or (code == 0 and pause), f"point {point}"
        with DealDatabase(port=server.port) as db:
            report = db.loader.load(path, rejects=rejects, resume=True, **OPTIONS)
            assert db.check().ok
        resumed += report.resumed > 0
        assert state_of(client) == state
        assert bookmarks(client) == []
        if code:
            assert {name: getattr(report, name) for name in COUNTS} == expected
            assert rejects.read_bytes() == rejected
    assert resumed >= n_points // 3


def test_two_loaders_of_one_file_at_once(server: Server, client: Any, path: Path) -> None:
    expected, state, _ = in_one_go(server, client, path)
    loaders = [Loader(server.port, path, path.with_name(f"{n}.csv")) for n in range(2)]
    for loader in loaders:
        loader.go()
    reports = [loader.report() for loader in loaders]
    # rows are numbered as they come
    assert {deal: {**texts, "_row": ""} for deal, texts in state_of(client).items()} == {
        deal: {**texts, "_row": ""} for deal, texts in state.items()
    }
    assert sum(report["inserted"] for report in reports) == len(state) == expected["inserted"]
    assert all(adds_up(report) for report in reports)
    assert [report["rejected"] for report in reports] == [expected["rejected"]] * 2
    assert bookmarks(client) == []
    with DealDatabase(port=server.port) as db:
        assert db.check().ok
        assert len(db) == db.query.count() == len(state)


def test_two_loaders_of_one_file_one_after_the_other(
    server: Server, client: Any, path: Path
) -> None:
    # without deals that occur twice, so that the second has nothing to do
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *{line.split(",")[0]: line for line in lines[1:]}.values(), ""]))  # fmt: skip
    reports = []
    for number in range(2):
        before = client.xlen("deals:log")
        loader = Loader(server.port, path, path.with_name(f"{number}.csv"))
        loader.go()
        reports.append(loader.report())
        state = state_of(client)
    first, second = reports
    assert first["inserted"] == len(state)
    assert (second["inserted"], second["updated"]) == (0, 0)
    assert second["unchanged"] == first["inserted"]
    assert client.xlen("deals:log") == before
    assert bookmarks(client) == []


def test_scripts_that_are_forgotten_all_the_time(server: Server, client: Any, path: Path) -> None:
    n_threads, n_saves, done, n_flushed = 4, 150, threading.Event(), 0

    def forget() -> None:
        nonlocal n_flushed
        with server.client() as other:
            while not done.wait(0.002):
                other.script_flush()
                n_flushed += 1

    def save(thread: int) -> None:
        for number in range(n_saves):
            assert db.save_deal({"id": f"t{thread}-{number}", "n": number}).outcome == "inserted"
            if number % 3 == 0:
                assert db.update_deal(f"t{thread}-{number}", n=-number - 1).outcome == "updated"

    rows = [{"id": f"r{n}", "n": n} for n in range(10_000)]
    flusher = threading.Thread(target=forget)
    with DealDatabase(port=server.port) as db:
        flusher.start()
        try:
            reports: list[Any] = []
            loading = threading.Thread(
                target=lambda: reports.append(db.loader.load(rows, rejects=False, batch_size=100))
            )
            loading.start()
            assert in_threads(n_threads, save) == []
            loading.join()
        finally:
            done.set()
            flusher.join()
        assert n_flushed > 10
        assert reports[0].inserted == 10_000
        assert db.check().ok
    hashes = assert_agreement(client)
    assert len(hashes) == 10_000 + n_threads * n_saves
    for thread in range(n_threads):
        for number in range(n_saves):
            n = -number - 1 if number % 3 == 0 else number
            assert hashes[f"t{thread}-{number}"]["n"] == str(n)
    # each change once: the load's, the threads', and the schema with its columns
    changes = n_threads * (n_saves + n_saves // 3)
    kinds = [entry[b"kind"] for _, entry in client.xrange("deals:log")]
    assert kinds.count(b"set") == changes
    assert kinds.count(b"add") == 100
