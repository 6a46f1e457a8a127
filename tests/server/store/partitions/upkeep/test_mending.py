"""A repair of partitions adopts what other programs did, in each of them, and brings deals to where they belong."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dealdb import DealDatabase, LoadError, Problem, StoreError
from dealdb.store.commit.writers import Writers
from dealdb.store.keys import Keys
from dealdb.store.partitions.layout import partition_of, tag_of
from examples import few_by_default
from servers import Server

P = 4


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(server.url, partitions=P) as db:
        for n in range(40):
            db.save_deal({"id": n, "name": f"n{n}", "amount": n})
        yield db


@pytest.fixture
def client(server: Server) -> Any:
    with server.client() as client:
        yield client


def key_of(deal_id: str, number: int | None = None, collection: str = "deal") -> str:
    number = partition_of(deal_id, P) if number is None else number
    return Keys(collection, tag_of(number, P)).deal(deal_id)


def wrong_key(deal_id: str) -> str:
    return key_of(deal_id, (partition_of(deal_id, P) + 1) % P)


def name_of(key: str) -> str:
    return key.removeprefix("deal:")


def test_nothing_is_repaired_where_only_dealdb_writes(db: DealDatabase) -> None:
    before = db._store.newest()
    report = db.repair()
    assert (report.adopted, report.removed, report.moved, report.remaining) == (0, 0, 0, ())
    assert db._store.newest() == before


def test_what_others_did_is_adopted_in_each_partition(db: DealDatabase, client: Any) -> None:
    for n in range(10):
        client.hset(key_of(str(n)), "name", "theirs")
        client.hset(key_of(f"new{n}"), mapping={"name": "theirs", "region": "EMEA"})
        client.delete(key_of(str(10 + n)))
    client.hset(key_of("20"), "amount", "many")
    report = db.repair()
    assert (report.adopted, report.removed) == (21, 10)
    assert [(each.deal, each.field) for each in report.remaining] == [("20", "amount")]
    assert len({each.deal for each in report.changed}) == 11
    assert db.query.count("name = 'theirs'") == 20
    assert db.query.count("region = 'EMEA'") == 10
    assert len(db) == 40
    client.hdel(key_of("20"), "amount")
    assert db.repair().remaining == ()
    assert db.check().ok


def test_the_history_is_put_back_in_each_partition(db: DealDatabase, client: Any) -> None:
    before = db.query.find(sort="id").drop("updated")
    for n in range(10):
        client.hset(key_of(str(n)), "name", "theirs")
        client.delete(key_of(str(10 + n)))
    client.hset(wrong_key("99"), "name", "theirs")
    report = db.repair(from_history=True)
    assert (report.restored, report.adopted, report.removed, report.moved) == (20, 0, 0, 0)
    assert [(each.deal, each.problem) for each in report.remaining] == [
        (name_of(wrong_key("99")), Problem.FOREIGN)
    ]
    assert_frame_equal(db.query.find(sort="id").drop("updated"), before)
    client.delete(wrong_key("99"))
    assert db.check().ok


def test_a_mapping_is_read_of_all_partitions_together(db: DealDatabase, client: Any) -> None:
    for n in range(40):
        # one alone says that the day comes first
        client.hset(key_of(str(n)), "due", "25/01/2026" if n == 7 else "03/02/2026")
    report = db.repair(mapping={"due": "expected_close"})
    assert dict(report.mapping) == {"due": "expected_close"}
    assert db.query.count("expected_close = '2026-02-03'") == 39
    assert db.query.count("expected_close = '2026-01-25'") == 1
    assert db.check().ok
    # a later repair carries changes over, in whichever partition
    for n in range(40):
        client.hset(key_of(str(n)), "due", "25/03/2026" if n == 7 else "04/03/2026")
    assert db.repair().adopted == 40
    assert db.query.count("expected_close = '2026-03-04'") == 39
    with pytest.raises(LoadError):
        db.repair(mapping={"not there": "owner"})


# hashes in the wrong partition --------------------------------------------------------------------


@pytest.mark.parametrize("key", [wrong_key("new"), "deal:new"])
def test_a_deal_that_is_missing_where_it_belongs_is_brought_there(
    db: DealDatabase, client: Any, key: str
) -> None:
    client.hset(key, mapping={"name": "theirs", "region": "EMEA", "_row": "3", "_ttl": "9"})
    report = db.repair()
    assert (report.adopted, report.moved, report.remaining) == (1, 1, ())
    assert not client.exists(key)
    assert client.hget(key_of("new"), "_ttl") == b"9"
    assert db.query.find("region = 'EMEA'")["id"].to_list() == ["new"]
    assert db.check().ok
    assert len(db) == 41


def test_a_deal_whose_key_was_renamed_is_brought_back(db: DealDatabase, client: Any) -> None:
    client.rename(key_of("1"), wrong_key("1"))
    report = db.repair()
    assert (report.adopted, report.removed, report.moved) == (1, 0, 1)
    assert db.check().ok
    assert len(db) == 40
    assert db.query.find("id = '1'")["name"].to_list() == ["n1"]


def test_one_that_says_something_else_than_its_deal_is_left(db: DealDatabase, client: Any) -> None:
    client.hset(wrong_key("1"), "name", "theirs")
    client.hset("deal:2", "name", "theirs")
    report = db.repair()
    assert (report.adopted, report.moved) == (0, 0)
    left = sorted([name_of(wrong_key("1")), "2"])
    assert [each.deal for each in report.remaining] == left
    assert {each.problem for each in report.remaining} == {Problem.FOREIGN}
    assert client.hgetall("deal:2") == {b"name": b"theirs"}
    found = db.get_deals(["1", "2"])
    assert [deal and deal["name"] for deal in found] == ["n1", "n2"]
    # until it says the same
    client.hset(wrong_key("1"), "name", "n1")
    client.hset("deal:2", "name", "n2")
    assert db.repair().moved == 2
    assert db.check().ok


def test_one_with_a_tag_of_no_partition_is_left(db: DealDatabase, client: Any) -> None:
    client.hset("deal:{99}:78", "name", "theirs")
    report = db.repair()
    assert [(each.deal, each.problem) for each in report.remaining] == [
        ("{99}:78", Problem.FOREIGN)
    ]
    assert client.hgetall("deal:{99}:78") == {b"name": b"theirs"}


@pytest.mark.parametrize("is_there", [False, True])
def test_a_deal_that_was_committed_to_another_partition(
    db: DealDatabase, client: Any, is_there: bool
) -> None:
    store: Any = db._opened_store()
    deal = "1" if is_there else "new"
    wrong = store._partitions[(partition_of(deal, P) + 1) % P]
    wrong.save({"id": deal, "name": "elsewhere"})
    report = db.repair()
    assert report.moved == (not is_there)
    found = db.get_deal(deal)
    assert found is not None
    assert found["name"] == ("n1" if is_there else "elsewhere")
    assert len(report.remaining) == is_there
    if is_there:
        # its hash is gone by itself, and the log has it still
        client.delete(wrong_key(deal))
        assert db.repair().removed == 1
    assert db.check().ok
    assert db.query.find()["id"].n_unique() == len(db)


# what stops in the middle -------------------------------------------------------------------------


class Stopped(BaseException):
    """What a process does no more."""


def harm(client: Any) -> None:
    for n in range(8):
        client.hset(key_of(str(n)), "name", "theirs")
        client.delete(key_of(str(10 + n)))
        client.hset(f"deal:bare{n}", "name", "brought")
        client.hset(wrong_key(f"new{n}"), "name", "brought")


@pytest.mark.parametrize("where", ["commit", "trip"])
def test_what_stops_anywhere_can_be_gone_on_with(
    server: Server, client: Any, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    from dealdb.connection import Link

    step, is_over = 0, False
    while not is_over:
        step += 1 if where == "commit" else 7
        client.flushall()
        with DealDatabase.from_url(server.url, partitions=P) as db:
            for n in range(20):
                db.save_deal({"id": n, "name": f"n{n}", "amount": n})
            harm(client)
            kind, name = (Writers, "commit_all") if where == "commit" else (Link, "calls")
            act, made = getattr(kind, name), [0]

            def counted(
                *given: Any, act: Any = act, made: Any = made, step: int = step, **named: Any
            ) -> Any:
                made[0] += 1
                if made[0] >= step:
                    raise Stopped
                return act(*given, **named)

            with monkeypatch.context() as patched:
                patched.setattr(kind, name, counted)
                try:
                    db.repair()
                    is_over = True
                except Stopped:
                    pass
        with DealDatabase.from_url(server.url) as late:
            # what is missing is in one place at least
            kept = {key.decode().rpartition(":")[2] for key in client.keys("deal:*")}
            assert {*(f"bare{n}" for n in range(8)), *(f"new{n}" for n in range(8))} <= kept
            late.repair()
            assert late.check().ok
            assert late.query.count("name = 'brought'") == 16
            assert late.query.count("name = 'theirs'") == 8
            assert len(late) == 20 - 8 + 16


REPAIR = """
import os, signal, sys
from dealdb import DealDatabase
from dealdb.store.commit.writers import Writers
commit, made = Writers.commit_all, [0]
def counted(self, changes):
    made[0] += 1
    if made[0] == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return commit(self, changes)
