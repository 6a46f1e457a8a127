"""
What every command shares: the settings of its run, and the way to the database.

``settings`` says where they come from.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealdb.cli.output.streams import Output, note
from dealdb.cli.settings import (
    DEFAULT,
    KEYS,
    Chosen,
    choose,
    password_in,
    read_password,
    sends_in_clear,
)
from dealdb.errors import ConfigError

if TYPE_CHECKING:
    from dealdb import DealDatabase, DealView

At = Annotated[
    str | None,
    typer.Option("--at", metavar="MOMENT", help="As it was then: a date (its end) or a moment."),
]

AtTime = Annotated[
    str | None,
    typer.Option(
        "--time",
        metavar="NAME",
        help="With --at: recorded, as dealdb showed it then, or event, as it was [default: recorded].",
    ),
]

Parquet = Annotated[
    Path | None,
    typer.Option("--parquet", metavar="FILE", help="Write the table to a Parquet file instead."),
]
Xlsx = Annotated[
    Path | None,
    typer.Option("--xlsx", metavar="FILE", help="Write the table to an XLSX workbook instead."),
]

_VARIABLE = "DEALDB_PASSWORD"
_IN_CLEAR = (
    "DEALDB_PASSWORD goes to the host of --url, and over the network as it is; use rediss:// where the "
    "server has TLS, or unset the variable where it is meant for another server"
)


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
    secret_files
        Files that the password is in.
    opened
        Database of a shell, which its commands share; None elsewhere.
    """

    url: str | None = field(repr=False)
    password: str | None = field(repr=False)
    options: Mapping[str, Any]
    output: Output
    sources: Mapping[str, str]
    raw: bool = False
    secret_files: tuple[Path, ...] = ()
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
            # its data is on this machine anyway
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
    def reading(self, at: str | None, time: str | None = None) -> Iterator[DealDatabase | DealView]:
        """
        Database that the settings name, or what it was at a moment: the same queries and metrics.

        Raises
        ------
        ConfigError
            If a kind of time is given without a moment.
        QueryError
            If the text is not a date or time.
        """
        if time is not None and at is None:
            msg = "--time is for --at: say of which moment"
            raise ConfigError(msg)
        with self.open() as db:
            if at is None:
                yield db
                return
            past = db.as_of(at, time=time or "recorded")
            if past.notice is not None:
                note(past.notice)
            yield past


@contextmanager
def inside(session: Session, db: DealDatabase) -> Iterator[None]:
    """Let the commands that run meanwhile share a database that is open, unless they name another."""
    token = _shell.set(replace(session, opened=db))
    try:
        yield
    finally:
        _shell.reset(token)


def session_of_run(options: Mapping[str, Any], environment: Mapping[str, str]) -> Session:
    """
    Settings of one command: in a shell those of the shell, unless the options name another database.

    Raises
    ------
    ConfigError
        As ``session_from`` does.
    """
    return _session_of_shell(options) or session_from(options, environment)


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
    if password_from == _VARIABLE and url.source == "--url" and sends_in_clear(url.value):
        note(f"warning: {_IN_CLEAR}")
    sources = {name: chosen[name].source if name in chosen else DEFAULT for name in KEYS}
    return Session(
        url=url.value,
        password=password,
        options={name: value for name, (value, *_) in chosen.items() if value is not None},
        output=_output(options),
        raw=bool(options.get("raw")),
        secret_files=_secret_files(url, file, password_from),
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
    # what is in a URL is nearer than a variable that may be meant for another server
    if url.value is not None and password_in(url.value):
        return None, url.source
    if environment.get(_VARIABLE):
        return environment[_VARIABLE], _VARIABLE
    if file is not None and url.value is not None:
        return read_password(file), file.source
    return None, DEFAULT


def _secret_files(url: Chosen, file: Chosen | None, password_from: str) -> tuple[Path, ...]:
    """Files whose readers know the password: a password_file, and a configuration whose URL has one."""
    if file is not None and password_from == file.source:
        return (Path(file.value).expanduser(),)
    if url.rank == 1 and password_in(url.value):
        return (Path(url.source),)
    return ()


def _has_terminal() -> bool:
    """Whether there is somebody to ask, also where standard input is a pipe."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return sys.stdin.isatty()
    return True


_shell: ContextVar[Session | None] = ContextVar("shell", default=None)
