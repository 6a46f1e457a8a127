"""The command ``facets``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from dealdb.answers.asked import counted
from dealdb.cli.arguments import Params, pairs, parameters
from dealdb.cli.completion import complete_columns
from dealdb.cli.output.pictures import AsChart, ChartOptions, Plot
from dealdb.cli.output.printing import (
    TableFile,
    print_frame,
    print_rows,
    table_file,
    write_file,
)
from dealdb.cli.output.streams import Output, bold, say
from dealdb.cli.session import At, Parquet, Session, Xlsx
from dealdb.errors import ConfigError
from dealdb.formats.cells import to_json

if TYPE_CHECKING:
    import polars as pl

    from dealdb import Facet


def facets(
    session: Session,
    columns: Annotated[
        list[str],
        typer.Argument(
            metavar="COLUMN", help="Columns to count by.", autocompletion=complete_columns
        ),
    ],
    where: Annotated[
        str | None, typer.Option(metavar="FILTER", help="Only deals that this filter keeps.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", help="At most this many buckets per column.")
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
    parquet: Parquet = None,
    xlsx: Xlsx = None,
    plot: Plot = None,
    chart: AsChart = False,  # noqa: FBT002 a flag
) -> None:
    """
    Count the deals by what columns hold.

    Texts by value, dates by year to day, amounts between round bounds. Each bucket comes with the filter that selects
    its deals.
    """
    drawn = ChartOptions(file=plot, is_text=chart)
    drawn.check(session.output, parquet=parquet, xlsx=xlsx)
    if plot is not None and len({*columns}) > 1:
        msg = f"--plot draws the counts of one column, and here are {', '.join(columns)}"
        raise ConfigError(msg)
    how = {name: _step(value) for name, value in pairs("--by", "COLUMN=HOW", by)}
    options = {} if limit is None else {"limit": limit}
    with session.reading(at) as db:
        found = db.query.facets(columns, where, by=how, params=parameters(param), **options)
    if drawn:
        for facet in found.values():
            drawn.put(facet.chart())
        return
    _print_facets(found, session.output, table_file(parquet, xlsx))


def _print_facets(found: Mapping[str, Facet], output: Output, file: TableFile | None) -> None:
    if file is not None:
        write_file(_one_frame(found), output, file)
    elif output is Output.JSON:
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
        say(to_json(columns))
    elif output is Output.TABLE:
        for place, facet in enumerate(found.values()):
            others = f", {facet.others:,} in no bucket" if facet.others else ""
            gap = "\n" if place else ""
            say(gap + bold(f"{facet.column} by {facet.by}: {counted(facet.total, 'deal')}{others}"))
            print_frame(facet.table, output)
    else:
        rows = [{"column": f.column, **row} for f in found.values() for row in f.table.to_dicts()]
        print_rows(rows, list(dict.fromkeys(name for row in rows for name in row)), output)


def _one_frame(found: Mapping[str, Facet]) -> pl.DataFrame:
    """Buckets of all columns in one table."""
    # not at the top: it imports Polars
    from dealdb.formats.tables import one_table

    return one_table({facet.column: facet.table for facet in found.values()})


def _step(text: str) -> object:
    [value] = (parameters([f"step={text}"]) or {}).values()
    return value
