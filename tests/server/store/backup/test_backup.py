"""A backup holds the collection as of one commit, and a restore makes the same collection of it."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import redis

from cli_runs import Run, run_fixture  # noqa: F401 a fixture
from connected import checkpoint, try_checkpoint
from dealdb import (
    BackupError,
    ConfigError,
    DealDatabase,
    Kind,
    Pipeline,
    Progress,
    Stage,
    StoreDamaged,
)
from servers import BINARIES, Server

# so many deals are folded into a checkpoint by the load itself
ENOUGH = 4_300
# what a restore adds to the meta data
ADDED = {b"restored", b"adopted"}


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}", actor="ann") as db:
        yield db


@pytest.fixture
def copy(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}", collection="copy", db=3) as db:
        yield db


@pytest.fixture
def raw(server: Server) -> Iterator[redis.Redis]:
    with server.client() as client:
        yield client


def fill(db: DealDatabase, raw: redis.Redis, n_loaded: int = 20) -> None:
    """A collection with something of everything that can happen to one."""
    stages = (Stage("Lead", Kind.OPEN), Stage("Gewonnen ✓", Kind.WON), Stage("Lost", Kind.LOST))
    db.set_pipeline(Pipeline(stages))
    everything: dict[str, object] = {
        "id": "ключ 1", "name": "Ünïcode 漢字 'x' \n", "amount": Decimal("125000.10"), "stage": "Gewonnen ✓",
        "close_date": date(2026, 3, 1), "tags": ["a", "ö, \"b\""], "seats": 7, "share": 0.1, "hot": True,
        "seen": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), "fee": Decimal("0.12345"), "empty": "",
    }  # fmt: skip
    db.save_deal(everything)
    for n in range(20):
        db.save_deal({"id": n, "amount": n, "region": f"r{n % 3}", "gone": n})
    for n in range(5):
        db.delete_deal(n)
    db.save_deal({"id": 3, "amount": 33})
    checkpoint(db)
    db.rename_field("region", "area")
    db.drop_field("gone")
    db.loader.load(
        [{"id": f"B{n}", "amount": n, "owner": f"o{n % 7}"} for n in range(n_loaded)], bar=False
    )
    # new deals that stay as they are: sealed, they are in the chunks alone
    db.loader.load([{"id": f"U{n}", "owner": f"o{n % 7}"} for n in range(20)], bar=False)
    db.save_deal({"id": "B7", "amount": None, "owner": "other"})
    db.delete_deal("B8")
    # another program: a changed hash, a new one, one that is gone and one that is replaced, which leaves a row over
    raw.hset("deal:9", "amount", "999")
    raw.hset("deal:new", mapping={"stage": "Lead", "name": "by hand"})
    raw.delete("deal:10", "deal:11")
    db.save_deal({"id": 11, "amount": 11})
    assert not db.check().ok
    db.repair()
    checkpoint(db)
    db.save_deal({"id": 12, "amount": Decimal("12.5")})
    db.query.save("hot", "amount > 5")
    assert db.check().ok


IDS = ("ключ 1", "3", "4", "9", "10", "11", "12", "new", "B7", "B8", "B9", "never")


def assert_same(one: DealDatabase, other: DealDatabase) -> None:
    """The same in every view."""
    assert one.query.frame().equals(other.query.frame())
    assert (one.schema, one.pipeline, len(one)) == (other.schema, other.pipeline, len(other))
    for ours, theirs in zip(one.get_deals(IDS), other.get_deals(IDS), strict=True):
        assert (ours, ours and ours.rev) == (theirs, theirs and theirs.rev)
    for deal in IDS:
        assert one.deal_history(deal).equals(other.deal_history(deal))
    commits = list(one.changes(0, timeout_s=0))
    assert list(other.changes(0, timeout_s=0)) == commits
    middle = commits[len(commits) // 2]
    assert list(other.changes(middle.token, timeout_s=0)) == commits[middle.seq :]
    for commit in commits[:: len(commits) // 6 + 1]:
        then, there = one.as_of(commit.when), other.as_of(commit.when)
        assert then.query.frame().equals(there.query.frame())
    assert other.check().differences == one.check().differences
    assert one.query.saved() == other.query.saved()


def hashes(client: redis.Redis, collection: str) -> dict[bytes, Any]:
    prefix = f"{collection}:".encode()
    return {key[len(prefix) :]: client.hgetall(key) for key in client.scan_iter(prefix + b"*")}


def test_round_trip(
    db: DealDatabase, copy: DealDatabase, raw: redis.Redis, server: Server, tmp_path: Path
) -> None:
    fill(db, raw, ENOUGH)
    report = db.backup(tmp_path / "b")
    seq, chain = raw.hmget("deals:meta", "seq", "hash")
    assert (report.seq, report.hash.encode()) == (int(seq or 0), chain)
    assert (report.deals, report.commits, report.queries) == (len(db), report.seq, 1)
    assert report.bytes == (tmp_path / "b").stat().st_size
    restored = copy.restore(tmp_path / "b")
    assert (restored.deals, restored.seq, restored.collection) == (len(db), report.seq, "copy")
    with server.client(db=3) as there:
        assert hashes(there, "copy") == hashes(raw, "deal")
        ours, theirs = raw.hgetall("deals:meta"), there.hgetall("copys:meta")
        # of its writers nothing is copied, nor when they were last looked through
        ours.pop(b"swept")
        assert {k: v for k, v in theirs.items() if k not in ADDED} == {
            k: v for k, v in ours.items() if k not in ADDED
        }
    assert_same(db, copy)


def test_the_copy_goes_on(
    db: DealDatabase, copy: DealDatabase, raw: redis.Redis, tmp_path: Path
) -> None:
    fill(db, raw)
    db.backup(tmp_path / "b")
    copy.restore(tmp_path / "b")
    before = list(copy.changes(0, timeout_s=0))
    known = db.get_deal(12)
    assert known is not None
    saved = copy.save_deal({"id": 12, "amount": 1}, expect_rev=known.rev)
    assert saved.rev == before[-1].seq + 1
    copy.delete_deal("B9")
    copy.loader.load([{"id": f"C{n}", "owner": "o"} for n in range(ENOUGH)], bar=False)
    copy.save_deal({"id": "C1", "owner": "p"})
    checkpoint(copy)
    copy.rename_field("area", "zone")
    assert list(copy.changes(0, timeout_s=0))[: len(before)] == before
    assert copy.check().ok
    # and a backup of it is one of both lives
    copy.backup(tmp_path / "c")
    with DealDatabase.from_url(db_url(copy), collection="third") as third:
        third.restore(tmp_path / "c")
        assert_same(copy, third)


def db_url(db: DealDatabase) -> str:
    return f"unix://{db.connection.settings.unix_socket}"


def test_the_two_backups_of_a_state_hold_the_same(
    db: DealDatabase, copy: DealDatabase, raw: redis.Redis, tmp_path: Path
) -> None:
    fill(db, raw)
    one = db.backup(tmp_path / "one")
    copy.restore(tmp_path / "one")
    two = copy.backup(tmp_path / "two")
    kept = ("seq", "hash", "when", "deals", "fields", "commits", "history", "queries")
    assert [getattr(one, name) for name in kept] == [getattr(two, name) for name in kept]
    checked = DealDatabase.check_backup(tmp_path / "two")
    assert [getattr(checked, name) for name in kept] == [getattr(two, name) for name in kept]
    assert (checked.sha256, checked.bytes) == (two.sha256, two.bytes)


def test_several_chunks(db: DealDatabase, copy: DealDatabase, tmp_path: Path) -> None:
    n = 65_600
    frame = pl.DataFrame({"id": pl.int_range(n, eager=True).cast(pl.String), "amount": range(n)})
    db.loader.load(frame, bar=False)
    for deal in (1, 65_535, 65_536, n - 1):
        db.save_deal({"id": deal, "name": "x"})
    db.delete_deal(2)
    db.backup(tmp_path / "b")
    assert copy.restore(tmp_path / "b").deals == n - 1
    assert copy.query.frame().equals(db.query.frame())
    some = [0, 1, 2, 65_535, 65_536, n - 1]
    assert copy.get_deals(some) == db.get_deals(some)
    assert copy.deal_history(65_536).equals(db.deal_history(65_536))


@pytest.mark.parametrize("saved", [False, True])
def test_an_empty_collection(
    db: DealDatabase, copy: DealDatabase, tmp_path: Path, *, saved: bool
) -> None:
    if saved:
        db.query.save("hot", "amount > 5")
    report = db.backup(tmp_path / "b")
    assert (report.seq, report.deals, report.when, report.queries) == (0, 0, None, saved)
    assert copy.restore(tmp_path / "b").queries == saved
    assert len(copy) == 0
    assert len(copy.query.saved()) == saved
    assert copy.save_deal({"id": 1}).outcome == "inserted"


def test_a_collection_whose_deals_are_all_gone(
    db: DealDatabase, copy: DealDatabase, tmp_path: Path
) -> None:
    db.save_deal({"id": 1, "stage": "won"})
    db.delete_deal(1)
    db.backup(tmp_path / "b")
    copy.restore(tmp_path / "b")
    assert_same(db, copy)
    copy.save_deal({"id": 1, "stage": "won"})
    assert copy.check().ok


def test_what_differs_in_the_original_differs_in_the_copy(
    db: DealDatabase, copy: DealDatabase, raw: redis.Redis, tmp_path: Path
) -> None:
    for n in range(3):
        db.save_deal({"id": n, "amount": n})
    # a deal with two rows, until a repair
    raw.delete("deal:1")
    db.save_deal({"id": 1, "amount": 100})
    report = db.backup(tmp_path / "b")
    assert report.deals == 3
    copy.restore(tmp_path / "b")
    assert copy.get_deal(1) == db.get_deal(1)
    assert [str(d.problem) for d in copy.check().differences] == ["doubled"]
    copy.repair()
    assert copy.check().ok
    assert len(copy) == 3


def test_a_text_of_no_type_is_in_the_history_alone(
    db: DealDatabase, copy: DealDatabase, raw: redis.Redis, tmp_path: Path
) -> None:
    db.save_deal({"id": 1, "amount": 5, "name": "x"})
    raw.hset("deal:1", "amount", "five")
    assert len(db.repair().remaining) == 1
    db.backup(tmp_path / "b")
    copy.restore(tmp_path / "b")
    assert copy.get_deal(1) == {"id": "1", "name": "x"}
    assert copy.deal_history(1).equals(db.deal_history(1))
    assert copy.deal_history(1)["after"][-1] == "five"
    assert copy.check().ok


def test_beside_writers_and_checkpoints(db: DealDatabase, server: Server, tmp_path: Path) -> None:
    for n in range(300):
        db.save_deal({"id": n % 50, "amount": n})
    over = threading.Event()
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            with DealDatabase.from_url(f"unix://{server.socket}", actor=name) as other:
                n = 0
                while not over.is_set():
                    n += 1
                    other.save_deal({"id": f"{name}{n % 40}", "amount": n})
                    if n % 7 == 0:
                        other.delete_deal(f"{name}{(n * 3) % 40}")
                    if n % 60 == 0:
                        try_checkpoint(other)
        except BaseException as problem:
            failures.append(problem)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    try:
        reports = []
        for n in range(5):
            reports.append(db.backup(tmp_path / str(n)))
            over.wait(0.05)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert reports[-1].seq > reports[0].seq + 20
    commits = list(db.changes(0, timeout_s=0))
    for n in (0, 2, 4):
        with DealDatabase.from_url(f"unix://{server.socket}", collection=f"c{n}") as there:
            there.restore(tmp_path / str(n))
            found = list(there.changes(0, timeout_s=0))
            assert found == commits[: reports[n].seq]
            assert found[-1].token.endswith(reports[n].hash)
            expected: dict[str, dict[str, object]] = {}
            for change in (change for commit in found for change in commit.deals):
                if change.outcome == "deleted":
                    del expected[change.id]
                else:
                    before = expected.get(change.id, {}) if change.outcome == "updated" else {}
                    expected[change.id] = {**before, **change.values}
            frame = there.query.frame()
            assert dict(zip(frame["id"], frame["amount"], strict=True)) == {
                deal: values["amount"] for deal, values in expected.items()
            }
            assert there.check().ok


def test_a_checkpoint_trims_what_is_being_read(
    db: DealDatabase,
    copy: DealDatabase,
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dealdb.store.log.reader._MAX_ENTRIES", 50)
    monkeypatch.setattr("dealdb.store.backup.taking._TELL_EVERY", 50)
    for n in range(400):
        db.save_deal({"id": n % 50, "amount": n})
    n_trims = 0

    def trim(progress: Progress) -> None:
        nonlocal n_trims
        if progress.phase == "packing history" and n_trims < 3:
            n_trims += 1
            with DealDatabase.from_url(f"unix://{server.socket}") as other:
                for n in range(2):
                    other.save_deal({"id": 1, "amount": -n - 10 * n_trims})
                    checkpoint(other)

    report = db.backup(tmp_path / "b", progress=trim)
    assert n_trims == 3
    assert report.commits == 401
    copy.restore(tmp_path / "b")
    assert list(copy.changes(0, timeout_s=0)) == list(db.changes(0, timeout_s=0))[:401]


def test_history_that_is_lost(
    db: DealDatabase, copy: DealDatabase, raw: redis.Redis, tmp_path: Path
) -> None:
    for n in range(10):
        db.save_deal({"id": n, "amount": n})
    checkpoint(db)
    for n in range(10):
        db.save_deal({"id": n, "amount": n * 2})
    checkpoint(db)
    raw.delete(*raw.keys("deals:history:*"))
    raw.xtrim("deals:log", maxlen=1)
    with pytest.raises(StoreDamaged, match=r"incomplete after commit 0.*history=False"):
        db.backup(tmp_path / "b")
    assert list(tmp_path.glob("**/*b*")) == []
    report = db.backup(tmp_path / "b", history=False)
    assert (report.history, report.commits, report.deals) == (False, 0, 10)
    assert copy.restore(tmp_path / "b").history is False
    assert copy.query.frame().equals(db.query.frame())
    assert copy.check().ok
    # a revision that is too high makes a careful writer read again, and never lets one write over another's change
    assert {deal.rev for deal in copy.get_deals(range(10)) if deal} == {report.seq}
    assert copy.save_deal({"id": 3, "amount": 5}).rev == report.seq + 1
    checkpoint(copy)
    with pytest.raises(StoreDamaged, match="incomplete"):
        copy.deal_history(3)
    assert list(copy.changes(0 + report.seq, timeout_s=0))[-1].seq == report.seq + 1


@pytest.mark.parametrize(
    "other",
    ["redis7", *(pytest.param(name, marks=pytest.mark.slow) for name in ("redis62", "valkey9"))],
)
def test_from_one_flavor_of_server_to_another(
    db: DealDatabase, raw: redis.Redis, tmp_path: Path, other: str, tmp_path_factory: Any
) -> None:
    binary = BINARIES[other]()
    if binary is None:
        pytest.skip(f"no binary of {other} on this machine")
    fill(db, raw)
    db.backup(tmp_path / "b")
    there = Server(binary, tmp_path_factory.mktemp("s")).start()
    try:
        with DealDatabase.from_url(there.url) as copy:
            copy.restore(tmp_path / "b")
            assert_same(db, copy)
            copy.save_deal({"id": "B7", "amount": 5})
            assert copy.check().ok
    finally:
        there.stop()


# the file -------------------------------------------------------------------------------------------


def test_only_its_owner_may_read_it(db: DealDatabase, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        db.backup(tmp_path / "b")
    finally:
        os.umask(before)
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if "b" in path.name] == ["b"]


def test_a_file_that_is_there_stays(db: DealDatabase, tmp_path: Path) -> None:
    (tmp_path / "b").write_text("mine")
    with pytest.raises(ConfigError, match=r"already exists.*overwrite=True"):
        db.backup(tmp_path / "b")
    assert (tmp_path / "b").read_text() == "mine"
    db.backup(tmp_path / "b", overwrite=True)
    assert DealDatabase.check_backup(tmp_path / "b").deals == 0


def test_a_link_is_never_followed(db: DealDatabase, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    (tmp_path / "b").symlink_to(tmp_path / "target")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("b", "dangling"):
        with pytest.raises(ConfigError, match="already exists"):
            db.backup(tmp_path / name)
    db.backup(tmp_path / "b", overwrite=True)
    assert not (tmp_path / "b").is_symlink()
    assert (tmp_path / "target").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


def test_a_file_that_comes_meanwhile_stays(db: DealDatabase, tmp_path: Path) -> None:
    def put(text: str) -> None:
        (tmp_path / "b").write_text(text)

    db.save_deal({"id": 1})
    with pytest.raises(ConfigError, match="already exists"):
        db.backup(tmp_path / "b", progress=lambda _: put("mine"))
    assert (tmp_path / "b").read_text() == "mine"
    assert list(tmp_path.glob(".b*")) == []


def test_a_disk_that_is_full(db: DealDatabase, tmp_path: Path) -> None:
    db.save_deal({"id": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # the error of a limit comes from the same place as that of a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        with pytest.raises(BackupError, match="no file was left"):
            db.backup(tmp_path / "b")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path for path in tmp_path.iterdir() if "b" in path.name] == []


@pytest.mark.parametrize(("where", "message"), [("", "is a folder"), ("none/b", "No such file")])
def test_a_place_that_can_not_be_written_to(
    db: DealDatabase, tmp_path: Path, where: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        db.backup(tmp_path / where)


# the commands ---------------------------------------------------------------------------------------


def test_the_commands(run: Run, tmp_path: Path) -> None:
    file = str(tmp_path / "deals.backup")
    run("save", "id=1", "amount=5", "stage=won")
    ran = run("backup", file)
    assert (ran.code, ran.err) == (0, "")
    assert "1 of the collection deal" in ran.out
    again = run("backup", file)
    assert again.code == 2
    assert "--force" in again.err
    forced = run("backup", file, "--force", "--json")
    assert (forced.json["deals"], forced.json["history"]) == (1, True)
    checked = run("backup", "--check", file, "--json", "--url", "redis://127.0.0.1:1")
    assert checked.json["sha256"] == forced.json["sha256"]
    assert run("backup", "--check", file, "--force").code == 2
    restored = run("restore", file, "--collection", "copy", "--json")
    assert (restored.json["source"], restored.json["collection"], restored.json["deals"]) == (
        "deal", "copy", 1,
    )  # fmt: skip
    assert run("get", "1", "--collection", "copy", "--json").json["amount"] == Decimal("5.00")
    refused = run("restore", file)
    assert refused.code == 1
    assert "not empty" in refused.err
    Path(file).write_bytes(Path(file).read_bytes()[:-1])
    cut = run("restore", file, "--collection", "other")
    assert cut.code == 2
    assert "damaged in part" in cut.err
    lean = run("backup", file, "--force", "--without-history")
    assert "none" in lean.out


def test_changes_of_the_other_program_are_carried_over_after_a_restore_too(
    server: Server, raw: redis.Redis, tmp_path: Path
) -> None:
    with DealDatabase.from_url(server.url) as db:
        raw.hset("deal:1", mapping={"value": "100", "phase": "won"})
        db.repair(adopt=True, mapping={"value": "amount", "phase": "stage"})
        db.backup(tmp_path / "b")
    raw.flushall()
    with DealDatabase.from_url(server.url) as db:
        db.restore(tmp_path / "b")
        raw.hset("deal:1", "value", "250")
        db.repair()
        deal = db.get_deal("1")
        assert deal is not None
        assert (deal["amount"], deal["stage"]) == (250, "won")
