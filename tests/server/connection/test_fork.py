"""Forked children: what works in them, and what is an error at once rather than a wait for ever."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import select
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connected import connected, in_threads, sockets
from dealdb import ConflictError, DealDatabase
from servers import Server

# far longer than any of these calls takes, on a busy machine too
HANG_S = 30.0
ROWS = [{"id": str(n), "amount": n, "owner": "Ann", "stage": "Won"} for n in range(300)]


def in_child(work: Callable[[], object]) -> str:
    """What a forked child says: ``ok``, the name of an error, or that it hangs."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        said = "ok"
        try:
            work()
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    try:
        if not select.select([reading], [], [], HANG_S)[0]:
            os.kill(child, signal.SIGKILL)
            return "hangs"
        return os.read(reading, 10_000).decode()
    finally:
        os.close(reading)
        os.waitpid(child, 0)


ON_COLUMNS: dict[str, Callable[[DealDatabase, Path], object]] = {
    "count": lambda db, _: db.query.count("amount > 100"),
    "find": lambda db, _: db.query.find("amount > 100", sort="-amount", limit=3),
    "page": lambda db, _: db.query.page(sort="amount"),
    "facets": lambda db, _: db.query.facets("owner"),
    "search": lambda db, _: db.query.search("ann"),
    "explain": lambda db, _: db.query.explain("amount > 5"),
    "select": lambda db, _: db.query.select("amount > 5"),
    "frame": lambda db, _: db.query.frame(),
    "sql": lambda db, _: db.query.sql("SELECT sum(amount) FROM deals"),
    "save": lambda db, _: db.query.save("big", "amount > 5"),
    "run": lambda db, _: db.query.run("all"),
    "analytics": lambda db, _: db.analytics.summary(by="owner"),
    "load": lambda db, _: db.loader.load(ROWS),
    "export": lambda db, folder: db.loader.export(folder / "out.csv"),
    "follow": lambda db, folder: db.loader.follow(folder / "none.jsonl", timeout_s=0),
    "history": lambda db, _: db.deal_history(1),
    "changes": lambda db, _: list(db.changes(0, timeout_s=0)),
    "as_of": lambda db, _: db.as_of("2999-01-01"),
    "check": lambda db, _: db.check(),
    "repair": lambda db, _: db.repair(),
    "rename": lambda db, _: db.rename_field("extra", "more"),
    "drop": lambda db, _: db.drop_field("extra"),
}
PLAIN: dict[str, Callable[[DealDatabase, Path], object]] = {
    "save": lambda db, _: db.save_deal({"id": "new", "stage": "Lead"}),
    "update": lambda db, _: db.update_deal(1, stage="Lost"),
    "get": lambda db, _: db.get_deal(1),
    "delete": lambda db, _: db.delete_deal(2),
    "len": lambda db, _: len(db),
    "contains": lambda db, _: 1 in db,
    "schema": lambda db, _: db.schema,
    "pipeline": lambda db, _: db.pipeline,
    "health": lambda db, _: db.health(),
    "is_connected": lambda db, _: db.is_connected(),
    "saved": lambda db, _: db.query.saved(),
    "close": lambda db, _: db.close(),
}


def test_every_method_on_columns_is_covered() -> None:
    from dealdb.analytics import Analytics
    from dealdb.loader import DataLoader
    from dealdb.query import QueryEngine

    for cls in (QueryEngine, Analytics, DataLoader):
        public = {name for name, member in vars(cls).items() if name[0] != "_" and callable(member)}
        unguarded = {name for name in public if not hasattr(vars(cls)[name], "__wrapped__")}
        assert unguarded <= {"saved", "forget", "close"}


@pytest.fixture
def used(server: Server) -> Any:
    """A database in which this process has queried, in every engine."""
    with DealDatabase(port=server.port, max_connections=2) as db:
        db.loader.load(ROWS)
        db.query.save("all")
        db.query.find("amount > 5", sort="amount")
        db.query.sql("SELECT sum(amount) FROM deals")
        db.analytics.summary()
        yield db


def test_what_works_on_columns_is_an_error_at_once(used: DealDatabase, tmp_path: Path) -> None:
    past, feed = used.as_of("2999-01-01"), used.changes(0, timeout_s=0)
    more = {
        **ON_COLUMNS,
        "past get": lambda *_: past.get_deal(1),
        "past find": lambda *_: past.query.find("amount > 5"),
        "past len": lambda *_: len(past),
        "feed": lambda *_: list(feed),
        "of its own": lambda db, _: DealDatabase(port=db.connection.settings.port).query.count(),
    }
    for name, work in more.items():
        said = in_child(lambda work=work: work(used, tmp_path))  # type: ignore[misc]
        assert said.startswith("ForkError"), f"{name}: {said}"
        assert "spawn" in said
        assert "forkserver" in said
    feed.close()


def test_single_deals_go_on_as_before(used: DealDatabase, tmp_path: Path) -> None:
    for name, work in PLAIN.items():
        # another thread of the parent may be in the middle of a query
        live = used._store._live
        with live._lock:
            said = in_child(lambda work=work: work(used, tmp_path))  # type: ignore[misc]
        assert said == "ok", f"{name}: {said}"
    assert used.get_deal("new") == {"id": "new", "stage": "Lead"}
    assert used.query.count() == 300


