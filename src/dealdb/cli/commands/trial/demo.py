"""The command ``demo``: what dealdb does, on sample deals and a server of its own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from dealdb.cli.commands.load import print_report
from dealdb.cli.commands.server import print_health
from dealdb.cli.commands.stats import print_metric
from dealdb.cli.commands.trial.bench import (
    THREADS,
    compare_saving,
    print_comparison,
    scratch_opener,
)
from dealdb.cli.output.printing import busy, print_frame
from dealdb.cli.output.streams import Output, bold, say
from dealdb.cli.session import Session
from dealdb.errors import ConfigError

if TYPE_CHECKING:
    from dealdb import DealDatabase
    from dealdb.cli.commands.trial.bench import Deals, Opener

COLLECTION = "demo"
TO_TRY = (
    "dealdb find \"stage = 'Won'\" --sort -amount --limit 5",
    "dealdb stats leaderboard",
    "dealdb facets stage owner",
    "dealdb board",
    "dealdb shell",
)
FILTER = "stage = 'Negotiation' AND amount > 40000"


def demo(
    session: Session,
    keep: Annotated[  # noqa: FBT002 a flag
        bool,
        typer.Option("--keep", help="Keep the deals, in the collection demo of your data folder."),
    ] = False,
    board: Annotated[  # noqa: FBT002 a flag
        bool,
        typer.Option("--board", help="Open the board on the sample deals, with changes coming in."),
    ] = False,
) -> None:
    """
    Show what dealdb does, on 1,600 sample deals.

    It loads them into a server of its own in a temporary folder, and shows health, the cost of saving in three ways,
    a filter and the pipeline in figures. Nothing is left behind, but with --keep the deals are there to be queried; a
    second run changes nothing. With --url, or another --collection, they are kept there. With --board the deals are in
    a browser instead, and keep changing until Ctrl-C.
    """
    if session.output is not Output.TABLE:
        msg = f"demo prints text only: leave out --{session.output}"
        raise ConfigError(msg)
    from importlib.metadata import version

    from dealdb.sample import deals

    sample = deals()
    kept = _kept_collection(session)
    if board:
        _board(session, sample, kept if keep else None)
        return
    with (
        scratch_opener(session) as open_collection,
        session.open(kept) if keep else open_collection(COLLECTION) as db,
    ):
        say(bold(f"dealdb {version('dealdb')}: {len(sample):,} sample deals on {_server(db)}"))
        print_report(db.loader.load(sample), columns=False)
        _heading("Health")
        print_health(db.connection.settings.where, db.health())
        _saving(open_collection, sample)
        _find(db, "A filter", FILTER, "id", "name", "owner", "amount", "expected_close")
        _figures(db)
    if keep:
        say(f"\nThe deals stay in the collection {kept}. Try:")
        for command in TO_TRY:
            say(f"  {command} --collection {kept}")
    say(
        "\nNow your own deals:  dealdb load FILE.csv,  then dealdb stats.  dealdb --help lists all commands."
    )
    say("In a browser:  dealdb board  opens them;  dealdb demo --board  opens the sample deals.")


def _board(session: Session, sample: Deals, kept: str | None) -> None:
    from dealdb.board.serving import serve
    from dealdb.cli.commands.browser.board import told
    from dealdb.cli.commands.trial.moving import changes_coming_in

    with (
        scratch_opener(session) as open_collection,
        session.open(kept) if kept else open_collection(COLLECTION) as db,
    ):
        db.loader.load(sample)
        say(f"{len(sample):,} sample deals on {_server(db)}, with changes coming in")
        with changes_coming_in(db):
            serve(db, port=0, ready=told())


def _kept_collection(session: Session) -> str:
    # one of the configuration is that of the user's own deals
    asked = session.sources.get("collection") == "--collection"
    return session.collection_name if asked else COLLECTION


def _server(db: DealDatabase) -> str:
    health = db.health()
    return f"{health.flavor} {health.version}"


def _saving(open_collection: Opener, sample: Deals) -> None:
    _heading(f"Saving {len(sample):,} deals in three ways; the server counted the sockets")
    with busy("saving ..."):
        runs = list(compare_saving(open_collection, sample, threads=THREADS))
    print_comparison(runs, Output.TABLE)


def _find(db: DealDatabase, title: str, where: str, *columns: str) -> None:
    command = f'dealdb find "{where}" --sort -amount --limit 5 --columns {",".join(columns)}'
    _heading(title, command)
    print_frame(db.query.find(where, sort="-amount", limit=5, columns=columns), Output.TABLE)


def _figures(db: DealDatabase) -> None:
    figures = db.analytics
    _heading("The pipeline by stage", "dealdb pipeline")
    print_metric(figures.pipeline(), Output.TABLE)
    _heading("Win rate by owner", "dealdb stats win-rate --by owner")
    print_metric(figures.win_rate(by="owner"), Output.TABLE)
    _heading("Sales cycle, days", "dealdb stats sales-cycle")
    print_metric(figures.sales_cycle(), Output.TABLE)
    _heading("Sales velocity, money per day", "dealdb stats velocity")
    print_metric(figures.velocity(), Output.TABLE)
    _find(db, "Top deals won", "stage = 'Won'", "id", "name", "owner", "amount", "closed")


def _heading(text: str, command: str = "") -> None:
    say(f"\n{bold(text)}" + (f"\n$ {command}" if command else ""))
    sys.stdout.flush()
