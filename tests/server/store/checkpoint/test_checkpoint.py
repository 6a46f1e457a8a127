"""Checkpoints: who may publish one, what they leave in the log, and what a damaged one costs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Collection, Iterator
from hashlib import sha256
from io import BytesIO
from typing import Any

import polars as pl
import pytest

from dealdb import DealDatabase
from dealdb.connection import Link, RedisConnection, round_trips
from dealdb.errors import AccessDenied, QueryError, StoreDamaged
from dealdb.query import FixedDeals, QueryEngine
from dealdb.store import Store
from dealdb.store.archive.manifest import read_manifest
from dealdb.store.checkpoint.lease import LEASE_S
from dealdb.store.checkpoint.write import write_checkpoint
from dealdb.store.commit.batch import Batch
from dealdb.store.history.reading import read_history
from dealdb.store.keys import Keys
from dealdb.store.live.columns import LiveColumns
from dealdb.store.log.entry import Entry, LogPage
from dealdb.store.log.reader import read_from
from dealdb.store.replica.replica import Replica
from dealdb.store.replica.snapshot import Snapshot
from servers import Server


def have_small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a hundred rows fill a chunk."""
    for module in ("archive.chunks", "live.columns", "checkpoint.schedule", "replica.changing"):
        monkeypatch.setattr(f"dealdb.store.{module}.CHUNK_ROWS", 100)


class WatchedLink:
    """A link that tells a test of each command before it is sent."""

    def __init__(self, link: Link, before: Callable[[tuple[Any, ...]], None]) -> None:
        self._link = link
        self._before = before
        self.settings = link.settings

    def each_node(self) -> list[WatchedLink]:
        return [self]

    def whereabouts(self) -> object:
        return self._link.whereabouts()

    def call(self, *command: Any, retry: bool = False) -> Any:
        self._before(command)
        return self._link.call(*command, retry=retry)

    def calls(self, commands: Any, *, retry: bool = False) -> Any:
        for command in commands:
            self._before(command)
        return self._link.calls(commands, retry=retry)


