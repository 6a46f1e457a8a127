"""Statements in a process of their own: the same answers and errors as in this one, and nothing left of it."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dealdb.errors import MissingExtra, QueryError
from dealdb.query.sql.isolated import process as process_module
from dealdb.query.sql.isolated.engine import Isolated, isolated_engine
from dealdb.query.sql.session import SqlSession

DEALS = pl.DataFrame(
    {
        "id": ["1", "2", "3"],
        "stage": pl.Series(["won", "lost", "won"], dtype=pl.Categorical),
        "amount": pl.Series([Decimal("1.50"), None, Decimal("2.25")], dtype=pl.Decimal(38, 2)),
        "tags": [["a", "b"], [], None],
        "created": [date(2026, 1, 5), None, date(2026, 2, 1)],
    }
)
# streams for hours, in no memory
ENDLESS = "SELECT count(*) FROM range(100000000000000) t(x) WHERE x % 7 = 9"
# of this module alone
MEMORY_MB = 200


@pytest.fixture(scope="module")
def isolated() -> Iterator[SqlSession]:
    session = SqlSession(timeout_s=20, memory_mb=MEMORY_MB, isolated=True)
    yield session
    session.close()


def engine_of(session: SqlSession) -> Isolated:
    engine = session._engine
    assert isinstance(engine, Isolated)
    return engine


def outcome(session: SqlSession, statement: str, **options: Any) -> object:
    try:
        frame = session.run(statement, DEALS, **options)
    except QueryError as problem:
        return str(problem), problem.text, problem.position
    return frame.to_dict(as_series=False), dict(frame.schema)


def test_answers_and_errors_are_those_of_this_process(isolated: SqlSession) -> None:
    here = SqlSession(timeout_s=20, memory_mb=MEMORY_MB)
    quotas = pl.DataFrame({"stage": ["won"], "quota": [7]})
    past = pl.DataFrame({"seq": [1, 2]})
    for statement, options in (
        ("SELECT * FROM deals", {}),
        ("SELECT stage, sum(amount) AS total FROM deals GROUP BY 1 ORDER BY 1", {}),
        ("SELECT id FROM deals WHERE amount > :least", {"params": {"least": Decimal("1.60")}}),
        ("SELECT id, quota FROM deals JOIN quotas USING (stage)", {"sides": {"quotas": quotas}}),
        ("SELECT max(seq) AS last FROM history", {"history": lambda: past}),
        ("SELECT max(seq) AS last FROM history", {}),
        ("SELECT count(*) AS n FROM deals", {"kept": pl.Series([True, False, True])}),
        ("SELECT ammount FROM deals", {}),
        ("SELECT 'ü' AS a, stagge FROM deals", {}),
        ("SELECT id::INT / 0 AS a, 'x'::INT AS b FROM deals", {}),
        ("SELECT :n AS n", {}),
        ("SELECT DATE '290000-01-01' AS d", {}),
        ("SELECT 170141183460469231731687303715884105727::HUGEINT AS d", {}),
        ("SELECT * FROM read_csv('/etc/passwd')", {}),
        ("DROP TABLE deals", {}),
        ("SELECT id FROM deals WHERE false", {}),
        ("SELECT sum(n) AS s FROM (SELECT 9223372036854775807 AS n FROM deals)", {}),
    ):
        assert outcome(isolated, statement, **options) == outcome(here, statement, **options)
        # what was asked in between changes nothing
        assert isolated.run("SELECT count(*) FROM deals", DEALS).item() == 3
    here.close()


def test_a_column_is_handed_over_once_a_frame(isolated: SqlSession) -> None:
    isolated.run("SELECT sum(amount) FROM deals", DEALS)
    [worker] = engine_of(isolated)._all
    isolated.run("SELECT sum(amount), max(created) FROM deals", DEALS)
    assert {"amount", "created"} <= worker._columns
    changed = DEALS.with_columns(amount=pl.lit(Decimal("4.00")).cast(pl.Decimal(38, 2)))
    assert isolated.run("SELECT sum(amount) FROM deals", changed).item() == Decimal("12.00")
    assert worker._columns == {"amount"}
    assert isolated.run("SELECT sum(amount) FROM deals", DEALS).item() == Decimal("3.75")


def test_columns_asked_for_one_by_one_take_few_files(isolated: SqlSession) -> None:
    wide = pl.DataFrame({f"c{n}": [n] for n in range(40)})
    for n in range(40):
        assert isolated.run(f"SELECT c{n} FROM deals", wide).item() == n
    [worker] = engine_of(isolated)._all
    assert len(worker._files) <= 16
    assert isolated.run("SELECT c0 + c20 + c39 FROM deals", wide).item() == 59


def test_the_process_has_nothing_of_its_parent(isolated: SqlSession) -> None:
    isolated.run("SELECT 1 AS n", DEALS)
    [worker] = engine_of(isolated)._all
    proc = Path(f"/proc/{worker._process.pid}")
    assert (proc / "environ").read_bytes().count(b"\0") <= 2
    assert str((proc / "cwd").readlink()).endswith(" (deleted)")
    files = {str(file.readlink()) for file in (proc / "fd").iterdir()}
    known = ("socket:", "pipe:", "/dev/null", "/memfd:dealdb-sql")
    assert all(name.startswith(known) for name in files), files
    held = (proc / "limits").read_text()
    assert all(
        line.split()[-2] != "unlimited"
        for line in held.splitlines()
        if line.startswith(("Max data size", "Max core", "Max file size"))
    )
    libraries = (proc / "maps").read_text()
    assert "polars" not in libraries


def test_a_statement_that_cant_be_stopped_is_ended_with_its_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = SqlSession(timeout_s=0.3, memory_mb=MEMORY_MB + 1, isolated=True)
    session.run("SELECT 1", DEALS)
    stuck = (
        "WITH RECURSIVE t(i, s) AS (SELECT 0, 'aaaaaaaaaaaaaaaa' UNION ALL SELECT i + 1, s || s FROM t "
        "WHERE i < 14) SELECT levenshtein(s, s || 'b') FROM t WHERE i = 14"
    )
    began = time.monotonic()
    with pytest.raises(QueryError, match=r"took longer than 0\.3 s and was stopped"):
        session.run(stuck, DEALS)
    assert time.monotonic() - began < 20
    assert engine_of(session)._all == []
    monkeypatch.setattr(session, "_timeout_s", 20)
    assert session.run("SELECT 1", DEALS).item() == 1
    session.close()


def test_what_dies_of_memory_says_so_and_the_next_one_works(isolated: SqlSession) -> None:
    with pytest.raises(QueryError, match=f"needs more than {MEMORY_MB} MB of memory"):
        isolated.run("SELECT list(range) FROM range(100000000)", DEALS)
    with pytest.raises(QueryError, match=f"the result has more than {MEMORY_MB // 2} MB"):
        isolated.run("SELECT range AS a, range AS b FROM range(7000000)", DEALS)
    assert isolated.run("SELECT count(*) FROM deals", DEALS).item() == 3


def test_threads_ask_at_once_and_closing_ends_their_statements() -> None:
    session = SqlSession(timeout_s=30, memory_mb=MEMORY_MB + 2, isolated=True)
    wrong: list[object] = []

    def work(number: int) -> None:
        frame = pl.DataFrame({"n": [number, number]})
        for _ in range(3):
            total = session.run("SELECT sum(n) FROM deals", frame).item()
            if total != 2 * number:
                wrong.append(total)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(engine_of(session)._all) <= 2

    said: list[str] = []

    def endless() -> None:
        try:
            session.run(ENDLESS, DEALS)
        except QueryError as problem:
            said.append(str(problem))

    asking = threading.Thread(target=endless)
    asking.start()
    time.sleep(0.2)
    began = time.monotonic()
    session.close()
    asking.join()
    assert time.monotonic() - began < 10
    assert said == ["the database was closed while the statement ran"]
    assert engine_of(session)._all == []


def test_an_interrupt_ends_the_statement_and_comes_out_as_it_is(isolated: SqlSession) -> None:
    isolated.run("SELECT 1", DEALS)
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        isolated.run(ENDLESS, DEALS)
    timer.join()
    assert time.monotonic() - began < 10
    assert isolated.run("SELECT 1", DEALS).item() == 1


ORPHAN = """
import os, sys
import polars as pl
from dealdb.query.sql.session import SqlSession
session = SqlSession(timeout_s=60, memory_mb=200, isolated=True)
frame = pl.DataFrame({"n": [1]})
session.run("SELECT 1", frame)
[worker] = session._engine._all
print(worker._process.pid, flush=True)
if os.fork() == 0:
    # a child has none of its parent's processes, and may end without a word to them
    assert session._engine._all == []
    sys.exit()
