"""A load that is killed goes on where it was: afterwards everything is as after a load in one go."""

from __future__ import annotations

import gzip
import json
import logging
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from children import with_tests
from commits import at_each_commit
from connected import eventually
from dealdb import DealDatabase
from dealdb.errors import LoadError, StoreError
from dealdb.loader import LoadReport
from dealdb.model.pipeline import Kind, Pipeline, Stage
from dealdb.store.commit.batch import Batch
from dealdb.store.commit.change import Mark
from servers import Server
from workbooks import workbook

N_ROWS = 3000
# a child that loads, and may kill itself at a given commit: before it is sent, or before its answer is heard
CHILD = """
import json, os, signal, sys
from commits import at_each_commit
from dealdb import DealDatabase

port, source, options, at, when, deletes = sys.argv[1:]

def die(number):
    if number >= int(at):
        os.kill(os.getpid(), signal.SIGKILL)

def nothing(number):
    pass

around = (die, nothing) if when == "before" else (nothing, die)
at_each_commit(setattr, *around, deletes=bool(deletes))
with DealDatabase("127.0.0.1", int(port)) as db:
    db.loader.load(source, **json.loads(options))
"""


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase("127.0.0.1", server.port) as database:
        yield database


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def rows_of(n_rows: int) -> list[dict[str, Any]]:
    """Deals with repeated ids, and some amounts that are none."""
    return [
        {
            "id": f"d{n if n % 50 else n // 2}",
            "amount": "soon" if n % 97 == 5 else f"{n}.25",
            "stage": ("Demo", "Signed", "Lost")[n % 3],
            "owner": f"o{n % 7}",
        }
        for n in range(n_rows)
    ]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    frame = pl.DataFrame(rows, infer_schema_length=None, strict=False)
    match path.name.split(".", 1)[1]:
        case "csv":
            frame.write_csv(path)
        case "csv.gz":
            path.write_bytes(gzip.compress(frame.write_csv().encode()))
        case "jsonl":
            frame.write_ndjson(path)
        case "json":
            path.write_text(json.dumps(rows))
        case "parquet":
            frame.write_parquet(path)
        case "arrow":
            frame.write_ipc(path)
        case "xlsx":
            workbook(path, list(rows[0]), *(list(row.values()) for row in rows))
    return path


def started(
    server: Server, path: Path, options: dict[str, Any], *, at: int = N_ROWS, when: str = "before",
    deletes: bool = False,
) -> subprocess.Popen[bytes]:  # fmt: skip
    """A process that loads, and kills itself at the commit ``at``."""
    command = [sys.executable, "-c", CHILD, str(server.port), str(path)]
    command += [json.dumps(options), str(at), when, "yes" if deletes else ""]
    return subprocess.Popen(command, env=with_tests())


def killed(server: Server, path: Path, options: dict[str, Any], **fault: Any) -> None:
    """Run such a process to its end."""
    assert started(server, path, options, **fault).wait() == -signal.SIGKILL


def facts_of(report: LoadReport) -> dict[str, Any]:
    """What is the same however often a load was interrupted."""
    names = ("source", "format", "read", "inserted", "updated", "unchanged", "skipped", "rejected", "duplicates",
             "deleted", "repeated", "columns", "pipeline", "new_stages", "notes", "reasons", "rejects")  # fmt: skip
    return {name: getattr(report, name) for name in names}


def state_of(server: Server, db: int = 0) -> dict[bytes, dict[bytes, bytes]]:
    """Every hash of a deal, without what tells when it was written."""
    with server.client(db=db) as client:
        return {
            key: {k: v for k, v in client.hgetall(key).items() if k not in (b"_rev", b"updated")}
            for key in client.scan_iter("deal:*")
        }


def in_one_go(
    server: Server, path: Path, options: dict[str, Any], before: Callable[[DealDatabase], object]
) -> tuple[LoadReport, bytes, dict[bytes, dict[bytes, bytes]]]:
    """Report, rejects file and deals of the same load in another database, without any interruption."""
    with DealDatabase("127.0.0.1", server.port, db=1) as other:
        before(other)
        report = other.loader.load(path, **{**options, "resume": False})
    assert report.rejects is not None
    return report, report.rejects.read_bytes(), state_of(server, 1)


def nothing(db: DealDatabase) -> None:
    """An empty collection."""


