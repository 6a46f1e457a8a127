"""
The commands by name, each imported and built when it is called for.

Start-up is most of what ``dealdb get`` costs, so a run imports the module of its own command and no other. For the same
reason the values of options are read here: typer would import pydantic for it, which takes longer than the rest.

The options that all commands share may come before the name of a command or after it; after it wins. What is private
to typer is used in this file alone.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_args

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from dealdb.cli.adopting import asking, telling
from dealdb.cli.output.pager import paging
from dealdb.cli.output.streams import CLOSED_PIPE, writing
from dealdb.cli.session import session_of_run
from dealdb.errors import ConfigError


class CommandEntry(NamedTuple):
    """Module of ``cli.commands`` with a function of the command's name, and the example that ends its help."""

    module: str
    example: str


# in the order of the help
COMMANDS: dict[str, CommandEntry] = {
    "demo": CommandEntry("trial.demo", "dealdb demo"),
    "load": CommandEntry("load", "dealdb load deals.csv --map Betrag=amount"),
    "find": CommandEntry(
        "find", "dealdb find \"stage = 'Won' AND amount > 50000\" --sort -amount --limit 5"
    ),
    "search": CommandEntry("find", "dealdb search logistics expansion --limit 5"),
    "get": CommandEntry("deals", "dealdb get D0001"),
    "save": CommandEntry("deals", "dealdb save id=D0001 stage=Won amount=125000.00"),
    "delete": CommandEntry("deals", "dealdb delete D0001 --yes"),
    "sql": CommandEntry(
        "find", 'dealdb sql "SELECT owner, sum(amount) AS total FROM deals GROUP BY owner"'
    ),
    "facets": CommandEntry("facets", "dealdb facets stage amount --where \"owner = 'Grace Kim'\""),
    "query": CommandEntry("saved", 'dealdb query save hot "amount > :least" --sort -amount'),
    "mapping": CommandEntry("saved", "dealdb mapping show crm"),
    "export": CommandEntry("export", "dealdb export won.parquet \"stage = 'Won'\""),
    "stats": CommandEntry("stats", "dealdb stats win-rate --by owner --since 2026-01-01"),
    "pipeline": CommandEntry(
        "setup.pipeline",
        'dealdb pipeline --set "Lead:open:0.1:30,Qualified:open,Proposal:open:0.5,Negotiation:open,Won:won,Lost:lost"',
    ),
    "funnel": CommandEntry("past.stages", "dealdb funnel --since 2026-01-01 --by owner"),
    "time-in-stage": CommandEntry("past.stages", "dealdb time-in-stage --by owner"),
    "ageing": CommandEntry("past.stages", "dealdb ageing --by owner"),
    "rotting": CommandEntry("past.stages", "dealdb rotting --deals"),
    "waterfall": CommandEntry("past.movement", "dealdb waterfall --in last-month --by owner"),
    "changed": CommandEntry("past.movement", "dealdb changed --since monday --deals"),
    "slippage": CommandEntry("past.movement", "dealdb slippage --in last-quarter"),
    "coverage": CommandEntry("past.movement", "dealdb coverage --in this-quarter --target 500000"),
    "forecast": CommandEntry("past.movement", "dealdb forecast --in this-quarter --by owner"),
    "cohorts": CommandEntry("past.outcomes", "dealdb cohorts --measure win_rate"),
    "losses": CommandEntry("past.outcomes", "dealdb losses --in last-quarter"),
    "win-loss": CommandEntry("past.outcomes", "dealdb win-loss --by owner"),
    "ramp": CommandEntry("past.outcomes", "dealdb ramp --months 6"),
    "leaderboard": CommandEntry("past.outcomes", "dealdb leaderboard --in last-quarter"),
    "trend": CommandEntry("past.outcomes", "dealdb trend --period quarter --by owner"),
    "attainment": CommandEntry("past.outcomes", "dealdb attainment this-quarter"),
    "activity": CommandEntry("past.outcomes", "dealdb activity --since monday"),
    "late-entry": CommandEntry("past.outcomes", "dealdb late-entry --by owner"),
    "hindsight": CommandEntry(
        "past.outcomes", "dealdb hindsight --in last-quarter --known 2026-10-01"
    ),
    "stage-chances": CommandEntry("past.predictions", "dealdb stage-chances"),
    "survival": CommandEntry("past.predictions", "dealdb survival Proposal"),
    "time-to-close": CommandEntry("past.predictions", "dealdb time-to-close --limit 5"),
    "simulate": CommandEntry("past.predictions", "dealdb simulate --in this-quarter"),
    "calibration": CommandEntry("past.predictions", "dealdb calibration --since 2026-10-01"),
    "forecast-error": CommandEntry("past.predictions", "dealdb forecast-error --in last-quarter"),
    "seasonality": CommandEntry("past.predictions", "dealdb seasonality --measure created_n"),
    "report": CommandEntry(
        "browser.report", "dealdb report --since monday --by owner -o report.html"
    ),
    "rates": CommandEntry("setup.tables", "dealdb rates load rates.csv"),
    "quotas": CommandEntry("setup.tables", "dealdb quotas load quotas.csv"),
    "history": CommandEntry("history", "dealdb history D0001"),
    "watch": CommandEntry("watch", "dealdb watch \"stage = 'Won'\" --since 2026-10-01 --timeout 0"),
    "schema": CommandEntry("schema", "dealdb schema"),
    "check": CommandEntry("history", "dealdb check"),
    "repair": CommandEntry("history", "dealdb repair"),
    "backup": CommandEntry("backup", "dealdb backup deals.backup"),
    "restore": CommandEntry("backup", "dealdb restore deals.backup --collection copy"),
    "health": CommandEntry("server", "dealdb health --json"),
    "keys": CommandEntry("deals", "dealdb keys D0001"),
    "doctor": CommandEntry("doctor", "dealdb doctor"),
    "board": CommandEntry("browser.board", "dealdb board --port 8765"),
    "shell": CommandEntry("shell", "dealdb shell --collection deal"),
    "bench": CommandEntry("trial.bench", "dealdb bench -n 400"),
    "info": CommandEntry("server", "dealdb info"),
    "completion": CommandEntry("completion", "dealdb completion bash"),
}


