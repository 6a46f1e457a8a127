"""The prompt, fed through a pipe and through a terminal, against a real server."""

from __future__ import annotations

import io
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli_runs import Fill, Ran, Run, db_fixture, run_fixture  # noqa: F401 fixtures
from dealdb import DealDatabase
from dealdb.cli.commands.shell import words_of
from dealdb.cli.main import main
from dealdb.sample import deals
from servers import Server

COMMANDS = {"find", "get", "stats", "history", "schema"}


@pytest.fixture
def loaded(db: DealDatabase, filled: Fill) -> DealDatabase:
    filled(lambda: db.loader.load(deals(40), bar=False))
    return db


def typed(
    run: Run, monkeypatch: pytest.MonkeyPatch, *lines: str, options: tuple[str, ...] = ()
) -> Ran:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
    return run("shell", *options)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("SELECT 1;", ["sql", "--", "SELECT 1"]),
        (
            "with a as (select 1) select * from a",
            ["sql", "--", "with a as (select 1) select * from a"],
        ),
        ("stage = 'Won'", ["find", "--", "stage = 'Won'"]),
        ("-amount < 5", ["find", "--", "-amount < 5"]),
        ("stats win-rate --by owner", ["stats", "win-rate", "--by", "owner"]),
        ("find \"stage = 'Won'\" --limit 3", ["find", "stage = 'Won'", "--limit", "3"]),
        ("find --limit 3", ["find", "--limit", "3"]),
        ("history = 'x'", ["find", "--", "history = 'x'"]),
        ("history IS NULL", ["find", "--", "history IS NULL"]),
        ("schema", ["schema"]),
        ("help get", ["get", "--help"]),
        ("? stats", ["stats", "--help"]),
    ],
)
def test_a_line_is_sql_a_command_or_a_filter(line: str, words: list[str]) -> None:
    assert words_of(line, COMMANDS) == words


def test_lines_from_a_pipe_run_in_order(
    run: Run, loaded: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        "# a comment",
        "select count(*) as n from deals",
        "",
        "get D0001",
        "id = 'D0002'",
        "exit",
        "get D0003",
    ]
    ran = typed(run, monkeypatch, *lines)
    assert ran.code == 0
    assert ran.out.splitlines()[:2] == [" n", "40"]
    assert "D0001" in ran.out
    assert "\nD0002  " in ran.out
    assert "D0003" not in ran.out
    assert [line.split()[-1] for line in ran.err.splitlines()] == ["ms"] * 3