class Stored(FixedDeals):
    """Deals of a store, no more columns of them than are asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def snapshot(self, names: Collection[str] | None = None) -> Snapshot:
        return self._store.snapshot(names)


def checkpoint(store: Store, *, fresh: bool = True, link: Link | None = None) -> bool:
    """Have a store write a checkpoint; of what it has already where it is not to be fresh."""
    if fresh:
        store.snapshot()
    return write_checkpoint(link or store.link, store.keys, store._live._replica)


def chunks_of(store: Store) -> list[set[str]]:
    """Keys of the chunks of each generation, newest first."""
    manifest = read_manifest(store.link, store.keys)
    assert manifest
    columns = [generation.columns for generation in manifest.generations]
    return [set(each.keys(store.keys)) for each in columns if each]


def save(store: Store, n: int) -> None:
    store.save({"id": n, "amount": n})


def commands_of(server: Server) -> dict[str, int]:
    """Reads that the server has counted, by command."""
    with server.client() as client:
        found = client.info("commandstats")
    calls = {name.removeprefix("cmdstat_"): stats["calls"] for name, stats in found.items()}
    return {name: n for name, n in calls.items() if name in ("get", "hget", "hmget", "xrange")}


def amounts(store: Store) -> list[int]:
    return sorted(map(int, store.snapshot().frame["amount"]))


def test_a_process_that_lags_behind_does_not_go_back(link: Link) -> None:
    ahead, behind = Store(link), Store(link)
    save(ahead, 1)
    assert checkpoint(ahead)
    save(ahead, 2)
    behind.snapshot()
    save(ahead, 3)
    assert checkpoint(ahead)
    assert not checkpoint(behind, fresh=False)
    assert not checkpoint(ahead, fresh=False)
    save(ahead, 4)
    assert checkpoint(ahead)
    assert ahead.history("1")["after"].to_list() == ["1"]


def test_a_checkpoint_of_a_history_that_was_lost_is_not_used(link: Link) -> None:
    """Of a collection that somebody deletes, its checkpoint may be left behind; the new one grows past it."""
    old = Store(link)
    for n in range(3):
        save(old, n)
    assert checkpoint(old)
    kept = {b"deals:checkpoint", *(key.encode() for key in chunks_of(old)[0])}
    link.call("DEL", *(set(link.call("KEYS", "*")) - kept))
    for n in range(10, 16):
        save(Store(link), n)
    assert amounts(Store(link)) == amounts(old) == list(range(10, 16))


@pytest.mark.parametrize(
    "text", ["garbage", "[]", '{"format":2,"generations":[],"history":[]}', b"\xff\x00"]
)
def test_a_damaged_manifest_is_replaced_by_the_next(link: Link, text: str | bytes) -> None:
    store = Store(link)
    save(store, 1)
    link.call("SET", "deals:checkpoint", text)
    assert amounts(Store(link)) == [1]
    assert checkpoint(store)
    assert amounts(Store(link)) == [1]
    assert store.history("1").height == 1


def test_the_log_reaches_back_to_the_older_checkpoint(link: Link) -> None:
    """With the newest damaged, a new process needs no look at the hashes, which others may have changed."""
    store = Store(link)
    for n in range(3):
        save(store, n)
        assert checkpoint(store)
    newest = chunks_of(store)[0] - chunks_of(store)[1]
    for key in newest:
        link.call("SETRANGE", key, 100, "damage")
    link.call("HSET", "deal:0", "amount", 99)
    assert amounts(Store(link)) == [0, 1, 2]
    link.call("DEL", *newest)
    assert amounts(Store(link)) == [0, 1, 2]


def bulk(store: Store, n: int, *, first: int = 0) -> None:
    """Add deals by commits of 500."""
    schema = store.schema()
    for start in range(first, first + n, 500):
        amounts = [str(amount) for amount in range(start, start + 500)]
        store.add(schema, [Batch.of([f"b{amount}" for amount in amounts], {"amount": amounts})])


def test_what_did_not_change_is_kept_once(link: Link) -> None:
    store = Store(link)
    bulk(store, 500)
    assert checkpoint(store)
    store.save({"id": "b0", "name": "changed"})
    assert checkpoint(store)
    newer, older = chunks_of(store)
    assert newer & older
    assert newer != older
    # written again, since it may be damaged
    for key in newer | older:
        link.call("SETRANGE", key, 50, "damage")
    store.save({"id": "b0", "name": "changed again"})
    assert checkpoint(store)
    assert amounts(Store(link)) == list(range(500))


def test_a_chunk_of_which_a_deal_has_changed_is_written_again(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one that still knows what the chunks of its last checkpoint are called."""
    have_small_chunks(monkeypatch)
    store = Store(link)
    bulk(store, 500)
    assert checkpoint(store)
    for amount in (7_000, 8_000):
        store.save({"id": "b0", "amount": amount})
        store.snapshot()
        replica = store._live._replica
        assert replica.chunks
        assert write_checkpoint(link, store.keys, replica, anew=False)
    assert amounts(Store(link)) == [*range(1, 500), 8_000]


