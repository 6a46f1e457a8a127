"""The commands that ask: ``find``, ``search``, ``sql``, ``facets``, and ``query`` for saved ones."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealdb.cli.completion import complete_columns
from dealdb.cli.context import At, Output, Parquet, Session, note
from dealdb.cli.output import bold, print_facts, print_frame, print_rows, to_json
from dealdb.cli.texts import Columns, Limit, Offset, Params, Sort, names, pairs, parameters
from dealdb.errors import ConfigError

if TYPE_CHECKING:
    from dealdb import Facet
    from dealdb.query import QueryEngine

# rows of a table on a terminal when no --limit is given
SCREENFUL = 50
QUERY_USAGE = "query takes list, save NAME [WHERE], run NAME, or delete NAME"

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
        str | None, typer.Option(metavar="TEXT", help="The page after the one that told this.")
    ] = None,
    explain: Annotated[  # noqa: FBT002 a flag
        bool, typer.Option("--explain", help="Tell what the query does, and its times.")
    ] = False,
    at: At = None,
    parquet: Parquet = None,
) -> None:
    """
    Print the deals that a filter selects.

    A table on a terminal ends after 50 deals unless --limit is given; in a pipe, a file, JSON and CSV, all are printed.
    A parameter's value is a number, a date or true where it looks like one; 'quotes' make it a text.
    """
    paged = page is not None or cursor is not None
    options: dict[str, Any] = {"sort": names(sort), "columns": names(columns)}
    options["params"] = parameters(param)
    if (paged or explain) and (parquet or (paged and (limit is not None or offset or explain))):
        msg = "--page and --cursor exclude --limit, --offset, --explain and --parquet; --explain excludes --parquet"
        raise ConfigError(msg)
    with session.reading(at) as db:
        if paged:
            _print_page(db.query, where, {**options, "cursor": cursor}, page, session.output)
        elif explain:
            done = db.query.explain(where, limit=limit, offset=offset, **options)
            _print_explanation(done, session.output)
        else:
            whole = parquet is not None or limit is not None
            if not whole and session.output is Output.TABLE and sys.stdout.isatty():
                _print_screenful(db.query, where, offset, options)
            else:
                frame = db.query.find(where, limit=limit, offset=offset, **options)
                print_frame(frame, session.output, parquet)


def search(
    session: Session,
    words: Annotated[list[str], typer.Argument(metavar="WORD", help="Words to look for.")],
    columns: Annotated[
        str | None, typer.Option(metavar="COLUMN,...", help="Look in these columns only.")
    ] = None,
    where: Annotated[
        str | None, typer.Option(metavar="FILTER", help="Only deals of this filter.")
    ] = None,
    limit: Limit = None,
    param: Params = None,
    at: At = None,
    parquet: Parquet = None,
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
    found = ["id", "_score", "_in", "_highlight"]
    if session.output is Output.TABLE and parquet is None:
        # what matched comes first: a terminal may not have the width for all
        frame = frame.select(*found, *(name for name in frame.columns if name not in found))
    print_frame(frame, session.output, parquet)


def sql(
    session: Session,
    statement: Annotated[
        str, typer.Argument(metavar="STATEMENT", help="One SELECT; the deals are the table deals.")
    ],
    param: Params = None,
    at: At = None,
    parquet: Parquet = None,
) -> None:
    """
    Run one SELECT over the deals.

    DuckDB runs it, without access to files or other data; it needs the extra sql.
    """
    with session.reading(at) as db:
        frame = db.query.sql(statement, params=parameters(param))
    print_frame(frame, session.output, parquet)


def facets(
    session: Session,
    columns: Annotated[
        list[str],
        typer.Argument(
            metavar="COLUMN", help="Columns to count by.", autocompletion=complete_columns
        ),
    ],
    where: Annotated[
        str | None, typer.Option(metavar="FILTER", help="Only deals of this filter.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", help="At most so many buckets of a column.")
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=HOW",
            help="year, quarter, month or day; a step of numbers; or value.",
        ),
    ] = None,
    param: Params = None,
    at: At = None,
) -> None:
    """
    Count the deals by what columns hold.

    Texts by value, dates by year to day, amounts between round bounds. Each bucket comes with the filter that selects
    its deals.
    """
    how = {name: _step(value) for name, value in pairs("--by", "COLUMN=HOW", by)}
    options = {} if limit is None else {"limit": limit}
    with session.reading(at) as db:
        found = db.query.facets(columns, where, by=how, params=parameters(param), **options)
    _print_facets(found, session.output)


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
) -> None:
    """
    List, save, run or delete saved queries.

    They are kept with the deals: everyone who works with these has them. A filter may have parameters, as in
    amount > :least; run takes their values with --param.
    """
    ordered, chosen = names(sort), names(columns)
    running = bool(limit is not None or offset or param or parquet)
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
            print_frame(frame, session.output, parquet)
        case ["delete", name] if not (ordered or chosen or running):
            with session.open() as db:
                if not db.query.forget(name):
                    note(f"error: no saved query {name!r}")
                    raise typer.Exit(1)
            _print_outcome(name, "deleted", session.output)
        case _:
            msg = (
                f"{QUERY_USAGE}; --sort and --columns are for save, "
                "--limit, --offset, --param and --parquet for run"
            )
            raise ConfigError(msg)


def _print_screenful(
    engine: QueryEngine, where: str | None, offset: int, options: Mapping[str, Any]
) -> None:
    frame = engine.find(where, limit=SCREENFUL, offset=offset, **options)
    left = engine.count(where, params=options["params"]) - offset - frame.height
    print_frame(frame, Output.TABLE)
    if left > 0:
        note(f"{left:,} more; --limit N shows more, --csv and --json all")


def _print_page(
    engine: QueryEngine,
    where: str | None,
    options: Mapping[str, Any],
    size: int | None,
    output: Output,
) -> None:
    given = dict(options) if size is None else {**options, "size": size}
    page = engine.page(where, **given)
    if output is Output.JSON:
        rows = page.items.to_dicts()
        print(to_json({"total": page.total, "next": page.next, "rows": rows}))
        return
    print_frame(page.items, output)
    note(f"{page.items.height:,} of {page.total:,} deals")
    note(f"next page: --cursor {page.next}" if page.next else "last page")


def _print_explanation(done: Any, output: Output) -> None:
    if output is Output.TABLE:
        print(done)
    else:
        print_facts({**asdict(done), "total_ms": done.total_ms}, output)


def _print_facets(found: Mapping[str, Facet], output: Output) -> None:
    if output is Output.JSON:
        columns = [
            {
                "column": facet.column,
                "by": facet.by,
                "total": facet.total,
                "others": facet.others,
                "buckets": facet.table.to_dicts(),
            }
            for facet in found.values()
        ]
        print(to_json(columns))
    elif output is Output.TABLE:
        for place, facet in enumerate(found.values()):
            others = f", {facet.others:,} in no bucket" if facet.others else ""
            gap = "\n" if place else ""
            print(gap + bold(f"{facet.column} by {facet.by}: {facet.total:,} deals{others}"))
            print_frame(facet.table, output)
    else:
        rows = [{"column": f.column, **row} for f in found.values() for row in f.table.to_dicts()]
        print_rows(rows, list(dict.fromkeys(name for row in rows for name in row)), output)


def _print_saved(rows: list[dict[str, Any]], output: Output) -> None:
    if output is Output.TABLE:
        for row in rows:
            row |= {key: ", ".join(row[key] or ()) for key in ("sort", "columns")}
    print_rows(rows, ["name", "where", "sort", "columns"], output)


def _print_outcome(name: str, outcome: str, output: Output) -> None:
    if output is Output.TABLE:
        print(f"{name}: {outcome}")
    else:
        print_rows([{"name": name, "outcome": outcome}], ["name", "outcome"], output)


def _step(text: str) -> object:
    [value] = (parameters([f"step={text}"]) or {}).values()
    return value
