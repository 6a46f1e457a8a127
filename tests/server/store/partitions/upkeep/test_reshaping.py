"""Columns of partitions are renamed, retyped and dropped: nothing comes back, is lost, or is seen half done."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from connected import eventually
from dealdb import DealDatabase, SchemaError
from dealdb.connection import Link
from dealdb.errors import DealDBError
from dealdb.store.commit.writers import Writers
from dealdb.store.keys import Keys
from dealdb.store.partitions.layout import partition_of, tag_of
from dealdb.store.partitions.partitioned import PartitionedStore
from examples import few_by_default
from servers import Server

P = 4
# two deals in each partition
IDS = [
    str(n)
    for number in range(P)
    for n in [m for m in range(100) if partition_of(str(m), P) == number][:2]
]
Act = Callable[[DealDatabase], None]
ACTS: dict[str, Act] = {
    "drop": lambda db: db.drop_field("seats"),
    "rename": lambda db: db.rename_field("seats", "licences"),
    "retype": lambda db: db.retype_field("seats", "int"),
}


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(server.url, partitions=P) as db:
        yield db


@pytest.fixture
def other(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(server.url) as db:
        yield db


def store_of(db: DealDatabase) -> PartitionedStore:
    store = db._opened_store()
    assert isinstance(store, PartitionedStore)
    return store


def hashes(server: Server, collection: str = "deal") -> dict[str, dict[bytes, bytes]]:
    """By id, each where it is to be."""
    with server.client() as client:
        found = {}
        for key in client.keys(f"{collection}:*"):
            tag, _, deal = key.decode().removeprefix(f"{collection}:{{").partition("}:")
            assert tag == tag_of(partition_of(deal, P), P)
            found[deal] = client.hgetall(key)
        return found


def assert_gone(db: DealDatabase, server: Server, name: str = "seats") -> None:
    """Nothing is left of a field, and it can begin again as another one."""
    assert not db.schema.leaving
    assert name not in db.schema
    assert db.check().differences == ()
    assert not any(name.encode() in each for each in hashes(server).values())
    with DealDatabase.from_url(server.url) as late:
        assert name not in late.query.find().columns
    for deal in IDS:
        db.save_deal({"id": deal, name: "2026-01-31"})
    db.retype_field(name, "date")
    assert db.query.find(f"{name} = '2026-01-31'").height == len(IDS)
    assert db.check().ok


# the same as on one server ------------------------------------------------------------------------


def plain(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.drop("updated", strict=False).sort("id")


def outcome(act: Callable[[DealDatabase], Any], db: DealDatabase) -> Any:
    # what a process knows of the fields is a matter of which partitions it has saved to
    assert db.schema
    try:
        return act(db)
    except DealDBError as problem:
        return type(problem), problem.code


FIELDS = ["seats", "region", "worth"]
VALUES = [
    5,
    7,
    Decimal("2.50"),
    Decimal("3.00"),
    "x",
    " 12 ",
    "true",
    True,
    date(2026, 1, 31),
    ["a"],
]
TYPES = ["text", "int", "decimal", "decimal(4)", "float", "bool", "date", "list"]


def save(draw: random.Random) -> Callable[[DealDatabase], Any]:
    deal = {"id": draw.randrange(12)} | {
        name: draw.choice(VALUES) for name in FIELDS if draw.random() < 0.5
    }
    return lambda db: db.save_deal(deal).outcome


def clear(draw: random.Random) -> Callable[[DealDatabase], Any]:
    name = draw.choice(FIELDS)
    return lambda db: [db.save_deal({"id": n, name: None}).outcome for n in range(12)]


def delete(draw: random.Random) -> Callable[[DealDatabase], Any]:
    number = draw.randrange(12)
    return lambda db: db.delete_deal(number)


def rename(draw: random.Random) -> Callable[[DealDatabase], Any]:
    old, new = draw.sample([*FIELDS, "name", "stage"], 2)
    return lambda db: db.rename_field(old, new)


def retype(draw: random.Random) -> Callable[[DealDatabase], Any]:
    name, kind, bad = draw.choice(FIELDS), draw.choice(TYPES), draw.choice([None, "null"])
    return lambda db: db.retype_field(name, kind, bad_cells=bad)


def drop(draw: random.Random) -> Callable[[DealDatabase], Any]:
    name = draw.choice(FIELDS)
    return lambda db: db.drop_field(name)


ACTIONS = [save] * 10 + [clear, delete, rename, rename, retype, retype, retype, drop]


@settings(max_examples=few_by_default(4))
@given(seed=st.integers(0, 2**32))
def test_it_comes_to_the_same_as_in_one_piece(shared_server: Server, seed: int) -> None:
    draw = random.Random(seed)
    with shared_server.client() as client:
        client.flushall()
    url = shared_server.url
    with (
        DealDatabase.from_url(url, collection="single") as single,
        DealDatabase.from_url(url, collection="parted", partitions=P) as db,
        DealDatabase.from_url(url, collection="parted", partitions=P) as second,
    ):
        for step in range(40):
            act = draw.choice(ACTIONS)(draw)
            assert outcome(act, draw.choice([db, second])) == outcome(act, single)
            if step % 8 == 7:
                for each in (db, second):
                    assert_frame_equal(plain(each.query.find()), plain(single.query.find()))
                    assert dict(each.schema) == dict(single.schema)
                    assert {s.name for s in each.pipeline} == {s.name for s in single.pipeline}
                    ids = range(12)
                    mine, theirs = (
                        [{**(d.get_deal(n) or {}), "updated": 0} for n in ids]
                        for d in (each, single)
                    )
                    assert mine == theirs
        assert db.check().ok


@pytest.mark.parametrize("partitions", [1, 64])
def test_of_any_number_of_partitions(server: Server, partitions: int) -> None:
    with DealDatabase.from_url(server.url, partitions=partitions) as db:
        for n in range(70):
            db.save_deal({"id": n, "seats": n, "region": "EMEA", "worth": f" {n}.50"})
        db.rename_field("region", "territory")
        db.retype_field("worth", "decimal")
        db.drop_field("seats")
        assert db.query.sql("SELECT count(territory), sum(worth) FROM deals").rows() == [
            (70, Decimal(2450))
        ]
        assert "seats" not in db.schema
        assert db.check().ok


# what stops in the middle -------------------------------------------------------------------------


class Stopped(BaseException):
    """What a process does no more."""


@contextmanager
def stopping_at(n: int, patch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Stop before the n-th commit; it says how many there were."""
    commit, made = Writers.commit_all, [0]

    def counted(self: Writers, changes: Any) -> Any:
        made[0] += 1
        if made[0] == n:
            raise Stopped
        return commit(self, changes)

    with patch.context() as patched:
        patched.setattr(Writers, "commit_all", counted)
        with suppress(Stopped):
            yield made


