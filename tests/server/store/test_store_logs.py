"""What the store logs: each line of docs/operations.md, and never what a deal holds."""

from __future__ import annotations

import ast
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from dealdb.connection import Link
from dealdb.store import Store
from dealdb.store.archive.manifest import Manifest, read_manifest
from dealdb.store.checkpoint.write import write_checkpoint
from dealdb.store.log.entry import Position
from servers import Server

SECRET = "secret-of-a-deal"
ROOT = Path(__file__).parents[3]


class Line(NamedTuple):
    level: str
    source: str
    text: str


@pytest.fixture
def store(link: Link) -> Store:
    """A store that others have written three deals to."""
    for n in range(3):
        Store(link).save({"id": n, "name": SECRET, "amount": 123_456_789})
    return Store(link)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What is logged, at every level; none of it may tell what a deal holds."""
    caplog.set_level(logging.DEBUG, "dealdb.store")
    yield caplog
    assert SECRET not in caplog.text
    assert "123456789" not in caplog.text


def lines(log: pytest.LogCaptureFixture, source: str, level: str = "") -> list[str]:
    """Lines of one file of the store, times left out."""
    return [
        re.sub(r"seconds: \d+\.\d+", "seconds: T", record.getMessage())
        for record in log.records
        if record.name == f"dealdb.store.{source}" and level in ("", record.levelname)
    ]


def checkpoint(store: Store) -> Manifest:
    store.snapshot()
    assert write_checkpoint(store.link, store.keys, store._live._replica)
    manifest = read_manifest(store.link, store.keys)
    assert manifest
    return manifest


def chunk(store: Store, manifest: Manifest, name: str) -> str:
    """Key of the chunk of a column in the newest checkpoint."""
    columns = manifest.generations[0].columns
    assert columns
    [key] = columns.part([name], 0, 0).keys(store.keys)
    return key


def test_columns_from_the_log(store: Store, log: pytest.LogCaptureFixture) -> None:
    store.snapshot()
    assert lines(log, "live.columns", "INFO") == [
        f"columns of 'deal' rebuilt from the log; rows: 3, commit: {store.snapshot().seq}, seconds: T"
    ]
    log.clear()
    store.snapshot()
    assert lines(log, "live.columns") == []


def test_an_empty_collection_is_not_worth_a_line(link: Link, log: pytest.LogCaptureFixture) -> None:
    store = Store(link)
    for _ in range(3):
        store.snapshot()
    assert log.records == []


def test_columns_from_a_checkpoint(store: Store, log: pytest.LogCaptureFixture) -> None:
    checkpoint(store)
    log.clear()
    seq = Store(store.link).snapshot().seq
    assert lines(log, "live.columns", "INFO") == [
        f"columns of 'deal' rebuilt from a checkpoint; rows: 3, commit: {seq}, seconds: T"
    ]


def test_columns_from_the_hashes(store: Store, log: pytest.LogCaptureFixture) -> None:
    store.link.call("XTRIM", "deals:log", "MAXLEN", 1)
    seq = Store(store.link).snapshot().seq
    assert lines(log, "live.columns", "INFO") == [
        f"columns of 'deal' rebuilt from the hashes; rows: 3, commit: {seq}, seconds: T"
    ]


def test_a_page_of_the_log(store: Store, log: pytest.LogCaptureFixture) -> None:
    seq = store.snapshot().seq
    line = "log of 'deal' read; commits: {}, up to: {}"
    assert lines(log, "live.columns", "DEBUG") == [line.format(seq, seq)]
    Store(store.link).save({"id": 9})
    log.clear()
    store.snapshot()
    assert lines(log, "live.columns", "DEBUG") == [line.format(1, seq + 1)]
    store.changes(Position(seq + 1))
    assert lines(log, "history.reading", "DEBUG") == [line.format(seq + 1, seq + 1)]


def test_a_checkpoint_is_written(store: Store, log: pytest.LogCaptureFixture) -> None:
    checkpoint(store)
    assert lines(log, "checkpoint.write") == [
        f"checkpoint of 'deal' written; rows: 3, commit: {store.snapshot().seq}, seconds: T"
    ]
    log.clear()
    # there is one as new
    assert not write_checkpoint(store.link, store.keys, store._live._replica)
    assert lines(log, "checkpoint.write") == []


def test_hashes_are_adopted(store: Store, log: pytest.LogCaptureFixture) -> None:
    for n in range(250):
        store.link.call("HSET", f"deal:x{n}", "name", SECRET)
    store.repair()
    assert lines(log, "upkeep.adopter") == ["hashes of 'deal' adopted: 250"]
    log.clear()
    store.repair()
    assert lines(log, "upkeep.adopter") == []


def test_hashes_of_before_dealdb_are_adopted(link: Link, log: pytest.LogCaptureFixture) -> None:
    for n in range(250):
        link.call("HSET", f"deal:x{n}", "name", SECRET)
    assert Store(link).repair(adopt=True).adopted == 250
    assert lines(log, "upkeep.adopter") == ["hashes of 'deal' adopted: 250"]


def test_a_checkpoint_of_a_query_that_fails(
    store: Store, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why is told once; the tries that fail alike go on in silence, until one goes well."""
    monkeypatch.setattr("dealdb.store.checkpoint.schedule.MIN_CHANGES", 2)

    def query() -> None:
        store._live._schedule._not_before = 0.0
        store.snapshot()
        store.finish()
        thread = store._live._schedule._thread
        assert thread
        thread.join(60)

    store.link.call("CONFIG", "SET", "maxmemory", 1)
    try:
        query()
        query()
    finally:
        store.link.call("CONFIG", "SET", "maxmemory", 0)
    [line] = lines(log, "checkpoint.schedule", "WARNING")
    assert line.startswith("no checkpoint of 'deal': unix://")
    assert "OOM" in line
    assert lines(log, "checkpoint.schedule", "DEBUG") == [line]
    query()
    assert len(lines(log, "checkpoint.write", "INFO")) == 1
    assert len(lines(log, "checkpoint.schedule")) == 2


