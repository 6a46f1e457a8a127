"""A writer's place on the server: whose answers it holds, how long, and what touches it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from connected import connected
from dealdb import DealDatabase
from dealdb.connection import Link
from dealdb.errors import OutcomeUnknown, StoreDamaged, WriterClash
from dealdb.model.schema import Field, FieldType
from dealdb.store import Store
from dealdb.store.checkpoint.write import write_checkpoint
from dealdb.store.commit import idle_writers
from dealdb.store.commit.batch import Batch
from dealdb.store.commit.idle_writers import UNUSED_S, forget_idle_writers
from dealdb.store.commit.writer import _Reached
from dealdb.store.log.reader import read_from
from dealdb.store.replica.replica import Replica
from dealdb.store.upkeep.ahead import catch_up
from faults.proxy import Proxy
from servers import Server
from writer_records import age, records

# whose answer it is ------------------------------------------------------------------------------------------------


def test_a_copy_of_a_process_gets_nobody_elses_answer(link: Link) -> None:
    """Two machines cloned from one go on under the same name, with the same counter."""
    store, clone = Store(link), Store(link)
    store.save({"id": 1, "name": "known"})
    clone.save({"id": 1, "name": "known"})
    writer, copy = (each._writers._writer(each._writers._seat()) for each in (store, clone))
    copy._name, copy._reached = writer._name, writer._reached
    assert store.save({"id": 2, "name": "first"}).outcome == "inserted"
    with pytest.raises(WriterClash) as caught:
        clone.save({"id": 3, "name": "second"})
    assert not clone.contains("3")
    assert (caught.value.code, caught.value.retryable) == ("writer-clash", False)
    assert clone.save({"id": 3, "name": "second"}).outcome == "inserted"
    assert clone.contains("3")
    assert store.check().ok


def test_the_same_change_of_a_copy_is_not_taken_for_its_repeat(link: Link) -> None:
    store, clone = Store(link), Store(link)
    store.save({"id": 1, "n": 0})
    clone.save({"id": 1, "n": 0})
    writer, copy = (each._writers._writer(each._writers._seat()) for each in (store, clone))
    copy._name, copy._reached = writer._name, writer._reached
    store.save({"id": 1, "n": 1})
    Store(link).save({"id": 1, "n": 2})
    with pytest.raises(WriterClash):
        clone.save({"id": 1, "n": 1})


def test_a_copy_of_a_load_gets_nobody_elses_answers(link: Link, server: Server) -> None:
    with DealDatabase(port=server.port) as db:
        db.save_deal({"id": "x", "n": 1})
        store, clone = Store(link), Store(link)
        writer, copy = (each._writers._writer(each._writers._seat()) for each in (store, clone))
        copy._name = writer._name
        schema = store.schema()

        def batches(prefix: str) -> list[Batch]:
            ids = [[f"{prefix}{n}-{i}" for i in range(20)] for n in range(3)]
            return [Batch.of(each, {"n": ["1"] * 20}) for each in ids]

        assert store.add(schema, batches("a")) == 3
        # as many as were added under that name, and fewer
        for n in (3, 2):
            copy._reached = _Reached(0)
            with pytest.raises(WriterClash):
                clone.add(schema, batches("b")[:n])
            assert not clone.contains("b0-0")
            clone._writers._seat().writer = copy
        clone._writers._seat().writer = None
        assert clone.add(schema, batches("b")) == 3
        assert db.query.count() == 121
        assert db.check().ok


def make_copy(db: DealDatabase, clone: DealDatabase) -> None:
    """Let the other's writer go on under the name and place of the first, as that of a cloned machine does."""
    for each in (db, clone):
        each.save_deal({"id": 1, "n": 1})
        each.save_deal({"id": 1, "n": 2})
    writer, copy = (
        each._store._writers._writer(each._store._writers._seat()) for each in (db, clone)
    )
    copy._name, copy._reached = writer._name, writer._reached