Writers.commit_all = counted
with DealDatabase.from_url(sys.argv[1]) as db:
    db.repair()
"""


def test_a_process_that_is_killed_between_partitions(
    db: DealDatabase, server: Server, client: Any
) -> None:
    harm(client)
    killed = subprocess.run([sys.executable, "-c", REPAIR, server.url], check=False, timeout=300)
    assert killed.returncode == -signal.SIGKILL
    # what was repaired stays
    assert 0 < db.query.count("name = 'brought'") < 16
    db.repair()
    assert db.query.count("name = 'brought'") == 16
    assert db.check().ok


def test_a_partition_that_can_not_be_asked_leaves_the_others_repaired(
    db: DealDatabase, client: Any
) -> None:
    harm(client)
    log = Keys("deal", tag_of(2, P)).log
    kept = client.dump(log)
    client.delete(log)
    client.set(log, "another program's")
    with pytest.raises(StoreError):
        db.repair()
    client.delete(log)
    client.restore(log, 0, kept)
    db.repair()
    assert db.check().ok


# the same as in one piece -------------------------------------------------------------------------


def plain(db: DealDatabase) -> Any:
    return db.query.find().drop("updated", strict=False).sort("id")


def theirs(draw: random.Random) -> Callable[[Any, Callable[[str], str]], object]:
    deal = str(draw.randrange(15))
    fields = {
        name: draw.choice(["x", "12.50", "", "Won"])
        for name in ("name", "amount", "stage", "region")
        if draw.random() < 0.6
    } or {"name": "y"}
    match draw.randrange(5):
        case 0:
            return lambda client, key: client.delete(key(deal))
        case 1:
            return lambda client, key: client.hdel(key(deal), *fields)
        case 2:
            # the hash is replaced
            return lambda client, key: (
                client.delete(key(deal)),
                client.hset(key(deal), mapping=fields),
            )
    return lambda client, key: client.hset(key(deal), mapping=fields)


@settings(max_examples=few_by_default(4))
@given(seed=st.integers(0, 2**32))
def test_it_comes_to_the_same_as_in_one_piece(shared_server: Server, seed: int) -> None:
    draw = random.Random(seed)
    with shared_server.client() as client:
        client.flushall()
        with (
            DealDatabase.from_url(shared_server.url, collection="single") as single,
            DealDatabase.from_url(shared_server.url, collection="parted", partitions=P) as db,
        ):
            keys: list[Callable[[str], str]] = [
                lambda deal: f"single:{deal}",
                lambda deal: key_of(deal, collection="parted"),
            ]
            for each in (single, db):
                each.save_deal({"id": "0", "name": "first"})
            for _ in range(6):
                for _ in range(6):
                    act = theirs(draw)
                    deal = {"id": draw.randrange(15), "amount": draw.randrange(9)}
                    for each, key in zip((single, db), keys, strict=True):
                        act(client, key)
                        each.save_deal(deal)
                checks = [
                    sorted((d.deal, d.problem, d.field or "") for d in each.check().differences)
                    for each in (single, db)
                ]
                assert checks[0] == checks[1]
                back = draw.random() < 0.3
                reports = [each.repair(from_history=back) for each in (single, db)]
                told = [
                    (r.adopted, r.removed, r.restored, r.moved, sorted(map(str, r.remaining)))
                    for r in reports
                ]
                assert told[0] == told[1]
                assert len(single) == len(db)
                assert_frame_equal(plain(single), plain(db), check_column_order=False)