def test_a_load_is_folded_while_it_goes_on(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks that are full are written once, and the log does not grow with the load."""
    for module in (
        "archive.chunks",
        "live.columns",
        "checkpoint.fold",
        "checkpoint.schedule",
        "replica.changing",
        "live.during_load",
    ):
        monkeypatch.setattr(f"dealdb.store.{module}.CHUNK_ROWS", 1_000)
    monkeypatch.setattr("dealdb.store.checkpoint.schedule._CHANGES_SO_FAR", 2_000)
    monkeypatch.setattr("dealdb.store.checkpoint.write._MIN_LOG_BYTES", 1_000)
    sets: list[str] = []
    spied = WatchedLink(
        link, lambda command: sets.append(command[1]) if command[0] == "SET" else None
    )
    store = Store(spied)  # type: ignore[arg-type]
    longest_log = 0
    with store.settling() as settling:
        for first in range(0, 12_000, 500):
            bulk(store, 500, first=first)
            settling.written(first + 500)
            if settling._step:
                settling._step.result()
            longest_log = max(longest_log, link.call("XLEN", "deals:log"))
            if first == 4_000:
                store.save({"id": "b1700", "amount": -7})
    assert longest_log < 15
    manifest = read_manifest(link, store.keys)
    assert manifest
    newest = manifest.generations[0]
    assert newest.columns
    full = newest.columns.full_chunks(newest.height)
    digests = full["amount"].values()
    assert len(digests) >= 8
    assert {sets.count(store.keys.chunk(digest)) for digest in digests} == {1}
    assert amounts(Store(link)) == [-7, *(n for n in range(12_000) if n != 1_700)]
    assert store.history("b1700")["after"].drop_nulls().to_list() == ["1700", "-7"]


@pytest.mark.parametrize("case", ["all are kept", "too many", "some were read by queries"])
def test_what_a_load_seals_is_what_it_wrote(
    link: Link, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """Commits are sealed as they were read; where they were not kept, they are read again."""
    for module in (
        "archive.chunks",
        "live.columns",
        "checkpoint.fold",
        "checkpoint.schedule",
        "replica.changing",
        "live.during_load",
    ):
        monkeypatch.setattr(f"dealdb.store.{module}.CHUNK_ROWS", 1_000)
    monkeypatch.setattr("dealdb.store.checkpoint.schedule._CHANGES_SO_FAR", 2_000)
    monkeypatch.setattr("dealdb.store.checkpoint.write._MIN_LOG_BYTES", 1_000)
    if case == "too many":
        monkeypatch.setattr("dealdb.store.checkpoint.recent.MAX_BYTES", 20_000)
    read_again = list[int]()

    def noted(link: Link, log_key: str, seq: int) -> Iterator[LogPage]:
        read_again.append(seq)
        return read_from(link, log_key, seq)

    monkeypatch.setattr("dealdb.store.checkpoint.write.read_from", noted)
    store, written = Store(link), dict[int, Entry]()
    if case == "some were read by queries":
        # the load shares the columns of queries, if there are any
        store.snapshot()
    with store.settling() as settling:
        for first in range(0, 9_000, 500):
            bulk(store, 500, first=first)
            store.save({"id": f"b{first // 2}", "amount": -1 - first})
            written |= {e.position.seq: e for page in read_from(link, "deals:log", 1) for e in page}
            if case == "some were read by queries" and first == 4_000:
                store.snapshot()
            settling.written(first + 500)
            if settling._step:
                settling._step.result()
    assert bool(read_again) == (case != "all are kept")
    history = list(read_history(link, store.keys))
    assert [e.position.seq for e in history] == list(range(1, len(written) + 1))
    for entry in history:
        log = written[entry.position.seq]
        assert entry[:8] == log[:8]
        if entry.kind in ("schema", "pipeline"):
            assert entry.data == log.data
        else:
            assert (entry.rows, entry.change) == (log.rows, log.change)


def test_a_load_that_fails_leaves_no_commits_in_memory(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dealdb.store.live.during_load.CHUNK_ROWS", 500)
    store = Store(link)
    store.snapshot()
    settling = store.settling()
    bulk(store, 500)
    settling.written(500)
    assert settling._step
    settling._step.result()
    assert store._live._recent.between(1, 2)
    settling.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert store._live._recent.between(1, 2) is None


def test_a_load_does_not_seal_what_another_history_had(link: Link) -> None:
    columns = LiveColumns(link, Keys("deal"), lambda: None)
    bulk(Store(link), 500)
    columns.settle(so_far=True)
    link.call("FLUSHDB")
    store = Store(link)
    bulk(store, 500, first=500)
    # so that the columns are those of the hashes, as of a commit with the number of the other history's last
    link.call("XTRIM", "deals:log", "MAXLEN", 1)
    last = int(link.call("HGET", "deals:meta", "seq"))
    columns.settle(so_far=True)
    bulk(store, 10_000, first=1_000)
    columns.settle()
    manifest = read_manifest(link, store.keys)
    assert manifest
    assert [segment.first for segment in manifest.history] == [last]
    assert amounts(Store(link)) == list(range(500, 11_000))


def test_a_chunk_that_vanished_is_written_by_the_checkpoint_after_the_next(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_small_chunks(monkeypatch)
    store = Store(link)
    bulk(store, 500)
    assert checkpoint(store)
    newest, *_ = chunks_of(store)
    link.call("DEL", *newest)
    published = []
    for n in range(2):
        save(store, n)
        store.snapshot()
        replica = store._live._replica
        published.append(write_checkpoint(link, store.keys, replica, anew=False))
    assert published == [False, True]
    assert Store(link).snapshot().frame.height == 502


def test_a_load_leaves_no_second_copy(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the log nor the history has its deals, and the history still tells of them."""
    monkeypatch.setattr("dealdb.store.checkpoint.write._MIN_LOG_BYTES", 1_000)
    store = Store(link)
    with store.settling() as settling:
        bulk(store, 12_000)
        settling.written(12_000)
    assert link.call("XLEN", "deals:log") == 1
    sealed = sum(link.call("STRLEN", key) for key in link.call("KEYS", "deals:history:*"))
    assert sealed < 8_000
    bulk(store, 500, first=12_000)
    store.save({"id": "b7", "amount": -7})
    store.delete("b8")
    assert checkpoint(store)
    newcomer = Store(link)
    assert newcomer.snapshot().frame.height == 12_499
    assert newcomer.history("b7")["after"].drop_nulls().to_list() == ["7", "-7"]
    assert newcomer.history("b8")["change"].to_list() == ["inserted", "deleted"]
    assert newcomer.history("b12400")["after"].to_list() == ["12400"]
    folded = Replica()
    folded.apply(list(read_history(link, store.keys)))
    assert folded.all_rows().drop_nulls("id").equals(store.snapshot().frame)


def test_the_history_has_only_those_commits_of_which_a_deal_has_changed(link: Link) -> None:
    """Its neighbours, which are compared with the chunks together with it, are in the chunks alone."""
    store = Store(link)
    bulk(store, 1_500)
    store.save({"id": "b700", "amount": -7})
    assert checkpoint(store)
    [segment] = link.call("KEYS", "deals:history:*")
    sealed = pl.read_ipc(link.call("GET", segment)).filter(pl.col("kind") == "add")
    assert sealed["data"].is_not_null().to_list() == [False, True, False]
    assert sealed["n"].to_list() == [500, None, 500]
    for deal, amounts_of in (("b300", ["300"]), ("b700", ["700", "-7"]), ("b1300", ["1300"])):
        assert store.history(deal)["after"].drop_nulls().to_list() == amounts_of


@pytest.fixture
def trimmed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each checkpoint trims the log up to itself, as one after a bulk load does."""
    monkeypatch.setattr("dealdb.store.checkpoint.write._Checkpointer._bearable", -1)


@pytest.mark.usefixtures("trimmed")
def test_a_query_reads_the_chunks_of_its_columns_alone(link: Link) -> None:
    store = Store(link)
    bulk(store, 500)
    store.save({"id": "b3", "stage": "Won"})
    assert checkpoint(store)
    store.save({"id": "b4", "stage": "Won"})
    store.save({"id": "b4", "amount": -4})
    read = list[str]()

    def note(command: tuple[Any, ...]) -> None:
        if command[0] == "GET" and "chunk" in command[1]:
            read.append(command[1])

    watched = Store(WatchedLink(link, note))  # type: ignore[arg-type]
    manifest = read_manifest(link, store.keys)
    assert manifest
    columns = manifest.generations[0].columns
    assert columns

    def chunks_of_columns(names: list[str]) -> list[str]:
        return columns.part(names, 0, 499).keys(store.keys)

    query = QueryEngine(Stored(watched))
    assert query.count() == 500
    assert read == []
    assert query.count("stage = 'Won'") == 2
    assert read == chunks_of_columns(["stage"])
    assert query.find(stage="Won", columns=["amount"], sort="Amount")["amount"].to_list() == [-4, 3]
    # with the ids, which tell equal ones apart
    assert read[:1] == chunks_of_columns(["stage"])
    assert {*read[1:]} == {*chunks_of_columns(["amount", "id"])}
    with pytest.raises(QueryError, match="did you mean 'amount'"):
        query.count("ammount > 0")
    assert set(read) == set(columns.keys(store.keys))
    assert query.frame().equals(store.snapshot().frame)


@pytest.mark.parametrize(("n_tied", "limit"), [(0, 1), (2, 3), (2, 2), (2, 1), (500, 3)])
def test_ids_are_read_only_where_they_tell_deals_apart(link: Link, n_tied: int, limit: int) -> None:
    store = Store(link)
    bulk(store, 500)
    # of the largest amount, and not in the order of their ids
    for number in reversed(range(n_tied)):
        store.save({"id": f"a{number:03}", "amount": 1_000})
    assert checkpoint(store)
    asked: list[Collection[str] | None] = []

    class Noting(Stored):
        def snapshot(self, names: Collection[str] | None = None) -> Snapshot:
            asked.append(names)
            return super().snapshot(names)

    found = QueryEngine(Noting(Store(link))).find(sort="-amount", limit=limit)
    every = store.snapshot().frame.sort("amount", "id", descending=[True, False])
    assert found["id"].to_list() == every["id"].head(limit).to_list()
    assert asked[:2] == [{"amount"}, {"amount", "id"}] if n_tied else asked == [{"amount"}]


def test_a_first_query_may_be_of_the_ids_where_deals_were_deleted(link: Link) -> None:
    store = Store(link)
    for n in range(3):
        save(store, n)
    store.delete("1")
    assert checkpoint(store)
    assert Store(link).snapshot(["id"]).frame["id"].to_list() == ["0", "2"]


def test_the_first_query_takes_three_round_trips(link: Link, server: Server) -> None:
    store = Store(link)
    save(store, 1)
    assert checkpoint(store)
    save(store, 2)
    with server.client() as client:
        client.config_resetstat()
    before = round_trips()
    # the manifest, then the log, then the chunks of one column
    assert Store(link).snapshot(["amount"]).rows["amount"].to_list() == [1, 2]
    assert round_trips() - before == 3
    assert commands_of(server) == {"hmget": 1, "get": 2, "xrange": 1}


@pytest.mark.usefixtures("trimmed")
@pytest.mark.parametrize("damage", [False, True])
def test_columns_whose_chunks_went_meanwhile_are_those_of_now(link: Link, *, damage: bool) -> None:
    store = Store(link)
    bulk(store, 500)
    assert checkpoint(store)
    reader = Store(link)
    assert reader.snapshot(["stage"]).rows.columns == ["stage"]
    if damage:
        for key in chunks_of(store)[0]:
            link.call("SETRANGE", key, 50, "damage")
    for n in range(3):
        store.save({"id": "b0", "amount": -1 - n})
        if not damage:
            assert checkpoint(store)
    assert amounts(reader) == [-3, *range(1, 500)]
    assert reader.snapshot().frame.equals(store.snapshot().frame)


def test_lost_chunk_of_the_history_is_told(link: Link) -> None:
    store = Store(link)
    bulk(store, 500)
    assert checkpoint(store)
    manifest = read_manifest(link, store.keys)
    assert manifest
    sealed = manifest.history[0].columns
    assert sealed
    assert set(sealed.digests) == {"id", "amount"}
    ids = [f"b{n}" for n in range(500)]
    store.write(store.schema(), Batch.of(ids, {"amount": ["-1"] * 500}))
    assert checkpoint(store)
    store.save({"id": "b0", "name": "again"})
    assert checkpoint(store)
    link.call("DEL", *sealed.part(["amount"], 0, 499).keys(store.keys))
    with pytest.raises(StoreDamaged, match="incomplete after commit 1"):
        store.history("b0")
    assert amounts(Store(link)) == [-1] * 500


def test_history_sealed_in_format_1_is_kept(link: Link) -> None:
    """Its columns were stored in another way: a reader does without, and the next checkpoint replaces them."""
    store = Store(link)
    save(store, 1)
    save(store, 2)
    store.snapshot()
    entries = [entry for page in read_from(link, "deals:log", 1) for entry in page]
    rows = [
        (
            *(e.position.seq, e.position.hash, e.time_ms, e.writer, e.counter),
            *(e.actor, e.kind, e.height, e.packed_rows, e.data),
        )
        for e in entries
    ]
    names = [
        "seq",
        "hash",
        "time_ms",
        "writer",
        "counter",
        "actor",
        "kind",
        "height",
        "rows",
        "data",
    ]
    buffer = BytesIO()
    pl.DataFrame(rows, schema=names, orient="row").write_ipc(buffer)
    link.call("SET", "deals:history:old", buffer.getvalue())
    link.calls(
        [
            ("SET", "deals:chunk:old", "arrow"),
            ("SADD", "deals:chunks", "deals:chunk:old", "deals:history:old"),
        ]
    )
    last = entries[-1]
    schema = store.schema()
    generation = {
        "seq": last.position.seq, "hash": last.position.hash.decode(), "time": last.time_ms,
        "schema": schema.to_json(), "pipeline": "[]", "chunks": [["deals:chunk:old", "0"]],
    }  # fmt: skip
    segment = ["deals:history:old", sha256(buffer.getvalue()).hexdigest(), 1, last.position.seq]
    manifest = {"format": 1, "generations": [generation], "history": [segment]}
    link.call("SET", "deals:checkpoint", json.dumps(manifest))
    link.call("XTRIM", "deals:log", "MINID", f"{last.position.seq}-0")
    assert store.history("1")["after"].to_list() == ["1"]
    assert amounts(Store(link)) == [1, 2]
    save(store, 3)
    assert checkpoint(store)
    assert store.history("1")["after"].to_list() == ["1"]
    assert not link.call("EXISTS", "deals:chunk:old")
    assert amounts(Store(link)) == [1, 2, 3]


def test_manifest_of_a_newer_format_is_left_alone(link: Link) -> None:
    store = Store(link)
    save(store, 1)
    newer = b'{"format":3,"history":"somewhere"}'
    link.call("SET", "deals:checkpoint", newer)
    assert amounts(Store(link)) == [1]
    assert not checkpoint(store)
    assert link.call("GET", "deals:checkpoint") == newer


def test_a_manifest_of_another_history_is_not_published(link: Link) -> None:
    """A failover may take commits back, and others get their numbers, while a checkpoint is being written."""
    store = Store(link)
    for n in range(3):
        save(store, n)

    def fail_over(command: tuple[Any, ...]) -> None:
        if command[0] == "EVAL" and "deals:checkpoint" in command:
            entries = link.call("XRANGE", "deals:log", "-", "+")
            entries[-1][1][1] = b"another"
            link.call("DEL", "deals:log")
            for number, fields in entries:
                link.call("XADD", "deals:log", number, *fields)

    assert not checkpoint(store, link=WatchedLink(link, fail_over))  # type: ignore[arg-type]
    assert link.call("GET", "deals:checkpoint") is None


def test_a_manifest_is_not_published_without_its_chunks(link: Link) -> None:
    """Another process took the writer for dead, and removed what it had written."""
    store = Store(link)
    save(store, 1)
    assert checkpoint(store)
    save(store, 2)

    def remove_orphans(command: tuple[Any, ...]) -> None:
        if command[0] == "EVAL" and "deals:checkpoint" in command:
            link.call("DEL", *(key for key in command if str(key).startswith("deals:history:")))

    assert not checkpoint(store, link=WatchedLink(link, remove_orphans))  # type: ignore[arg-type]
    assert checkpoint(store)
    save(store, 3)
    assert checkpoint(store)
    assert store.history("2")["after"].to_list() == ["2"]


def test_history_is_read_on_while_checkpoints_trim_the_log(link: Link) -> None:
    store = Store(link)
    save(store, 1)
    assert checkpoint(store)
    for n in range(2, 6):
        save(store, n)
    todo = list(range(6, 9))

    def trim(command: tuple[Any, ...]) -> None:
        if command[0] == "XRANGE":
            while todo:
                assert checkpoint(store)
                save(store, todo.pop(0))

    watched = WatchedLink(link, trim)
    seqs = [entry.position.seq for entry in read_history(watched, store.keys)]  # type: ignore[arg-type]
    assert seqs == list(range(1, seqs[-1] + 1))
    assert not todo


def test_who_may_not_write_a_checkpoint_reads_all_the_same(
    link: Link, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dealdb.store.checkpoint.schedule.MIN_CHANGES", 1)
    store = Store(link)
    for n in range(5):
        save(store, n)
    rights = "on >pw ~deal:* ~deals:* resetchannels -@all +@read +@connection"
    link.call("ACL", "SETUSER", "reader", "reset", *rights.split())
    connection = RedisConnection()
    connection.connect(unix_socket=server.socket, username="reader", password="pw")
    reader = Store(connection.link())
    assert amounts(reader) == list(range(5))
    reader.finish()
    assert reader.check().ok
    with pytest.raises(AccessDenied):
        reader.save({"id": 9})
    connection.close()
    link.call("ACL", "DELUSER", "reader")
    assert not link.call("EXISTS", "deals:checkpoint")


class Gate:
    """Holds a process up where it is about to take the lease of a checkpoint, until it is opened."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()
        self.n_reached = 0

    def __call__(self, command: tuple[Any, ...]) -> None:
        # the script that gives it back has no term
        if "deals:lease" in command and command[-1] == LEASE_S:
            self.n_reached += 1
            self.reached.set()
            assert self.opened.wait(10)


@pytest.fixture
def held_up(link: Link, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Store, Gate]]:
    """A store that is in the middle of a checkpoint of five deals, which a query has begun."""
    monkeypatch.setattr("dealdb.store.checkpoint.schedule.MIN_CHANGES", 4)
    gate = Gate()
    store = Store(WatchedLink(link, gate))  # type: ignore[arg-type]
    for n in range(5):
        save(Store(link), n)
    assert amounts(store) == list(range(5))
    assert gate.reached.wait(10)
    assert not gate.opened.is_set()
    yield store, gate
    gate.opened.set()
    store.finish()


