"""Facts of the past go to the partitions of their deals; a load of them that died is repeated as it is."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from children import with_tests
from dealdb import DealDatabase
from dealdb.connection import round_trips
from dealdb.store.encoding import unpacked_facts
from dealdb.store.history.reading import read_history
from dealdb.store.partitions.layout import partition_of
from dealdb.store.partitions.partitioned import PartitionedStore
from servers import Server

P = 4
# a child that loads history, and kills itself at a given commit: before it is sent, or before its answer is heard
CHILD = """
import os, signal, sys
from dealdb import DealDatabase
from dealdb.store.commit.writers import Writers

port, source, at, when = sys.argv[1:]
commit, n_done = Writers.commit_all, 0

def stepped(self, changes):
    global n_done
    n_done += 1
    answer = commit(self, changes) if when == "after" else None
    if n_done == int(at):
        os.kill(os.getpid(), signal.SIGKILL)
    return answer or commit(self, changes)

Writers.commit_all = stepped
with DealDatabase("127.0.0.1", int(port)) as db:
    db.history.load(source, rejects=False)
"""


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase("127.0.0.1", server.port, partitions=P) as db:
        yield db


def told(n_facts: int) -> list[dict[str, Any]]:
    """Facts with several of one moment, which their order decides between."""
    return [
        {
            "id": f"d{n % 40}",
            "at": f"2026-01-{n // 40 % 28 + 1:02}",
            "field": "stage" if n % 3 else "color",
            "value": ("Lead", "Demo", "Own")[n // 7 % 3],
        }
        for n in range(n_facts)
    ]


def facts_of(db: DealDatabase) -> dict[str, list[tuple[Any, ...]]]:
    facts = db._store.event_facts()
    lives = facts.lives.select("life", "id")
    return {
        name: facts.of(name).join(lives, on="life").select("id", "at", "value").sort("id", "at").rows()
        for name in facts.schema
        if name != "updated"
    } | {"ids": sorted(facts.lives["id"])}  # fmt: skip


def begin(db: DealDatabase) -> None:
    for n in range(40):
        db.save_deal({"id": f"d{n}"}, at="2026-01-01")


@pytest.mark.parametrize("when", ["before", "after"])
# the new field and stages of the head, and then the field and the facts of each partition
@pytest.mark.parametrize("at", [1, 2, 3, 4, 5, 7, 9])
def test_a_load_that_was_killed_between_partitions_is_repeated(
    db: DealDatabase, server: Server, tmp_path: Path, at: int, when: str
) -> None:
    begin(db)
    rows = told(1_200)
    path = tmp_path / "history.csv"
    pl.DataFrame(rows).write_csv(path)
    command = [sys.executable, "-c", CHILD, str(server.port), str(path), str(at), when]
    child = subprocess.run(command, env=with_tests(), check=False, capture_output=True)
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    with DealDatabase("127.0.0.1", server.port, collection="whole") as whole:
        begin(whole)
        first = whole.history.load(rows, rejects=False)
        report = db.history.load(path, rejects=False)
        assert report.new + report.known == first.new + first.known
        assert facts_of(db) == facts_of(whole)
        again = db.history.load(path, rejects=False)
        assert (again.new, again.known) == (0, len(rows))


def test_each_fact_is_in_the_partition_of_its_deal(db: DealDatabase) -> None:
    db.history.load(told(400), rejects=False)
    store = db._opened_store()
    assert isinstance(store, PartitionedStore)
    found = 0
    for number, part in enumerate(store._partitions):
        assert part.newest().seq
        for entry in read_history(part.link, part.keys):
            if entry.kind == "facts":
                ids = unpacked_facts(entry.data)["id"]
                found += 1
                assert {partition_of(deal, P) for deal in ids} <= {number}
    assert found == P


def test_it_costs_a_round_trip_for_each_partition_that_has_some(db: DealDatabase) -> None:
    db.history.load(told(400), rejects=False)
    store = db._store
    recorded, _ = store.known_facts()
    facts = recorded.with_columns(pl.col("at") + 1)
    before = round_trips()
    store.record(facts, [], [])
    assert round_trips() - before == P
    one = facts.filter(id="d1").with_columns(pl.col("at") + 1)
    before = round_trips()
    store.record(one, [], [])
    assert round_trips() - before == 1
    assert store.record(one.clear(), [], []) == 0


def test_what_is_no_fact_is_refused_before_anything_is_written(db: DealDatabase) -> None:
    db.history.load(told(400), rejects=False)
    store = db._store
    recorded, _ = store.known_facts()
    wrong = recorded.with_columns(op=pl.lit("sing"))
    before = store.newest()
    with pytest.raises(ValueError, match=r"."):
        store.record(wrong, [], [])
    assert store.newest() == before


def test_a_merge_into_a_deal_of_another_partition_is_one(db: DealDatabase) -> None:
    mine, other = (next(f"d{n}" for n in range(9) if partition_of(f"d{n}", P) == p) for p in (1, 2))
    for deal in (mine, other):
        db.save_deal({"id": deal, "stage": "Lead"}, at="2026-01-01")
    merge = {"id": mine, "at": "2026-02-01", "field": None, "op": "merge", "value": other}
    assert db.history.load([merge], rejects=False).new == 1
    lives = db._store.event_facts().lives.select("id", "survivor").rows()
    assert sorted(lives) == sorted([(mine, other), (other, None)])
    assert db.history.load([merge], rejects=False).known == 1
