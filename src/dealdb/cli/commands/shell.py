"""The command ``shell``: a prompt that takes filters, SELECTs and all other commands, on one connection."""

from __future__ import annotations

import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import typer

from dealdb import folders
from dealdb.cli.output.streams import CLOSED_PIPE, Output, clear_screen, note, say
from dealdb.cli.prompt import DELIMITERS, candidates
from dealdb.cli.session import Session, inside
from dealdb.model.schema import FieldType

if TYPE_CHECKING:
    from dealdb import DealDatabase

PROMPT = "dealdb> "
HISTORY_LENGTH = 1000
# seconds that the end waits for what is prepared
_PATIENCE_S = 1.0
# values that Tab offers of one column, the most frequent ones
MOST_VALUES = 1000
_SELECT = re.compile(r"\s*(select|with|from|pivot)\b", re.IGNORECASE)
# a column may be named like a command: then an operator follows
_OPERATOR = re.compile(r"\s*([=<>!+*/%-]|(in|is|not|like|ilike|between)\b)", re.IGNORECASE)
_HELP = """\
a filter   stage = 'Won' AND amount > 50000
SQL        SELECT owner, sum(amount) AS total FROM deals GROUP BY owner
a command  stats win-rate --by owner
help       this; help COMMAND says what a command takes
clear      clear the screen
exit       leave, as Ctrl-D does
Tab completes columns, commands, and values inside quotes. The commands are {commands}."""


def shell(session: Session) -> None:
    """
    Take filters, SELECTs and commands at a prompt.

    A line that begins with SELECT or WITH is SQL, one that begins with the name of a command is that command, and any
    other is a filter; the time that it took follows. Tab completes columns, commands, and values inside quotes. help
    says what a line may be, clear clears the screen, exit or Ctrl-D ends it. Lines may come from a pipe, too; then the
    exit code is that of the worst line.
    """
    with session.open() as db, inside(session, db), _editing(db):
        if sys.stdin.isatty():
            note(_greeting(session))
        worst = 0
        for line in _lines():
            if _is_about_the_shell(line):
                continue
            began = time.perf_counter()
            code = run_line(line)
            if code == CLOSED_PIPE:
                raise typer.Exit(code)
            worst = max(worst, code)
            if session.output is Output.TABLE:
                note(f"{(time.perf_counter() - began) * 1000:,.0f} ms")
    if worst and not sys.stdin.isatty():
        raise typer.Exit(worst)


def _greeting(session: Session) -> str:
    name = session.collection_name
    return f"collection {name}: type a filter, SQL or a command; help says more, Tab completes, exit ends"


def _is_about_the_shell(line: str) -> bool:
    """Do what a line asks of the shell itself, if it does."""
    match line.strip().rstrip(";").casefold():
        case "help" | "?":
            say(_HELP.format(commands=", ".join(sorted(command_names()))))
        case "clear" | "cls":
            clear_screen()
        case _:
            return False
    return True


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
    >>> words_of("help get", {"get"})
    ['get', '--help']
    """
    line = line.strip().rstrip(";")
    if _SELECT.match(line):
        return ["sql", "--", line]
    first = re.split(r"\s", line, maxsplit=1)[0]
    if first in ("help", "?") and not _OPERATOR.match(line[len(first) :]):
        return [*line.split()[1:2], "--help"]
    if first in commands and not _OPERATOR.match(line[len(first) :].removeprefix(" --")):
        return shlex.split(line)
    return ["find", "--", line]


def command_names() -> set[str]:
    """Names of all commands but this one."""
    from dealdb.cli.registry import COMMANDS

    return {*COMMANDS} - {"shell"}


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
            say()
            return
        except KeyboardInterrupt:
            # it ends the line, not the shell
            say()
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
    if file is not None and file.is_file():
        with suppress(OSError):
            readline.read_history_file(file)
    readline.set_history_length(HISTORY_LENGTH)
    readline.set_completer_delims(DELIMITERS)
    readline.set_completer(_completer(db))
    # macOS has another library under the same name
    libedit = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")
    if not libedit:
        # where values differ in case alone, what is typed has to stay
        readline.parse_and_bind("set completion-ignore-case on")
    preparing = Thread(target=_prepare, args=(db,), daemon=True)
    preparing.start()
    try:
        yield
    finally:
        # not for long: what it imports may not be wanted any more
        preparing.join(_PATIENCE_S)
        readline.set_completer(None)
        if file is not None:
            _keep_history(file)


def _prepare(db: DealDatabase) -> None:
    """Import what the first statement needs, while a person types it; no deal is read."""
    with suppress(Exception):
        from dealdb.cli.registry import Commands

        Commands()["find"]
        with closing(type(db.query).over([{"id": "1", "stage": "Won", "amount": 5}])) as engine:
            # not one of the filters that do without the parser
            engine.find("stage = 'Won' AND NOT amount > 5", sort="-amount", limit=1)
            engine.sql("SELECT count(*) FROM deals")


def _keep_history(file: Path) -> None:
    import readline

    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists() and not file.is_file():
            # a pipe would wait for ever
            return
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
                names = sorted({*command_names(), "help", "clear", "exit"})
                found.extend(candidates(text, before, list(db.schema), names, partial(_values, db)))
        return found[state] if state < len(found) else None

    return complete


def _values(db: DealDatabase, column: str) -> list[str]:
    """Texts that a column holds, those of the most deals first; of the stage all that there are."""
    if column == "stage":
        return [stage.name for stage in db.pipeline]
    if db.schema[column].type not in (FieldType.TEXT, FieldType.LIST):
        return []
    table = db.query.facets(column, limit=MOST_VALUES)[column].table
    return [value for value in table["value"].to_list() if isinstance(value, str)]
