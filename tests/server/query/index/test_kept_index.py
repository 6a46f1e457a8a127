"""The index that a database keeps for its searches finds what a scan finds, whatever was saved since it was made."""

from __future__ import annotations

import gc
import random
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from dealdb import DealDatabase
from dealdb.query import QueryEngine
from dealdb.query.index import indexed_search, kept_index, token_index
from dealdb.query.results import search
from search_cases import QUESTIONS, kept_of, made, steps, uses_index
from servers import Server

pytestmark = pytest.mark.usefixtures("few_changes")


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(server.url) as found:
        yield found


@pytest.fixture
def no_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few rows are apart from an index, patterns look for them in joined texts."""
    for module in (indexed_search, search):
        monkeypatch.setattr(module, "_FEW", 0)


@pytest.mark.parametrize("partitions", [None, 4])
@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2))])
def test_search_finds_what_a_scan_finds_after_each_change(
    server: Server, monkeypatch: pytest.MonkeyPatch, seed: int, partitions: int | None
) -> None:
    draw, with_index = random.Random(seed), 0
    with DealDatabase.from_url(server.url, partitions=partitions) as db:
        for _, _ in zip(range(60), steps(db, draw), strict=False):
            question = draw.choice(QUESTIONS)
            where = draw.choice([None, "owner = 'Ann Lee'"])
            expected = QueryEngine.over(db.query.frame()).search(question, where=where)
            for _ in range(3):
                with_index += uses_index(db)
                monkeypatch.setattr(indexed_search, "_FEW", draw.choice([0, 40]))
                found = db.query.search(question, where=where, limit=20)
                assert found.rows() == expected.rows(), question
                made()
    assert with_index > 60


@pytest.mark.usefixtures("no_few")
def test_texts_that_change_again_are_found_as_they_are_now(db: DealDatabase) -> None:
    db.loader.load([{"id": i, "name": "acme"} for i in range(60)], bar=False)
    for _ in range(2):
        db.query.search("acme")
        made()
    for name in ("globex", "initech", "hooli"):
        db.loader.load([{"id": i, "name": name} for i in range(5)], bar=False)
        found = [len(db.query.search(word)) for word in ("globex", "initech", "hooli")]
        assert sum(found) == 5
        assert len(db.query.search(name)) == 5


@pytest.mark.usefixtures("no_few")
def test_each_search_looks_in_the_columns_that_it_is_given(db: DealDatabase) -> None:
    db.loader.load([{"id": i, "name": "acme", "company": "acme"} for i in range(60)], bar=False)
    for _ in range(2):
        db.query.search("acme")
        made()
    db.save_deal({"id": 1, "name": "globex", "company": "initech"})
    for columns, word, n in (
        (["name"], "globex", 1),
        (["company"], "globex", 0),
        (["company"], "initech", 1),
        (["name"], "initech", 0),
        (["name", "company"], "initech globex", 1),
    ):
        assert len(db.query.search(word, columns=columns)) == n


@pytest.mark.parametrize("has_deleted", [False, True])
def test_a_change_of_other_fields_is_no_change_of_texts(
    db: DealDatabase, server: Server, has_deleted: bool
) -> None:
    db.loader.load([{"id": i, "name": "acme", "amount": 1} for i in range(20)], bar=False)
    if has_deleted:
        db.delete_deal("19")
    db.query.search("acme")
    before = text_changes(db)
    for n in range(3):
        db.save_deal({"id": n, "name": "acme", "amount": 2})
        db.save_deal({"id": n + 3, "amount": 2})
        assert text_changes(db) == before
    with DealDatabase.from_url(server.url, collection=db.collection) as other:
        other.query.find("amount = 2")
        db.save_deal({"id": 7, "amount": 2})
        db.save_deal({"id": 100, "amount": 2})
        assert other.query.find("amount = 2")["id"].to_list() == [*"012345", "7", "100"]
    db.save_deal({"id": 1, "name": "globex"})
    assert text_changes(db) == (before[0], sorted([1, *before[1], 20]))


def test_numbers_that_become_texts_are_found(db: DealDatabase) -> None:
    db.loader.load([{"id": i, "name": "acme", "room": 1000 + i} for i in range(60)], bar=False)
    for _ in range(2):
        assert len(db.query.search("acme")) == 20
        made()
    db.retype_field("room", "text")
    for _ in range(3):
        assert db.query.search("acme 1017")["id"].to_list() == ["17"]
        made()


def test_texts_of_a_field_that_was_dropped_are_not_found(db: DealDatabase) -> None:
    rows = [{"id": i, "name": "acme", "room": f"north{i}"} for i in range(60)]
    db.loader.load(rows, bar=False)
    for _ in range(2):
        assert len(db.query.search("acme")) == 20
        made()
    log, _ = text_changes(db)
    db.drop_field("room")
    db.save_deal({"id": 1, "room": "south"})
    # whatever a change of fields does to texts, no index from before is used
    assert text_changes(db)[0] is not log
    for _ in range(3):
        assert len(db.query.search("acme north17")) == 0
        assert db.query.search("acme south")["id"].to_list() == ["1"]
        made()


def text_changes(db: DealDatabase) -> tuple[object, list[int]]:
    (state,) = db.query._source.snapshot().text_states
    return state.log, state.log.since(0, state.length).to_list()


def test_a_search_that_comes_from_an_older_snapshot_does_not_see_later_texts(
    db: DealDatabase,
) -> None:
    db.loader.load([{"id": i, "name": "acme"} for i in range(20)], bar=False)
    old = db.query._source.snapshot()
    db.save_deal({"id": 1, "name": "globex"})
    for _ in range(3):
        assert db.query.search("globex")["id"].to_list() == ["1"]
        made()
    found = kept_index.index_for(old, ["name"], None)
    assert found is not None
    assert len(found.found(["globex"], typos=False)) == 0
    assert len(found.found(["acme"], typos=False)) == 20


def test_a_snapshot_of_before_a_deal_was_added_is_scanned(db: DealDatabase) -> None:
    db.loader.load([{"id": i, "name": "acme"} for i in range(20)], bar=False)
    old = db.query._source.snapshot()
    db.save_deal({"id": 99, "name": "acme"})
    for _ in range(2):
        assert len(db.query.search("acme", limit=50)) == 21
        made()
    assert kept_index.index_for(db.query._source.snapshot(), ["name"], None) is not None
    # the index has a row that the snapshot has not
    assert kept_index.index_for(old, ["name"], None) is None


def test_a_program_that_ends_does_not_wait_for_the_index(server: Server) -> None:
    code = f"""
