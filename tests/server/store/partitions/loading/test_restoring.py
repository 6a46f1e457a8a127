"""What a backup was taken of is there again, in as many partitions or in another number of them."""

from __future__ import annotations

import random
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from clusters import Cluster
from dealdb import DealDatabase, Kind, Pipeline, RestoreRefused, Stage, StoreDamaged
from dealdb.errors import BackupError, DealDBError
from dealdb.store.backup.claim import Claim
from dealdb.store.backup.restoring import Restorer
from dealdb.store.backup.taking import _Taker
from dealdb.store.checkpoint.write import write_checkpoint
from dealdb.store.keys import Keys
from dealdb.store.partitions.begin import Beginning
from dealdb.store.partitions.upkeep.reshaping import PartitionedReshape
from servers import Server

STAGES = (Stage("Lead", Kind.OPEN), Stage("Won", Kind.WON), Stage("Lost", Kind.LOST))
IDS = [*map(str, range(24)), *(f"B{n}" for n in range(60)), "ключ 1", "new", "told", "never"]
# dies at the n-th call of something
RESTORE = """
import os, signal, sys
from dealdb import DealDatabase
from dealdb.store.backup.claim import Claim
from dealdb.store.backup.restoring import Restorer

url, path, of, at = sys.argv[1:]
kind, name = of.split(".")
kind = {"Claim": Claim, "Restorer": Restorer}[kind]
call, n_calls = getattr(kind, name), 0

def counted(self, *given, **named):
    global n_calls
    n_calls += 1
    if n_calls == int(at):
        os.kill(os.getpid(), signal.SIGKILL)
    return call(self, *given, **named)

setattr(kind, name, counted)
with DealDatabase.from_url(url, collection="copy", partitions=4) as db:
    db.restore(path)
"""


def checkpoint(db: DealDatabase) -> None:
    db.query.frame()
    for piece in db._store.pieces:
        live = piece._live
        with live._lock:
            if live._replica.position.seq:
                write_checkpoint(piece.link, piece.keys, live._replica)


def change(db: DealDatabase, draw: random.Random, n: int = 80) -> None:
    """What can happen to a collection, of partitions too."""
    for number in range(n):
        match draw.randrange(12):
            case 0:
                db.delete_deal(draw.randrange(24))
            case 1:
                rows = [
                    {"id": f"B{draw.randrange(60)}", "amount": draw.randrange(9), "owner": "Ann"}
                    for _ in range(draw.choice([3, 40]))
                ]
                db.loader.load(rows, bar=False)
            case 2:
                stages = list(STAGES)
                draw.shuffle(stages)
                db.set_pipeline(Pipeline(tuple(stages)), force=True)
            case 3:
                at = f"2026-01-{draw.randint(1, 28):02}"
                db.save_deal({"id": draw.randrange(24), "stage": "Lead"}, at=at)
            case 4 if number % 3 == 0:
                checkpoint(db)
            case _:
                deal = {
                    "name": draw.choice(["Ünïcode 漢字 'x' \n", "", None]),
                    "amount": draw.choice([1, Decimal("12.5"), Decimal("0.125"), None]),
                    "stage": draw.choice(["Lead", "Won", "Lost", "Other"]),
                    "seats": draw.choice([5, Decimal("2.5")]),
                    "tags": draw.choice([["a", 'ö, "b"'], [], None]),
                    "created": draw.choice([date(2026, 3, 1), None]),
                    f"f{draw.randrange(4)}": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
                }
                some = {name: value for name, value in deal.items() if draw.random() < 0.4}
                db.save_deal({"id": draw.randrange(24), **some})


