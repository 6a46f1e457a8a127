"""Loads into partitions that are killed and resumed, that delete, and that say since when, as into one piece."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from children import with_tests
from clusters import Cluster
from commits import at_each_commit
from dealdb import DealDatabase
from dealdb.errors import LoadError, StoreError
from dealdb.loader import LoadReport
from dealdb.store.commit.batch import Batch
from dealdb.store.commit.change import Mark
from dealdb.store.partitions.layout import tag_of
from dealdb.store.partitions.partitioned import PartitionedStore
from servers import Server

N_ROWS = 1_200
OPTIONS: dict[str, Any] = {"batch_size": 5, "types": {"amount": "decimal(2)"}}
NAMES = (
    "read",
    "inserted",
    "updated",
    "unchanged",
    "skipped",
    "rejected",
    "duplicates",
    "deleted",
    "reasons",
)
# loads, tells of each commit, and may kill itself at a given one: before it is sent, or before its answer is heard
CHILD = """
import json, os, signal, sys
from commits import at_each_commit
from dealdb import DealDatabase

url, collection, source, options, at, when, deletes = sys.argv[1:]

def die(number):
    print(number, flush=True)
    if number >= int(at):
        os.kill(os.getpid(), signal.SIGKILL)

def tell(number):
    pass

around = (die, tell) if when == "before" else (tell, die)
at_each_commit(setattr, *around, deletes=bool(deletes))
with DealDatabase.from_url(url, collection=collection) as db:
    db.loader.load(source, **json.loads(options))