def test_a_grandchild_gets_the_error_too(used: DealDatabase) -> None:
    said = in_child(
        lambda: exec("raise AssertionError(said)", {"said": in_child(used.query.count)})
    )
    assert said.startswith("AssertionError: ForkError")


# what follows is run in a process of its own, in which Polars has not run yet
def run(script: str, server: Server) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(server.port)],
        capture_output=True, text=True, timeout=4 * HANG_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_parent_that_has_not_queried_leaves_its_child_free(server: Server) -> None:
    said = run(
        """
        import multiprocessing, sys
        import polars as pl
        from dealdb import DealDatabase
        db = DealDatabase(port=int(sys.argv[1]))
        for n in range(50):
            db.save_deal({"id": n, "amount": n, "stage": "Won"})
        db.get_deal(1), db.health(), pl.DataFrame({"a": [1]}).height
        def work(least):
            total = db.query.sql("SELECT count(*) FROM deals").item()
            return db.query.count("amount >= :least", params={"least": least}), total
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(pool.map_async(work, [0, 10, 40]).get(60), db.query.count())
        """,
        server,
    )
    assert said == "[(50, 50), (40, 50), (10, 50)] 50"


def test_a_child_that_is_forked_while_a_thread_begins_to_query(server: Server) -> None:
    with DealDatabase(port=server.port) as db:
        db.save_deal({"id": 1})
        store = db._store
        with store._lazy_lock:
            assert in_child(lambda: store._lazy_lock.acquire(timeout=HANG_S) or 1 / 0) == "ok"


def test_polars_that_another_part_of_the_parent_has_used_is_noticed(server: Server) -> None:
    if not Path("/proc/self/task").exists():
        pytest.skip("the system does not name the threads of a process")
    said = run(
        """
        import multiprocessing, sys
        import polars as pl
        from dealdb import DealDatabase
        db = DealDatabase(port=int(sys.argv[1]))
        db.save_deal({"id": 1, "amount": 1})
        pl.DataFrame({"a": list(range(100_000))}).sort("a", descending=True)
        def work(_):
            try:
                return db.query.count("amount > 0")
            except Exception as error:
                return type(error).__name__
        with multiprocessing.get_context("fork").Pool(1) as pool:
            print(pool.map_async(work, [0]).get(60))
        """,
        server,
    )
    assert said == "['ForkError']"


def test_a_preloaded_worker_answers_with_the_error(server: Server) -> None:
    """As gunicorn does with --preload: the master imports, queries and forks; workers end in their own good time."""
    said = run(
        """
        import os, sys
        from dealdb import DealDatabase
        db = DealDatabase(port=int(sys.argv[1]))
        db.loader.load([{"id": n, "amount": n} for n in range(300)])
        db.query.sql("SELECT sum(amount) FROM deals")
        for worker in range(2):
            if os.fork() == 0:
                try:
                    db.query.find("amount > 5")
                except Exception as error:
                    # print may write the end of the line apart, behind what the other worker says
                    line = f"{type(error).__name__} {db.get_deal(7)['amount']:.0f}\\n"
                    os.write(1, line.encode())
                db.close()
                sys.exit()
        for worker in range(2):
            assert os.wait()[1] == 0
        print(db.query.count("amount > 5"))
        """,
        server,
    )
    assert said.split("\n") == ["ForkError 7", "ForkError 7", "294"]


def conflict(port: int) -> object:
    with DealDatabase(port=port) as db:
        return db.save_deal({"id": 1, "name": "b"}, expect_rev=99)


def told(error: BaseException) -> tuple[object, ...]:
    assert isinstance(error, ConflictError)
    return error.deal, error.expected_rev, error.actual_rev


def test_errors_come_out_of_pools_of_processes(server: Server) -> None:
    with DealDatabase(port=server.port) as db:
        rev = db.save_deal({"id": 1, "name": "a"}).rev
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(1) as pool:
        with pytest.raises(ConflictError) as caught:
            pool.apply_async(conflict, (server.port,)).get(HANG_S)
        assert told(caught.value) == ("1", 99, rev)
    with concurrent.futures.ProcessPoolExecutor(1, spawn) as executor:
        for _ in range(2):
            with pytest.raises(ConflictError) as caught:
                executor.submit(conflict, server.port).result(HANG_S)
            assert told(caught.value) == ("1", 99, rev)


def test_forked_child_uses_sockets_of_its_own(server: Server) -> None:
    with connected(server, max_connections=4) as connection:
        link = connection.link()
        in_threads(4, lambda _: link.call("PING"))
        parents = {entry["id"] for entry in sockets(server)}
        child = os.fork()
        if child == 0:
            code = 1
            try:
                right = all(link.call("ECHO", f"c{n}") == b"c%d" % n for n in range(200))
                now = {entry["id"] for entry in sockets(server)}
                code = 0 if right and parents < now else 2
            finally:
                os._exit(code)
        assert all(link.call("ECHO", f"p{n}") == b"p%d" % n for n in range(200))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert link.call("ECHO", "x") == b"x"
        assert {entry["id"] for entry in sockets(server)} == parents


def test_fork_while_the_pool_is_locked(server: Server) -> None:
    with connected(server) as connection:
        link = connection.link()
        assert connection._probe is not None
        with connection._open_pool._lock, connection._probe._lock:
            child = os.fork()
            if child == 0:
                answered = link.call("PING") == b"PONG" and connection.is_connected()
                os._exit(0 if answered else 1)
        assert os.waitpid(child, 0)[1] == 0