def test_a_line_that_fails_does_not_end_the_shell(
    run: Run, loaded: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = typed(
        run, monkeypatch, "stag = 'Won'", "get 'x", "get zz", "save id=9 name=New", "get 9 --json"
    )
    assert ran.code == 2
    assert "no column 'stag'" in ran.err
    assert "error: no closing quotation" in ran.err
    assert '"name": "New"' in ran.out
    assert loaded.get_deal("9") is not None


def test_commands_share_settings_and_connection(
    run: Run, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--db", "4", "--collection", "lead", "--json")
    ran = typed(run, monkeypatch, "save id=1", "health", "get 1 --db 0", options=options)
    assert '"deals": 1' in ran.out
    assert "no deal with id '1'" in ran.err
    with server.client(4) as client:
        assert client.exists("lead:1")
        received = client.info("stats")["total_connections_received"]
        typed(run, monkeypatch, *["get 1"] * 20, options=options)
        assert client.info("stats")["total_connections_received"] - received <= 3


@contextmanager
def at_terminal(server: Server, state: Path, *options: str) -> Iterator[int]:
    """A shell at a terminal, which has shown its first prompt."""
    ours, theirs = pty.openpty()
    environment = {"DEALDB_URL": server.url, "XDG_STATE_HOME": str(state), "TERM": "dumb"}
    with subprocess.Popen(
        [sys.executable, "-m", "dealdb", "shell", *options],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=os.environ | environment,
    ) as process:
        os.close(theirs)
        yield ours
        os.write(ours, b"exit\n")
        process.wait(timeout=20)
    os.close(ours)


def test_a_terminal_has_prompt_completion_and_history(
    loaded: DealDatabase, server: Server, tmp_path: Path
) -> None:
    loaded.save_deal({"id": "1", "owner": "Pat O'Brien", "company": "Acme", "stage": "Won"})
    # what Tab makes of a line, and the filter that it then is
    lines = {
        "stage = 'W\t AND id = '1'": "stage = 'Won' AND id = '1'",
        "owner = 'Pat o''b\t": "owner = 'Pat O''Brien'",
        "owner IN ('Ana Duarte', 'Pat O\t)": "owner IN ('Ana Duarte', 'Pat O''Brien')",
        "compa\t = 'Acm\t": "company = 'Acme'",
    }
    with at_terminal(server, tmp_path) as ours:
        greeting = read_until(ours, b"dealdb> ")
        # Tab completes the id's column and the command
        os.write(ours, b"sele\t count(*) AS n FR\t deals WHERE prob\t IS NULL\n")
        text = read_until(ours, b" ms\r\n")
        shown = []
        for line in lines:
            os.write(ours, line.encode() + b"\n")
            shown.append(read_until(ours, b" ms\r\n"))
        os.write(ours, b"?\n")
        told = read_until(ours, b"The commands are ")
        os.write(ours, b"clear\n")
        cleared = read_until(ours, b"\x1b[H\x1b[2J")
    assert greeting.startswith(b"collection deal: ")
    assert greeting.count(b"\n") == 1
    assert f"\r\n{loaded.query.count('probability IS NULL')}\r\n".encode() in text
    for answer in shown:
        assert b"error" not in answer
        assert b"Acme" in answer
    assert b"a filter   stage = 'Won'" in told
    assert b"\x1b[H\x1b[2J" in cleared
    history = tmp_path / "dealdb" / "history"
    assert history.read_text().splitlines()[1:5] == list(lines.values())
    assert history.stat().st_mode & 0o777 == 0o600


def read_until(descriptor: int, end: bytes) -> bytes:
    text, deadline = b"", time.monotonic() + 20
    while end not in text:
        ready, _, _ = select.select([descriptor], [], [], deadline - time.monotonic())
        assert ready, text
        text += os.read(descriptor, 4096)
    return text


def completing(line: str) -> dict[str, str]:
    """The environment in which bash asks for what may stand at the end of a line."""
    place = str(len(line.split()) - 1)
    return {"_DEALDB_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": place}


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("dealdb hist", ["history"]),
        ("dealdb find --sor", ["--sort"]),
        ("dealdb find --sort amount,-own", ["amount,-owner"]),
        ("dealdb find --columns id,own", ["id,owner"]),
        ("dealdb facets sta", ["stage"]),
        ("dealdb save nam", ["name="]),
        ("dealdb save stage=Wo", ["stage=Won"]),
        ("dealdb stats win", ["win-rate"]),
        ("dealdb find --sort am --url redis://localhost:1", []),
    ],
)
def test_tab_completes_from_the_server(
    loaded: DealDatabase,
    server: Server,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    offered: list[str],
) -> None:
    line, _, url = line.partition(" --url ")
    for name, value in {"DEALDB_URL": url or server.url, **completing(line)}.items():
        monkeypatch.setenv(name, value)
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([])
    out, err = capsys.readouterr()
    assert (out.split(), err, ended.value.code) == (offered, "", 0)


def test_a_shell_that_asks_the_program_is_told_of_the_server(
    loaded: DealDatabase, server: Server
) -> None:
    asked = subprocess.run(
        [sys.executable, "-m", "dealdb"],
        env={**os.environ, "DEALDB_URL": server.url, **completing("dealdb save stage=Wo")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (asked.stdout.split(), asked.stderr) == (["stage=Won"], "")


def test_the_script_of_each_shell_names_the_program(run: Run) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_DEALDB_COMPLETE=complete_" + shell in run("completion", shell).out
