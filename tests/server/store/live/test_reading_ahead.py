"""Columns that a thread reads while a process queries: never other values, and nobody waits for them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import polars as pl
import pytest

from connected import ended
from dealdb import DealDatabase
from dealdb.errors import StoreDamaged
from dealdb.store.archive.chunks import Columns
from dealdb.store.checkpoint.write import write_checkpoint
from dealdb.store.live.reading_ahead import ReadingAhead
from servers import Server

THREAD = "dealdb-read-ahead"
ROWS = 4
LARGEST: dict[str, Any] = {"where": "amount >= 3", "sort": "-amount", "limit": 3}


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("archive.chunks", "live.columns", "checkpoint.schedule"):
        monkeypatch.setattr(f"dealdb.store.{module}.CHUNK_ROWS", ROWS)


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    """A process that has all columns, of deals of which there is a checkpoint."""
    with DealDatabase.from_url(server.url) as db:
        fill(db, "Deal")
        yield db


@pytest.fixture
def cold(db: DealDatabase) -> Iterator[DealDatabase]:
    """A process that has no columns yet."""
    with DealDatabase.from_url(db.connection.settings.where) as cold:
        yield cold


def fill(db: DealDatabase, name: str) -> None:
    rows = [
        {"id": n, "name": f"{name} {n}", "amount": n % 7, "note": f"n{n}", "seats": n}
        for n in range(5 * ROWS)
    ]
    db.loader.load(rows, bar=False, rejects=False)
    store = db._store
    store.snapshot()
    with store._live._lock:
        assert write_checkpoint(store.link, store.keys, store._live._replica)


def waits(db: DealDatabase) -> bool:
    live = db._store._live
    with live._lock:
        return not live._replica.has_all


def has_read(db: DealDatabase) -> bool:
    """Whether the thread has read all columns, and met no error."""
    return not waits(db) and not db._store._live._ahead.has_failed


def largest(db: DealDatabase) -> pl.DataFrame:
    return db.query.find(**LARGEST)


def same(db: DealDatabase, other: DealDatabase) -> bool:
    return db.query.frame().equals(other.query.frame(), null_equal=True)


@contextmanager
def held(monkeypatch: pytest.MonkeyPatch, name: str) -> Iterator[threading.Event]:
    """The thread has this column, and puts it in once the block ends; the event is set as soon as it has it."""
    read, has_it, go_on = Columns.read, threading.Event(), threading.Event()

    def held_back(self: Columns, link: Any, keys: Any, names: Any = None, cache: Any = None) -> Any:
        found = read(self, link, keys, names, cache)
        if threading.current_thread().name == THREAD and list(names) == [name]:
            has_it.set()
            assert go_on.wait(60)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Columns, "read", held_back)
        try:
            yield has_it
        finally:
            go_on.set()
            ended(THREAD)


def delete_and_save_again(db: DealDatabase) -> None:
    db.delete_deal(3)
    db.save_deal({"id": 3, "name": "again"})


CHANGES: dict[str, Callable[[DealDatabase], object]] = {
    "a change": lambda db: db.save_deal({"id": 3, "name": "other"}),
    "a null": lambda db: db.save_deal({"id": 3, "name": None}),
    "a new deal": lambda db: db.save_deal({"id": 99, "name": "new", "amount": 1}),
    "new deals": lambda db: db.loader.load(
        [{"id": f"x{n}", "name": f"x{n}"} for n in range(30)], bar=False, rejects=False
    ),
    "a deletion": delete_and_save_again,
    "a new column": lambda db: db.save_deal({"id": 3, "colour": "red"}),
    "another column is gone": lambda db: db.drop_field("note"),
    "the column is gone": lambda db: db.drop_field("seats"),
    "another name": lambda db: db.rename_field("note", "remark"),
    "another type": lambda db: db.save_deal({"id": 3, "seats": 2.5}),
    "a type of its own": lambda db: db.retype_field("note", "int", bad_cells="null"),
}


@pytest.mark.parametrize("kind", CHANGES)
@pytest.mark.parametrize("column", ["name", "seats"])
def test_what_changes_while_a_column_is_read_is_in_it(
    db: DealDatabase, cold: DealDatabase, monkeypatch: pytest.MonkeyPatch, kind: str, column: str
) -> None:
    with held(monkeypatch, column) as has_it:
        for _ in range(2):
            assert largest(cold).equals(largest(db), null_equal=True)
        assert has_it.wait(60)
        CHANGES[kind](db)
        # no query waits for the thread
        assert largest(cold).equals(largest(db), null_equal=True)
        thread = cold._store._live._ahead._thread
        assert thread
        assert thread.is_alive()
    assert has_read(cold)
    assert same(cold, db)
    CHANGES["a change"](db)
    assert same(cold, db)


def test_a_column_that_a_query_needs_meanwhile_is_read_by_it(
    db: DealDatabase, cold: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held(monkeypatch, "name") as has_it:
        for _ in range(2):
            largest(cold)
        assert has_it.wait(60)
        assert cold.query.count("name = 'Deal 3'") == 1
        db.save_deal({"id": 3, "name": "other"})
        assert same(cold, db)
        db.save_deal({"id": 4, "name": "another"})
        assert cold.query.count("name = 'another'") == 1
    assert has_read(cold)
    assert same(cold, db)


def test_a_column_of_a_history_that_is_gone_is_not_put_in(
    db: DealDatabase, cold: DealDatabase, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held(monkeypatch, "name") as has_it:
        for _ in range(2):
            largest(cold)
        assert has_it.wait(60)
        with server.client() as client:
            client.flushdb()
        fill(db, "Other")
        assert cold.query.count("amount >= 3") == db.query.count("amount >= 3")
        assert waits(cold)
    assert not waits(cold)
    assert same(cold, db)


def test_columns_whose_chunks_are_gone_are_read_from_the_log_by_the_next_query(
    db: DealDatabase, cold: DealDatabase, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held(monkeypatch, "name") as has_it:
        for _ in range(2):
            largest(cold)
        assert has_it.wait(60)
        with server.client() as client:
            client.delete(*client.keys("deals:chunk:*"), "deals:checkpoint")
    assert waits(cold)
    assert largest(cold).equals(largest(db), null_equal=True)
    assert same(cold, db)


def test_an_interrupt_in_the_thread_ends_it_without_a_traceback(
    db: DealDatabase,
    cold: DealDatabase,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    unhandled: list[object] = []
    caplog.set_level("DEBUG", "dealdb")

    def interrupted(*_: object) -> None:
        # Polars answers Ctrl-C in whichever thread it works
        if threading.current_thread().name == THREAD:
            raise KeyboardInterrupt

    monkeypatch.setattr(threading, "excepthook", unhandled.append)
    with monkeypatch.context() as patch:
        patch.setattr(Columns, "check_room", interrupted)
        for _ in range(2):
            largest(cold)
        ended(THREAD)
    assert waits(cold)
    assert largest(cold).equals(largest(db), null_equal=True)
    assert not waits(cold)
    assert unhandled == []
    assert "columns were not read ahead: KeyboardInterrupt" in caplog.messages


def test_what_would_take_too_much_memory_as_a_whole_is_not_read_in_parts(
    cold: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    largest(cold)
    monkeypatch.setattr("dealdb.store.bounds.room.HARMLESS_CELLS", 3 * 5 * ROWS)
    monkeypatch.setattr("dealdb.store.bounds.room._ROWS_A_KEY", 0)
    largest(cold)
    ended(THREAD)
    with pytest.raises(StoreDamaged, match="far more than a database"):
        largest(cold)


def test_a_process_without_further_threads_reads_the_columns_itself(
    db: DealDatabase, cold: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        msg = "can't start new thread"
        raise RuntimeError(msg)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        for _ in range(3):
            assert largest(cold).equals(largest(db), null_equal=True)
    assert not waits(cold)


def test_a_forked_child_goes_on_without_the_thread(
    db: DealDatabase, cold: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held(monkeypatch, "name") as has_it:
        for _ in range(2):
            largest(cold)
        assert has_it.wait(60)
        child = os.fork()
        if child == 0:
            code = 1
            with suppress(BaseException):
                cold.save_deal({"id": 3, "name": "of the child"})
                cold.close()
                code = 0
            os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert same(cold, db)
    assert cold.query.count("name = 'of the child'") == 1


def test_a_database_that_is_closed_reads_no_more(
    cold: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held(monkeypatch, "name") as has_it:
        for _ in range(2):
            largest(cold)
        assert has_it.wait(60)
        cold.close()
    assert waits(cold)


def test_a_database_that_is_left_for_another_reads_no_more(
    cold: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = cold._store._live
    with held(monkeypatch, "name") as has_it:
        for _ in range(2):
            largest(cold)
        assert has_it.wait(60)
        cold.select_database(1)
    assert not left._replica.has_all


def test_a_query_that_holds_the_lock_does_not_keep_the_thread_from_ending(
    cold: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = cold._store._live
    with held(monkeypatch, "name") as has_it:
        for _ in range(2):
            largest(cold)
        assert has_it.wait(60)
        live._lock.acquire()
        threading.Timer(0.3, live.stop_reading).start()
    # by now the thread has ended
    live._lock.release()
    assert waits(cold)


def test_a_process_that_finds_once_reads_nothing_ahead(
    cold: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[object] = []
    monkeypatch.setattr(ReadingAhead, "_run", lambda _: begun.append(THREAD))
    largest(cold)
    assert not begun
    largest(cold)
    ended(THREAD)
    assert begun


def test_a_program_that_ends_does_not_wait_for_the_columns(db: DealDatabase) -> None:
    code = f"""
import threading
from dealdb import DealDatabase
from dealdb.store.archive.chunks import Columns
from dealdb.store.live import columns
columns.CHUNK_ROWS = {ROWS}
from dealdb.store.archive import chunks
chunks.CHUNK_ROWS = {ROWS}
read, begun = Columns.read, threading.Event()

def slow(*args):
    if threading.current_thread().name == "{THREAD}":
        print("one" if threading.main_thread().is_alive() else "two")
        begun.set()
        threading.main_thread().join()
    return read(*args)

Columns.read = slow
db = DealDatabase.from_url({db.connection.settings.where!r})
for _ in range(2):
    assert len(db.query.find(sort="-amount", limit=3)) == 3
assert begun.wait(60)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "one\n", "")
