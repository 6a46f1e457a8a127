"""What names and values may do to a terminal, to a shell at Tab, and to what a command line names."""

from __future__ import annotations

import json
import os
import pty
import socket
import sys
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hostile.case import World, case

# an operating system command, C1's own, a turn of direction, an end of line that is none, the start of the line
EVIL = "\x1b]66;x\x07\x9b66m\u202e\u2028\x07"
RAW = ("\x1b]66", "\x9b", "\u202e", "\u2028", "\x07")
NAME = f"Acme {EVIL}"
# every command, with what somebody else wrote wherever it takes or shows something; what fails says why, safely
COMMANDS: dict[str, list[list[str]]] = {
    "demo": [["--url", f"redis://{EVIL}"], ["--json"]],
    "load": [[f"{EVIL}.csv"], ["hostile.csv"], ["hostile.csv", "--map", f"{EVIL}=name"], ["hostile.csv", "--dry-run"],
             ["hostile.csv", "--save-mapping", NAME], ["hostile.csv", "--jsonl"]],
    "find": [[], [f"name = '{EVIL}'"], [f'"{EVIL}" = 1'], ["--columns", EVIL], ["--page", "1"], ["--explain"],
             ["--csv"], ["--md"], ["--json"], ["--jsonl"], ["--parquet", f"{EVIL}.parquet"], ["--at", EVIL]],
    "search": [["Acme"], ["Acme", "--json"], [EVIL]],
    "get": [[f"1{EVIL}"], [f"1{EVIL}", "--json"], [f"no{EVIL}"], [f"1{EVIL}", "2"], [f"1{EVIL}", "--csv"],
            [f"1{EVIL}", "--md"]],
    "keys": [[f"1{EVIL}"], [f"no{EVIL}", "2"], [f"1{EVIL}", "--json"], [f"1{EVIL}", "--csv"]],
    "save": [["--json-input", "deals.json"], [f"id=9{EVIL}", "stage=Won"], [f"{EVIL}=1"], [EVIL],
             ["--json-input", f"{EVIL}.json"], [f"id=8{EVIL}", "--jsonl"]],
    "delete": [[f"9{EVIL}", "--yes"], [f"no{EVIL}", "--yes"], [f"8{EVIL}", "--yes", "--json"]],
    "sql": [[f'SELECT 1 AS "{EVIL}"'], [f'SELECT 1 AS "{EVIL}"', "--json"], [f'SELECT 1 AS "{EVIL}"', "--md"],
            [f'SELECT 1 AS "{EVIL}"', "--csv"], [f"SELECT '{EVIL}'::DATE"], [f'SELECT "{EVIL}" FROM deals'],
            ["SELECT name, id FROM deals"], [f"SELECT '{EVIL}"]],
    "facets": [["name"], ["stage", "--json"], [EVIL], ["name", "--csv"], ["name", "--md"]],
    "query": [["save", NAME, "amount > 1"], ["list"], ["run", NAME], ["list", "--json"], ["delete", NAME],
              ["delete", NAME]],
    "mapping": [["list"], ["show", NAME], ["show", NAME, "--json"], ["delete", NAME], ["delete", NAME]],
    "export": [["-"], ["-", "--format", "md"], ["-", "--format", "jsonl"], [f"{EVIL}.csv"], [f"{EVIL}/x.csv"],
               ["x.csv", "--json"]],
    "stats": [["summary"], ["win-rate", "--by", "owner"], ["leaderboard"], ["win-rate", "--by", EVIL], [EVIL],
              ["win-rate", "--by", "owner", "--json"], ["win-rate", "--by", "owner", "--md"]],
    "pipeline": [[], ["--json"], ["--set", f"{EVIL}:open:9"]],
    "history": [[f"1{EVIL}"], [f"1{EVIL}", "--json"], [f"no{EVIL}"], ["load", f"{EVIL}.csv"], ["load", "hostile.csv"],
                ["load", "deals.json", "--source", EVIL], ["load", "deals.json", "--zone", EVIL]],
    "rates": [[], ["load", "hostile.csv"], ["load", f"{EVIL}.csv"], [EVIL]],
    "quotas": [[], ["load", "hostile.csv"], ["load", f"{EVIL}.csv"], ["--json"]],
    "watch": [["--since", "0", "--timeout", "0"], ["--since", "0", "--timeout", "0", "--jsonl"], ["--since", EVIL]],
    "schema": [[], ["--json"], ["drop", EVIL, "--yes"], ["rename", "name", EVIL], ["retype", EVIL, "text"]],
    "check": [[], ["--json"], ["--csv"]],
    "repair": [[], ["--adopt"], ["--json"]],
    "backup": [["saved.backup"], [f"{EVIL}.backup"], [f"{EVIL}/x.backup"]],
    "restore": [["saved.backup", "--collection", "copy"], [f"no{EVIL}.backup"], ["saved.backup", "--collection", EVIL]],
    "health": [[], ["--json"]],
    "doctor": [[], ["--collection", NAME], ["--json"]],
    "shell": [["--collection", EVIL]],
    "bench": [["-n", "x" + EVIL]],
    "info": [[], ["--json"], ["--collection", NAME]],
    "completion": [[EVIL]],
}  # fmt: skip
# metrics on history, and what each needs
PAST: dict[str, list[str]] = {
    "survival": ["Open"], "attainment": ["2026-Q4"], "waterfall": ["--since", "2026-01-01"],
    "changed": ["--since", "2026-01-01"],
    "slippage": ["--since", "2026-01-01", "--until", "2100-01-01"],
    "coverage": ["--since", "2026-01-01", "--until", "2100-01-01", "--target", "5"],
    "forecast": ["--since", "2026-01-01", "--until", "2030-01-01"], "simulate": ["--until", "2100-01-01"],
    "hindsight": ["--known", "2099-01-01"], "calibration": ["--since", "2026-01-01"],
    "funnel": [], "time-in-stage": [], "ageing": [], "rotting": [], "cohorts": [], "losses": [], "win-loss": [],
    "ramp": [], "leaderboard": [], "trend": [],
    "activity": [], "late-entry": [], "stage-chances": [], "time-to-close": [], "forecast-error": [],
    "seasonality": [],
}  # fmt: skip
COMMANDS |= {name: [[*words, "--by", "owner"]] for name, words in PAST.items()}
# a board that can't listen, for it would not end
COMMANDS["board"] = [["--host", EVIL], ["--token-file", EVIL], ["--json"]]
COMMANDS["report"] = [
    ["-o", "-", "--by", "owner"],
    ["-o", "report.md"],
    ["-o", EVIL],
    ["--where", EVIL, "-o", "-"],
]
COMMANDS["survival"].append([EVIL])
COMMANDS["attainment"].append([EVIL])
COMMANDS["funnel"] += [
    ["--cohort", f"entered:{EVIL}"],
    ["--deals"],
    ["--deals", "--json"],
    ["--by", EVIL],
]


