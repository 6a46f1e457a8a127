"""``dealdb watch``: a line a commit, as it happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cli_runs import Run, db_fixture, run_fixture
from connected import eventually, waiting_feeds
from dealdb import DealDatabase
from servers import Server

__all__ = ["db_fixture", "run_fixture"]


@contextmanager
def watching(server: Server, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The program, once it waits for commits."""
    command = [sys.executable, "-m", "dealdb", "watch", *arguments]
    environment = {**os.environ, "DEALDB_URL": server.url}
    with subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            # a busy machine may take its time to start Python
            assert any(
                eventually(lambda: bool(waiting_feeds(server)) or process.poll() is not None)
                for _ in range(6)
            )
            yield process
        finally:
            process.kill()


def test_lines_say_who_and_what(run: Run, server: Server) -> None:
    with DealDatabase.from_url(server.url, actor="ann") as db:
        name = "a\x1b[2J" + "x" * 60
        db.save_deal({"id": 7, "stage": "Won", "amount": 1250, "name": name, "closed": None})
        db.save_deal({"id": 7, "stage": None, "closed": "2026-01-31"})
        db.loader.load([{"id": n} for n in range(5)])
        db.delete_deal(7)
        ran = run("watch", "--since", "0", "--timeout", "0")
    assert (ran.code, ran.err) == (0, "")
    lines = [line.split("  ", 2)[1:] for line in ran.out.splitlines()]
    name = "a\\x1b[2J" + "x" * 31 + "…"
    assert lines == [
        ["ann", "schema defined"],
        ["ann", "pipeline defined"],
        ["ann", f"7 inserted: stage=Won, amount=1,250.00, name={name}"],
        ["ann", "7 updated: closed=2026-01-31, stage cleared"],
        ["ann", "5 inserted"],
        ["ann", "7 deleted"],
    ]


def test_objects_have_what_another_program_needs(run: Run, db: DealDatabase) -> None:
    db.save_deal({"id": 7, "amount": "1250.50", "tags": ["a"]})
    ran = run("watch", "--since", "1", "--count", "1", "--jsonl")
    [line] = ran.out.splitlines()
    found = json.loads(line)
    [deal] = found["deals"]
    assert deal == {"id": "7", "outcome": "inserted", "values": {"amount": 1250.5, "tags": ["a"]}}
    assert (found["seq"], found["kind"]) == (2, "save")
    assert run("watch", "--since", found["token"], "--timeout", "0").out == ""
    assert run("watch", "--csv").code == 2
    assert run("watch", "--count", "0").code == 2
    assert run("watch", "--since", "soon").code == 2
    assert run("watch", "--since", "99").code == 1


def test_lines_of_a_collection_of_partitions(run: Run, server: Server) -> None:
    with DealDatabase.from_url(server.url, actor="ann", partitions=4) as db:
        for n in range(12):
            db.save_deal({"id": n, "stage": "Lead", "amount": n})
        ran = run("watch", "--since", "0", "--timeout", "0")
        lines = ran.out.splitlines()
        assert [line.partition("  ann  ")[2] for line in lines[:2]] == [
            "schema defined",
            "pipeline defined",
        ]
        # each partition has them by a commit of its own
        assert len(lines) == 2 + 12
        ran = run("watch", "--since", "0", "--timeout", "0", "--jsonl")
        found = [json.loads(line) for line in ran.out.splitlines()]
        assert {each["partition"] for each in found} == {0, 1, 2, 3}
        token = found[4]["token"]
        assert token.startswith("p4:")
        ran = run("watch", "--since", token, "--timeout", "0", "--jsonl")
        assert [json.loads(line) for line in ran.out.splitlines()] == found[5:]
        ran = run("watch", "--since", "3", "--timeout", "0")
        assert (ran.code, ran.out) == (2, "")
        assert "give the token of a commit, a moment, or 0 for all" in ran.err
        db.delete_deal(3)
        ran = run("watch", "amount > 10", "--since", token, "--timeout", "0")
        assert [line.partition("  ann  ")[2][:3] for line in ran.out.splitlines()] == ["11 "]
        with DealDatabase.from_url(server.url, collection="single") as single:
            single.save_deal({"id": 1})
        ran = run("watch", "--since", token, "--timeout", "0", "--collection", "single")
        assert ran.code == 1
        assert "(--since 0)" in ran.err


def test_a_filter_keeps_deals_that_come_and_go(db: DealDatabase, server: Server) -> None:
    for deal, amount in ((1, 50), (2, 5), (3, 5)):
        db.save_deal({"id": deal, "amount": amount})
    with watching(server, "amount > 10", "--count", "4") as process:
        assert process.stdout
        for change, shown in (
            ({"id": 3, "name": "x"}, ""),
            ({"id": 2, "amount": 70}, "2 updated: amount=70.00"),
            ({"id": 1, "amount": 1}, "1 updated: amount=1.00"),
            ({"id": 1, "name": "y"}, ""),
            ({"id": 2, "amount": 80}, "2 updated: amount=80.00"),
        ):
            db.save_deal(change)
            assert not shown or process.stdout.readline().endswith(f"{shown}\n")
        db.delete_deal(2)
        assert "2 deleted" in process.stdout.readline()
        assert process.wait(30) == 0


def test_each_line_comes_at_once_and_ctrl_c_is_clean(db: DealDatabase, server: Server) -> None:
    db.save_deal({"id": 1})
    with watching(server) as process:
        assert process.stdout
        assert process.stderr
        for n in (1, 2):
            db.save_deal({"id": 1, "amount": n})
            assert f"amount={n}.00" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert "Traceback" not in process.stderr.read()


def test_a_closed_pipe_ends_it(db: DealDatabase, server: Server) -> None:
    db.save_deal({"id": 1})
    with watching(server) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        db.save_deal({"id": 1, "amount": 2})
        assert process.wait(30) == 141
        assert process.stderr.read() == ""


def test_it_waits_for_a_server_that_goes_away(new_server: Callable[..., Server]) -> None:
    server = new_server("--appendonly", "yes", "--appendfsync", "always")
    with DealDatabase.from_url(server.url) as db:
        db.save_deal({"id": 1})
        with watching(server, "--url", f"{server.url}?retry_deadline_s=0.1") as process:
            server.kill()
            assert process.stderr
            assert process.stdout
            assert "waiting" in process.stderr.readline()
            server.start()
            db.save_deal({"id": 2})
            assert "2 inserted" in process.stdout.readline()
