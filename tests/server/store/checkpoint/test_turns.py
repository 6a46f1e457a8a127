"""Checkpoints of several partitions are written by one thread, which no query waits for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from connected import eventually
from dealdb import DealDatabase
from dealdb.store.archive.manifest import read_manifest
from dealdb.store.checkpoint import write
from servers import Server

P = 4


@pytest.fixture
def db(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[DealDatabase]:
    monkeypatch.setattr("dealdb.store.checkpoint.schedule.MIN_CHANGES", 10)
    with DealDatabase.from_url(server.url, partitions=P) as db:
        yield db


class Writing:
    """Writes checkpoints when it is let, and counts how many do so at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go = threading.Event()
        self.now = self.most = self.n = 0
        self._write = write.write_checkpoint
        self._lock = threading.Lock()
        monkeypatch.setattr(write, "write_checkpoint", self.write)

    def write(self, *given: Any, **named: Any) -> Any:
        with self._lock:
            self.n += 1
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            assert self.go.wait(30)
            return self._write(*given, **named)
        finally:
            with self._lock:
                self.now -= 1


def parts_of(db: DealDatabase) -> Any:
    store: Any = db._opened_store()
    return store._partitions


def threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "dealdb-checkpoint"]


def save_some(db: DealDatabase, n: int = 200) -> None:
    for number in range(n):
        db.save_deal({"id": number, "amount": number})


def test_one_after_the_other_and_no_query_waits(
    db: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_some(db)
    writing = Writing(monkeypatch)
    # all of them are due
    assert db.query.count("amount >= 0") == 200
    assert eventually(lambda: writing.n > 0)
    # the first one is being written all the while
    db.save_deal({"id": 1, "amount": 1_000})
    assert db.query.count("amount = 1000") == 1
    assert (writing.n, len(threads())) == (1, 1)
    writing.go.set()
    db._store.finish()
    assert (writing.n, writing.most) == (P, 1)
    assert all(read_manifest(part.link, part.keys) is not None for part in parts_of(db))
    assert eventually(lambda: threads() == [])


def test_what_breaks_in_one_keeps_no_other_from_being_written(
    db: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_some(db)
    told: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    write_one = write.write_checkpoint
    broken: list[bool] = []

    def breaking(*given: Any, **named: Any) -> Any:
        if not broken:
            broken.append(True)
            raise ZeroDivisionError
        return write_one(*given, **named)

    monkeypatch.setattr(write, "write_checkpoint", breaking)
    db.query.count("amount >= 0")
    db._store.finish()
    assert [each.exc_type for each in told] == [ZeroDivisionError]
    written = [read_manifest(part.link, part.keys) is not None for part in parts_of(db)]
    assert sorted(written) == [False, True, True, True]
