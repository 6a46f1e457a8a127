"""The columns that a process keeps of a collection."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

import polars as pl
import pytest

from dealdb import DealDatabase
from dealdb.model.pipeline import Pipeline
from dealdb.query import QueryEngine
from dealdb.store.checkpoint.write import write_checkpoint
from dealdb.store.log.entry import Entry
from dealdb.store.replica.replica import Replica
from servers import Server


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        yield db


# alone in a process, whose allocator gives back at once what nobody uses
GROWN = """
import sys
from pathlib import Path
from dealdb import DealDatabase

def resident(kind="VmRSS"):
    return int(Path("/proc/self/status").read_text().split(kind + ":")[1].split()[0]) * 1024

with DealDatabase.from_url(sys.argv[1]) as db:
    # what Polars takes for itself at first
    db.query.count("amount > 5")
    first, held = resident(), db.health().columns_bytes
    # not kept: who holds the frame when something changes has a second copy
    db.query.frame().height
    told = db.health().columns_bytes - held
    print(told, resident() - first, resident("VmHWM") - first)
"""
GIVES_BACK = {"_RJEM_MALLOC_CONF": "dirty_decay_ms:0,muzzy_decay_ms:0"}


def test_reading_the_columns_takes_little_more_memory_than_they_do_which_is_told(
    db: DealDatabase, server: Server
) -> None:
    assert db.health().columns_bytes is None
    n = 150_000
    rows = pl.DataFrame({"id": pl.int_range(n, eager=True), "amount": pl.int_range(n, eager=True)})
    texts = {
        "name": pl.format("a name that is longer than a view {}", "id"),
        **{f"short{i}": pl.format("t{}", pl.col("id") + i) for i in range(2)},
        "tags": pl.concat_list(pl.format("a{}", "id"), pl.lit("both")),
    }
    db.loader.load(rows.with_columns(**texts), bar=False, rejects=False)
    done = subprocess.run(
        [sys.executable, "-c", GROWN, server.url],
        env={**os.environ, **GIVES_BACK},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stderr == ""
    told, grown, peak = map(int, done.stdout.split())
    assert 0.75 < told / grown < 1.35, (told, grown)
    # a column is unpacked, and what it was packed in given back, before the next
    assert peak < 1.4 * grown, (peak, grown)


@pytest.mark.parametrize("ids_wait", [True, False])
def test_a_hash_that_was_copied_with_its_row_takes_the_row_once_it_is_saved(
    db: DealDatabase, server: Server, ids_wait: bool
) -> None:
    db.loader.load([{"id": f"d{n}", "name": "acme", "amount": n} for n in range(3)], bar=False)
    store = db._store
    store.snapshot()
    with store._live._lock:
        assert write_checkpoint(store.link, store.keys, store._live._replica)
    with DealDatabase.from_url(server.url) as other:
        assert other.query.count("amount = 1") == 1
        assert ids_wait or other.query.frame()["id"].to_list() == ["d0", "d1", "d2"]
        with server.client() as client:
            client.hset("deal:copy", mapping=client.hgetall("deal:d1"))
        db.save_deal({"id": "copy", "amount": 10})
        (before,) = other._store.snapshot(["amount"]).text_states
        assert other.query.find("amount >= 1", columns=["id"])["id"].to_list() == ["copy", "d2"]
        assert other.query.frame()["id"].to_list() == ["d0", "copy", "d2"]
        # who has made something of the texts is told
        (after,) = other._store.snapshot().text_states
        assert after.log is before.log
        assert after.log.since(0, after.length).to_list() == [1]


def test_what_a_pipeline_without_stages_says_is_in_a_checkpoint_too(
    db: DealDatabase, server: Server
) -> None:
    said = Pipeline(closes=False, zone="Europe/Berlin")
    db.set_pipeline(said)
    db.save_deal({"id": "d1"})
    store = db._store
    store.snapshot()
    with store._live._lock:
        assert write_checkpoint(store.link, store.keys, store._live._replica)
    with DealDatabase.from_url(server.url) as other:
        assert other._store.snapshot().pipeline == said
        assert other._store._live.replica().pipeline == said
    frame = db.query.frame()
    assert QueryEngine.over(frame, pipeline=said).select().pipeline == said


def test_its_stages_are_never_those_of_a_change_that_is_half_done(
    db: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.save_deal({"id": 1, "stage": "Won"})
    live = db._opened_store()._live
    live.snapshot()
    expected, apply = live.pipeline, Replica.apply
    db.save_deal({"id": 2, "stage": "Won"})
    asked: list[Future[Pipeline]] = []

    def applied(replica: Replica, page: Sequence[Entry]) -> None:
        asked.append(threads.submit(lambda: live.pipeline))
        # who does not wait for the change has an answer by then
        wait(asked, timeout=0.2)
        apply(replica, page)

    with ThreadPoolExecutor(1) as threads:
        monkeypatch.setattr(Replica, "apply", applied)
        live.snapshot()
    assert [each.result() for each in asked] == [expected]
