"""The commands ``query`` and ``mapping``: saved queries, and saved options of loads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer

from dealdb.cli.arguments import Columns, Limit, Offset, Params, Sort, names, parameters
from dealdb.cli.output.printing import print_facts, print_frame, print_rows, table_file
from dealdb.cli.output.streams import Output, note, say
from dealdb.cli.session import Parquet, Session, Xlsx
from dealdb.errors import ConfigError

USAGE = "query takes list, save NAME [WHERE], run NAME, or delete NAME"


def query(
    session: Session,
    action: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ACTION",
            help="list, save NAME [WHERE], run NAME, or delete NAME [default: list].",
        ),
    ] = None,
    sort: Sort = None,
    columns: Columns = None,
    limit: Limit = None,
    offset: Offset = 0,
    param: Params = None,
    parquet: Parquet = None,
    xlsx: Xlsx = None,
) -> None:
    """
    List, save, run or delete saved queries.

    They are kept with the deals: everyone who works with these has them. A filter may have parameters, as in
    amount > :least; run takes their values with --param.
    """
    ordered, chosen = names(sort), names(columns)
    file = table_file(parquet, xlsx)
    running = bool(limit is not None or offset or param or file)
    match action or ["list"]:
        case ["list"] if not (ordered or chosen or running):
            with session.open() as db:
                rows = [{"name": name, **asdict(kept)} for name, kept in db.query.saved().items()]
            _print_saved(rows, session.output)
        case ["save", name, *rest] if len(rest) < 2 and not running:
            with session.open() as db:
                db.query.save(name, rest[0] if rest else None, sort=ordered, columns=chosen)
            _print_outcome(name, "saved", session.output)
        case ["run", name] if not (ordered or chosen):
            with session.open() as db:
                frame = db.query.run(name, limit=limit, offset=offset, params=parameters(param))
            print_frame(frame, session.output, file)
        case ["delete", name] if not (ordered or chosen or running):
            with session.open() as db:
                if not db.query.forget(name):
                    note(f"error: no saved query {name!r}")
                    raise typer.Exit(1)
            _print_outcome(name, "deleted", session.output)
        case _:
            msg = (
                f"{USAGE}; --sort and --columns are for save, "
                "--limit, --offset, --param, --parquet and --xlsx for run"
            )
            raise ConfigError(msg)


def mapping(
    session: Session,
    action: Annotated[
        list[str] | None,
        typer.Argument(metavar="ACTION", help="list, show NAME, or delete NAME [default: list]."),
    ] = None,
) -> None:
    """
    List, show or delete saved mappings.

    A mapping has the options of a load by name: dealdb load FILE --save-mapping NAME saves one with the deals, and
    dealdb load FILE --mapping NAME uses it. What show prints is a file that --mapping takes too.
    """
    with session.open() as db:
        match action or ["list"]:
            case ["list"]:
                kept = db.loader.mappings()
                rows = [{"name": name, **_of_mapping(each.options)} for name, each in kept.items()]
                print_rows(rows, ["name", "columns", "options"], session.output)
            case ["show", name]:
                found = db.loader.mapping(name)
                if session.output is Output.TABLE:
                    say(found.to_toml(), end="")
                else:
                    print_facts({"name": name, **found.options}, session.output)
            case ["delete", name]:
                if not db.loader.forget_mapping(name):
                    note(f"error: no saved mapping {name!r}")
                    raise typer.Exit(1)
                _print_outcome(name, "deleted", session.output)
            case _:
                msg = "mapping takes list, show NAME, or delete NAME"
                raise ConfigError(msg)


def _of_mapping(options: Mapping[str, Any]) -> dict[str, str]:
    """Columns and options of a mapping, on a line each."""
    columns = (f"{header}={field or ''}" for header, field in options.get("mapping", {}).items())
    others = (name for name in options if name != "mapping")
    return {"columns": ", ".join(columns), "options": ", ".join(others)}


def _print_saved(rows: list[dict[str, Any]], output: Output) -> None:
    if output is Output.TABLE:
        for row in rows:
            row |= {key: ", ".join(row[key] or ()) for key in ("sort", "columns")}
    print_rows(rows, ["name", "where", "sort", "columns"], output)


def _print_outcome(name: str, outcome: str, output: Output) -> None:
    if output is Output.TABLE:
        say(f"{name}: {outcome}")
    else:
        print_rows([{"name": name, "outcome": outcome}], ["name", "outcome"], output)
