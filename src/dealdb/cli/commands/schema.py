"""The command ``schema``: the columns, and renaming or dropping one."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from dealdb.cli.output.printing import TableFile, print_rows, save_rows, table_file
from dealdb.cli.output.streams import Output, note
from dealdb.cli.session import At, Parquet, Session, Xlsx
from dealdb.errors import ConfigError

USAGE = "schema takes nothing, or rename OLD NEW, or drop NAME"


def schema(
    session: Session,
    action: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ACTION",
            help="rename OLD NEW, or drop NAME; without it, the columns are printed.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,  # noqa: FBT002 a flag
    at: At = None,
    parquet: Parquet = None,
    xlsx: Xlsx = None,
) -> None:
    """
    Print the columns and their types, or rename or drop one.

    Only columns of your own can be renamed or dropped, not those that every collection has. Dropping asks first at a
    terminal; the history keeps the values.
    """
    file = table_file(parquet, xlsx)
    match action or []:
        case [] if not yes:
            _show(session, at, file)
        case ["rename", old, new] if not (yes or at or file):
            with session.open() as db:
                db.rename_field(old, new)
            _report(session, old, f"renamed to {new}")
        case ["drop", name] if not (at or file):
            _drop(session, name, yes=yes)
        case _:
            msg = f"{USAGE}; --yes is for drop, --at, --parquet and --xlsx for printing"
            raise ConfigError(msg)


def _show(session: Session, at: str | None, file: TableFile | None) -> None:
    with session.reading(at) as db:
        rows = [{"column": field.name, "type": field.describe()} for field in db.schema.fields]
    save_rows(rows, ["column", "type"], session.output, file)


def _drop(session: Session, name: str, *, yes: bool) -> None:
    question = f"Drop column {name} from every deal?"
    if not yes and sys.stdin.isatty() and not typer.confirm(question, err=True):
        note("nothing dropped")
        raise typer.Exit(1)
    with session.open() as db:
        db.drop_field(name)
    _report(session, name, "dropped")


def _report(session: Session, column: str, outcome: str) -> None:
    if session.output is Output.TABLE:
        print(f"{column}: {outcome}")
    else:
        print_rows([{"column": column, "outcome": outcome}], ["column", "outcome"], session.output)
