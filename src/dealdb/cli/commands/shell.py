"""The command ``shell``: a prompt that takes filters, SELECTs and all other commands, on one connection."""

from __future__ import annotations

import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dealdb import folders
from dealdb.cli.output.streams import CLOSED_PIPE, Output, note
from dealdb.cli.session import Session, inside

if TYPE_CHECKING:
    from dealdb import DealDatabase

PROMPT = "dealdb> "
HISTORY_LENGTH = 1000
_DELIMITERS = " \t\n=<>(),'"
_SELECT = re.compile(r"\s*(select|with|from|pivot)\b", re.IGNORECASE)
# a column may be named like a command: then an operator follows
_OPERATOR = re.compile(r"\s*([=<>!+*/%-]|(in|is|not|like|ilike|between)\b)", re.IGNORECASE)
_KEYWORDS = (
    "AND", "OR", "NOT", "IN", "BETWEEN", "LIKE", "IS", "NULL", "SELECT", "FROM", "deals", "WHERE",
    "GROUP", "BY", "ORDER", "LIMIT", "count", "sum", "avg", "today",
)  # fmt: skip


def shell(session: Session) -> None:
    """
    Take filters, SELECTs and commands at a prompt.

    A line that begins with SELECT or WITH is SQL, one that begins with the name of a command is that command, and any
    other is a filter; the time that it took follows. Tab completes columns, stages and commands. exit or Ctrl-D ends
    it. Lines may come from a pipe, too; then the exit code is that of the worst line.
    """
    with session.open() as db, inside(session, db), _editing(db):
        worst = 0
        for line in _lines():
            began = time.perf_counter()
            code = run_line(line)
            if code == CLOSED_PIPE:
                raise typer.Exit(code)
            worst = max(worst, code)
            if session.output is Output.TABLE:
                note(f"{(time.perf_counter() - began) * 1000:,.0f} ms")
    if worst and not sys.stdin.isatty():
        raise typer.Exit(worst)


def run_line(line: str) -> int:
    """Run one line of the prompt; returns its exit code."""
    # the program's table of commands holds the shell, too
    from dealdb.cli.main import BAD_INPUT, main

    try:
        words = words_of(line, command_names())
    except ValueError as error:
        note(f"error: {str(error).lower()}")
        return BAD_INPUT
    return main(words)


def words_of(line: str, commands: set[str]) -> list[str]:
    """
    Command line that a line of the prompt stands for.

    Raises
    ------
    ValueError
        If a quotation does not end.

    Examples
    --------
    >>> words_of("select count(*) from deals;", {"get"})
    ['sql', '--', 'select count(*) from deals']
    >>> words_of("get 42 --json", {"get"})
    ['get', '42', '--json']
    >>> words_of("stage = 'Won'", {"get"})
    ['find', '--', "stage = 'Won'"]
    """
    line = line.strip().rstrip(";")
    if _SELECT.match(line):
        return ["sql", "--", line]
    first = re.split(r"\s", line, maxsplit=1)[0]
    if first == "help":
        return ["--help"]
    if first in commands and not _OPERATOR.match(line[len(first) :].removeprefix(" --")):
        return shlex.split(line)
    return ["find", "--", line]


def command_names() -> set[str]:
    """Names of all commands but this one."""
    from dealdb.cli.registry import COMMANDS

    return {*COMMANDS} - {"shell"}


def candidates(text: str, before: str, columns: list[str], stages: list[str]) -> list[str]:
    """
    What may stand for the word that begins with ``text``: stages inside quotes, else columns, words and commands.

    Parameters
    ----------
    text
        Beginning of the word.
    before
        The line up to it.

    Examples
    --------
    >>> candidates("Wo", "stage = '", ["owner"], ["Won", "Lost"])
    ["Won'"]
    >>> candidates("ow", "stage = 'Won' AND ", ["owner"], ["Won"])
    ['owner']
    """
    if before.count("'") % 2:
        return [f"{stage}'" for stage in stages if stage.lower().startswith(text.lower())]
    words = [*columns, *_KEYWORDS]
    if not before.strip():
        words += sorted(command_names())
    return [word for word in words if word.lower().startswith(text.lower())]


def history_file() -> Path | None:
    """
    File that keeps the lines of the prompt, in the user's folder for state; None for a user without folders.

    Examples
    --------
    >>> history_file().name
    'history'
    """
    folder = folders.state()
    return folder and folder / "history"


def _lines() -> Iterator[str]:
    """Lines that say something, until the end of the input or ``exit``."""
    at_terminal = sys.stdin.isatty()
    while True:
        try:
            line = input(PROMPT) if at_terminal else sys.stdin.readline()
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            # it ends the line, not the shell
            print()
            continue
        if (not line and not at_terminal) or line.strip() in ("exit", "quit", r"\q"):
            return
        if line.strip() and not line.lstrip().startswith("#"):
            yield line


@contextmanager
def _editing(db: DealDatabase) -> Iterator[None]:
    """Line editing, history and completion meanwhile, where a person types."""
    if not sys.stdin.isatty():
        yield
        return
    import readline

    file = history_file()
    if file is not None:
        with suppress(OSError):
            readline.read_history_file(file)
    readline.set_history_length(HISTORY_LENGTH)
    readline.set_completer_delims(_DELIMITERS)
    readline.set_completer(_completer(db))
    # macOS has another library under the same name
    libedit = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")
    try:
        yield
    finally:
        readline.set_completer(None)
        if file is not None:
            _keep_history(file)


def _keep_history(file: Path) -> None:
    import readline

    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        # filters contain values of deals
        file.touch(mode=0o600)
        readline.write_history_file(file)


def _completer(db: DealDatabase) -> Callable[[str, int], str | None]:
    import readline

    from dealdb.errors import DealDBError

    found: list[str] = []

    def complete(text: str, state: int) -> str | None:
        if state == 0:
            found.clear()
            before = readline.get_line_buffer()[: readline.get_begidx()]
            # an error here would end up in the middle of the line
            with suppress(DealDBError):
                stages = [stage.name for stage in db.pipeline]
                found.extend(candidates(text, before, list(db.schema), stages))
        return found[state] if state < len(found) else None

    return complete