@contextmanager
def a_terminal() -> Iterator[list[bytes]]:
    """Have both outputs go to a terminal meanwhile; what came there, in the end."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    kept = [os.dup(1), os.dup(2)]
    shown: list[bytes] = []

    def read() -> None:
        while True:
            try:
                some = os.read(ours, 65_536)
            except OSError:
                return
            shown.append(some)

    reader = threading.Thread(target=read)
    reader.start()
    for place in (1, 2):
        os.dup2(theirs, place)
    os.close(theirs)
    try:
        yield shown
    finally:
        # what the program has printed may still be in the buffer, as its end is not that of this process
        sys.stdout.flush()
        for place, was in zip((1, 2), kept, strict=True):
            os.dup2(was, place)
            os.close(was)
        reader.join()
        os.close(ours)


def shown_by(*words: str) -> str:
    """What a terminal gets from a command line."""
    from dealdb.cli.main import main

    with a_terminal() as shown:
        main(words)
    return b"".join(shown).decode()


# what is not a command at all
MISTAKES = [
    [EVIL], ["find", f"--{EVIL}"], ["--url", EVIL, "find"], ["--db", EVIL, "find"], ["find", "--limit", EVIL],
    ["--collection", EVIL, "find"], ["find", "a", EVIL, EVIL], ["completion", EVIL, EVIL], ["help", EVIL],
    ["find", "--param", f"{EVIL}=1"], ["load", "--type", f"{EVIL}={EVIL}", "hostile.csv"], ["save", f"{EVIL}={EVIL}"],
    ["load", "--sheet", EVIL, "hostile.csv"], ["load", "--format", EVIL, "hostile.csv"],
    ["stats", "win-rate", "--since", EVIL],
    ["--url", f"redis://h?{EVIL}=1", "find"],
    ["--url", f"redis://{EVIL}:p@127.0.0.1:1?retry_deadline_s=0.1", "get", "1"], ["find", "\udcff\udc1b"],
]  # fmt: skip


def _fill(world: World) -> None:
    """Deals, names and files that somebody else has made."""
    client = world.client()
    with world.database(actor=None) as db:
        db.save_deal({"id": "2", "name": "Beta", "stage": "Won", "amount": 5, "owner": "ann"})
        db.save_deal({"id": f"1{EVIL}", "name": NAME, "stage": "Open", "amount": 7, "owner": "bob"})
    # another program is asked nothing
    for field in ("name", "owner", "stage", "company"):
        client.hset("deal:2", field, NAME)
    client.hset("deal:3" + EVIL, mapping={"name": NAME, "amount": "5"})
    Path("deals.json").write_text(json.dumps([{"id": f"9{EVIL}", "name": NAME}]))
    Path("hostile.csv").write_text(
        f"id,name,stage,amount\n5{EVIL},{NAME},Won,x{EVIL}\n6,b,Open,1\n"
    )
    Path(f"{EVIL}.csv").write_text(f"id,name,{EVIL}\n7,b,1\n")
    os.environ["DEALDB_URL"] = world.url
    os.environ["PAGER"] = "cat"
    os.environ["COLUMNS"] = "200"
    os.environ["DEALDB_ACTOR"] = "ann"


def _assert_safe(words: list[str], shown: str) -> None:
    for raw in RAW:
        assert raw not in shown, f"{words}: {shown!r}"
    assert "Traceback" not in shown, f"{words}: {shown}"
    assert "error: unexpected" not in shown, f"{words}: {shown}"


@case("names and values that steer a terminal, in every command", seconds=60)
def every_command(world: World) -> None:
    from dealdb.cli.registry import COMMANDS as ALL

    assert set(COMMANDS) == set(ALL), "a new command is to be tried here as well"
    _fill(world)
    for name, lines in COMMANDS.items():
        for line in lines:
            _assert_safe([name, *line], shown_by(name, *line))
    for line in MISTAKES:
        _assert_safe(line, shown_by(*line))
    _assert_safe(["--debug"], shown_by("find", EVIL, "--debug").replace("Traceback", ""))


class _EvilServer:
    """A server that answers everything with an error that steers terminals."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._socket.getsockname()[1]}?retry_deadline_s=0.2"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(link,), daemon=True).start()

    def _answer(self, link: socket.socket) -> None:
        with suppress(OSError), link:
            while some := link.recv(65_536):
                errors = some.count(b"*") or 1
                link.sendall(f"-ERR {EVIL} evil\r\n".encode() * errors)

    def close(self) -> None:
        self._socket.close()