import threading
import weakref
from dealdb import DealDatabase
from dealdb.query.index import indexed_search, kept_index, token_index
from dealdb.query.results import search
kept_index.LEAST_ROWS = 1
words = token_index._postings
begun = threading.Event()

def slow(*args):
    begun.set()
    threading.main_thread().join()
    return words(*args)

token_index._postings = slow
with DealDatabase.from_url({server.url!r}, collection="ending") as db:
    db.save_deal({{"id": 1, "name": "acme", "company": "acme"}})
    for _ in range(2):
        assert len(db.query.search("acme")) == 1
    assert begun.wait(60)
print("done")
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\n", "")


def searched_until_made(db: DealDatabase) -> bool:
    for _ in range(4):
        assert db.query.search("acme")["id"].to_list() == ["1"]
        made()
    return kept_of(db)._made is not None


def too_large(*_: object) -> object:
    return np.zeros(1 << 60)


def interrupted(*_: object) -> object:
    # Polars answers Ctrl-C in whichever thread it works
    raise KeyboardInterrupt


@pytest.mark.parametrize("fails", [too_large, interrupted])
def test_an_index_that_could_not_be_made_is_made_later(
    db: DealDatabase,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fails: Callable[..., object],
) -> None:
    db.save_deal({"id": 1, "name": "acme"})
    unhandled: list[object] = []
    monkeypatch.setattr(threading, "excepthook", unhandled.append)
    with monkeypatch.context() as patch:
        patch.setattr(token_index, "_numbered", fails)
        assert not searched_until_made(db)
    assert searched_until_made(db)
    assert unhandled == []
    assert "no index of words: " in caplog.text


def test_a_process_without_further_threads_scans(
    db: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        msg = "can't start new thread"
        raise RuntimeError(msg)

    db.save_deal({"id": 1, "name": "acme"})
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        assert not searched_until_made(db)
    assert searched_until_made(db)


def test_an_index_of_few_deals_is_made_anew_after_few_changes(
    db: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_index, "_MOST_CHANGED", 10_000)
    db.loader.load([{"id": i, "name": "acme" if i == 1 else "b"} for i in range(80)], bar=False)
    assert searched_until_made(db)
    first = kept_of(db)._made
    for i in range(20, 31):
        db.save_deal({"id": i, "name": "globex"})
    assert searched_until_made(db)
    assert kept_of(db)._made is not first


def test_a_closed_database_leaves_no_index(server: Server) -> None:
    with DealDatabase.from_url(server.url) as db:
        db.save_deal({"id": 1, "name": "acme"})
        assert searched_until_made(db)
        kept = weakref.ref(kept_of(db))
    del db
    gc.collect()
    assert kept() is None