def test_resolve_does_not_take_a_copys_commit_for_its_own(server: Server) -> None:
    with Proxy(server.port) as proxy:
        impatient = {"socket_timeout_s": 0.8, "retry_deadline_s": 0.8}
        with (
            DealDatabase(port=proxy.port, **impatient) as db,  # type: ignore[arg-type]
            DealDatabase(port=server.port) as clone,
        ):
            make_copy(db, clone)
            proxy.fault("swallow", matching=b"EVALSHA", times=1_000)
            with pytest.raises(OutcomeUnknown) as caught:
                db.save_deal({"id": 2, "n": 1})
            proxy.heal()
            clone.save_deal({"id": 3, "n": 1})
            with pytest.raises(WriterClash):
                caught.value.resolve()
            assert db.get_deal("2") is None
            with pytest.raises(WriterClash):
                db.save_deal({"id": 4, "n": 1})
            assert db.save_deal({"id": 4, "n": 1}).outcome == "inserted"


def test_resolve_does_not_take_a_copys_commit_for_one_of_several(server: Server) -> None:
    with Proxy(server.port) as proxy:
        impatient = {"socket_timeout_s": 0.8, "retry_deadline_s": 0.8}
        with (
            DealDatabase(port=proxy.port, **impatient) as db,  # type: ignore[arg-type]
            DealDatabase(port=server.port) as clone,
        ):
            make_copy(db, clone)
            batches = [Batch.of([f"{n}-{i}" for i in range(20)], {"n": ["1"] * 20}) for n in "ab"]
            proxy.fault("swallow", matching=b"EVALSHA", times=1_000)
            with pytest.raises(OutcomeUnknown) as caught:
                db._store.add(db._store.schema(), batches)
            proxy.heal()
            # one commit, where two were sent
            clone.save_deal({"id": 3, "n": 1})
            with pytest.raises(WriterClash):
                caught.value.resolve()


# how long it is kept -----------------------------------------------------------------------------------------------


def test_records_that_a_week_did_not_use_go(link: Link) -> None:
    store = Store(link)
    store.save({"id": 1, "n": 1})
    age(link, UNUSED_S - 60)
    Store(link).save({"id": 2, "n": 1})
    assert forget_idle_writers(link, store.keys) == 0
    age(link, 120)
    assert forget_idle_writers(link, store.keys) == 1
    assert len(records(link)) == 1
    # once a day
    age(link, UNUSED_S)
    link.call("HSET", "deals:meta", "swept", link.call("TIME")[0])
    assert forget_idle_writers(link, store.keys) == 0


def test_a_writer_that_comes_back_after_its_record_went_saves_on(link: Link) -> None:
    store = Store(link)
    store.save({"id": 1, "n": 1})
    age(link, 2 * UNUSED_S)
    assert forget_idle_writers(link, store.keys) == 1
    assert store.save({"id": 1, "n": 2}).outcome == "updated"
    assert store.save({"id": 2, "n": 2}).outcome == "inserted"
    # a process that has seen nothing of the collection since
    late = Store(link)
    late._writers.knows(0)
    assert late.save({"id": 3, "n": 2}).outcome == "inserted"
    assert store.count() == 3
    assert store.check().ok


@pytest.mark.parametrize("arrived", [True, False])
def test_what_a_forgotten_writer_had_sent_is_not_done_twice(
    server: Server, *, arrived: bool
) -> None:
    """A process stood still for more than a week between sending and the answer."""
    with Proxy(server.port) as proxy, connected(server) as connection:
        link = connection.link()
        impatient = {"socket_timeout_s": 0.8, "retry_deadline_s": 0.8}
        with DealDatabase(port=proxy.port, **impatient) as db:  # type: ignore[arg-type]
            db.save_deal({"id": 1, "n": 1})
            db.save_deal({"id": 1, "n": 2})
            proxy.fault("lose_reply" if arrived else "swallow", matching=b"EVALSHA", times=1_000)
            with pytest.raises(OutcomeUnknown) as caught:
                db.save_deal({"id": "sent", "n": 1})
            proxy.heal()
            link.call("DEL", "deal:sent")  # whatever it was: it must not be done now
            age(link, 2 * UNUSED_S)
            assert forget_idle_writers(link, db._store.keys) == 1
            with pytest.raises(WriterClash):
                caught.value.resolve()
            assert db.get_deal("sent") is None
            assert db.save_deal({"id": "next", "n": 1}).outcome == "inserted"


