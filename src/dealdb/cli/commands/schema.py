"""The command ``schema``: the columns, and renaming, retyping or dropping one."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from dealdb.cli.output.printing import TableFile, print_rows, save_rows, table_file
from dealdb.cli.output.streams import Output, agrees, note, say
from dealdb.cli.session import At, Parquet, Session, Xlsx
from dealdb.errors import ConfigError

USAGE = "schema takes nothing, or rename OLD NEW, or retype NAME TYPE, or drop NAME"


def schema(
    session: Session,
    action: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ACTION",
            help="rename OLD NEW, retype NAME TYPE, or drop NAME; without it, the columns are printed.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,  # noqa: FBT002 a flag
    bad_cells: Annotated[
        str | None,
        typer.Option(metavar="null", help="retype: clear the values that don't fit the type."),
    ] = None,
    at: At = None,
    parquet: Parquet = None,
    xlsx: Xlsx = None,
) -> None:
    """
    Print the columns and their types, or change one.

    Only columns of your own can be changed, not those that every collection has; rename gives one the name of one of
    these that is empty. retype refuses values that don't fit the type, with their number and the first deals. Dropping
    asks first at a terminal; the history keeps the values.
    """
    if bad_cells is not None and (action or [])[:1] != ["retype"]:
        msg = f"{USAGE}; --bad-cells is for retype"
        raise ConfigError(msg)
    file = table_file(parquet, xlsx)
    match action or []:
        case ["retype", name, kind] if not (yes or at or file):
            with session.open() as db:
                db.retype_field(name, kind, bad_cells=bad_cells)
                after = db.schema[name].describe()
            _report(session, name, f"is {after} now")
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
    if not yes and sys.stdin.isatty() and not agrees(question):
        note("nothing dropped")
        raise typer.Exit(1)
    with session.open() as db:
        db.drop_field(name)
    _report(session, name, "dropped")


def _report(session: Session, column: str, outcome: str) -> None:
    if session.output is Output.TABLE:
        say(f"{column}: {outcome}")
    else:
        print_rows([{"column": column, "outcome": outcome}], ["column", "outcome"], session.output)