_SHARED: dict[str, Any] = {
    "url": Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="URL of the server [env: DEALDB_URL]."),
    ],
    "db": Annotated[int | None, typer.Option("--db", metavar="N", help="Number of the server's database.")],
    "collection": Annotated[
        str | None, typer.Option("--collection", metavar="NAME", help="Collection of deals [default: deal].")
    ],
    "ask_password": Annotated[
        bool, typer.Option("--ask-password", help="Ask for the password [env: DEALDB_PASSWORD].")
    ],
    "json": Annotated[bool, typer.Option("--json", help="Print JSON.")],
    "jsonl": Annotated[bool, typer.Option("--jsonl", help="Print JSON, an object a line.")],
    "csv": Annotated[bool, typer.Option("--csv", help="Print CSV.")],
    "md": Annotated[bool, typer.Option("--md", help="Print a Markdown table.")],
    "raw": Annotated[
        bool, typer.Option("--raw", help="In CSV, leave texts as they are, even if a spreadsheet would run them.")
    ],
    "no_pager": Annotated[bool, typer.Option("--no-pager", help="Never page long output [env: PAGER].")],
    "debug": Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")],
}  # fmt: skip


class Commands(Mapping[str, Any]):
    """All commands; one is built when it is looked up."""

    def __getitem__(self, name: str) -> Any:
        return _built(name, COMMANDS[name])

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class Group(TyperGroup):
    """The program itself, whose commands are built when they are called for."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = Commands()  # type: ignore[assignment]

    def get_params(self, ctx: Any) -> Any:
        """Options of the program."""
        return with_readers(super().get_params(ctx))


class Command(TyperCommand):
    """One command."""

    def get_params(self, ctx: Any) -> Any:
        """Arguments and options of the command."""
        return with_readers(super().get_params(ctx))


@cache
def _built(name: str, entry: CommandEntry) -> Any:
    module = import_module(f"dealdb.cli.commands.{entry.module}")
    function = getattr(module, name.replace("-", "_"))
    program = typer.Typer(add_completion=False, rich_markup_mode=None)
    # \b keeps the lines as they are
    epilog = f"\b\nExample:\n  {entry.example}"
    program.command(cls=Command, epilog=epilog)(shared_options(function))
    return typer.main.get_command(program)


def shared_options(function: Callable[..., None]) -> Callable[..., None]:
    """
    Give a command the shared options; it receives them as its first argument, a ``Session``.

    Standard output is flushed before the command ends, so that a closed pipe ends it quietly.
    """

    @functools.wraps(function)
    def wrapper(ctx: typer.Context, **given: Any) -> None:
        shared = {name: given.pop(name) for name in _SHARED}
        options = {**(ctx.obj or {}), **_set_only(shared)}
        session = session_of_run(options, os.environ)
        try:
            with paging(wanted=not options.get("no_pager")), writing(raw=session.raw), telling():
                asking(session, functools.partial(function, session, **given))
            sys.stdout.flush()
        except BrokenPipeError:
            # what is still buffered must not fail again when the interpreter ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(CLOSED_PIPE) from None

    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    wrapper.__signature__ = inspect.Signature([_CONTEXT, *own, *options_of(_SHARED)])  # type: ignore[attr-defined]
    return wrapper


def group_options(function: Callable[[typer.Context], None]) -> Callable[..., None]:
    """Let the shared options come before the name of the command, too."""

    @functools.wraps(function)
    def wrapper(ctx: typer.Context, **shared: Any) -> None:
        ctx.obj = _set_only(shared)
        function(ctx)

    wrapper.__signature__ = inspect.Signature([_CONTEXT, *options_of(_SHARED)])  # type: ignore[attr-defined]
    return wrapper


def _set_only(options: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in options.items() if value is not None and value is not False
    }


def options_of(annotations: Mapping[str, Any]) -> list[inspect.Parameter]:
    """Options that can be left out, as parameters of a command: flags are off then, and others None."""
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=False if annotation.__origin__ is bool else None,
            annotation=annotation,
        )
        for name, annotation in annotations.items()
    ]


_CONTEXT = inspect.Parameter(
    "ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
)


def with_readers(params: list[Any]) -> list[Any]:
    """Let ``Reader`` read the values of options; a type that it does not know stays with typer."""
    for param in params:
        annotation = param.type_descriptor.annotation
        [kind] = get_args(annotation) or [annotation]
        if kind in _READ:
            # private to typer: where it has no such thing, typer reads the values itself
            param._runtime_param = Reader(kind)
    return params


class Reader:
    """What reads the values of one option, in place of typer's own."""

    def __init__(self, kind: type) -> None:
        self._read, self._name = _READ[kind]

    def coerce(self, value: Any, param: Any, ctx: typer.Context) -> Any:
        """Value or values of the option's type, from texts or a default; None where there is none."""
        if value is None:
            return None
        if param.multiple or param.nargs == -1:
            return tuple(self._one(item, param, ctx) for item in value)
        return self._one(value, param, ctx)

    def _one(self, value: Any, param: Any, ctx: typer.Context) -> Any:
        try:
            return self._read(value)
        except ValueError:
            shown = f"{param.opts[-1]} takes {self._name}, not {str(value)[:80]!r}"
            raise ConfigError(f"{shown}; see {ctx.command_path} --help") from None


