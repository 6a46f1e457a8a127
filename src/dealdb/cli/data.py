"""The commands for many deals: ``load``, ``find``, ``sql``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealdb.cli.context import At, Output, Parquet, Session, note
from dealdb.cli.output import print_facts, print_frame
from dealdb.errors import ConfigError
from dealdb.pipeline import Kind

if TYPE_CHECKING:
    from dealdb.loader.report import LoadReport, MappedColumn

# rows of a table on a terminal when no --limit is given
SCREENFUL = 50


def load(
    session: Session,
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Files to load; - is stdin.")],
    format_: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="NAME", help="csv, tsv, jsonl, json or parquet [default: by name]."
        ),
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="HEADER=FIELD",
            help="Load a column as this field; HEADER= leaves it out.",
        ),
    ] = None,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", metavar="FIELD=TYPE", help="Type of a field, such as decimal(4)."),
    ] = None,
    dates: Annotated[
        str | None, typer.Option(metavar="ORDER", help="Order of dates such as 1/2/26: us or eu.")
    ] = None,
    decimal_point: Annotated[
        str | None, typer.Option(metavar="CHAR", help="Decimal point of numbers: . or the comma.")
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(metavar="CHAR", help="Between the cells [default: found out].")
    ] = None,
    rejects: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where rejected rows go [default: beside the source]."),
    ] = None,
    max_errors: Annotated[
        int, typer.Option(metavar="N", help="Exit code 1 when more rows are rejected.")
    ] = 0,
) -> None:
    """
    Load deals from files.

    Headers of common CRM exports are recognised. Rows that can't be loaded go to the rejects file and never stop the
    rest. Loading the same file twice changes nothing.
    """
    options = {
        "format": format_,
        "mapping": _pairs("--map", mapping),
        "types": _pairs("--type", types),
        "dates": dates,
        "decimal_point": decimal_point,
        "delimiter": delimiter,
        "rejects": rejects,
    }
    given: dict[str, Any] = {name: value for name, value in options.items() if value}
    rejected = 0
    with session.open() as db:
        for file in files:
            source = sys.stdin.buffer if file == "-" else file
            report = db.loader.load(source, **given)
            print_report(report, session.output)
            rejected += report.rejected
    if rejected > max_errors:
        raise typer.Exit(1)


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
    at: At = None,
    parquet: Parquet = None,
) -> None:
    """
    Print the deals that a filter selects.

    A table on a terminal ends after 50 deals unless --limit is given; in a pipe, a file, JSON
    and CSV, all are printed.
    """
    screen = (
        limit is None and parquet is None and session.output is Output.TABLE and sys.stdout.isatty()
    )
    with session.reading(at) as db:
        frame = db.query.find(
            where,
            sort=_names(sort),
            limit=SCREENFUL if screen else limit,
            offset=offset,
            columns=_names(columns),
        )
        left = db.query.count(where) - offset - frame.height if screen else 0
    print_frame(frame, session.output, parquet)
    if left > 0:
        note(f"{left:,} more; --limit N shows more, --csv and --json all")


def sql(
    session: Session,
    statement: Annotated[
        str, typer.Argument(metavar="STATEMENT", help="One SELECT; the deals are the table deals.")
    ],
    at: At = None,
    parquet: Parquet = None,
) -> None:
    """
    Run one SELECT over the deals.

    DuckDB runs it, without access to files or other data; it needs the extra sql.
    """
    with session.reading(at) as db:
        frame = db.query.sql(statement)
    print_frame(frame, session.output, parquet)


def _names(text: str | None) -> list[str] | None:
    return [name.strip() for name in text.split(",")] if text else None


def print_report(
    report: LoadReport, output: Output = Output.TABLE, *, columns: bool = True
) -> None:
    """Print what a load did; in a table the columns can be left out."""
    if output is not Output.TABLE:
        print_facts(_report_facts(report), output)
        return
    lines = dict(_report_lines(report))
    print_facts({k: v for k, v in lines.items() if columns or k != "columns"}, output)


def _report_facts(report: LoadReport) -> dict[str, Any]:
    counts = ("read", "inserted", "updated", "unchanged", "rejected", "duplicates", "seconds")
    return {
        "source": report.source,
        "format": report.format,
        **{name: getattr(report, name) for name in counts},
        "mapping": report.mapping,
        "stages": {stage.name: str(stage.kind) for stage in report.pipeline},
        "new_stages": report.new_stages,
        "notes": report.notes,
        "reasons": report.reasons,
        "rejects": report.rejects,
    }


def _report_lines(report: LoadReport) -> Iterator[tuple[str, str | list[str]]]:
    yield "source", f"{report.source} ({report.format})"
    counts = ("inserted", "updated", "unchanged", "rejected")
    outcome = ", ".join(f"{getattr(report, name):,} {name}" for name in counts)
    yield "rows", f"{report.read:,} read: {outcome}"
    yield "time", f"{report.seconds:.2f} s, {report.rate:,.0f} rows/s"
    yield "columns", [_column_line(column) for column in report.columns]
    names = {kind: report.pipeline.names(kind) for kind in Kind}
    yield "stages", [f"{kind}: {', '.join(names[kind])}" for kind in Kind if names[kind]]
    if report.new_stages:
        yield "new", f"{', '.join(report.new_stages)}; dealdb pipeline --set changes what they mean"
    if report.duplicates:
        yield "repeated", f"{report.duplicates:,} rows have the id of an earlier one"
    if report.notes:
        yield "notes", list(report.notes)
    if report.rejected:
        yield "rejected", [f"{count:,} {reason}" for reason, count in report.reasons.items()]
        yield "rejects", f"{report.rejects}"


def _column_line(column: MappedColumn) -> str:
    if column.field is None:
        return f"{column.header}: left out"
    if not column.type:
        return f"{column.header}: empty"
    same = column.header == column.field
    name = column.header if same else f"{column.header} -> {column.field}"
    return f"{name} {column.type}"


def _pairs(option: str, texts: list[str] | None) -> dict[str, str | None]:
    pairs: dict[str, str | None] = {}
    for text in texts or []:
        name, equals, value = text.rpartition("=")
        if not equals or not name:
            msg = f"{option} {text!r}: it takes {'HEADER=FIELD' if option == '--map' else 'FIELD=TYPE'}"
            raise ConfigError(msg)
        pairs[name] = value or None
    return pairs
