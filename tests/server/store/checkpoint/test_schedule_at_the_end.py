"""Programs may just end, or be interrupted, while a checkpoint is written; each is a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dealdb import DealDatabase
from servers import Server

_BEGIN = """
import os, sys, threading, time
from dealdb import DealDatabase
db = DealDatabase.from_url({url!r})
db.query.count()
time.sleep({wait})
"""
_ENDINGS = {
    "falls off": "",
    "sys.exit": "sys.exit(0)",
    "os._exit": "os._exit(0)",
    "raises": "raise SystemExit",
    "a daemon queries": "query = lambda: [db.query.count() for _ in range(10**6)]\n"
    "threading.Thread(target=query, daemon=True).start()\n",
}


def ended(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def filled(server: Server) -> Server:
    """A server whose log is so long that the first query of a process writes a checkpoint."""
    with DealDatabase.from_url(server.url) as db:
        schema = db._store.schema()
        for k in range(3):
            db.loader.load([{"id": f"{k}.{n}", "n": n} for n in range(2_000)], rejects=False)
        assert schema is not None
    with server.client() as client:
        assert not client.exists("deals:checkpoint")
    return server


@pytest.mark.parametrize(
    "ending",
    [
        pytest.param(
            ending, marks=[pytest.mark.slow] if "raises" in ending or "sys" in ending else []
        )
        for ending in _ENDINGS
    ],
)
@pytest.mark.parametrize(
    "wait", [0, *(pytest.param(wait, marks=pytest.mark.slow) for wait in (0.003, 0.01, 0.03, 0.1))]
)
def test_a_program_that_just_ends_prints_nothing(filled: Server, ending: str, wait: float) -> None:
    done = ended(_BEGIN.format(url=filled.url, wait=wait) + _ENDINGS[ending])
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    with filled.client() as client:
        if ending in ("falls off", "sys.exit", "raises"):
            # it is completed: whoever comes next has it
            assert client.exists("deals:checkpoint")
            assert not client.exists("deals:lease")
        else:
            assert client.pttl("deals:lease") <= 60_000
    with DealDatabase.from_url(filled.url) as db:
        assert db.query.count() == 6_000


def test_a_program_that_fails_tells_of_its_own_failure_alone(filled: Server) -> None:
    done = ended(_BEGIN.format(url=filled.url, wait=0) + "raise ValueError('mine')")
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1
    assert done.stderr.endswith("ValueError: mine\n")
    with filled.client() as client:
        assert client.exists("deals:checkpoint")
        assert not client.exists("deals:lease")


def test_a_program_with_a_server_of_its_own_may_just_end(tmp_path: Path) -> None:
    code = f"""
from dealdb import DealDatabase
db = DealDatabase.embedded({str(tmp_path / "data")!r})
for k in range(3):
    db.loader.load([{{"id": f"{{k}}.{{n}}"}} for n in range(2_000)], rejects=False)
assert db.query.count() == 6_000
"""
    done = ended(code)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    with DealDatabase.embedded(tmp_path / "data") as db:
        assert db.query.count() == 6_000
        assert db._store.link.call("EXISTS", "deals:checkpoint")


_LOAD = """
import threading, time
import polars as pl
from dealdb import DealDatabase
def load():
    time.sleep({wait})
    db = DealDatabase.from_url({url!r})
    rows = pl.DataFrame({{"id": pl.int_range(6_000, eager=True)}})
    assert db.loader.load(rows, rejects=False).inserted == 6_000
threading.Thread(target=load, daemon={daemon}).start()
time.sleep({ends})
"""


@pytest.mark.parametrize("wait", [0.3, pytest.param(0, marks=pytest.mark.slow)])
def test_a_load_goes_on_after_the_main_thread(server: Server, wait: float) -> None:
    done = ended(_LOAD.format(url=server.url, daemon=False, wait=wait, ends=0.1))
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    with DealDatabase.from_url(server.url) as db:
        assert len(db) == 6_000
        assert db.query.count() == 6_000
    with server.client() as client:
        assert client.exists("deals:checkpoint")
        assert not client.exists("deals:lease")


# in a process of its own: Polars no longer hears of signals once a program has set a handler of its own
CTRL_C = """
import signal, sys, threading
import polars as pl
from dealdb import DealDatabase
from dealdb.store.checkpoint import schedule, write

begun = threading.Event()

def slow(*args, **options):
    begun.set()
    for _ in range(20_000):
        pl.LazyFrame({"a": range(1_000)}).select(pl.col("a").sort().repeat_by(500)).collect()
    raise RuntimeError("Polars did not answer")

schedule.MIN_CHANGES, write.write_checkpoint = 1, slow
with DealDatabase.from_url(sys.argv[1]) as db:
    for n in range(5):
        db.save_deal({"id": n, "amount": n})
    db.query.count()
    thread = db._store._live._schedule._thread
    assert begun.wait(60)
    while thread.is_alive():
        # Polars listens while it works, and may miss one
        try:
            signal.raise_signal(signal.SIGINT)
            sys.exit("no interrupt")
        except KeyboardInterrupt:
            thread.join(0.1)
    print("ended")
"""


def test_ctrl_c_that_polars_answers_in_the_thread_ends_it_without_a_word(server: Server) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", CTRL_C, server.url], capture_output=True, text=True, timeout=120
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "ended\n", "")
