"""The command ``export``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from dealdb.cli.arguments import (
    Columns,
    Limit,
    Params,
    Sort,
    With,
    names,
    parameters,
    side_tables,
)
from dealdb.cli.commands.find import Where
from dealdb.cli.output.printing import print_facts
from dealdb.cli.output.streams import Output, TerminalSink, note, note_as_text, note_escaped, say
from dealdb.cli.session import At, Session
from dealdb.errors import ConfigError


def export(
    session: Session,
    target: Annotated[str, typer.Argument(metavar="FILE", help="File to write; - is stdout.")],
    where: Where = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="csv, tsv, jsonl, json, md, parquet, arrow or xlsx [default: by name].",
        ),
    ] = None,
    sort: Sort = None,
    limit: Limit = None,
    columns: Columns = None,
    param: Params = None,
    select: Annotated[
        str | None, typer.Option("--sql", metavar="STATEMENT", help="Write what this SELECT gives.")
    ] = None,
    tables: With = None,
    null: Annotated[
        str, typer.Option(metavar="TEXT", help="What stands for nothing in CSV and TSV.")
    ] = "",
    at: At = None,
) -> None:
    """
    Write deals to a file, in any of eight forms.

    The name gives the format, and a final .gz or .zst compresses it. With --raw, load reads back the same deals.
    """
    if select is not None and (where or sort or columns or limit is not None):
        msg = "--sql excludes a filter, --sort, --limit and --columns: write them in the SELECT"
        raise ConfigError(msg)
    if target == "-" and session.output is not Output.TABLE:
        msg = f"to stdout only the file is written: leave out --{session.output}, and give --format"
        raise ConfigError(msg)
    if tables and select is None:
        msg = "--with is for --sql: a filter names no tables"
        raise ConfigError(msg)
    with session.open() as db:
        then = db if at is None else db.as_of(at)
        params = parameters(param)
        if select is not None:
            frame = then.query.sql(select, params=params, tables=side_tables(tables))
        else:
            frame = then.query.find(
                where, sort=names(sort), limit=limit, columns=names(columns), params=params
            )
        # a terminal shows text, and is not steered by it
        place = TerminalSink() if target == "-" and sys.stdout.isatty() else target
        report = db.loader.export(place, frame, format=format_, raw=session.raw, null=null)
    if session.output is not Output.TABLE:
        print_facts(asdict(report), session.output)
        return
    tell = note if target == "-" else say
    rows = "row" if report.rows == 1 else "rows"
    tell(f"{report.target}: {report.rows:,} {rows}, {report.bytes:,} bytes of {report.format}")
    note_escaped(report.escaped)
    note_as_text(report.as_text)