def values_of(db: DealDatabase) -> dict[str, Any]:
    """What each deal has in the one column or the other."""
    frame = db.query.find()
    found: dict[str, Any] = {}
    for name in {"seats", "licences"} & set(frame.columns):
        column = zip(frame["id"], frame[name], strict=True)
        for deal, value in column:
            if value is not None:
                assert deal not in found
                found[deal] = value
    return found


def save_all(db: DealDatabase, value: object, field: str = "seats") -> list[str]:
    """Deals that were refused."""
    refused = []
    for deal in IDS:
        try:
            db.save_deal({"id": deal, field: value})
        except SchemaError as problem:
            said = str(problem)
            known = "in all partitions" in said or "expected an integer" in said
            refused.append(deal if known and problem.field == field else said)
    return refused


@pytest.mark.parametrize("name", ACTS)
def test_what_stops_anywhere_can_be_gone_on_with(
    server: Server, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    act, step, n_made = ACTS[name], 0, 0
    while step <= n_made:
        step += 1
        with server.client() as client:
            client.flushall()
        with (
            DealDatabase.from_url(server.url, partitions=P) as db,
            DealDatabase.from_url(server.url, partitions=P) as old,
            DealDatabase.from_url(server.url) as fresh,
        ):
            # this process knows the schema as it was, and that one as it is
            assert save_all(old, "01") == []
            before = values_of(old)
            with stopping_at(step, monkeypatch) as made:
                act(db)
            n_made = max(n_made, made[0])
            for each in (db, old, fresh):
                if name == "rename":
                    # nothing is seen twice, or not at all
                    assert values_of(each) == before
                assert each.query.count() == len(IDS)
            done = step > n_made
            refused = save_all(old, "02"), save_all(fresh, "03")
            if done or name == "retype":
                assert refused == ([], [])
            # it goes on with any other change of fields
            fresh.save_deal({"id": 1, "memo": "x"})
            fresh.drop_field("memo")
            assert not fresh.schema.leaving
            for each in (db, old, fresh):
                assert each.check().differences == ()
            found = hashes(server)
            if name == "retype":
                text = b"3" if old.schema["seats"].describe() == "int" else b"03"
                assert {found[deal][b"seats"] for deal in IDS} == {text}
            elif not done and step > 2:
                assert "seats" not in fresh.schema
            if "seats" in fresh.schema:
                fresh.drop_field("seats")
            assert_gone(fresh, server)


def calling_at(n: int, act: Callable[[], None], made: list[int]) -> Any:
    """Commits as ever, with something that another process does before the n-th; counts them."""
    commit = Writers.commit_all

    def counted(self: Writers, changes: Any) -> Any:
        made[0] += 1
        if made[0] == n:
            # those of the other one don't count
            made[0] += 1_000
            act()
            made[0] = 1_000 + n
        return commit(self, changes)

    return counted


@pytest.mark.parametrize("name", ACTS)
def test_who_began_it_may_be_overtaken_at_any_commit(
    server: Server, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    act, step, n_made = ACTS[name], 0, 0
    while step <= n_made:
        step += 1
        with server.client() as client:
            client.flushall()
        with (
            DealDatabase.from_url(server.url, partitions=P) as db,
            DealDatabase.from_url(server.url) as second,
        ):
            assert save_all(db, "01") == []

            def overtake(second: DealDatabase = second) -> None:
                with suppress(SchemaError):
                    ACTS[name](second)
                if "seats" not in second.schema:
                    # and then the field begins anew
                    assert save_all(second, "anew") == []

            made = [0]
            counted = calling_at(step, overtake, made)
            with monkeypatch.context() as patched:
                patched.setattr(Writers, "commit_all", counted)
                with suppress(SchemaError):
                    act(db)
            n_made = max(n_made, made[0] % 1_000)
            for each in (db, second):
                assert each.check().differences == ()
                assert not each.schema.leaving
            if name != "retype" and "seats" in db.schema and step > 1:
                # what was saved since stays
                assert db.query.count("seats = 'anew'") == len(IDS)


@pytest.mark.parametrize("name", ACTS)
def test_what_others_save_between_any_two_commits(
    server: Server, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    act, step, n_made = ACTS[name], 0, 0
    while step <= n_made:
        step += 1
        with server.client() as client:
            client.flushall()
        with (
            DealDatabase.from_url(server.url, partitions=P) as db,
            DealDatabase.from_url(server.url, partitions=P) as old,
            DealDatabase.from_url(server.url) as fresh,
        ):
            assert save_all(old, "01") == []
            made, refused = [0], set[str]()

            def meddle(
                old: DealDatabase = old, fresh: DealDatabase = fresh, refused: set[str] = refused
            ) -> None:
                # this one knows the fields as they were before, and that one asks first
                refused.update(save_all(old, "02"), save_all(fresh, "03"))

            with monkeypatch.context() as patched:
                patched.setattr(Writers, "commit_all", calling_at(step, meddle, made))
                act(db)
            n_made = max(n_made, made[0] % 1_000)
            for each in (db, old, fresh):
                assert each.query.count() == len(IDS)
                assert each.check().differences == ()
            meddled = made[0] > 1_000
            assert refused <= set(IDS)
            found = hashes(server)
            if name == "retype":
                assert {each[b"seats"] for each in found.values()} == {b"3" if meddled else b"1"}
                continue
            if name == "rename":
                # whoever was not refused is the last one to have saved it
                values = {deal: each[b"licences"] for deal, each in found.items()}
                kept = {deal: b"03" if meddled and deal not in refused else b"01" for deal in IDS}
                assert values == kept
            assert_gone(db, server)


# other processes ----------------------------------------------------------------------------------

# without a pause two of them could leave no moment in which a field can leave, and after 1,000 tries that is told
WRITER = """
import random, sys, time
from pathlib import Path
from dealdb import DealDatabase, SchemaError
url, seed, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
draw, n, refused = random.Random(seed), 0, 0
with DealDatabase.from_url(url) as db:
    while not (folder / "stop").exists():
        deal = {"id": draw.randrange(60), "name": f"{seed} {n}"}
        if draw.random() < 0.7:
            deal["seats"] = draw.choice(["7", "08"])
        try:
            db.save_deal(deal)
        except SchemaError:
            refused += 1
        time.sleep(0.003)
        n += 1
        if n == 30:
            (folder / f"began{seed}").touch()
print(n, refused)
"""
RESHAPER = """
import os, signal, sys
from dealdb import DealDatabase
from dealdb.store.commit.writers import Writers
url, act, stop = sys.argv[1], sys.argv[2], int(sys.argv[3])
commit, made = Writers.commit_all, [0]
def counted(self, changes):
    made[0] += 1
    if made[0] == stop:
        os.kill(os.getpid(), signal.SIGKILL)
    return commit(self, changes)
Writers.commit_all = counted
with DealDatabase.from_url(url) as db:
    if act == "drop":
        db.drop_field("seats")
    elif act == "rename":
        db.rename_field("seats", "licences")
    else:
        db.retype_field("seats", "int")
"""


def run(program: str, *arguments: object) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("name", ACTS)
def test_writers_in_other_processes_keep_saving_it(
    db: DealDatabase, server: Server, tmp_path: Path, name: str
) -> None:
    for n in range(60):
        db.save_deal({"id": n, "seats": "08", "name": "first"})
    writers = [run(WRITER, server.url, seed, tmp_path) for seed in range(2)]
    try:
        assert eventually(lambda: all((tmp_path / f"began{n}").exists() for n in range(2)))
        # killed in the middle of it, between two partitions
        killed = run(RESHAPER, server.url, name, 9)
        killed.communicate(timeout=300)
        assert killed.returncode == -signal.SIGKILL
        assert db.schema.leaving
        ACTS[name](db)
    finally:
        (tmp_path / "stop").touch()
        said = [writer.communicate(timeout=300)[0].split() for writer in writers]
    assert all(int(n) > 30 for n, _ in said)
    assert not db.schema.leaving
    assert db.check().differences == ()
    if name == "rename":
        # whoever saved it after it had left has begun it anew
        assert db.query.count("licences IS NOT NULL") == 60
    if name == "retype":
        assert db.schema["seats"].describe() == "int"
        assert {each[b"seats"] for each in hashes(server).values()} == {b"7", b"8"}
    if "seats" in db.schema:
        db.drop_field("seats")
    assert_gone(db, server)


# what is seen meanwhile ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rename", "retype"])
def test_what_is_read_of_the_head_after_it_and_of_others_before_it_is_read_again(
    db: DealDatabase, other: DealDatabase, name: str
) -> None:
    save_all(db, "08")
    db.query.find()
    store = store_of(db)
    before = store._positions()
    ACTS[name](other)
    newest = [store._positions()[0], *before[1:]]
    rows = store._joined.snapshot(newest).rows
    column = rows["licences" if name == "rename" else "seats"]
    assert column.null_count() == 0
    assert column.len() == len(IDS)


def test_deals_that_are_read_while_a_field_gets_another_name_have_it(
    db: DealDatabase, other: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_all(db, 5)
    db.get_deals(IDS)
    store, read = store_of(db), PartitionedStore._read

    def torn(self: PartitionedStore, commands: Any) -> Any:
        # a node answers before the change, and another one after it
        monkeypatch.setattr(PartitionedStore, "_read", read)
        *deals, version = commands
        found = read(self, deals)
        other.rename_field("seats", "licences")
        return [*found, *read(self, [version])]

    monkeypatch.setattr(PartitionedStore, "_read", torn)
    assert [deal and deal["licences"] for deal in store.get_many(IDS)] == [5] * len(IDS)


def test_a_field_that_leaves_between_two_looks_does_not_come_back(
    db: DealDatabase, other: DealDatabase, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_all(db, 5)
    # so that this one has something to bring to the partitions
    db.save_deal({"id": IDS[0], "memo": "x"})
    calls, done = Link.calls, list[bool]()

    def slowly(self: Link, commands: Any, **named: Any) -> Any:
        metas = [command[1] for command in commands if command[0] == "HMGET"]
        if done or len(commands) != 2 or len(metas) != 2:
            return calls(self, commands, **named)
        done.append(True)
        first = calls(self, commands[:1], **named)
        other.drop_field("seats")
        return [*first, *calls(self, commands[1:], **named)]

    monkeypatch.setattr(Link, "calls", slowly)
    store_of(db)._partitions[2].follow()
    assert done
    assert_gone(db, server)


def test_a_field_that_leaves_gets_no_other_type(
    db: DealDatabase, other: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_all(db, 5)
    save_all(other, 6)
    with stopping_at(2, monkeypatch):
        db.drop_field("seats")
    for each in (db, other):
        refused = save_all(each, Decimal("2.5"))
        assert refused == IDS
    assert other.schema["seats"].describe() == "int"
    # nor a partition that never had it
    with pytest.raises(SchemaError, match="being dropped"):
        other.loader.load([{"id": n, "seats": "2.5"} for n in range(60)], bar=False)
    assert db.check().ok


def test_what_does_not_fit_a_type_any_more_leaves_texts(
    db: DealDatabase, other: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_all(db, "7 ")
    with stopping_at(9, monkeypatch):
        db.retype_field("seats", "int")
    assert db.schema.leaving
    assert "many" not in save_all(other, "many")
    with pytest.raises(SchemaError, match="values that don't fit"):
        db.retype_field("seats", "int")
    for each in (db, other):
        assert not each.schema.leaving
        assert each.schema["seats"].describe() == "text"
        assert each.check().ok
    assert save_all(other, " 8") == []
    db.retype_field("seats", "int")
    assert other.query.count("seats = 8") == len(IDS)


def test_nothing_of_it_stays_in_the_schema(db: DealDatabase, server: Server) -> None:
    save_all(db, 5)
    db.drop_field("seats")
    with server.client() as client:
        text = client.hget(Keys("deal", tag_of(0, P)).meta, "schema")
    assert b"leaving" not in text


@pytest.mark.parametrize("partitions", [None, P])
def test_who_knows_the_type_of_before_saves_no_such_value(
    server: Server, partitions: int | None
) -> None:
    # texts hold what any type holds, but not a value of it
    with (
        DealDatabase.from_url(server.url, partitions=partitions) as db,
        DealDatabase.from_url(server.url, partitions=partitions) as other,
    ):
        for deal in IDS:
            other.save_deal({"id": deal, "paid": True})
        db.retype_field("paid", "text")
        # a save to the head would tell it
        for deal in reversed(IDS):
            with pytest.raises(SchemaError, match="expected text"):
                other.save_deal({"id": deal, "paid": False})
        assert set(db.query.find()["paid"]) == {"true"}