def unfinished(
    db: DealDatabase, path: Path, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> None:
    """A load that ended in an error after five batches."""

    def fail(number: int) -> None:
        if number > 5:
            msg = "the server is gone"
            raise StoreError(msg)

    with monkeypatch.context() as patched:
        at_each_commit(patched.setattr, fail)
        with pytest.raises(StoreError, match="is gone"):
            db.loader.load(path, **{"batch_size": 40, **options})


def marks(server: Server) -> list[bytes]:
    with server.client() as client:
        return [name for name in client.hkeys("deals:writers") if name.startswith(b"load:")]


def test_a_load_that_is_killed_at_any_time_goes_on(
    db: DealDatabase, server: Server, tmp_path: Path
) -> None:
    path = write(tmp_path / "deals.csv", rows_of(N_ROWS))
    options: dict[str, Any] = {"batch_size": 20, "types": {"amount": "decimal(2)"}, "resume": True}
    expected, rejects, state = in_one_go(server, path, options, nothing)
    with server.client() as client:
        # a child that is not killed in time, since the machine is busy, kills itself
        for n_entries, at in ((25, 60), (90, 80)):
            child = started(server, path, options, at=at)
            assert eventually(lambda n=n_entries: client.xlen("deals:log") >= n)  # type: ignore[misc]
            child.kill()
            assert child.wait() == -signal.SIGKILL
        entries = client.xlen("deals:log")
        report = db.loader.load(path, **options)
        assert report.resumed > 20 * 80
        assert client.xlen("deals:log") - entries <= (N_ROWS - report.resumed) // 20 + 1
    assert facts_of(report) == facts_of(expected)
    assert Path("deals.csv.rejects.csv").read_bytes() == rejects
    assert state_of(server) == state
    assert marks(server) == []
    assert db.check().ok


@pytest.mark.parametrize(
    "name", ["d.csv.gz", "d.jsonl", "d.json", "d.parquet", "d.arrow", "d.xlsx"]
)
def test_every_format_resumes(
    db: DealDatabase,
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    path = write(tmp_path / name, rows_of(600))
    options: dict[str, Any] = {
        "batch_size": 40,
        "types": {"amount": "decimal(2)"},
        "rejects": f"{name}.bad",
    }
    expected, rejects, state = in_one_go(server, path, options, nothing)
    unfinished(db, path, monkeypatch, **options)
    report = db.loader.load(path, **options, resume=True)
    assert report.resumed == 200
    assert facts_of(report) == facts_of(expected)
    assert Path(f"{name}.bad").read_bytes() == rejects
    assert state_of(server) == state


@pytest.mark.parametrize("name", ["d.csv", "d.xlsx"])
@pytest.mark.parametrize("id_from", ["row", ["owner", "name"], ["stage", "note"]])
def test_ids_that_are_made_come_out_the_same(
    db: DealDatabase,
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    id_from: str | list[str],
) -> None:
    """Among them equal rows, and rows that are one deal."""
    rows = [{**row, "note": f"n{n % 230}"} for n, row in enumerate(rows_of(600))]
    path = write(
        tmp_path / name, [{"name" if k == "id" else k: v for k, v in row.items()} for row in rows]
    )
    options: dict[str, Any] = {"batch_size": 40, "types": {"amount": "decimal(2)"}}
    options["id_from"] = id_from
    expected, rejects, state = in_one_go(server, path, options, nothing)
    unfinished(db, path, monkeypatch, **options)
    with pytest.raises(LoadError, match="had a different id_from; resume it with the same"):
        db.loader.load(path, **{**options, "id_from": ["amount"]}, resume=True)
    report = db.loader.load(path, **options, resume=True)
    assert report.resumed == 200
    assert facts_of(report) == facts_of(expected)
    assert Path(f"{name}.rejects.csv").read_bytes() == rejects
    assert state_of(server) == state


@pytest.mark.parametrize("name", ["d.csv", "d.xlsx"])
def test_stages_of_a_table_go_on(
    db: DealDatabase, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = write(
        tmp_path / name,
        [{**row, "close_date": "2026-01-31", "stage": f"s{n % 3}"} for n, row in enumerate(rows_of(600))],
    )  # fmt: skip
    table = tmp_path / "stages.csv"
    header = "stage_id,label,display_order,probability,is_closed,closed_won\n"
    stages = (
        header + "s0,Demo,0,0.2,false,false\ns1,Signed,1,1,true,true\ns2,Dropped,2,0,true,false\n"
    )
    table.write_text(stages)
    options: dict[str, Any] = {"batch_size": 40, "types": {"amount": "decimal(2)"}}
    options["stages"] = table
    expected, rejects, state = in_one_go(server, path, options, nothing)
    unfinished(db, path, monkeypatch, **options)
    table.write_text(stages.replace("Dropped", "Gone"))
    with pytest.raises(LoadError, match="had a different stages; resume it with the same"):
        db.loader.load(path, **options, resume=True)
    table.write_text(stages)
    report = db.loader.load(path, **options, resume=True)
    assert report.resumed == 200
    assert facts_of(report) == facts_of(expected)
    assert Path(f"{name}.rejects.csv").read_bytes() == rejects
    assert state_of(server) == state
    assert [(stage.name, stage.kind) for stage in db.pipeline] == [
        ("Demo", Kind.OPEN), ("Signed", Kind.WON), ("Dropped", Kind.LOST),
    ]  # fmt: skip


@pytest.mark.parametrize("on_conflict", ["merge", "replace", "skip", "error"])
def test_a_commit_whose_answer_nobody_heard_is_counted_once(
    db: DealDatabase, server: Server, tmp_path: Path, on_conflict: str
) -> None:
    rows = rows_of(600)
    if on_conflict == "error":
        rows = [{**row, "id": f"e{n}"} for n, row in enumerate(rows)]
    path = write(tmp_path / "deals.csv", rows)
    options: dict[str, Any] = {
        "batch_size": 40,
        "types": {"amount": "decimal(2)"},
        "on_conflict": on_conflict,
    }

    def before(database: DealDatabase) -> None:
        database.loader.load([{"id": f"d{n}", "owner": "old", "note": "n"} for n in range(90, 140)])

    before(db)
    expected, rejects, state = in_one_go(server, path, options, before)
    killed(server, path, options, at=7, when="after")
    with server.client() as client:
        entries = client.xlen("deals:log")
        report = db.loader.load(path, **options, resume=True)
        assert client.xlen("deals:log") == client.xlen("deals:log")
        assert client.xlen("deals:log") - entries <= (600 - report.resumed) // 40 + 1
    assert facts_of(report) == facts_of(expected)
    assert report.resumed == 280
    assert Path("deals.csv.rejects.csv").read_bytes() == rejects
    assert state_of(server) == state


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_load_killed_while_it_deletes_goes_on_too(
    db: DealDatabase, server: Server, tmp_path: Path, when: str
) -> None:
    rows = [{"id": f"d{n}", "amount": n} for n in range(2000)]
    path = write(tmp_path / "deals.csv", [*rows[1200:], {"id": "x", "amount": "soon"}])
    options: dict[str, Any] = {"types": {"amount": "decimal(2)"}, "delete_missing": True}
    options |= {"force": True, "everything": True}

    def before(database: DealDatabase) -> None:
        database.loader.load(rows)

    before(db)
    expected, _, state = in_one_go(server, path, options, before)
    assert expected.deleted == 1200
    # a deal that came since the load began is not one that the file lacks
    killed(server, path, options, deletes=True, at=2, when=when)
    db.save_deal({"id": "new", "amount": 1})
    report = db.loader.load(path, **options, resume=True)
    assert facts_of(report) == facts_of(expected)
    new = {b"deal:new": state_of(server).pop(b"deal:new")}
    assert state_of(server) == {**state, **new}


@pytest.mark.parametrize("adds", [False, True])
def test_what_the_earlier_run_sent_last_takes_no_effect_any_more(
    server: Server, *, adds: bool
) -> None:
    with ExitStack() as keep:
        first, second = (
            keep.enter_context(DealDatabase("127.0.0.1", server.port))._store for _ in range(2)
        )
        schema = first.declare([])

        def write(name: str) -> None:
            batch = Batch.of([f"{name}{n}" for n in range(30)], {"name": [name] * 30})
            mark = Mark("x", f'{{"note": "{name}"}}')
            if adds:
                first.add(schema, [batch], [mark])
            else:
                first.write(schema, batch, mark=mark)

        for n in range(12):
            write(f"d{n}-")
        found = second.take_over("x")
        assert found is not None
        assert (found.note, found.written.inserted) == ('{"note": "d11-"}', 30)
        with pytest.raises(StoreError, match="another process has resumed this load"):
            write("late")
        assert second.count() == 12 * 30
        assert second.take_over("x") == found


def test_another_file_or_other_options_are_refused(
    db: DealDatabase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = write(tmp_path / "deals.jsonl", rows_of(600))
    unfinished(db, path, monkeypatch)
    for options, others in (
        ({"batch_size": 50}, "batch_size"),
        ({"batch_size": 40, "mapping": {"owner": None}, "on_conflict": "replace"}, "mapping, on_conflict"),
    ):  # fmt: skip
        with pytest.raises(LoadError, match=f"had a different {others}; resume it with the same"):
            db.loader.load(path, resume=True, **options)
    text = path.read_bytes()
    path.write_bytes(text.replace(b"o5", b"o8", 1))
    with pytest.raises(LoadError, match=r"deals.jsonl has changed since the load"):
        db.loader.load(path, resume=True, batch_size=40)
    path.write_bytes(text)
    caplog.set_level(logging.INFO, "dealdb.loader")
    report = db.loader.load(path, resume=True, batch_size=40)
    assert report.resumed == 200
    assert caplog.messages == [
        "load resumed: 200 rows were done and 0 deals deleted before",
        f"load ended: {report.rejected} of 600 rows were rejected",
    ]


def test_a_collection_that_changed_is_noticed(
    db: DealDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[dict[str, Any]] = [
        {"id": n, "close_date": "2026-01-31", "stage": ("Demo", "Signed")[n % 2]} for n in range(600)
    ]  # fmt: skip
    path = write(tmp_path / "deals.csv", rows)
    db.save_deal({"id": "x"})
    unfinished(db, path, monkeypatch)
    # what is closed and what is open goes in batches of its own, where there are deals already
    db.set_pipeline(Pipeline((Stage("Demo", Kind.OPEN), Stage("Signed", Kind.OPEN))))
    with pytest.raises(LoadError, match="don't come out of the file in the same order"):
        db.loader.load(path, resume=True, batch_size=40)
    assert len(db) == 201


def test_deals_that_others_save_meanwhile_do_not_change_the_order(
    db: DealDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "deals.json"
    path.write_text(json.dumps([{"id": n, ("name", "amount")[n % 2]: str(n)} for n in range(600)]))
    unfinished(db, path, monkeypatch)
    db.save_deal({"id": 1, "name": "Acme"})
    db.save_deal({"id": 301, "name": "Acme"})
    report = db.loader.load(path, resume=True, batch_size=40)
    assert (report.inserted, report.updated, report.resumed) == (599, 1, 200)
    assert db.query.find("name = 'Acme'", sort="amount")["amount"].to_list() == [1, 301]
    assert len(db) == 600


def test_without_an_unfinished_load_it_begins_at_the_beginning(
    db: DealDatabase, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "deals.csv", rows_of(600))
    assert db.loader.load(path, resume=True).resumed == 0
    assert db.loader.load(path, resume=True).resumed == 0
    # a load without resume forgets the unfinished one
    path = write(tmp_path / "others.csv", [{"id": n, "seats": n} for n in range(1000, 1600)])
    unfinished(db, path, monkeypatch)
    assert len(marks(server)) == 1
    assert db.loader.load(path, batch_size=40).unchanged == 200
    assert marks(server) == []
    assert db.loader.load(path, resume=True, batch_size=40).resumed == 0


def test_what_can_t_be_read_again_can_t_be_resumed(db: DealDatabase, tmp_path: Path) -> None:
    path = write(tmp_path / "deals.csv", rows_of(10))
    with path.open("rb") as file, pytest.raises(LoadError, match="only the load of a file, given"):
        db.loader.load(file, resume=True)
    with pytest.raises(LoadError, match="only the load of a file, given"):
        db.loader.load([{"id": 1}], resume=True)
    with pytest.raises(LoadError, match="a dry run resumes nothing"):
        db.loader.load(path, resume=True, dry_run=True)
    assert len(db) == 0


def test_a_server_that_is_set_back_takes_the_bookmark_with_it(
    db: DealDatabase, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "deals.csv", rows_of(600))
    unfinished(db, path, monkeypatch)
    with server.client() as client:
        client.flushdb()
    report = db.loader.load(path, resume=True, batch_size=40, types={"amount": "decimal(2)"})
    assert (report.resumed, len(db)) == (0, report.inserted)