_READ: dict[type, tuple[Callable[[Any], Any], str]] = {
    bool: (bool, "nothing"),
    str: (str, "a text"),
    int: (int, "a whole number"),
    float: (float, "a number"),
    Path: (Path, "a path"),
}


SHELLS = ("bash", "zsh", "fish")


def answer_shells(is_harmless: Callable[[str], bool]) -> None:
    """
    Let typer answer what a shell asks at Tab, but for what it must not be told.

    Parameters
    ----------
    is_harmless
        Whether a shell may be offered a text.
    """
    from typer._click.shell_completion import add_completion_class, get_completion_class
    from typer.completion import get_completion_inspect_parameters

    # what registers the shells
    get_completion_inspect_parameters()
    for shell in SHELLS:
        base: Any = get_completion_class(shell)

        class Guarded(base):  # type: ignore[misc]  # it is one of typer's
            def get_completions(self, args: list[str], incomplete: str) -> list[Any]:
                offered = super().get_completions(args, incomplete)
                return [item for item in offered if is_harmless(item.value)]

            def get_completion_args(self) -> tuple[list[str], str]:
                words, begun = super().get_completion_args()
                return _joined(words, begun) if self.name == "bash" else (words, begun)

            def format_completion(self, item: Any) -> str:
                if self.name == "bash":
                    item.value = _for_bash(item.value)
                return str(super().format_completion(item))

        add_completion_class(Guarded, shell)


def _words_of_bash() -> list[str]:
    """Words up to the one that bash asks for, as they were typed."""
    words = os.environ.get("COMP_WORDS", "").split("\n")
    return words[: int(os.environ.get("COMP_CWORD", "0")) + 1]


def _joined(words: list[str], begun: str) -> tuple[list[str], str]:
    """Words before the one that is begun, and that one, as typed: to bash ``stage=Won`` is three of them."""
    *before, last = [*words, begun]
    if last == "=" and before and not before[-1].startswith("-"):
        return before[:-1], f"{before[-1]}="
    if before[-1:] == ["="] and len(before) > 1 and not before[-2].startswith("-"):
        return before[:-2], f"{before[-2]}={last}"
    return words, begun


def _for_bash(value: str) -> str:
    """What bash puts in place of the word that is begun: what follows an equals sign, blanks quoted."""
    rest = value.partition("=")[2]
    # where COMP_WORDBREAKS has no equals sign, the word is the whole
    if rest and "=" in _words_of_bash()[-2:]:
        value = rest
    return value if _words_of_bash()[-1].startswith(("'", '"')) else value.replace(" ", "\\ ")


def completion_script(shell: str, variable: str) -> str:
    """
    Script that lets a shell complete by Tab.

    Parameters
    ----------
    shell
        ``bash``, ``zsh`` or ``fish``.
    variable
        Of the environment, by which the shell asks.
    """
    # not at the top: --help and get do without
    from typer._completion_shared import get_completion_script

    return get_completion_script(prog_name="dealdb", complete_var=variable, shell=shell)  # nosec B604  # a name
