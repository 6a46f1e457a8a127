"""The command ``load``, and what it reports of a load."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealdb.cli.arguments import listed, names, pairs, stage_lines
from dealdb.cli.commands.deals import Durable
from dealdb.cli.commands.follow import check_followed, follow_file
from dealdb.cli.option_names import in_options
from dealdb.cli.output.printing import print_facts
from dealdb.cli.output.streams import Output, agrees, note
from dealdb.cli.session import Session
from dealdb.errors import ConfigError

if TYPE_CHECKING:
    from dealdb import DealDatabase
    from dealdb.loader.report import LoadReport, MappedColumn


def load(
    session: Session,
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Files to load; - is stdin.")],
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="csv, tsv, jsonl, json, parquet, arrow or xlsx [default: by name].",
        ),
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="HEADER=FIELD",
            help="Load a column as this field (see dealdb schema); HEADER= leaves it out.",
        ),
    ] = None,
    use_mapping: Annotated[
        str | None,
        typer.Option(
            "--mapping",
            metavar="NAME|FILE.toml",
            help="Use a saved mapping; other options win over it.",
        ),
    ] = None,
    save_mapping: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Save these options, and what the load finds out, for --mapping."
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
        str | None, typer.Option(metavar="CHAR", help="Between the cells [default: detected].")
    ] = None,
    null: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What stands for nothing [default: NULL].")
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Encoding of text, such as cp1250 [default: detected]."),
    ] = None,
    sheet: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Sheet of a workbook [default: the first with an id]."),
    ] = None,
    id_from: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN,...", help="Make ids from these columns; row: from whole rows."
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Column that says since when each row is so."),
    ] = None,
    on_conflict: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Deals that exist: merge, replace, skip or error [default: merge]."
        ),
    ] = None,
    bad_cells: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Rows with a cell that can't be read: reject, or null to load them without it.",
        ),
    ] = None,
    fold: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD,...", help="Join names of these that differ only in case or blanks."
        ),
    ] = None,
    stages: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The CRM's table of stages, where deals have only their ids."
        ),
    ] = None,
    delete_missing: Annotated[  # noqa: FBT002 a flag
        bool,
        typer.Option("--delete-missing", help="Delete the deals that the file does not have."),
    ] = False,
    missing_where: Annotated[
        str | None,
        typer.Option(metavar="FILTER", help="Delete only missing deals that this filter keeps."),
    ] = None,
    force: Annotated[  # noqa: FBT002 a flag
        bool, typer.Option("--force", help="Delete missing deals even if rows are rejected.")
    ] = False,
    everything: Annotated[  # noqa: FBT002 a flag
        bool, typer.Option("--everything", help="Delete even more than half of the deals.")
    ] = False,
    yes: Annotated[  # noqa: FBT002 a flag
        bool, typer.Option("--yes", help="Do not ask before deleting.")
    ] = False,
    dry_run: Annotated[  # noqa: FBT002 a flag
        bool, typer.Option("--dry-run", help="Only print what would happen.")
    ] = False,
    resume: Annotated[  # noqa: FBT002 a flag
        bool, typer.Option("--resume", help="Continue a load that was killed.")
    ] = False,
    follow: Annotated[  # noqa: FBT002 a flag
        bool,
        typer.Option("--follow", help="Then load each line of a JSONL file as it is appended."),
    ] = False,
    from_end: Annotated[  # noqa: FBT002 a flag
        bool, typer.Option("--from-end", help="With --follow: only lines completed from now on.")
    ] = False,
    strict: Annotated[  # noqa: FBT002 a flag
        bool,
        typer.Option(
            "--strict", help="Refuse what would be a warning, before anything is written."
        ),
    ] = False,
    rejects: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Where rejected rows go [default: FILE.rejects.csv, here]."
        ),
    ] = None,
    max_expansion: Annotated[
        int | None,
        typer.Option(metavar="N", help="Times that a compressed file may grow [default: 200]."),
    ] = None,
    max_errors: Annotated[
        int,
        typer.Option(
            metavar="N", help="Exit code 1 when more rows are rejected; totals don't count."
        ),
    ] = 0,
    durability: Durable = None,
) -> None:
    """
    Load deals from files.

    Headers of common CRM exports are recognised. Rows that can't be loaded go to the rejects file and never stop the
    rest. Loading the same file twice changes nothing. At a terminal, --delete-missing says how many and asks first.
    With --follow, Ctrl-C ends it with the report.
    """
    options = {
        "format": format_,
        "mapping": {k: v or None for k, v in pairs("--map", "HEADER=FIELD", mapping)},
        "types": dict(pairs("--type", "FIELD=TYPE", types)),
        "dates": dates,
        "decimal_point": decimal_point,
        "delimiter": delimiter,
        "rejects": rejects,
        "null": null,
        "encoding": encoding,
        "sheet": sheet,
        "id_from": names(id_from),
        "at": at,
        "on_conflict": on_conflict,
        "bad_cells": bad_cells,
        "fold": names(fold),
        "stages": stages,
        "delete_missing": missing_where or delete_missing,
        "save_mapping": save_mapping,
        "force": force,
        "everything": everything,
        "resume": resume,
        "strict": strict,
        "max_expansion": max_expansion,
        "durability": durability,
    }
    given: dict[str, Any] = {name: value for name, value in options.items() if value}
    if from_end and not follow:
        msg = "--from-end is for --follow"
        raise ConfigError(msg)
    if follow:
        check_followed(files, given, dry_run=dry_run)
    if "delete_missing" in given and len(files) > 1:
        msg = "--delete-missing takes one file: each would delete what only the others have"
        raise ConfigError(msg)
    if save_mapping and len(files) > 1:
        msg = "--save-mapping takes one file: each has its own"
        raise ConfigError(msg)
    ask = "delete_missing" in given and not (yes or dry_run) and sys.stdin.isatty()
    mistakes = 0
    with session.open() as db:
        if use_mapping:
            given["mapping"] = db.loader.mapping(use_mapping).with_columns(given.get("mapping", {}))
        for file in files:
            source = sys.stdin.buffer if file == "-" else file
            if ask and not _agreed(_rehearsed(db, source, given)):
                note("nothing loaded")
                raise typer.Exit(1)
            if follow:
                report = follow_file(db, file, given, from_end=from_end)
            else:
                report = db.loader.load(source, **given, dry_run=dry_run)
            print_report(report, session.output)
            mistakes += report.mistakes
        if save_mapping:
            note(
                f"mapping saved; next time: dealdb load FILE --mapping {shlex.quote(save_mapping)}"
            )
    if mistakes > max_errors:
        raise typer.Exit(1)


def print_report(
    report: LoadReport, output: Output = Output.TABLE, *, columns: bool = True
) -> None:
    """Print what a load did; in a table the columns can be left out."""
    if output is not Output.TABLE:
        print_facts(_report_facts(report), output)
        return
    lines = dict(_report_lines(report))
    print_facts({k: v for k, v in lines.items() if columns or k != "columns"}, output)
    for warning in report.warnings:
        note(f"warning: {warning}")


def _rehearsed(db: DealDatabase, source: Any, given: dict[str, Any]) -> LoadReport:
    return db.loader.load(
        source, **{**given, "resume": False, "save_mapping": None}, dry_run=True, bar=False
    )


def _agreed(rehearsal: LoadReport) -> bool:
    if not rehearsal.deleted:
        return True
    question = f"Deals that {rehearsal.source} does not have: {rehearsal.deleted:,}. Delete them?"
    return agrees(question)


def _report_facts(report: LoadReport) -> dict[str, Any]:
    counts = ("read", "inserted", "updated", "unchanged", "skipped", "rejected")
    return {
        "source": report.source,
        "format": report.format,
        **{name: getattr(report, name) for name in counts},
        "deleted": report.deleted,
        "resumed": report.resumed,
        "duplicates": report.duplicates,
        "repeated": report.repeated,
        "dry_run": report.dry_run,
        "seconds": report.seconds,
        "mapping": report.mapping,
        "stages": {stage.name: str(stage.kind) for stage in report.pipeline},
        "new_stages": report.new_stages,
        "notes": report.notes,
        "rests_on": report.rests_on,
        "warnings": report.warnings,
        "reasons": report.reasons,
        "bad_cells": report.bad_cells,
        "rejects": report.rejects,
    }


def _report_lines(report: LoadReport) -> Iterator[tuple[str, str | list[str]]]:
    # rows of a program have no name of their own
    of_program = report.format == "mappings"
    yield "source", "rows from Python" if of_program else f"{report.source} ({report.format})"
    counts = (
        "inserted",
        "updated",
        "unchanged",
        *(("skipped",) if report.skipped else ()),
        "rejected",
    )
    outcome = ", ".join(f"{getattr(report, name):,} {name}" for name in counts)
    if report.deleted:
        outcome += f"; {report.deleted:,} others deleted"
    rehearsed = "; nothing was written" if report.dry_run else ""
    if report.resumed:
        outcome += f"; {report.resumed:,} of them before it was resumed"
    yield "rows", f"{report.read:,} read: {outcome}{rehearsed}"
    yield "time", f"{report.seconds:.2f} s, {report.rate:,.0f} rows/s"
    yield "columns", [_column_line(column) for column in report.columns]
    if stages := list(stage_lines(report.pipeline)):
        yield "stages", stages
    if report.new_stages:
        yield "new", f"{listed(report.new_stages)}; dealdb pipeline --set changes what they mean"
    if report.duplicates:
        yield (
            "repeated",
            [f"rows with the id of an earlier one: {report.duplicates:,}", *_repeats(report)],
        )
    if report.notes:
        yield "notes", list(map(in_options, report.notes))
    if report.rests_on:
        yield "figures", list(report.rests_on)
    if report.rejected:
        yield "rejected", [f"{count:,} {reason}" for reason, count in report.reasons.items()]
    if report.bad_cells:
        yield "bad cells", [f"{count:,} {header}" for header, count in report.bad_cells.items()]
    if report.rejected or report.bad_cells:
        yield "rejects", "no file" if report.rejects is None else f"{report.rejects}"


def _repeats(report: LoadReport) -> Iterator[str]:
    for deal, lines in report.repeated.items():
        yield f"{deal}: lines {', '.join(map(str, lines))}"


def _column_line(column: MappedColumn) -> str:
    if column.field is None:
        return f"{column.header}: left out"
    if not column.type:
        return f"{column.header}: empty"
    same = column.header == column.field
    name = column.header if same else f"{column.header} -> {column.field}"
    return f"{name}: empty" if column.is_empty else f"{name} {column.type}"
