"""The program ``dealdb``: its commands, and how an error becomes one line and an exit code."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from types import FrameType

import typer

# a command imports what it needs when it runs: the others, and --help, don't wait for it
from dealdb.cli.bench import bench
from dealdb.cli.completion import completion, prepare
from dealdb.cli.context import group_options, shared_options
from dealdb.cli.deals import delete, get, save
from dealdb.cli.demo import demo
from dealdb.cli.doctor import doctor
from dealdb.cli.export import export
from dealdb.cli.load import load
from dealdb.cli.past import check, history, repair
from dealdb.cli.query import facets, find, query, search, sql
from dealdb.cli.schema import schema
from dealdb.cli.server import health, info
from dealdb.cli.shell import shell
from dealdb.cli.stats import pipeline, stats
from dealdb.errors import (
    AccessDenied,
    ConfigError,
    DealDBError,
    LoadError,
    PoolTimeout,
    QueryError,
    SchemaError,
    ServerUnavailable,
)

FAILED = 1
BAD_INPUT = 2
UNAVAILABLE = 3
_BAD_INPUT_ERRORS = (ConfigError, LoadError, QueryError, SchemaError)
_UNAVAILABLE_ERRORS = (AccessDenied, PoolTimeout, ServerUnavailable)

# plain help: it starts twice as fast as the boxed one, and reads the same in a terminal, a pipe and docs/cli.md
app = typer.Typer(
    name="dealdb", add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)


@app.callback(invoke_without_command=True)
@group_options
def dealdb(ctx: typer.Context) -> None:
    """
    A deal database on Redis: load deals, query them, see the figures.

    Without --url, DEALDB_URL and a configuration file it uses a server of its own, which keeps the deals in your data
    folder.

    Exit codes: 0 done, 1 failed, 2 bad input, 3 server unavailable.
    """
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


# in the order of the help; each with the example that ends its help
COMMANDS: tuple[tuple[Callable[..., None], str], ...] = (
    (demo, "dealdb demo"),
    (load, "dealdb load deals.csv --map Betrag=amount"),
    (find, "dealdb find \"stage = 'Won' AND amount > 50000\" --sort -amount --limit 5"),
    (search, "dealdb search logistics expansion --limit 5"),
    (get, "dealdb get D0001"),
    (save, "dealdb save id=D0001 stage=Won amount=125000.00"),
    (delete, "dealdb delete D0001 --yes"),
    (sql, 'dealdb sql "SELECT owner, sum(amount) AS total FROM deals GROUP BY owner"'),
    (facets, "dealdb facets stage amount --where \"owner = 'Grace Kim'\""),
    (query, 'dealdb query save hot "amount > :least" --sort -amount'),
    (export, "dealdb export won.parquet \"stage = 'Won'\""),
    (stats, "dealdb stats win-rate --by owner --since 2026-01-01"),
    (pipeline, 'dealdb pipeline --set "Lead:open:0.1:30,Demo:open:0.5,Won:won,Lost:lost"'),
    (history, "dealdb history D0001"),
    (schema, "dealdb schema"),
    (check, "dealdb check"),
    (repair, "dealdb repair"),
    (health, "dealdb health --json"),
    (doctor, "dealdb doctor"),
    (shell, "dealdb shell --collection deal"),
    (bench, "dealdb bench -n 400"),
    (info, "dealdb info"),
    (completion, "dealdb completion bash"),
)
for command, example in COMMANDS:
    # \b keeps the lines as they are
    app.command(epilog=f"\b\nExample:\n  {example}")(shared_options(command))


def main(arguments: Sequence[str]) -> int:
    """
    Run one command line.

    Returns
    -------
    int
        Exit code: 0 done, 1 failed, 2 bad input, 3 server unavailable, 130 interrupted.

    Examples
    --------
    >>> main(["--help"])  # doctest: +ELLIPSIS
    Usage: dealdb ...
    0
    """
    prepare()
    try:
        # typer returns the code of typer.Exit, and None from a command that just ended
        return app(list(arguments), standalone_mode=False, prog_name="dealdb") or 0
    except typer.TyperException as error:
        return _fail(_usage_message(error), BAD_INPUT)
    except DealDBError as error:
        return _fail(str(error), exit_code(error), debug="--debug" in arguments)
    except typer.Abort:
        return _fail("interrupted", 130)
    except Exception as error:  # noqa: BLE001 the edge of the program: a person gets one line
        message = (
            str(error)
            if isinstance(error, OSError)
            else f"unexpected {error!r}; --debug shows where"
        )
        return _fail(message, FAILED, debug="--debug" in arguments)


def exit_code(error: DealDBError) -> int:
    """
    Exit code of an error.

    Examples
    --------
    >>> exit_code(ConfigError("no such host")), exit_code(ServerUnavailable("refused"))
    (2, 3)
    """
    if isinstance(error, _BAD_INPUT_ERRORS):
        return BAD_INPUT
    return UNAVAILABLE if isinstance(error, _UNAVAILABLE_ERRORS) else FAILED


def run() -> None:
    """Entry point of the program ``dealdb``."""
    # the default would end the process on the spot, and leave an embedded server without its last user
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    sys.exit(main(sys.argv[1:]))


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _fail(message: str, code: int, *, debug: bool = False) -> int:
    if debug:
        traceback.print_exc()
    print(f"error: {message}", file=sys.stderr)
    return code


def _usage_message(error: typer.TyperException) -> str:
    message = _type_message(error) or error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    hint = f"; see {context.command_path} --help" if context else ""
    return message[:1].lower() + message[1:] + hint


def _type_message(error: typer.TyperException) -> str | None:
    """What an option takes and was given; None when the error is another. The words of the checker are for programs."""
    option, problems = getattr(error, "param", None), getattr(error.__cause__, "errors", None)
    if option is None or problems is None:
        return None
    given = str(problems()[0]["input"])[:80]
    return f"{option.opts[-1]} takes a whole number, not {given!r}"


if __name__ == "__main__":
    run()