os.wait()
assert session.run("SELECT 2", frame).item() == 2
assert session._engine._all == [worker]
print("asked", flush=True)
os.kill(os.getpid(), 9)
"""


def test_the_process_ends_with_its_parent_and_survives_a_fork() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ORPHAN], capture_output=True, text=True, check=False
    )
    pid, asked = done.stdout.split()
    assert (asked, done.stderr) == ("asked", "")
    until = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_sessions_share_processes_until_the_last_one_is_closed() -> None:
    first, second = (
        SqlSession(timeout_s=20, memory_mb=MEMORY_MB + 3, isolated=True) for _ in range(2)
    )
    first.run("SELECT 1", DEALS)
    second.run("SELECT 1", DEALS)
    engine = isolated_engine(MEMORY_MB + 3)
    assert len(engine._all) == 1
    first.close()
    assert len(engine._all) == 1
    second.close()
    gc.collect()
    assert engine._all == []


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(MissingExtra, match=r"pip install 'dealdb\[sql\]'"):
        SqlSession(timeout_s=1, memory_mb=MEMORY_MB + 4, isolated=True).run("SELECT 1", DEALS)


def test_a_process_that_does_not_start_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "_CODE", "raise SystemExit(3)")
    with pytest.raises(QueryError, match=r"did not start \(exit code 3\)"):
        SqlSession(timeout_s=1, memory_mb=MEMORY_MB + 4, isolated=True).run("SELECT 1", DEALS)
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(QueryError, match="sql_isolated=False runs them in this one"):
        SqlSession(timeout_s=1, memory_mb=MEMORY_MB + 5, isolated=True).run("SELECT 1", DEALS)
