"""The program ``dealdb``: its commands, and how an error becomes one line and an exit code."""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Sequence
from types import TracebackType

import typer

from dealdb.cli import leaving
from dealdb.cli.completion import prepare
from dealdb.cli.output.streams import say
from dealdb.cli.registry import Group, group_options
from dealdb.errors import (
    AccessDenied,
    BackupError,
    ConfigError,
    DealDBError,
    LoadError,
    PoolTimeout,
    QueryError,
    SchemaError,
    ServerUnavailable,
)
from dealdb.formats.controls import visible

FAILED = 1
BAD_INPUT = 2
UNAVAILABLE = 3
_BAD_INPUT_ERRORS = (BackupError, ConfigError, LoadError, QueryError, SchemaError)
_UNAVAILABLE_ERRORS = (AccessDenied, PoolTimeout, ServerUnavailable)

# from a file to the deals that somebody looks for
FIRST_STEPS = (
    "dealdb load deals.csv",
    "dealdb schema",
    "dealdb find \"stage = 'Won' AND amount > 50000\"",
    "dealdb export won.parquet \"stage = 'Won' AND amount > 50000\"",
)

# plain help: it starts twice as fast as the boxed one, and reads the same in a terminal, a pipe and docs/cli.md
app = typer.Typer(
    name="dealdb",
    cls=Group,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True, epilog="\n  ".join(("\b\nExample:", *FIRST_STEPS)))
@group_options
def dealdb(ctx: typer.Context) -> None:
    """
    A deal database on Redis: load deals, query them, see the figures.

    Without --url, DEALDB_URL and a configuration file it uses a server of its own, which keeps the deals in your data
    folder. dealdb COMMAND --help says more about a command, and ends with an example; dealdb --version says which
    version this is.

    Exit codes: 0 done, 1 failed, 2 bad input, 3 server unavailable.
    """
    if ctx.invoked_subcommand is None:
        say(ctx.get_help())


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
    if list(arguments) == ["--version"]:
        # not at the top: it would be a tenth of the start
        from importlib.metadata import version

        say(f"dealdb {version('dealdb')}")
        return 0
    prepare()
    try:
        # typer returns the code of typer.Exit, and None from a command that just ended
        return app(list(arguments), standalone_mode=False, prog_name="dealdb") or 0
    except typer.TyperException as error:
        return _fail(_usage_message(error), BAD_INPUT)
    except DealDBError as error:
        # most runs end without an error
        from dealdb.cli.option_names import in_options

        return _fail(in_options(str(error)), exit_code(error), debug="--debug" in arguments)
    except typer.Abort:
        return _fail("interrupted", leaving.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 the edge of the program: a person gets one line
        # what was interrupted may fail in other words
        if leaving.INTERRUPTS.are_recent():
            return _fail("interrupted", leaving.INTERRUPTED)
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
    sys.excepthook = _show_unhandled
    if sys.stdout is None:
        sys.exit(_fail("standard output is closed", FAILED) if sys.stderr else FAILED)
    try:
        try:
            # the default would leave an embedded server without its last user
            leaving.leave_in_order()
            code = main(sys.argv[1:])
        finally:
            leaving.leave_at_once()
            # the interpreter looks for garbage once more when it ends, which would be a fifth of the time of a query;
            # DuckDB's binding complains of all that is then left
            if "duckdb" not in sys.modules:
                gc.freeze()
    except KeyboardInterrupt:
        code = _fail("interrupted", leaving.INTERRUPTED)
    except BaseException as error:
        # Rust panics where an interrupt comes out of Python
        if isinstance(error, SystemExit) or not leaving.INTERRUPTS.are_recent():
            raise
        code = _fail("interrupted", leaving.INTERRUPTED)
    # once more, as an interrupt may have come before it was done
    leaving.leave_at_once()
    leaving.end(code)


def _show_unhandled(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print what nobody handled as Python would, but for what would steer the terminal."""
    text = "".join(traceback.format_exception(kind, error, trace))
    print(visible(text), end="", file=sys.stderr)


def _fail(message: str, code: int, *, debug: bool = False) -> int:
    if debug:
        print(visible(traceback.format_exc()), end="", file=sys.stderr)
    print(f"error: {visible(message)}", file=sys.stderr)
    return code


def _usage_message(error: typer.TyperException) -> str:
    message = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    hint = f"; see {context.command_path} --help" if context else ""
    return message[:1].lower() + message[1:] + hint


if __name__ == "__main__":
    run()
