"""A process that dies while it folds a load into a checkpoint: what was acknowledged is there, and its past too."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from dealdb import DealDatabase
from dealdb.store.archive.manifest import read_manifest
from dealdb.store.history.reading import read_history
from dealdb.store.live.columns import LiveColumns
from folds import assert_same_chunks, make_small
from servers import Server

TESTS = Path(__file__).parents[3]
# each commit fills one
ROWS = 100
N_BEFORE, N = 400, 1_600
# loads in a process of its own, and stops for good at a step of the second fold
LOAD = f"""
import sys, time
from pkgutil import resolve_name
url, file, step, tests = sys.argv[1:]
sys.path.append(tests)
from dealdb import DealDatabase
from folds import make_small

def put(name, value):
    owner, _, last = name.rpartition(".")
    setattr(resolve_name(owner), last, value)

make_small(put, {ROWS})
n_reached = 0

def stop_at(name, *, before):
    owner, _, last = name.rpartition(".")
    done = getattr(resolve_name(owner), last)

    def stopping(*given, **named):
        global n_reached
        if not before:
            found = done(*given, **named)
        n_reached += 1
        if n_reached > 1:
            print("there", flush=True)
            time.sleep(60)
        return done(*given, **named) if before else found

    put(name, stopping)

write = "dealdb.store.checkpoint.write"
match step:
    case "some chunks are written":
        stop_at(f"{{write}}._Checkpointer._write", before=False)
    case "all chunks are written":
        stop_at(f"{{write}}._Checkpointer._write_columns", before=False)
    case "not yet published":
        stop_at(f"{{write}}.publish", before=True)
    case "published":
        stop_at(f"{{write}}.publish", before=False)
    case "at any moment":
        print("there", flush=True)
with DealDatabase.from_url(url) as db:
    db.loader.load(file, bar=False)
"""
STEPS = ("some chunks are written", "all chunks are written", "not yet published", "published")


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch.setattr, ROWS)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Deals that are new, and others that the collection has."""
    lines = [f"{n},deal {n},{n}.50" for n in range(N_BEFORE - 300, N_BEFORE + N)]
    file = tmp_path / "deals.csv"
    file.write_text("\n".join(["id,name,amount", *lines]))
    return file


def fill(server: Server) -> None:
    before = [
        {"id": n, "name": f"deal {n}", "amount": "1.25", "stage": "won"} for n in range(N_BEFORE)
    ]
    with DealDatabase.from_url(server.url) as db:
        db.loader.load(before, bar=False)
        db.delete_deal(7)


def loading(server: Server, file: Path, step: str) -> subprocess.Popen[str]:
    """A process that loads, once it has come to a step."""
    command = [sys.executable, "-c", LOAD, server.url, str(file), step, str(TESTS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    return process


def assert_whole(server: Server) -> None:
    """Columns and history have what the hashes have."""
    with DealDatabase.from_url(server.url) as db:
        # no checkpoint of its own
        db._store._live.may_publish = False
        assert db.check().ok
        store = db._store
        seqs = [entry.position.seq for entry in read_history(store.link, store.keys)]
        assert seqs == list(range(1, store.newest().seq + 1))


def assert_loaded_again(server: Server, file: Path) -> None:
    """The load is done once more, and folded with what the one that died has written."""
    with DealDatabase.from_url(server.url) as db:
        db._store._live.may_publish = False
        report = db.loader.load(file, bar=False)
        assert report.rejected == 0
        assert len(db) == N_BEFORE - 1 + N
        amounts = db.query.find(limit=None).select("id", "amount").sort("id")
    assert amounts.height == N_BEFORE - 1 + N
    ours = amounts.filter(amounts["id"].cast(int) >= N_BEFORE - 300)
    assert [str(each) for each in ours["amount"]] == [f"{n}.50" for n in ours["id"]]


def assert_folded(server: Server) -> None:
    """A load behind it leaves a checkpoint of all, and nothing that no manifest names."""
    with DealDatabase.from_url(server.url) as db:
        db.loader.load([{"id": f"x{n}", "name": "new"} for n in range(3 * ROWS)], bar=False)
        store = db._store
        manifest = read_manifest(store.link, store.keys)
        assert manifest
        whole = LiveColumns(store.link, store.keys, store._definitions.anchor).replica()
        assert_same_chunks(manifest.generations[0], whole)
        names = store.link.call("SMEMBERS", store.keys.chunks)
        assert {name.decode() for name in names} == manifest.keys(store.keys)
        kinds = ("chunk", "history", "index")
        there = [key for kind in kinds for key in store.link.call("KEYS", f"deals:{kind}:*")]
        assert sorted(there) == sorted(names)


@pytest.mark.parametrize("step", STEPS)
def test_killed_in_the_middle(server: Server, file: Path, step: str) -> None:
    fill(server)
    with loading(server, file, step) as process:
        process.send_signal(signal.SIGKILL)
    assert_whole(server)
    with server.client() as raw:
        assert raw.exists("deals:lease")
        assert_loaded_again(server, file)
        assert_whole(server)
        # as if so long had passed
        raw.delete("deals:lease")
    assert_folded(server)
    assert_whole(server)


@pytest.mark.slow
def test_killed_at_any_moment(server: Server, file: Path) -> None:
    chance = random.Random(18)
    outcomes: Counter[str] = Counter()
    for _ in range(25):
        with server.client() as raw:
            raw.flushall()
            fill(server)
            with loading(server, file, "at any moment") as process:
                # some end before that
                with suppress(subprocess.TimeoutExpired):
                    process.wait(chance.uniform(0.3, 2.5))
                process.kill()
            outcomes["during a fold" if raw.exists("deals:lease") else "at another time"] += 1
            assert_whole(server)
            raw.delete("deals:lease")
        assert_loaded_again(server, file)
        assert_folded(server)
        assert_whole(server)
    assert len(outcomes) == 2, outcomes
