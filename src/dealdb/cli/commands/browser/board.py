"""The command ``board``: the deals in a browser."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dealdb.cli.arguments import names
from dealdb.cli.output.streams import Output, bold, note, say
from dealdb.cli.session import Session
from dealdb.errors import ConfigError

if TYPE_CHECKING:
    from dealdb import DealDatabase

HOST, PORT = "127.0.0.1", 8765


def board(
    session: Session,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where it listens.")
    ] = HOST,
    port: Annotated[
        int, typer.Option("--port", metavar="N", help="Its port; 0 takes a free one.")
    ] = PORT,
    read_only: Annotated[  # noqa: FBT002 a flag
        bool, typer.Option("--read-only", help="Nothing can be changed.")
    ] = False,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            metavar="FILE",
            help="File with the token that lets people sign in; needed where other machines reach it.",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host", metavar="NAME", help="A further name under which browsers call it."
        ),
    ] = None,
    embed_origin: Annotated[
        list[str] | None,
        typer.Option(
            "--embed-origin", metavar="ORIGIN", help="A site that may show pages in a frame."
        ),
    ] = None,
    collections: Annotated[
        str | None,
        typer.Option(
            "--collections", metavar="NAME,...", help="Several collections, with a switcher."
        ),
    ] = None,
) -> None:
    """
    Open the deals in a browser, on a live board.

    There is a card for each deal, a table, each deal with its history, all figures, and what changed. It prints an
    address that lets you in once, and runs until Ctrl-C. By default only this machine reaches it. With --token-file
    people sign in at /login with that token and a name, under which their changes are kept.

    It needs the extra board: pip install 'dealdb[board]'.
    """
    if session.output is not Output.TABLE:
        msg = f"board prints an address only: leave out --{session.output}"
        raise ConfigError(msg)
    from dealdb.board.serving import serve

    wanted = names(collections)
    with ExitStack() as opened:
        teams: DealDatabase | dict[str, DealDatabase]
        if wanted is None:
            teams = opened.enter_context(session.open())
            _note_if_empty(session.collection_name, teams)
        else:
            teams = {name: opened.enter_context(session.open(name)) for name in wanted}
            for name, db in teams.items():
                _note_if_empty(name, db)
        serve(
            teams,
            host=host,
            port=port,
            read_only=read_only,
            token_file=token_file,
            allow_hosts=allow_host or (),
            embed_origins=embed_origin or (),
            ready=told(token_file),
        )


def told(token_file: Path | None = None) -> Callable[[str], None]:
    """What prints the address of a board that listens."""

    def tell(address: str) -> None:
        say(f"{bold('Open')}  {address}")
        if token_file is not None:
            say(f"Others sign in there with the token in {token_file}.")
        say(
            "The address works once; another is printed here when somebody needs one. Ctrl-C ends the board."
        )
        # a program that waits for the address reads it from a pipe
        sys.stdout.flush()

    return tell


def _note_if_empty(name: str, db: DealDatabase) -> None:
    if not len(db):
        note(
            f"the collection {name} has no deals yet: dealdb load FILE.csv loads some, "
            "dealdb demo --board shows sample deals"
        )