@case("a server whose errors steer a terminal", seconds=20)
def evil_server(world: World) -> None:
    os.environ["PAGER"] = "cat"
    server = _EvilServer()
    try:
        for words in (["health"], ["doctor"], ["find"], ["get", "1"], ["info"], ["health", "--json"], ["check"],
                      ["find", "--debug"]):  # fmt: skip
            shown = shown_by("--url", server.url, *words)
            assert "evil" in shown, shown
            for raw in RAW:
                assert raw not in shown, f"{words}: {shown!r}"
    finally:
        server.close()


@case("a file named like colours and links of a progress bar")
def markup_in_a_file_name(world: World) -> None:
    name = "[red]x[link=http:h]y\x1b[31mz.csv"
    Path(name).write_text("id,name\n1,a\n")
    os.environ["DEALDB_URL"] = world.url
    shown = shown_by("load", name)
    assert r"[red]x[link=http:h]y\x1b[31mz.csv" in shown
    assert "]8;" not in shown


@case("long output of hostile texts through a pager")
def pager(world: World) -> None:
    with world.database() as db:
        db.loader.load([{"id": f"{n}{EVIL}", "name": NAME} for n in range(200)])
    os.environ |= {"DEALDB_URL": world.url, "PAGER": "tee paged", "LINES": "20"}
    shown = shown_by("find", "--limit", "200")
    assert "Acme" in shown
    assert not any(raw in shown for raw in RAW)


@case("a field named like a command, at Tab in bash", seconds=25, slow=True)
def tab_in_bash(world: World) -> None:
    from terminals import EVIL_NAMES, EVIL_STAGES, at_shell

    with world.database() as db:
        for number, name in enumerate(EVIL_NAMES[:3]):
            db.save_deal({"id": number, name: "v", "stage": EVIL_STAGES[number]})
    lines = [f"dealdb find --limit 1 --columns m{each}\t" for each in "abc"]
    at_shell("bash", [*lines, "dealdb save id=new stage=Wa\t"], world.url, world.folder)
    assert list((world.folder / "here").iterdir()) == []


@case("a folder for the embedded server, with a link planted in it")
def planted_folder(world: World) -> None:
    from dealdb import ConfigError, DealDatabase

    folder = world.folder / "data"
    folder.mkdir()
    (folder / "starting.lock").touch()
    (folder / "server.log").symlink_to(world.folder / "planted")
    for mode in (0o777, 0o700):
        folder.chmod(mode)
        with suppress(ConfigError):
            DealDatabase.embedded(folder).close()
            raise AssertionError
    assert not (world.folder / "planted").exists()
