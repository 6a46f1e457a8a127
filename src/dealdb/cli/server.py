"""The commands that look at the server: ``health``, ``info``."""

from __future__ import annotations

from dataclasses import asdict

import typer

from dealdb import __version__
from dealdb.cli.context import Output, Session, shared_options
from dealdb.cli.output import note, print_facts
from dealdb.errors import ServerUnavailable


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(epilog="Example: dealdb health --json")(shared_options(health))
    app.command(epilog="Example: dealdb info")(shared_options(info))


def health(session: Session) -> None:
    """Print the health of the server; the exit code is 3 when it can't be reached."""
    with session.open() as db:
        report = asdict(db.health())
    warnings = report.pop("warnings")
    if session.output is Output.TABLE:
        print_facts(report, session.output)
        for warning in warnings:
            note(f"warning: {warning}")
    else:
        print_facts(report | {"warnings": warnings}, session.output)
    if not report["reachable"]:
        raise typer.Exit(3)


def info(session: Session) -> None:
    """Print version, server, collection and columns, and where each setting comes from."""
    with session.open() as db:
        settings = db.connection.settings
        facts = {
            "version": __version__,
            "server": settings.where,
            "collection": session.collection,
            "deals": len(db),
            "columns": [f"{field.name} {field.describe()}" for field in db.schema.fields],
        }
