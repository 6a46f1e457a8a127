"""The one way out to a terminal: what goes through it, and that all goes through it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import dealdb.cli
from dealdb.cli.output import streams

CLI = Path(dealdb.cli.__file__).parent
# those that are the way out; the page of the reference is no output of a command
ALLOWED = {"output/streams.py", "reference.py"}
# what _fail does when standard output may be gone
STDERR_ONLY = {"main.py"}
_PRINTS = re.compile(r"print|typer\.(s?echo|confirm)|.*(stdout|stderr|buffer)\.write|.*print_exc")


def printers(path: Path) -> list[str]:
    """Calls in a file that write to a stream by themselves."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            to_stderr = any(ast.unparse(each.value) == "sys.stderr" for each in node.keywords)
            if name == "print" and to_stderr and path.name in STDERR_ONLY:
                assert "visible(" in ast.unparse(node)
            elif _PRINTS.fullmatch(name):
                found.append(name)
    return found


def test_no_command_prints_past_the_way_out() -> None:
    past = {
        name: calls
        for path in CLI.rglob("*.py")
        if (name := str(path.relative_to(CLI))) not in ALLOWED and (calls := printers(path))
    }
    assert past == {}


EVIL = "a\x1b[31mb\x9b2Jc\u202ed\r\ud83d"
SHOWN = r"a\x1b[31mb\x9b2Jc\u202ed\r\ud83d"


def test_messages_and_lines_show_what_would_steer(capsys: pytest.CaptureFixture[str]) -> None:
    streams.note(EVIL)
    streams.say(EVIL)
    ran = capsys.readouterr()
    assert (ran.out, ran.err) == (SHOWN + "\n", SHOWN + "\n")


def test_data_is_as_it_is_in_a_pipe_and_shown_at_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    streams.data("a\x1b[31mb\n")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    streams.data("a\x1b[31mb\n")
    sink = streams.TerminalSink()
    for some in ("é\x9b".encode()[:1], "é\x9b".encode()[1:]):
        sink.write(some)
    assert capsys.readouterr().out == "a\x1b[31mb\na\\x1b[31mb\né\\x9b"


def test_a_question_shows_what_would_steer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def confirm(text: str, **_: object) -> bool:
        asked.append(text)
        return True

    monkeypatch.setattr("typer.confirm", confirm)
    assert streams.agrees(f"Delete {EVIL}?")
    assert asked == [f"Delete {SHOWN}?"]


def test_bold_is_the_only_paint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert streams.painted(streams.bold("a\x1b[31m")) == "\x1b[1ma\\x1b[31m\x1b[0m"