def fill_one(db: DealDatabase, server: Server, seed: int) -> None:
    """A collection of one piece with what partitions can't have yet, too."""
    draw = random.Random(seed)
    db.set_pipeline(Pipeline(STAGES))
    db.save_deal({"id": "ключ 1", "region": "r", "gone": 1, "places": 4})
    change(db, draw)
    db.rename_field("region", "area")
    db.retype_field("places", "text")
    db.drop_field("gone")
    db.history.load(
        [
            {"id": deal, "at": f"2025-0{n}-01", "field": "stage", "value": "Lead"}
            for n, deal in enumerate(["1", "2", "told", "B1"], 1)
        ],
        rejects=False,
    )
    change(db, draw, 40)
    db.save_deal({"id": "ключ 1", "gone": "again"})
    with server.client() as raw:
        # another program: a changed hash, a new one, one that is gone, and one that is replaced
        prefix = db._store.keys.deal_prefix
        db.save_deal({"id": 9, "amount": 1})
        db.save_deal({"id": 10, "amount": 1})
        db.save_deal({"id": 11, "amount": 1})
        raw.hset(f"{prefix}9", "amount", "999")
        raw.hset(f"{prefix}new", mapping={"stage": "Lead", "name": "by hand"})
        raw.delete(f"{prefix}10", f"{prefix}11")
        db.save_deal({"id": 11, "amount": 11})
    db.repair()
    change(db, draw, 30)
    db.query.save("hot", "amount > 5")
    db.rates.load([{"date": "2026-01-01", "currency": "EUR", "rate": "1.1"}])
    assert db.check().ok


def told(db: DealDatabase) -> list[tuple[str, ...]]:
    """What each deal was and since when, as its own piece knows it."""
    found = []
    for piece in db._store.pieces:
        facts = piece.event_facts(assume="none")
        lives = facts.lives.select("life", "id", "end")
        for field in facts.schema.fields:
            table = facts.of(field.name).join(lives, on="life")
            found += [
                (field.name, *map(str, row))
                for row in table.select("id", "at", "value", "end").rows()
            ]
    return sorted(found)


def frame_of(db: Any) -> pl.DataFrame:
    frame: pl.DataFrame = db.query.frame().sort("id")
    return frame.select(sorted(frame.columns))