def test_a_resend_that_meets_a_forgotten_record_is_unknown(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy(server.port) as proxy, connected(server) as connection:
        link = connection.link()
        with DealDatabase(port=proxy.port, retry_deadline_s=5) as db:
            db.save_deal({"id": 1, "n": 1})
            db.save_deal({"id": 1, "n": 2})
            pause = threading.Event()

            def forget(_self: object) -> None:
                if not pause.is_set():
                    pause.set()
                    age(link, 2 * UNUSED_S)
                    assert forget_idle_writers(link, db._store.keys) == 1

            monkeypatch.setattr("dealdb.connection.retry.Pauses.wait", forget)
            proxy.fault("lose_reply", matching=b"EVALSHA")
            with pytest.raises(OutcomeUnknown) as caught:
                db.save_deal({"id": 1, "n": 3})
            with pytest.raises(WriterClash):
                caught.value.resolve()
            assert db.save_deal({"id": 1, "n": 4}).outcome == "updated"
            assert db.check().ok


def test_a_year_of_threads_and_programs_keeps_the_records_bounded(link: Link) -> None:
    """Each day some programs come and go, each with threads that come and go: no more than a week of them is kept."""
    most = 0
    for day in range(60):
        for program in range(3):
            store = Store(link)
            for n in range(3):
                thread = threading.Thread(
                    target=store.save, args=({"id": n, "n": day * 9 + program},)
                )
                thread.start()
                thread.join()
        age(link, 86_400)
        forget_idle_writers(link, store.keys)
        most = max(most, len(records(link)))
    # three programs a day, with one record for all of its threads, for eight days
    assert most <= 3 * 8
    assert store.count() == 3
    assert store.check().ok


def test_notes_of_loads_and_records_of_earlier_versions_stay(link: Link) -> None:
    store = Store(link)
    store.save({"id": 1, "n": 1})
    link.call(
        "HSET", "deals:writers", "load:x", "0123456789abcdef 1 2 3 4 5 {}", "old", "4 4 0 1 0"
    )
    age_of = records(link)
    age_of.pop(b"load:x"), age_of.pop(b"old")
    [name] = age_of
    link.call("HSET", "deals:writers", name, b"9 #00 1 1 0 0 0")
    assert forget_idle_writers(link, store.keys) == 1
    assert sorted(records(link)) == [b"load:x", b"old"]


def test_nothing_is_left_where_a_collection_was_emptied(link: Link) -> None:
    store = Store(link)
    store.save({"id": 1, "n": 1})
    link.call("FLUSHDB")
    assert forget_idle_writers(link, store.keys) == 0
    assert not link.call("EXISTS", "deals:meta")


def test_many_records_are_forgotten_page_by_page(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle_writers, "_PAGE", 10)
    store = Store(link)
    store.save({"id": 1, "n": 1})
    many = [word for n in range(1_000) for word in (f"{n:016x}", f"1 #{n:016x} 1 1 0 0 0")]
    link.call("HSET", "deals:writers", *many)
    assert forget_idle_writers(link, store.keys) == 1_000
    assert len(records(link)) == 1


# interrupts --------------------------------------------------------------------------------------------------------


def test_forked_children_have_writers_of_their_own_though_threads_have_ended(link: Link) -> None:
    store = Store(link)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(store.save, {"id": 1, "n": 1}).result()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            store.save({"id": 2, "n": 2})
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert store.save({"id": 3, "n": 3}).outcome == "inserted"
    assert store.count() == 3


# what the script touches -------------------------------------------------------------------------------------------


def test_the_script_touches_declared_keys_only(server: Server) -> None:
    """Some servers refuse any other key."""
    touched: list[str] = []
    declared: set[str] = set()
    with server.client() as client, client.monitor() as monitor:
        watching = monitor.listen()
        with DealDatabase(port=server.port) as db:
            everything(db)
        client.echo("end")
        for event in watching:
            words = event["command"].split(" ")
            if words[0].upper() in ("EVAL", "EVALSHA") and event["client_type"] != "lua":
                whole = event["command"]
                declared = {word for word in whole.split(" ") if word.startswith("deal")}
            if event["client_type"] == "lua" and len(words) > 1 and words[0].upper() != "TIME":
                touched.append(words[1])
                assert words[1] in declared, event["command"]
            if words == ["ECHO", "end"]:
                break
    assert {"deals:meta", "deals:log", "deals:writers"} <= set(touched)


def everything(db: DealDatabase) -> None:
    db.save_deal({"id": 1, "n": 1, "note": "x"})
    db.save_deal({"id": 1, "note": None})
    db.loader.load([{"id": f"L{n}", "n": n} for n in range(50)], rejects=False)
    db.loader.load([{"id": f"L{n}", "n": n + 1} for n in range(50)], rejects=False)
    db.rename_field("note", "remark")
    db.drop_field("remark")
    db.delete_deal("1")
    db.delete_deal("L1")
    db.repair()


# a log that is ahead -----------------------------------------------------------------------------------------------


def half_commit(link: Link, change: Callable[[], object], keep: tuple[str, ...]) -> None:
    """Undo all that a commit did but its log entry, as an older version left it where a right was missing."""
    before = {key: link.call("DUMP", key) for key in keep}
    change()
    for key, dump in before.items():
        link.call("DEL", key)
        if dump is not None:
            link.call("RESTORE", key, 0, dump)


CHANGES: dict[str, Callable[[Store], object]] = {
    "insert": lambda store: store.save({"id": 2, "name": "new"}),
    "save": lambda store: store.save({"id": 1, "name": "after"}),
    "delete": lambda store: store.delete("1"),
    "schema": lambda store: store.declare([Field("extra", FieldType.TEXT)]),
    "pipeline": lambda store: store.redefine(lambda now: now.covering(["Signed"])),
    "add": lambda store: add(store),
}


def add(store: Store) -> None:
    ids = ["2", *(f"A{n}" for n in range(20))]
    assert store.add(store.schema(), [Batch.of(ids, {"name": ["x"] * 21})]) == 1


@pytest.mark.parametrize("what", CHANGES)
def test_a_log_that_is_ahead_is_told_and_mended(link: Link, what: str) -> None:
    store = Store(link)
    store.save({"id": 1, "name": "before"})
    store.snapshot()
    keys = ("deals:meta", "deals:writers", "deal:1", "deal:2", *(f"deal:A{n}" for n in range(20)))
    half_commit(link, lambda: CHANGES[what](store), keys)
    assert "ahead of its state" in (store.log_ahead() or "")
    for each in (store, Store(link)):
        with pytest.raises(StoreDamaged, match="dealdb repair"):
            each.save({"id": 9, "name": "later"})
    Store(link).repair()
    assert store.log_ahead() is None
    # a row is given to one deal only, that of a refused commit too
    taken = [
        int(row) for page in read_from(link, "deals:log", 1) for entry in page for row in entry.rows
    ]
    assert int(link.call("HGET", "deals:meta", "rows")) == max(taken) + 1
    for each in (store, Store(link)):
        assert each.save({"id": f"later{id(each)}", "name": "later"}).outcome == "inserted"
        assert each.check().ok
    # a commit that was refused has not happened
    shown = dict(zip(*store.snapshot().frame.select("id", "name").get_columns(), strict=True))
    assert shown["1"] == "before"
    assert "2" not in shown
    assert store.count() == len(shown)


def test_commits_of_others_in_between_are_not_a_log_that_is_ahead(link: Link) -> None:
    store, stop = Store(link), threading.Event()
    store.save({"id": 1})

    def write(name: str) -> None:
        writer, n = Store(link), 0
        while not stop.is_set():
            writer.save({"id": name, "amount": (n := n + 1)})

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    try:
        for _ in range(300):
            assert store.log_ahead() is None
            assert not catch_up(link, store.keys)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_log_that_another_program_writes_to_is_no_commit(link: Link) -> None:
    store = Store(link)
    store.save({"id": 1, "name": "before"})
    seq = int(link.call("HGET", "deals:meta", "seq"))
    entry = ("hash", "0" * 16, "time", 1, "writer", "w", "counter", 1, "actor", "", "kind", "set")
    link.call("XADD", "deals:log", f"{seq + 1}-0", *entry, "height", 1, "rows", b"", "data", b"")
    with pytest.raises(StoreDamaged, match="DEL deals:log starts a new log"):
        store.repair()
    link.call("DEL", "deals:log")
    assert store.save({"id": 2}).outcome == "inserted"
    assert store.check().ok
    assert store.snapshot().frame.height == 2


def test_whoever_writes_a_checkpoint_forgets_idle_writers(link: Link) -> None:
    store = Store(link)
    store.save({"id": 1, "n": 1})
    age(link, 2 * UNUSED_S)
    other = Store(link)
    other.save({"id": 2, "n": 1})
    assert len(records(link)) == 2
    replica = read_replica(other)
    assert write_checkpoint(link, store.keys, replica)
    assert len(records(link)) == 1


def read_replica(store: Store) -> Replica:
    store.snapshot()
    replica: Replica = store._live._replica
    return replica
