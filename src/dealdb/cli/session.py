"""
What every command shares: the options that choose a server and an output, and the way to the database.

The options may stand before the name of the command or after it; after it wins. ``settings`` tells what else there is.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealdb.cli.output.pager import paging
from dealdb.cli.output.streams import CLOSED_PIPE, Output, note, writing
from dealdb.cli.settings import DEFAULT, KEYS, Chosen, choose, password_in, read_password
from dealdb.errors import ConfigError

if TYPE_CHECKING:
    from dealdb import DealDatabase, DealView

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
        bool, typer.Option("--raw", help="In CSV, texts as they are, even if a spreadsheet would run them.")
    ],
    "no_pager": Annotated[bool, typer.Option("--no-pager", help="Never page what is long [env: PAGER].")],
    "debug": Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")],
}  # fmt: skip


At = Annotated[
    str | None,
    typer.Option(
        "--at", metavar="MOMENT", help="As it was then: a date (its end) or a moment, UTC."
    ),
]

Parquet = Annotated[
    Path | None,
    typer.Option("--parquet", metavar="FILE", help="Write the table to a Parquet file instead."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """
    Settings of one run of the program.

    Attributes
    ----------
    url
        Server to use; None means the embedded one.
    password
        Password that is not in the URL, or None.
    options
        Further arguments of ``DealDatabase``, those that are not left to the URL or to a default.
    output
        How data is printed.
    sources
        Setting -> where it came from.
    raw
        Whether texts of CSV are left as they are, even if a spreadsheet would run them.
    opened
        Database of a shell, which its commands share; None elsewhere.
    """

    url: str | None
    password: str | None = field(repr=False)
    options: Mapping[str, Any]
    output: Output
    sources: Mapping[str, str]
    raw: bool = False
    opened: DealDatabase | None = field(default=None, repr=False)

    @contextmanager
    def open(self, collection: str | None = None) -> Iterator[DealDatabase]:
        """
        Database that the settings name, or another collection of it; closed at the end.

        Raises
        ------
        ConfigError
            If a setting can't be used.
        ServerUnavailable
            If the embedded server can't be started.
        """
        if self.opened is not None and collection is None:
            yield self.opened
            return
        with self._new(collection) as db:
            yield db

    def _new(self, collection: str | None) -> DealDatabase:
        from dealdb import DealDatabase

        options = dict(self.options)
        if collection is not None:
            options["collection"] = collection
        linger_s = options.pop("linger_s", None)
        if self.url is None:
            # its data lie on this machine anyway
            return DealDatabase.embedded(linger_s=linger_s, **options)
        options.setdefault("cache", True)
        if self.password is not None:
            options["password"] = self.password
        return DealDatabase.from_url(self.url, **options)

    @property
    def collection_name(self) -> str:
        """Name of the collection in use."""
        from dealdb.database import DEFAULT_COLLECTION

        return str(self.options.get("collection", DEFAULT_COLLECTION))

    @contextmanager
    def reading(self, at: str | None) -> Iterator[DealDatabase | DealView]:
        """
        Database that the settings name, or what it was at a moment: the same queries and metrics.

        Raises
        ------
        QueryError
            If the text is no moment.
        """
        with self.open() as db:
            yield db if at is None else db.as_of(at)


def shared_options(function: Callable[..., None]) -> Callable[..., None]:
    """
    Give a command the shared options; it receives them as its first argument, a ``Session``.

    Standard output is flushed before the command ends, so that a closed pipe ends it quietly.
    """

    @functools.wraps(function)
    def wrapper(ctx: typer.Context, **given: Any) -> None:
        shared = {name: given.pop(name) for name in _SHARED}
        options = {**(ctx.obj or {}), **_set_only(shared)}
        session = _session_of_shell(options) or session_from(options, os.environ)
        try:
            with paging(wanted=not options.get("no_pager")), writing(raw=session.raw):
                function(session, **given)
            sys.stdout.flush()
        except BrokenPipeError:
            # what is still buffered must not fail again when the interpreter ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(CLOSED_PIPE) from None

    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    wrapper.__signature__ = inspect.Signature([_CONTEXT, *own, *_shared_parameters()])  # type: ignore[attr-defined]
    return wrapper


def group_options(function: Callable[[typer.Context], None]) -> Callable[..., None]:
    """Let the shared options stand before the name of the command, too."""

    @functools.wraps(function)
    def wrapper(ctx: typer.Context, **shared: Any) -> None:
        ctx.obj = _set_only(shared)
        function(ctx)

    wrapper.__signature__ = inspect.Signature([_CONTEXT, *_shared_parameters()])  # type: ignore[attr-defined]
    return wrapper


@contextmanager
def inside(session: Session, db: DealDatabase) -> Iterator[None]:
    """Let the commands that run meanwhile share a database that is open, unless they name another."""
    token = _shell.set(replace(session, opened=db))
    try:
        yield
    finally:
        _shell.reset(token)


def _session_of_shell(options: Mapping[str, Any]) -> Session | None:
    session = _shell.get()
    if session is None or {"url", "db", "collection", "ask_password"} & options.keys():
        return None
    output = _output(options)
    return replace(
        session,
        output=session.output if output is Output.TABLE else output,
        raw=session.raw or bool(options.get("raw")),
    )


def session_from(options: Mapping[str, Any], environment: Mapping[str, str]) -> Session:
    """
    Settings from the options that were given, the environment and the configuration file.

    Raises
    ------
    ConfigError
        If two forms of output are given, or a setting can't be used.
    """
    chosen = choose(options, environment)
    url = chosen.pop("url", Chosen(None, DEFAULT, 0))
    if url.source == "--url" and password_in(url.value):
        note("warning: other users see the password in --url; use DEALDB_PASSWORD or DEALDB_URL")
    file = chosen.pop("password_file", None)
    password, password_from = _password(url, file, options, environment)
    sources = {name: chosen[name].source if name in chosen else DEFAULT for name in KEYS}
    return Session(
        url=url.value,
        password=password,
        options={name: value for name, (value, *_) in chosen.items() if value is not None},
        output=_output(options),
        raw=bool(options.get("raw")),
        sources={**sources, "url": url.source, "password_file": password_from},
    )


def _output(options: Mapping[str, Any]) -> Output:
    asked = [output for output in Output if options.get(output)]
    if len(asked) > 1:
        msg = f"--{asked[0]} and --{asked[1]} exclude each other"
        raise ConfigError(msg)
    return asked[0] if asked else Output.TABLE


def _password(
    url: Chosen, file: Chosen | None, options: Mapping[str, Any], environment: Mapping[str, str]
) -> tuple[str | None, str]:
    """Password, if any, and where it came from."""
    if options.get("ask_password"):
        if not _has_terminal():
            msg = "--ask-password asks at a terminal; elsewhere use DEALDB_PASSWORD or a password_file"
            raise ConfigError(msg)
        return str(typer.prompt("Password", hide_input=True, err=True)), "--ask-password"
    # what a URL says of itself is nearer than a variable that may be meant for another server
    if url.value is not None and password_in(url.value):
        return None, url.source
    if environment.get("DEALDB_PASSWORD"):
        return environment["DEALDB_PASSWORD"], "DEALDB_PASSWORD"
    if file is not None and url.value is not None:
        return read_password(file), file.source
    return None, DEFAULT


def _has_terminal() -> bool:
    """Whether there is somebody to ask, also where standard input is a pipe."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return sys.stdin.isatty()
    return True


def _set_only(options: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in options.items() if value is not None and value is not False
    }


_shell: ContextVar[Session | None] = ContextVar("shell", default=None)
_CONTEXT = inspect.Parameter(
    "ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
)


def _shared_parameters() -> list[inspect.Parameter]:
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=False if annotation.__origin__ is bool else None,
            annotation=annotation,
        )
        for name, annotation in _SHARED.items()
    ]