def assert_same(one: DealDatabase, other: DealDatabase) -> None:
    """The same in every view, but for numbers of commits."""
    assert_frame_equal(frame_of(one), frame_of(other))
    assert (dict(one.schema), len(one)) == (dict(other.schema), len(other))
    assert one.pipeline == other.pipeline
    assert one.get_deals(IDS) == other.get_deals(IDS)
    moments = []
    for deal in IDS:
        mine, theirs = (db.deal_history(deal).drop("seq") for db in (one, other))
        assert mine.equals(theirs), deal
        moments += mine["when"].to_list()
    for moment in sorted(set(moments))[:: len(set(moments)) // 7 + 1]:
        assert_frame_equal(frame_of(one.as_of(moment)), frame_of(other.as_of(moment)))
    assert told(one) == told(other)
    assert one.query.saved() == other.query.saved()
    assert one.rates.frame().equals(other.rates.frame())
    assert other.check().ok


def last_revs(db: DealDatabase) -> dict[str, int]:
    """Revision of each deal."""
    return {str(deal["id"]): deal.rev for deal in db.get_deals(IDS) if deal}


def opened(url: str, name: str, n: int) -> DealDatabase:
    return DealDatabase.from_url(url, collection=name, partitions=n)


METRICS: tuple[Callable[[DealDatabase], pl.DataFrame], ...] = (
    lambda db: db.analytics.waterfall(since="2025-01-01").frame,
    lambda db: db.analytics.time_in_stage().frame,
    lambda db: db.history.span(),
)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_from_one_piece_to_many_and_back(server: Server, tmp_path: Path, seed: int) -> None:
    file = tmp_path / "b"
    with opened(server.url, "one", 1) as one:
        fill_one(one, server, seed)
        one.backup(file)
        before = one
        for n in (4, 16, 2, 1):
            db = opened(server.url, f"p{n}", n)
            report = db.restore(file)
            assert (report.partitions, report.deals, report.history) == (n, len(one), True)
            assert_same(one, db)
            # as if it had always been so
            file = tmp_path / f"b{n}"
            taken = db.backup(file)
            checked = DealDatabase.check_backup(file)
            assert (checked.partitions, checked.deals, checked.hash) == (n, len(one), report.hash)
            assert checked.sha256 == taken.sha256
            assert (taken.seq, taken.commits) == (report.seq, report.commits)
            if before is not one:
                before.close()
            before = db
        # of one piece again, with metrics on history
        for metric in METRICS:
            assert_frame_equal(metric(one), metric(db), check_row_order=False)
        assert db.save_deal({"id": "1", "amount": 77}).outcome in ("updated", "inserted")
        assert db.check().ok
        db.close()


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_of_as_many_partitions_it_is_the_same_collection(
    server: Server, tmp_path: Path, seed: int
) -> None:
    draw = random.Random(seed)
    with (
        opened(server.url, "parted", 4) as db,
        DealDatabase.from_url(server.url, collection="copy") as copy,
    ):
        change(db, draw)
        checkpoint(db)
        change(db, draw, 30)
        db.query.save("hot", "amount > 5")
        db.rates.load([{"date": "2026-01-01", "currency": "EUR", "rate": "1.1"}])
        report = db.backup(tmp_path / "b")
        # as many as it was taken of, where nobody says how many
        restored = copy.restore(tmp_path / "b")
        assert (restored.seq, restored.hash, restored.partitions) == (report.seq, report.hash, 4)
        assert_same(db, copy)
        assert last_revs(db) == last_revs(copy)
        for deal in IDS:
            assert db.deal_history(deal).equals(copy.deal_history(deal))
        change(copy, draw, 30)
        assert copy.check().ok
        for n in (1, 8):
            with opened(server.url, f"p{n}", n) as other:
                other.restore(tmp_path / "b")
                assert_same(db, other)
                change(other, draw, 20)
                assert other.check().ok


def change_fields(db: DealDatabase, draw: random.Random) -> None:
    """Fields that leave all partitions, that become others, and that begin anew."""
    db.save_deal({"id": "ключ 1", "region": "r", "gone": 1, "places": 4, "flag": "true"})
    change(db, draw, 20)
    for n in range(12):
        db.save_deal({"id": n, "region": f"r{n}", "gone": n, "places": n, "flag": "false"})
    db.rename_field("region", "area")
    change(db, draw, 10)
    db.retype_field("places", "text")
    db.retype_field("flag", "bool")
    db.drop_field("gone")
    change(db, draw, 10)
    db.save_deal({"id": 5, "gone": "again", "places": "far", "flag": True})
    db.rename_field("area", "region")
    change(db, draw, 10)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_fields_that_left_all_partitions_before(server: Server, tmp_path: Path, seed: int) -> None:
    with opened(server.url, "parted", 4) as db:
        change_fields(db, random.Random(seed))
        db.backup(tmp_path / "b")
        for n in (1, 2, 8):
            with opened(server.url, f"p{n}", n) as other:
                other.restore(tmp_path / "b")
                assert_same(db, other)
                for metric in METRICS:
                    assert_frame_equal(metric(db), metric(other), check_row_order=False)
                change(other, random.Random(3), 10)
                assert other.check().ok


class Killed(Exception):
    """A process dies here."""


LEAVE: dict[str, Callable[[DealDatabase], object]] = {
    "drop": lambda db: db.drop_field("seats"),
    "rename": lambda db: db.rename_field("seats", "places"),
    "retype": lambda db: db.retype_field("seats", "text"),
    "read": lambda db: db.retype_field("digits", "int"),
}


def leave_some(db: DealDatabase, how: str, n_lost: int) -> None:
    """Have a field leave so many partitions, and die."""
    with pytest.MonkeyPatch.context() as patch:
        whole = PartitionedReshape._lose
        numbers = count()

        def lose(self: Any, *given: Any) -> None:
            if next(numbers) == n_lost:
                raise Killed
            whole(self, *given)

        patch.setattr(PartitionedReshape, "_lose", lose)
        with pytest.raises(Killed):
            LEAVE[how](db)


@pytest.mark.parametrize("history", [True, False])
@pytest.mark.parametrize("how", ["drop", "rename", "read"])
def test_a_field_that_just_leaves_goes_on_leaving(
    server: Server, tmp_path: Path, how: str, history: bool
) -> None:
    """A backup of the middle of it restores into any number of partitions; of one piece it has what there was left."""
    with opened(server.url, "parted", 4) as db:
        for n in range(40):
            db.save_deal({"id": n, "seats": n, "digits": str(n), "stage": "Lead"})
        leave_some(db, how, 2)
        for n in range(40):
            db.save_deal({"id": n, "name": f"n{n}"})
        db.backup(tmp_path / "b", history=history)
        before = frame_of(db)
        for n in (1, 2, 4, 8):
            with opened(server.url, f"p{n}", n) as other:
                other.restore(tmp_path / "b")
                assert_frame_equal(frame_of(other), before)
                assert other.check().ok
                if history:
                    assert other.deal_history(3).drop("seq").equals(db.deal_history(3).drop("seq"))
                if n == 1:
                    LEAVE[how](other)
                else:
                    other.repair()
                other.save_deal({"id": 7, "amount": 7})
                assert other.check().ok
        db.repair()
        db.save_deal({"id": 7, "amount": 7})
        for n in (1, 2, 4, 8):
            with opened(server.url, f"p{n}", n) as other:
                after, expected = frame_of(other), frame_of(db)
                assert_frame_equal(after.drop("updated"), expected.drop("updated"))


def test_a_field_that_leaves_while_the_backup_is_taken(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No partition of a backup has what the first has lost."""
    with opened(server.url, "parted", 4) as db, opened(server.url, "parted", 4) as other:
        for n in range(40):
            db.save_deal({"id": n, "seats": n})
        begin = _Taker.begin
        done: list[object] = []

        def begun(self: Any) -> None:
            # the head is the last one
            if self._keys.tag == db._store.keys.tag and not done:
                done.append(other.drop_field("seats"))
            begin(self)

        monkeypatch.setattr(_Taker, "begin", begun)
        db.backup(tmp_path / "b")
        assert "seats" not in db.schema
        for n in (1, 4, 8):
            with opened(server.url, f"p{n}", n) as copy:
                copy.restore(tmp_path / "b")
                assert_same(db, copy)
                copy.save_deal({"id": 3, "name": "x"})
                with server.client() as raw:
                    hashes = [raw.hgetall(key) for key in raw.keys(f"p{n}:*")]
                assert not any(b"seats" in each for each in hashes)


def test_without_history_the_deals_are_there(server: Server, tmp_path: Path) -> None:
    with opened(server.url, "one", 1) as one:
        change(one, random.Random(1))
        one.backup(tmp_path / "b1", history=False)
        revs = last_revs(one)
        for n, file, name in ((4, "b1", "a"), (4, "b4", "b"), (1, "b4", "c"), (8, "b4", "d")):
            with opened(server.url, name, n) as db:
                report = db.restore(tmp_path / file)
                assert (report.deals, report.history, report.commits) == (len(one), False, 0)
                assert_frame_equal(frame_of(one), frame_of(db))
                assert (dict(one.schema), one.pipeline) == (dict(db.schema), db.pipeline)
                # a careful writer reads again
                for deal in db.get_deals(IDS):
                    assert deal is None or deal.rev >= revs[str(deal["id"])]
                with pytest.raises(StoreDamaged):
                    db.deal_history("1")
                if name == "a":
                    db.backup(tmp_path / "b4", history=False)
                change(db, random.Random(2), 20)
                assert db.check().ok


def test_an_empty_collection_and_one_of_few_deals(server: Server, tmp_path: Path) -> None:
    with opened(server.url, "none", 4) as db:
        assert db.backup(tmp_path / "none").partitions == 4
    with opened(server.url, "few", 4) as db:
        db.save_deal({"id": "1", "name": "only"})
        db.backup(tmp_path / "few")
    for n in (1, 4, 16):
        for name, n_deals in (("none", 0), ("few", 1)):
            with opened(server.url, f"{name}{n}", n) as db:
                assert db.restore(tmp_path / name).deals == n_deals
                assert len(db) == db.query.find().height == n_deals
                db.save_deal({"id": "2", "name": "more"})
                assert len(db) == n_deals + 1
                assert db.check().ok


def test_an_older_program_refuses_the_file(server: Server, tmp_path: Path) -> None:
    """By its format; a file of one piece is as it was."""
    with opened(server.url, "parted", 4) as db, opened(server.url, "one", 1) as one:
        for each, form in ((db, 2), (one, 1)):
            each.save_deal({"id": 1})
            each.backup(tmp_path / "b", overwrite=True)
            assert (tmp_path / "b").read_bytes()[12:16] == bytes([0, 0, 0, form])


def test_damage_anywhere_is_found(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "b"
    with opened(server.url, "parted", 4) as db:
        db.loader.load([{"id": n, "name": f"n{n}"} for n in range(40)], bar=False)
        db.backup(file)
    whole = file.read_bytes()
    for at in range(0, len(whole), len(whole) // 150):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(BackupError):
            DealDatabase.check_backup(file)
        file.write_bytes(whole[:at])
        with pytest.raises(BackupError):
            DealDatabase.check_backup(file)
    with opened(server.url, "copy", 4) as copy:
        with pytest.raises(BackupError):
            copy.restore(file)
        assert len(copy) == 0


def test_what_holds_anything_is_refused_and_stays(server: Server, tmp_path: Path) -> None:
    with opened(server.url, "parted", 4) as db, opened(server.url, "copy", 4) as copy:
        db.save_deal({"id": 1, "name": "a"})
        db.backup(tmp_path / "b")
        copy.save_deal({"id": 5, "name": "here"})
        with server.client() as client:
            before = {key: client.dump(key) for key in client.keys("*")}
            with pytest.raises(RestoreRefused, match="is not empty"):
                copy.restore(tmp_path / "b")
            assert {key: client.dump(key) for key in client.keys("*")} == before
            # without its first partition alone it is no empty one
            client.delete(*client.keys("cop*{0.1}*"))
            before = {key: client.dump(key) for key in client.keys("*")}
            with pytest.raises(RestoreRefused, match="is not empty"):
                copy.restore(tmp_path / "b")
            assert {key: client.dump(key) for key in client.keys("*")} == before


@pytest.fixture
def file(server: Server, tmp_path: Path) -> Path:
    with opened(server.url, "parted", 4) as db:
        change(db, random.Random(5))
        db.query.save("hot", "amount > 5")
        db.backup(tmp_path / "b")
    return tmp_path / "b"


@pytest.mark.parametrize(
    ("of", "at", "times"),
    [
        ("Claim.take", 2, 1),
        ("Claim.take", 4, 2),
        ("Restorer.write", 1, 1),
        ("Restorer.write", 3, 1),
        ("Claim.finish", 2, 2),
        ("Claim.finish", 4, 1),
        ("Restorer.confirm", 1, 1),
    ],
)
def test_one_that_was_killed_is_told_and_can_be_repeated(
    server: Server, file: Path, of: str, at: int, times: int
) -> None:
    with server.client() as raw:
        for _ in range(times):
            command = [sys.executable, "-c", RESTORE, server.url, str(file), of, str(at)]
            done = subprocess.run(command, check=False, capture_output=True)
            assert done.returncode == -signal.SIGKILL
            # as if so long had passed
            raw.delete(*raw.keys("cop*lease"), "x")
    with opened(server.url, "copy", 4) as copy, opened(server.url, "parted", 4) as db:
        if of == "Restorer.confirm":
            # it was whole by then
            assert_same(db, copy)
            return
        for ask in (len, lambda db: db.query.count(), lambda db: "1" in db, lambda db: db.get_deal(1),
                    lambda db: db.save_deal({"id": 1}), lambda db: db.deal_history(1)):  # fmt: skip
            with pytest.raises(StoreDamaged, match="is under way, or did not finish"):
                ask(copy)
        copy.restore(file)
        assert_same(db, copy)
        for piece in copy._store.pieces:
            own = piece.keys.own_prefix
            assert sorted(raw_members(server, piece.keys.chunks)) == sorted(
                key
                for kind in ("chunk", "history", "index")
                for key in raw_keys(server, f"{own}{kind}:*")
            )


def raw_members(server: Server, key: str) -> list[bytes]:
    with server.client() as client:
        return list(client.smembers(key))


def raw_keys(server: Server, pattern: str) -> list[bytes]:
    with server.client() as client:
        found: list[bytes] = client.keys(pattern)
        return found


@pytest.mark.parametrize("is_done", [False, True])
@pytest.mark.parametrize(("name", "at"), [("take", 1), ("take", 3), ("put", 5), ("finish", 2)])
def test_one_that_fails_leaves_nothing(
    server: Server,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    at: int,
    is_done: bool,
) -> None:
    call, calls = getattr(Claim, name), []

    def interrupted(*given: Any, **named: Any) -> Any:
        calls.append(name)
        if len(calls) == at:
            if is_done:
                # what the server has done by then
                call(*given, **named)
            raise KeyboardInterrupt
        return call(*given, **named)

    with opened(server.url, "copy", 4) as copy:
        with monkeypatch.context() as patched:
            patched.setattr(Claim, name, interrupted)
            with pytest.raises(KeyboardInterrupt):
                copy.restore(file)
        left = raw_keys(server, "cop*")
        assert left == []
    # of another number, since nothing is there
    with opened(server.url, "copy", 8) as copy, opened(server.url, "parted", 4) as db:
        copy.restore(file)
        assert_same(db, copy)


@pytest.mark.parametrize("at", [1, 2, 4])
def test_one_that_was_killed_and_is_interrupted_then(
    server: Server, file: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Wherever that is, nothing is left that is in the way of the next one."""
    command = [sys.executable, "-c", RESTORE, server.url, str(file), "Claim.finish", "3"]
    assert subprocess.run(command, check=False, capture_output=True).returncode == -signal.SIGKILL
    with server.client() as raw:
        raw.delete(*raw.keys("cop*lease"))
    call, calls = Claim.take, []

    def interrupted(*given: Any, **named: Any) -> Any:
        calls.append(call(*given, **named))
        if len(calls) == at:
            raise KeyboardInterrupt
        return calls[-1]

    with opened(server.url, "copy", 4) as copy, opened(server.url, "parted", 4) as db:
        with monkeypatch.context() as patched:
            patched.setattr(Claim, "take", interrupted)
            with pytest.raises(KeyboardInterrupt):
                copy.restore(file)
        assert raw_keys(server, "cop*") == []
        copy.restore(file)
        assert_same(db, copy)


def test_a_full_server_has_nothing_left(server: Server, tmp_path: Path) -> None:
    with opened(server.url, "parted", 4) as db:
        db.loader.load(
            [{"id": n, "name": random.Random(n).randbytes(500).hex()} for n in range(3_000)],
            bar=False,
        )
        db.backup(tmp_path / "b")
    with server.client() as raw, opened(server.url, "copy", 4) as copy:
        raw.config_set("maxmemory", raw.info("memory")["used_memory"] + 2_000_000)
        try:
            with pytest.raises(DealDBError, match="memory"):
                copy.restore(tmp_path / "b")
        finally:
            raw.config_set("maxmemory", 0)
        assert raw.keys("cop*") == []


def test_a_full_folder_of_temporary_files_is_told(server: Server, file: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with opened(server.url, "copy", 8) as copy:
        for limit in (100, 5_000, 20_000):
            # the error of a limit comes from the same place as that of a full disk
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            try:
                with pytest.raises(
                    BackupError, match=r"another number of partitions.*File too large"
                ):
                    copy.restore(file)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            assert raw_keys(server, "cop*") == []
        copy.restore(file)


def test_many_partitions_need_few_open_files(server: Server, file: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with opened(server.url, "copy", 256) as copy, opened(server.url, "parted", 4) as db:
        n_open = len(list(Path("/proc/self/fd").iterdir()))
        # some systems give a process 256
        resource.setrlimit(resource.RLIMIT_NOFILE, (n_open + 30, hard))
        try:
            copy.restore(file)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert frame_of(copy).equals(frame_of(db))


def test_two_at_once(server: Server, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Restorer.write
    refused: list[None] = []

    def write(self: Any) -> None:
        if not refused:
            refused.append(None)
            with (
                opened(server.url, "copy", 4) as other,
                pytest.raises(RestoreRefused, match="another process"),
            ):
                other.restore(file)
        whole(self)

    monkeypatch.setattr(Restorer, "write", write)
    with opened(server.url, "copy", 4) as copy, opened(server.url, "parted", 4) as db:
        copy.restore(file)
        assert_same(db, copy)
    assert refused


def test_hashes_of_another_program_are_refused(server: Server, file: Path) -> None:
    with server.client() as raw, opened(server.url, "copy", 4) as copy:
        raw.hset("copy:1", "name", "theirs")
        with pytest.raises(DealDBError, match="holds hashes of another program"):
            copy.restore(file)
        assert raw.keys("cop*") == [b"copy:1"]


def test_from_one_server_to_a_cluster_and_back(
    cluster: Cluster, server: Server, tmp_path: Path
) -> None:
    with opened(server.url, "one", 1) as one:
        fill_one(one, server, 7)
        one.backup(tmp_path / "b1")
        for n, name in ((16, "many"), (1, "single")):
            with opened(cluster.url, name, n) as db:
                assert db.restore(tmp_path / "b1").partitions == n
                assert_same(one, db)
                db.backup(tmp_path / name)
            with opened(server.url, f"back{n}", 1) as back:
                back.restore(tmp_path / name)
                assert_same(one, back)
                for metric in METRICS:
                    assert_frame_equal(metric(one), metric(back), check_row_order=False)


@pytest.mark.parametrize("theirs", [1, 2, 16])
def test_a_collection_that_others_began_meanwhile_stays(
    server: Server, file: Path, theirs: int
) -> None:
    """Of another number of partitions than this program takes it to have."""
    with opened(server.url, "copy", 4) as copy, opened(server.url, "copy", theirs) as other:
        assert len(copy) == 0
        other.save_deal({"id": 1, "name": "theirs"})
        with server.client() as raw:
            before = {key: raw.dump(key) for key in raw.keys("cop*")}
            with pytest.raises((RestoreRefused, StoreDamaged), match=r"partitions=|is not empty"):
                copy.restore(file)
            assert {key: raw.dump(key) for key in raw.keys("cop*")} == before
    with DealDatabase.from_url(server.url, collection="copy") as fresh:
        assert len(fresh) == 1
        assert [deal and deal["name"] for deal in fresh.get_deals([1])] == ["theirs"]


def test_a_collection_that_was_begun_and_is_empty_stays_begun(
    server: Server, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(server.url, "copy", 4) as copy:
        # by another program, whose first commit is still to come
        Beginning(copy._store.link, Keys("copy"), 4).begin()
        begun = {key: raw_value(server, key) for key in raw_keys(server, "cop*")}
        with monkeypatch.context() as patched:
            patched.setattr(Restorer, "write", interrupt)
            with pytest.raises(KeyboardInterrupt):
                copy.restore(file)
        assert {key: raw_value(server, key) for key in raw_keys(server, "cop*")} == begun
        copy.restore(file)
        assert copy.check().ok


@pytest.mark.parametrize("partitions", [1, 4])
def test_a_claim_is_held_while_what_is_left_is_removed(
    server: Server, file: Path, monkeypatch: pytest.MonkeyPatch, partitions: int
) -> None:
    """That takes longer than it is held, where much is left: else another restore would come in between."""
    claims: list[Claim] = []
    clear, take = Claim.clear_deals, Claim.take
    with server.client() as raw, opened(server.url, "copy", partitions) as copy:
        lease = copy._store.keys.lease

        def taken(self: Claim, **named: Any) -> bool:
            claims.append(self)
            return take(self, **named)

        def cleared(self: Claim, names: Any) -> int:
            # the head's, by which others know of it
            if self is claims[0]:
                held.append(bool(raw.exists(lease)))
                # as if so long had passed
                raw.delete(lease)
                self._held_at = -100.0
            return clear(self, names)

        held: list[bool] = []
        with monkeypatch.context() as patched:
            patched.setattr(Claim, "give_up", lambda self: None)
            patched.setattr(
                "dealdb.store.partitions.loading.restoring._Restore._give_up",
                lambda self, **_: None,
            )
            patched.setattr(Claim, "finish", interrupt)
            with pytest.raises(KeyboardInterrupt):
                copy.restore(file)
        raw.delete(*raw.keys("cop*lease"))
        monkeypatch.setattr("dealdb.store.hashes._SCAN_COUNT", 10)
        monkeypatch.setattr(Claim, "take", taken)
        monkeypatch.setattr(Claim, "clear_deals", cleared)
        copy.restore(file)
    assert len(held) > 3
    assert all(held)


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def raw_value(server: Server, key: bytes) -> Any:
    with server.client() as client:
        return client.dump(key)


@pytest.mark.parametrize("partitions", [1, 4])
@pytest.mark.parametrize("n_deals", [0, 1])
def test_the_answer_to_the_last_step_of_what_is_empty_may_get_lost(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, partitions: int, n_deals: int
) -> None:
    """A partition without commits is as empty behind that step as a restore that was given up leaves it."""
    with opened(server.url, "source", 1) as db:
        db.query.save("hot", "amount > 5")
        for n in range(n_deals):
            db.save_deal({"id": n})
        db.backup(tmp_path / "b")
    finish = Claim.finish

    def twice(self: Claim, *given: Any) -> int:
        finish(self, *given)
        return finish(self, *given)

    monkeypatch.setattr(Claim, "finish", twice)
    with opened(server.url, "copy", partitions) as copy:
        report = copy.restore(tmp_path / "b")
        assert (report.deals, report.queries, len(copy)) == (n_deals, 1, n_deals)
        assert list(copy.query.saved()) == ["hot"]
        copy.save_deal({"id": "next"})
        assert copy.check().ok