def test_queries_go_on_while_a_checkpoint_is_written(
    link: Link, held_up: tuple[Store, Gate], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, gate = held_up
    others = Store(link)
    others.save({"id": 0, "amount": 100, "stage": "Won"})
    others.save({"id": 7, "amount": 7, "new": "column"})
    others.delete("1")
    assert amounts(store) == [2, 3, 4, 7, 100]
    gate.opened.set()
    store.finish()
    manifest = read_manifest(link, store.keys)
    assert manifest
    [generation] = manifest.generations
    assert generation.columns
    found = generation.columns.read(link, store.keys, ["id", "amount"])
    assert found
    # as of its commit, not as the columns are by now
    assert found["id"].to_list() == [str(n) for n in range(5)]
    assert list(map(int, found["amount"])) == list(range(5))
    assert not generation.has_deleted
    assert "new" not in generation.schema
    assert generation.stages == ()
    monkeypatch.undo()
    assert amounts(Store(link)) == amounts(store) == [2, 3, 4, 7, 100]


def test_one_checkpoint_at_a_time(link: Link, held_up: tuple[Store, Gate]) -> None:
    store, gate = held_up
    for n in range(10, 20):
        save(Store(link), n)
        assert len(amounts(store)) == n - 4
    gate.opened.set()
    store.finish()
    assert gate.n_reached == 1
    # the next one is due after it
    save(Store(link), 20)
    assert len(amounts(store)) == 16
    store.finish()
    manifest = read_manifest(link, store.keys)
    assert manifest
    assert [generation.height for generation in manifest.generations] == [16, 5]


def test_a_load_waits_for_the_checkpoint_of_a_query(
    link: Link, held_up: tuple[Store, Gate]
) -> None:
    """Under the lease of its own process two would write at once, and remove what the other is about to publish."""
    store, gate = held_up
    for n in range(10, 20):
        save(Store(link), n)
    folding = threading.Thread(target=store._live.settle)
    folding.start()
    folding.join(0.5)
    assert folding.is_alive()
    assert gate.n_reached == 1
    gate.opened.set()
    folding.join()
    manifest = read_manifest(link, store.keys)
    assert manifest
    assert [generation.height for generation in manifest.generations] == [15, 5]


@pytest.mark.parametrize("leave", ["close", "select"])
def test_who_leaves_waits_for_the_checkpoint_of_a_query(
    server: Server, link: Link, leave: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dealdb.store.checkpoint.schedule.MIN_CHANGES", 4)
    write, begun = write_checkpoint, threading.Event()

    def slowly(*given: Any, **more: Any) -> bool:
        begun.set()
        time.sleep(0.1)
        return write(*given, **more)

    monkeypatch.setattr("dealdb.store.checkpoint.write.write_checkpoint", slowly)
    with DealDatabase.from_url(f"unix://{server.socket}?db=0") as db:
        for n in range(5):
            db.save_deal({"id": n})
        assert db.query.count() == 5
        assert begun.wait(10)
        if leave == "select":
            db.select_database(1)
            assert link.call("EXISTS", "deals:checkpoint")
    assert link.call("EXISTS", "deals:checkpoint")
    assert not link.call("EXISTS", "deals:lease")