def test_a_checkpoint_of_a_load_that_fails(
    store: Store, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dealdb.store.checkpoint.schedule.MIN_CHANGES", 2)
    monkeypatch.setattr("dealdb.store.checkpoint.schedule._SETTLING_PAUSES_S", (0.0, 0.0))

    def settle(limit: int) -> None:
        store.link.call("CONFIG", "SET", "maxmemory", limit)
        try:
            store._live.settle()
        finally:
            store.link.call("CONFIG", "SET", "maxmemory", 0)

    settle(limit=1)
    [line] = lines(log, "checkpoint.schedule", "WARNING")
    assert line.startswith("no checkpoint of 'deal': unix://")
    settle(limit=0)
    for n in range(3):
        store.save({"id": f"later {n}"})
    # after one that was written, the same reason is news
    settle(limit=1)
    assert lines(log, "checkpoint.schedule", "WARNING") == [line, line]


def test_a_load_whose_log_can_not_be_read(
    store: Store, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dealdb.store.live.during_load.MIN_CHANGES", 2)
    with store.settling() as settling:
        settling.written(3)
        store.link.call("XADD", "deals:log", "*", "not", "ours")
    [line] = lines(log, "live.during_load", "WARNING")
    assert line.startswith("no checkpoint of what was loaded: unix://")
    assert "the stream 'deals:log' holds an entry that dealdb did not write" in line


def test_a_chunk_that_is_damaged(store: Store, log: pytest.LogCaptureFixture) -> None:
    key = chunk(store, checkpoint(store), "amount")
    store.link.call("SETRANGE", key, 50, "damage")
    Store(store.link).snapshot()
    assert set(lines(log, "archive.chunks", "WARNING")) == {f"damaged: {key}"}
    [line] = lines(log, "live.rebuild", "WARNING")
    assert line.startswith("no checkpoint of 'deal' can be read: ")


def test_a_chunk_that_is_gone(store: Store, log: pytest.LogCaptureFixture) -> None:
    store.link.call("DEL", chunk(store, checkpoint(store), "amount"))
    Store(store.link).snapshot()
    assert set(lines(log, "archive.chunks")) == {"chunks of 'deal' that are gone: 1"}
    assert len(lines(log, "live.rebuild", "WARNING")) == 1


def test_a_chunk_of_another_type(store: Store, log: pytest.LogCaptureFixture) -> None:
    key = chunk(store, checkpoint(store), "amount")
    store.link.calls([("DEL", key), ("RPUSH", key, "x")])
    Store(store.link).snapshot()
    [line, *_] = lines(log, "archive.chunks", "WARNING")
    assert line.startswith("a chunk of 'deal' is of another type: ")


def test_a_chunk_that_a_newer_checkpoint_has_replaced(
    store: Store, log: pytest.LogCaptureFixture
) -> None:
    """That is nobody's fault: whoever asks for it begins from the newer one."""
    checkpoint(store)
    reader = Store(store.link)
    reader.snapshot(["id"])
    for n in range(3):
        Store(store.link).save({"id": 0, "amount": n})
        checkpoint(store)
    log.clear()
    assert reader.snapshot().frame["amount"].null_count() == 0
    assert [record for record in log.records if record.levelno >= logging.WARNING] == []
    assert len(lines(log, "live.columns", "INFO")) == 1


def test_a_segment_that_can_not_be_merged(
    store: Store, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dealdb.store.archive.merging.FAN_OUT", 3)
    for n in range(2):
        manifest = checkpoint(store)
        store.save({"id": n, "amount": n})
    damaged = manifest.history[0].key
    store.link.call("SET", damaged, "damage")
    checkpoint(store)
    assert f"missing or damaged: {damaged}, or a chunk that it needs" in lines(
        log, "archive.merging", "WARNING"
    )


def test_a_program_without_logging_hears_nothing(store: Store, server: Server) -> None:
    store.link.call("DEL", chunk(store, checkpoint(store), "amount"))
    code = f"""
from dealdb import DealDatabase
print(DealDatabase.from_url({server.url!r}).query.count("amount > 0"))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("3\n", "")


def messages() -> Iterator[str]:
    """What the store's files give their loggers."""
    for path in sorted((ROOT / "src" / "dealdb" / "store").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("logger."):
                texts = [a.value for a in node.args if isinstance(a, ast.Constant)]
                yield from (text for text in texts if isinstance(text, str))


def test_the_page_has_every_line() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    _, _, after = page.partition("\n## Logs\n")
    section, _, _ = after.partition("\n## ")
    found = list(messages())
    assert found
    for message in found:
        parts = [re.escape(part) for part in re.split(r"%[\w.]+", message)]
        assert re.search("`" + "[^`]+".join(parts) + "`", section), message
