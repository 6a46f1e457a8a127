"""The commands for many deals: ``load``, ``find``, ``sql``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from dealdb.cli.context import Output, Session, note
from dealdb.cli.output import print_frame

# rows of a table on a terminal when no --limit is given
SCREENFUL = 50


def find(
    session: Session,
    where: Annotated[
        str | None,
        typer.Argument(
            metavar="WHERE", help="Filter, as after WHERE in SQL; without it, all deals."
        ),
    ] = None,
    sort: Annotated[
        str | None, typer.Option(metavar="COLUMN,...", help="Sort by these; -COLUMN is descending.")
    ] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", help="At most so many deals.")] = None,
    offset: Annotated[int, typer.Option(metavar="N", help="Leave out the first N.")] = 0,
    columns: Annotated[
        str | None, typer.Option(metavar="COLUMN,...", help="Only these columns, in this order.")
    ] = None,
) -> None:
    """
    Print the deals that a filter selects.

    A table on a terminal ends after 50 deals unless --limit is given; in a pipe, JSON and CSV, all are printed.
    """
    screen = limit is None and session.output is Output.TABLE and sys.stdout.isatty()
    with session.open() as db:
        frame = db.query.find(
            where,
            sort=_names(sort),
            limit=SCREENFUL if screen else limit,
            offset=offset,
            columns=_names(columns),
        )
        left = db.query.count(where) - offset - frame.height if screen else 0
    print_frame(frame, session.output)
    if left > 0:
        note(f"{left:,} more; --limit N shows more, --csv and --json all")


def sql(
    session: Session,
    statement: Annotated[
        str, typer.Argument(metavar="STATEMENT", help="One SELECT; the deals are the table deals.")
    ],
) -> None:
    """
    Run one SELECT over the deals.

    DuckDB runs it, without access to files or other data; it needs the extra sql.
    """
    with session.open() as db:
        frame = db.query.sql(statement)
    print_frame(frame, session.output)


def _names(text: str | None) -> list[str] | None:
    return [name.strip() for name in text.split(",")] if text else None


def load(session: Session) -> None:
    """Load."""


def load_with_bar(db, sample):
    for d in sample[:50]:
        db.save_deal(d)


def print_report(x):
    pass
