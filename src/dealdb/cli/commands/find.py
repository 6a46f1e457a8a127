"""The commands that ask: ``find``, ``search`` and ``sql``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealdb.cli.arguments import (
    Columns,
    Limit,
    Offset,
    Params,
    Sort,
    With,
    names,
    parameters,
    side_tables,
)
from dealdb.cli.output.pictures import AsChart, ChartOptions, Plot
from dealdb.cli.output.printing import print_facts, print_frame, table_file
from dealdb.cli.output.streams import Output, note, say
from dealdb.cli.session import At, AtTime, Parquet, Session, Xlsx
from dealdb.errors import ConfigError
from dealdb.formats.cells import to_json

if TYPE_CHECKING:
    from dealdb import DealDatabase, DealView
    from dealdb.query import QueryEngine

# rows of a table on a terminal when no --limit is given
SCREENFUL = 50

Where = Annotated[
    str | None,
    typer.Argument(metavar="WHERE", help="Filter, as after WHERE in SQL; without it, all deals."),
]


def find(
    session: Session,
    where: Where = None,
    sort: Sort = None,
    limit: Limit = None,
    offset: Offset = 0,
    columns: Columns = None,
    param: Params = None,
    page: Annotated[
        int | None, typer.Option(metavar="N", help="A page of N deals, and how to get the next.")
    ] = None,
    cursor: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The page after the one that printed this.")
    ] = None,
    explain: Annotated[  # noqa: FBT002 a flag
        bool, typer.Option("--explain", help="Print what the query does, and its times.")
    ] = False,
    at: At = None,
    time: AtTime = None,
    parquet: Parquet = None,
    xlsx: Xlsx = None,
    plot: Plot = None,
    chart: AsChart = False,  # noqa: FBT002 a flag
) -> None:
    """
    Print the deals that a filter selects.

    dealdb schema names the columns; write texts and dates in single quotes, as in created >= '2026-01-31'.

    A table on a terminal ends after 50 deals unless --limit is given, and leaves out columns without any value unless
    --columns names them; in a pipe, a file, JSON and CSV, all are printed.
    A parameter's value is a number, a date or true where it looks like one; 'quotes' make it a text.
    --plot and --chart show how large the closed ones of them are, and how long they took.
    """
    drawn = ChartOptions(file=plot, is_text=chart)
    drawn.check(
        session.output,
        parquet=parquet,
        xlsx=xlsx,
        page=page,
        cursor=cursor,
        explain=explain,
        columns=columns,
    )
    paged = page is not None or cursor is not None
    file = table_file(parquet, xlsx)
    options: dict[str, Any] = {"sort": names(sort), "columns": names(columns)}
    options["params"] = parameters(param)
    if (paged or explain) and (file or (paged and (limit is not None or offset or explain))):
        msg = (
            "--page and --cursor exclude --limit, --offset, --explain, --parquet and --xlsx; "
            "--explain excludes --parquet and --xlsx"
        )
        raise ConfigError(msg)
    with session.reading(at, time) as db:
        if drawn:
            _draw(db, where, {**options, "limit": limit, "offset": offset}, drawn)
            return
        if explain:
            done = db.query.explain(where, limit=limit, offset=offset, **options)
            _print_explanation(done, session.output)
            return
        if paged:
            n_found = _print_page(
                db.query, where, {**options, "cursor": cursor}, page, session.output
            )
        else:
            whole = file is not None or limit is not None
            if not whole and session.output is Output.TABLE and sys.stdout.isatty():
                n_found = _print_screenful(db.query, where, offset, options)
            else:
                frame = db.query.find(where, limit=limit, offset=offset, **options)
                print_frame(frame, session.output, file, with_empty=columns is not None)
                n_found = frame.height
        if not n_found and at is None:
            tell_if_empty(db)


def search(
    session: Session,
    words: Annotated[list[str], typer.Argument(metavar="WORD", help="Words to look for.")],
    columns: Annotated[
        str | None, typer.Option(metavar="COLUMN,...", help="Look in these columns only.")
    ] = None,
    where: Annotated[
        str | None, typer.Option(metavar="FILTER", help="Only deals that this filter keeps.")
    ] = None,
    limit: Limit = None,
    param: Params = None,
    at: At = None,
    parquet: Parquet = None,
    xlsx: Xlsx = None,
) -> None:
    """
    Print the deals that have some words, best first.

    A deal has to have all words, in whichever column; the end of a word may be missing, and one typo is allowed where
    few deals match.
    """
    options = {} if limit is None else {"limit": limit}
    with session.reading(at) as db:
        frame = db.query.search(
            " ".join(words),
            columns=names(columns),
            where=where,
            params=parameters(param),
            **options,
        )
        if frame.is_empty() and at is None:
            tell_if_empty(db)
    found = ["id", "_score", "_in", "_highlight"]
    file = table_file(parquet, xlsx)
    if session.output is Output.TABLE and file is None:
        # what matched comes first: a terminal may not have the width for all
        frame = frame.select(*found, *(name for name in frame.columns if name not in found))
    print_frame(frame, session.output, file, with_empty=False)


def sql(
    session: Session,
    statement: Annotated[
        str, typer.Argument(metavar="STATEMENT", help="One SELECT; the deals are the table deals.")
    ],
    param: Params = None,
    tables: With = None,
    at: At = None,
    time: AtTime = None,
    parquet: Parquet = None,
    xlsx: Xlsx = None,
    plot: Plot = None,
    chart: AsChart = False,  # noqa: FBT002 a flag
) -> None:
    """
    Run one SELECT over the deals.

    DuckDB runs it, without access to other files or data than those of --with; it needs the extra sql.
    --plot and --chart draw a bar for each row of a result of two columns: a label and a number.
    """
    drawn = ChartOptions(file=plot, is_text=chart)
    drawn.check(session.output, parquet=parquet, xlsx=xlsx)
    with session.reading(at, time) as db:
        frame = db.query.sql(statement, params=parameters(param), tables=side_tables(tables))
    if drawn:
        # not at the top: it imports Polars
        from dealdb.charts.frames import table_chart

        drawn.put(table_chart(frame))
        return
    print_frame(frame, session.output, table_file(parquet, xlsx))


def tell_if_empty(db: DealDatabase | DealView) -> None:
    """Say what comes first, where nothing was found because there are no deals at all."""
    if not db.query.count():
        note("no deals yet: dealdb load FILE.csv or dealdb demo --keep")


def _draw(
    db: DealDatabase | DealView, where: str | None, options: dict[str, Any], drawn: ChartOptions
) -> None:
    """Draw the deals that a filter selects."""
    # not at the top: it imports Polars
    from dealdb.charts.frames import DRAWN, deals_chart

    known = [name for name in DRAWN if name == "id" or name in db.schema]
    drawn.put(deals_chart(db.query.find(where, **{**options, "columns": known})))


def _print_screenful(
    engine: QueryEngine, where: str | None, offset: int, options: Mapping[str, Any]
) -> int:
    """Print the first deals on a terminal; returns how many."""
    frame = engine.find(where, limit=SCREENFUL, offset=offset, **options)
    left = engine.count(where, params=options["params"]) - offset - frame.height
    print_frame(frame, Output.TABLE, with_empty=options["columns"] is not None)
    if left > 0:
        note(f"{left:,} more; --limit N shows more, --csv and --json all")
    return frame.height


def _print_page(
    engine: QueryEngine,
    where: str | None,
    options: Mapping[str, Any],
    size: int | None,
    output: Output,
) -> int:
    """Print a page; returns how many deals there are on all pages."""
    given = dict(options) if size is None else {**options, "size": size}
    page = engine.page(where, **given)
    if output is Output.JSON:
        rows = page.items.to_dicts()
        say(to_json({"total": page.total, "next": page.next, "rows": rows}))
        return page.total
    print_frame(page.items, output, with_empty=options["columns"] is not None)
    note(f"{page.items.height:,} of {page.total:,} deals")
    note(f"next page: --cursor {page.next}" if page.next else "last page")
    return page.total


def _print_explanation(done: Any, output: Output) -> None:
    if output is Output.TABLE:
        say(str(done))
    else:
        print_facts({**asdict(done), "total_ms": done.total_ms}, output)