"""


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def write(path: Path, n_rows: int = N_ROWS) -> Path:
    """Deals with repeated ids, several shapes, and some amounts that are none."""
    lines = [
        f"d{n if n % 50 else n // 2},{'soon' if n % 97 == 5 else f'{n}.25'},"
        f"{('Demo', 'Signed', 'Lost')[n % 3]},o{n % 7},{n if n % 4 else ''}"
        for n in range(n_rows)
    ]
    path.write_text("\n".join(["id,amount,stage,owner,seats", *lines, ""]))
    return path


def started(
    url: str, path: Path, options: dict[str, Any], *, at: int = N_ROWS, when: str = "before",
    deletes: bool = False, collection: str = "deal",
) -> subprocess.Popen[str]:  # fmt: skip
    """A process that loads, and kills itself at the commit ``at``."""
    command = [
        sys.executable,
        "-c",
        CHILD,
        url,
        collection,
        str(path),
        json.dumps(options),
        str(at),
        when,
    ]
    return subprocess.Popen(
        [*command, "yes" if deletes else ""], env=with_tests(),
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def killed(url: str, path: Path, options: dict[str, Any], **fault: Any) -> None:
    child = started(url, path, options, **fault)
    child.communicate()
    assert child.returncode == -signal.SIGKILL


def facts_of(report: LoadReport) -> dict[str, Any]:
    return {name: getattr(report, name) for name in NAMES}


def state_of(db: DealDatabase) -> list[tuple[Any, ...]]:
    frame = db.query.frame().drop("updated", strict=False).sort("id")
    return frame.select(sorted(frame.columns)).rows()


def notes(db: DealDatabase) -> int:
    """How many partitions have a note on a load."""
    store = db._store
    assert isinstance(store, PartitionedStore)
    found = store.link.calls([("HKEYS", part.keys.writers) for part in store.pieces])
    return sum(name.startswith(b"load:") for names in found for name in names)


def in_one_go(
    server: Server,
    path: Path,
    options: dict[str, Any],
    before: Callable[[DealDatabase], object] = lambda _: None,
) -> tuple[dict[str, Any], Any, bytes]:
    """Report, deals and rejects of the same load into one piece, without any interruption."""
    with DealDatabase.from_url(server.url, collection="one") as db:
        before(db)
        report = db.loader.load(path, **{**options, "resume": False})
        assert report.rejects is not None
        return facts_of(report), state_of(db), report.rejects.read_bytes()


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(server.url, partitions=4) as db:
        db.loader.load([])
        yield db


@pytest.mark.parametrize("seed", range(3))
def test_a_load_that_is_killed_again_and_again_goes_on(
    db: DealDatabase, server: Server, tmp_path: Path, seed: int
) -> None:
    draw = random.Random(seed)
    path = write(tmp_path / "deals.csv")
    options = {**OPTIONS, "resume": True}
    expected, state, rejects = in_one_go(server, path, options)
    for _ in range(4):
        child = started(server.url, path, options, when=draw.choice(["before", "after"]), at=80)
        assert child.stdout is not None
        for _ in range(draw.randint(1, 70)):
            child.stdout.readline()
        # wherever it is by now; where the machine is busy it does so itself
        child.kill()
        child.communicate()
        assert child.returncode == -signal.SIGKILL
        assert notes(db) == 4
    report = db.loader.load(path, **options)
    assert facts_of(report) == expected
    assert report.resumed > 0
    assert state_of(db) == state
    assert Path("deals.csv.rejects.csv").read_bytes() == rejects
    assert notes(db) == 0
    assert db.check().ok


@pytest.mark.parametrize("partitions", [1, 16])
def test_a_load_that_is_killed_on_a_cluster_goes_on(
    cluster: Cluster, server: Server, tmp_path: Path, partitions: int
) -> None:
    path = write(tmp_path / "deals.csv")
    name = f"p{partitions}"
    with DealDatabase.from_url(cluster.url, collection=name, partitions=partitions) as db:
        db.loader.load([])
    options = {**OPTIONS, "resume": True}
    expected, state, rejects = in_one_go(server, path, options)
    for at, when in ((9, "after"), (30, "before")):
        killed(cluster.url, path, options, at=at, when=when, collection=name)
    with DealDatabase.from_url(cluster.url, collection=name) as db:
        report = db.loader.load(path, **options)
        assert facts_of(report) == expected
        assert report.resumed > 0
        assert state_of(db) == state
        assert Path("deals.csv.rejects.csv").read_bytes() == rejects
        assert notes(db) == 0


@pytest.mark.parametrize("on_conflict", ["merge", "replace", "skip", "error"])
def test_a_commit_whose_answer_nobody_heard_is_counted_once(
    db: DealDatabase, server: Server, tmp_path: Path, on_conflict: str
) -> None:
    path = write(tmp_path / "deals.csv")
    if on_conflict == "error":
        path.write_text(
            "\n".join(
                ["id,amount,stage,owner,seats"]
                + [f"e{n},{n}.5,Demo,o,1" for n in range(400)]
                + ["x,soon,,,"]
            )
        )
    options = {**OPTIONS, "on_conflict": on_conflict}

    def before(database: DealDatabase) -> None:
        database.loader.load([{"id": f"d{n}", "owner": "old", "note": "n"} for n in range(90, 140)])

    before(db)
    expected, state, rejects = in_one_go(server, path, options, before)
    killed(server.url, path, options, at=7, when="after")
    report = db.loader.load(path, **options, resume=True)
    assert facts_of(report) == expected
    assert report.resumed > 0
    assert state_of(db) == state
    assert Path("deals.csv.rejects.csv").read_bytes() == rejects


def test_a_process_that_slept_writes_nothing_more(
    db: DealDatabase, server: Server, tmp_path: Path
) -> None:
    """Into no partition, also where it has not written a batch yet."""
    path = tmp_path / "deals.csv"
    # the first deals are all of one partition, by their chunk
    path.write_text("\n".join(["id,amount", *(f"d{n},{n}.5" for n in range(400))]))
    options = {**OPTIONS, "rejects": False}
    child = started(server.url, path, options)
    assert child.stdout is not None
    child.stdout.readline()
    child.stdout.readline()
    os.kill(child.pid, signal.SIGSTOP)
    report = db.loader.load(path, **options, resume=True)
    assert (report.inserted, report.updated, report.unchanged) == (400, 0, 0)
    ends = [part.newest() for part in parts(db)]
    os.kill(child.pid, signal.SIGCONT)
    child.communicate()
    assert child.returncode == 1
    assert [part.newest() for part in parts(db)] == ends
    assert db.check().ok


def parts(db: DealDatabase) -> Any:
    store = db._store
    assert isinstance(store, PartitionedStore)
    return store.pieces


def test_a_writer_of_a_partition_that_has_none_of_the_load_is_known_too(server: Server) -> None:
    """So a commit that was on its way there takes no effect behind a load that went on."""
    with (
        DealDatabase.from_url(server.url, partitions=4) as first,
        DealDatabase.from_url(server.url) as second,
    ):
        first.save_deal({"id": "other", "owner": "o"})
        assert len(second) == 1
        store = first._store
        store.announce_load("x", ["a", "b", "c", "d"])
        assert [part.take_over("x").note for part in parts(second)] == ["a", "b", "c", "d"]
        for n in range(4):
            ids = [i for i in map(str, range(40)) if store.piece_of(i) == n]
            with pytest.raises(StoreError, match="another process has resumed this load"):
                store.write(
                    store.schema(), Batch.of(ids, {"owner": ["o"] * len(ids)}), mark=Mark("x", "")
                )
        assert len(second) == 1


def test_a_partition_that_was_set_back_gets_its_deals_again(
    db: DealDatabase, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "deals.csv")
    expected, state, _ = in_one_go(server, path, OPTIONS)
    kept: dict[bytes, bytes] = {}
    pattern = f"*{{{tag_of(2, 4)}}}*"
    with server.client() as client:

        def note(number: int) -> None:
            if number == 20:
                kept.update({key: client.dump(key) for key in client.scan_iter(pattern)})
            if number > 60:
                msg = "the server is gone"
                raise StoreError(msg)

        with monkeypatch.context() as patched:
            at_each_commit(patched.setattr, note)
            with pytest.raises(StoreError, match="is gone"):
                db.loader.load(path, **OPTIONS)
        client.delete(*client.scan_iter(pattern))
        for key, blob in kept.items():
            client.restore(key, 0, blob)
    # in a process that has not seen what is gone
    with DealDatabase.from_url(server.url) as other:
        report = other.loader.load(path, **OPTIONS, resume=True)
        assert facts_of(report) == expected
        assert state_of(other) == state
        assert other.check().ok


def test_a_load_whose_notes_went_in_one_partition_begins_anew(
    db: DealDatabase, server: Server, tmp_path: Path
) -> None:
    path = write(tmp_path / "deals.csv")
    expected, state, _ = in_one_go(server, path, OPTIONS)
    killed(server.url, path, OPTIONS, at=40)
    part = parts(db)[3]
    [name] = [n for n in part.link.call("HKEYS", part.keys.writers) if n.startswith(b"load:")]
    part.link.call("HDEL", part.keys.writers, name)
    report = db.loader.load(path, **OPTIONS, resume=True)
    assert (report.resumed, report.read) == (0, expected["read"])
    assert report.unchanged > 0
    assert state_of(db) == state
    assert notes(db) == 0


@pytest.mark.parametrize(("at", "when"), [(1, "before"), (2, "after"), (3, "before")])
def test_a_load_killed_while_it_deletes_goes_on_too(
    db: DealDatabase, server: Server, tmp_path: Path, at: int, when: str
) -> None:
    rows = [{"id": f"d{n}", "amount": n} for n in range(400)]
    path = tmp_path / "deals.csv"
    path.write_text("\n".join(["id,amount", *(f"d{n},{n}" for n in range(240, 400)), "x,soon"]))
    options: dict[str, Any] = {"types": {"amount": "decimal(2)"}, "delete_missing": True}
    options |= {"force": True, "everything": True, "batch_size": 20}

    def before(database: DealDatabase) -> None:
        database.loader.load(rows)

    before(db)
    expected, state, _ = in_one_go(server, path, options, before)
    assert expected["deleted"] == 240
    killed(server.url, path, options, deletes=True, at=at, when=when)
    # a deal that came since the load began is not one that the file lacks
    db.save_deal({"id": "new", "amount": 1})
    report = db.loader.load(path, **options, resume=True)
    assert facts_of(report) == expected
    assert [row for row in state_of(db) if "new" not in row] == state
    assert "new" in db


def test_what_others_save_meanwhile_is_not_deleted(db: DealDatabase, server: Server) -> None:
    rows = [{"id": f"d{n}", "amount": n} for n in range(300)]
    db.loader.load(rows)
    # so that revisions of one partition say nothing of those of another
    for n in range(50):
        db.save_deal({"id": "d299", "amount": n})
    with DealDatabase.from_url(server.url) as other:

        def touch(progress: Any) -> None:
            if progress.rows == 150:
                for n in range(20):
                    other.save_deal({"id": f"d{n}", "owner": "Eve"})
                other.save_deal({"id": "new", "owner": "Eve"})

        report = db.loader.load(
            rows[150:], delete_missing=True, everything=True, on_conflict="skip", progress=touch
        )
    assert report.deleted == 130
    assert {f"d{n}" for n in range(20)} | {"new"} == set(db.query.find("owner = 'Eve'")["id"])
    assert len(db) == 171


def test_a_filter_a_dry_run_and_a_refusal_are_as_of_one_piece(server: Server) -> None:
    rows = [{"id": f"d{n}", "amount": n, "owner": f"o{n % 3}"} for n in range(90)]
    found = []
    for options in ({"collection": "one"}, {"collection": "parted", "partitions": 4}):
        with DealDatabase.from_url(server.url, **options) as db:
            db.loader.load(rows)
            # more than half
            with pytest.raises(LoadError, match="61 of 90"):
                db.loader.load(rows[:29], delete_missing=True)
            reports = [
                db.loader.load(rows[:80], delete_missing="owner = 'o1'", dry_run=True),
                db.loader.load(rows[:80], delete_missing="owner = 'o1'"),
                db.loader.load(rows[:70], delete_missing=True),
            ]
            found.append(([facts_of(report) for report in reports], state_of(db)))
    assert found[0] == found[1]
    assert [report["deleted"] for report in found[0][0]] == [3, 3, 17]


def told(db: DealDatabase) -> list[tuple[Any, ...]]:
    """What each deal was, and since when, as its own partition knows it."""
    store = db._store
    found = []
    for piece in store.pieces:
        facts = piece.event_facts(assume="none")
        lives = facts.lives.select("life", "id", "end")
        for name in ("owner", "amount", "stage"):
            if name in facts.schema:
                table = facts.of(name).join(lives, on="life")
                table = table.with_columns(pl.col("value").cast(pl.String))
                found += [(name, *row) for row in table.select("id", "at", "value", "end").rows()]
    return sorted(found, key=str)


@pytest.mark.parametrize("seed", range(6))
def test_rows_that_say_since_when_are_told_as_to_one_piece(server: Server, seed: int) -> None:
    draw = random.Random(seed)
    rows = [
        {
            "id": f"d{draw.randrange(40)}",
            "owner": draw.choice(["Ann", "Bob"]),
            "amount": draw.choice(["1.5", "2.25", "7"]),
            "stage": draw.choice(["Lead", "Won"]),
            "since": f"2026-01-{draw.randint(1, 28):02}T{draw.randrange(24):02}:00:00Z",
        }
        for _ in range(draw.choice([1, 5, 40, 160]))
    ]
    options: dict[str, Any] = {"at": "since", "mapping": {"since": None}, "bar": False}
    options["on_conflict"] = draw.choice(["merge", "merge", "replace", "skip"])
    found = []
    for where in ({"collection": "one"}, {"collection": "parted", "partitions": 4}):
        with DealDatabase.from_url(server.url, **where) as db:
            for n in range(0, 20, 3):
                db.save_deal({"id": f"d{n}", "owner": "Ann", "amount": 7}, at="2026-01-02")
            dry = facts_of(db.loader.load(rows, **options, dry_run=True))
            done = facts_of(db.loader.load(rows, **options))
            # again, which says nothing new
            again = facts_of(db.loader.load(rows, **options))
            assert dry == done
            assert db.check().ok
            found.append((done, again, state_of(db), told(db)))
    assert found[0] == found[1]


def test_a_resumed_load_with_moments_tells_all_of_them(
    db: DealDatabase, server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "deals.csv"
    lines = [f"d{n % 200},{'Ann' if n % 3 else 'Bob'},2026-01-{n % 28 + 1:02}" for n in range(500)]
    path.write_text("\n".join(["id,owner,since", *lines]))
    options: dict[str, Any] = {"at": "since", "mapping": {"since": None}, "batch_size": 5}
    options["rejects"] = False
    with DealDatabase.from_url(server.url, collection="one") as one:
        expected = one.loader.load(path, **options)
        killed(server.url, path, options, at=30)
        report = db.loader.load(path, **options, resume=True)
        assert report.resumed > 0
        assert facts_of(report) == facts_of(expected)
        assert told(one) == told(db)
