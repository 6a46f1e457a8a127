"""
How data reaches standard output: tables for people, JSON and CSV for programs, Markdown for pages.

Messages go to standard error (``note``), so that a pipe gets data alone.
"""

from __future__ import annotations

import csv
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from itertools import zip_longest
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple

from dealdb.cli.output.pager import show
from dealdb.cli.output.streams import Output, Sink, data, is_raw, note, note_as_text, note_escaped
from dealdb.cli.output.table import GAP, print_table
from dealdb.errors import ConfigError
from dealdb.formats.cells import AS_IS, Form, all_numbers, is_number, to_cell, to_json, to_text

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

Row = Mapping[str, Any]

_PAGE_WIDTH = 100
# a narrower terminal breaks the lines by itself
_LEAST_WIDTH = 20


def print_rows(
    rows: Iterable[Row],
    columns: Sequence[str],
    output: Output,
    *,
    forms: Mapping[str, Form] | None = None,
    with_empty: bool = True,
) -> None:
    """
    Print records that share their columns.

    Parameters
    ----------
    rows
        Values by column; a column that is absent is null.
    columns
        Names, in the order to print.
    output
        Table, a JSON array with one object a line, the lines without the array, CSV with a header, or Markdown.
    forms
        How a table, also one in Markdown, writes the numbers of a column.
    with_empty
        Whether a table on a terminal shows columns without any value.
    """
    match output:
        case Output.JSON:
            _print_json(rows, columns)
        case Output.JSONL:
            for row in rows:
                data(to_json({name: row.get(name) for name in columns}) + "\n")
        case Output.CSV:
            _print_csv(rows, columns)
        case Output.MD:
            _print_markdown(list(rows), columns, forms or {})
        case Output.TABLE:
            table = list(rows)
            drawn = {
                name: ["" if row.get(name) is None else row[name] for row in table]
                for name in columns
            }
            print_table(drawn, forms or {}, with_empty=with_empty)


class TableFile(NamedTuple):
    """
    File that a table is written to instead of being printed.

    Attributes
    ----------
    path
        Of the file.
    format
        ``parquet`` or ``xlsx``.
    """

    path: Path
    format: str


def table_file(parquet: Path | None, xlsx: Path | None) -> TableFile | None:
    """
    File that ``--parquet`` or ``--xlsx`` names; None where the table is printed.

    Raises
    ------
    ConfigError
        If both name one.
    """
    if parquet is not None and xlsx is not None:
        msg = "--parquet and --xlsx exclude each other"
        raise ConfigError(msg)
    if xlsx is not None:
        return TableFile(xlsx, "xlsx")
    return None if parquet is None else TableFile(parquet, "parquet")


def print_frame(
    frame: pl.DataFrame, output: Output, file: TableFile | None = None, *, with_empty: bool = True
) -> None:
    """
    Print a Polars frame as ``print_rows`` prints records, or write it to a file.

    JSON, CSV and Markdown have the same bytes as the file that ``export`` writes.

    Raises
    ------
    ConfigError
        If the file and another form of output are asked for.
    """
    if file is not None:
        write_file(frame, output, file)
    elif output is Output.TABLE:
        print_rows(frame.iter_rows(named=True), frame.columns, output, with_empty=with_empty)
    else:
        _print_text(frame, output)


def _print_text(frame: pl.DataFrame, output: Output) -> None:
    # not at the top: get has no frame, and imports no Polars
    from dealdb.formats.text_form import FORMS, TextForm

    text = TextForm(frame, raw=is_raw())
    for piece in FORMS[output](text):
        data(piece)
    note_escaped(text.escaped)


def write_file(frame: pl.DataFrame, output: Output, file: TableFile) -> None:
    """
    Write a frame to a file, and say so.

    Raises
    ------
    ConfigError
        If another form of output is asked for.
    LoadError
        If a workbook can't hold it, or the file can't be written.
    MissingExtra
        If XlsxWriter is not installed.
    """
    if output is not Output.TABLE:
        msg = f"--{output} and --{file.format} exclude each other"
        raise ConfigError(msg)
    # not at the top: get has no frame, and imports no Polars
    from dealdb.formats.output_file import written

    as_text = 0
    if file.format == "xlsx":
        as_text = _write_workbook(frame, file.path)
    else:
        written(file.path, frame.write_parquet)
    note(f"{file.path}: {frame.height:,} {'row' if frame.height == 1 else 'rows'}")
    note_as_text(as_text)


def _write_workbook(frame: pl.DataFrame, path: Path) -> int:
    # not at the top: it needs an extra
    from dealdb.formats.output_file import written
    from dealdb.formats.workbook import write_workbook

    return written(path, lambda file: write_workbook(frame, file))


def save_rows(
    rows: Sequence[Row], columns: Sequence[str], output: Output, file: TableFile | None
) -> None:
    """
    Print records as ``print_rows`` does, or write them to a file.

    Raises
    ------
    ConfigError
        If the file and another form of output are asked for.
    """
    if file is None:
        print_rows(rows, columns, output)
        return
    # not at the top: get imports no Polars without such a file
    import polars as pl

    table = {name: [row.get(name) for row in rows] for name in columns}
    write_file(pl.DataFrame(table), output, file)


def print_facts(
    facts: Row,
    output: Output,
    *,
    forms: Mapping[str, Form] | None = None,
    above: Sequence[str] = (),
) -> None:
    """
    Print one record: a line a value in a table, one object in JSON, one line under a header in CSV.

    ``above`` are lines for people that stand above a table.
    """
    match output:
        case Output.JSON | Output.JSONL:
            data(to_json(facts) + "\n")
        case Output.MD:
            rows = [{"name": name, "value": value} for name, value in facts.items()]
            _print_markdown(rows, ["name", "value"], {})
        case Output.CSV:
            _print_csv([facts], list(facts))
        case Output.TABLE:
            show([*above, *_fact_lines(facts, forms or {})])


def wrapped(text: str | None) -> list[str]:
    """
    Text in lines that fit the terminal, or a page where there is none.

    Examples
    --------
    >>> wrapped("Of 7 deals 2 are won."), wrapped(None)
    (['Of 7 deals 2 are won.'], [])
    """
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _PAGE_WIDTH
    # a number stays with its unit
    joined = re.sub(r"(?<=\d) (?=%|[A-Z]{3}\b)", "\0", text or "")
    lines = wrap(joined, max(width, _LEAST_WIDTH), break_on_hyphens=False)
    return [line.replace("\0", " ") for line in lines]


def print_above(lines: Sequence[str]) -> None:
    """Print lines for people, with an empty one below them, in a form that Markdown reads as a paragraph."""
    from dealdb.formats.markdown import markdown_cell

    for line in lines:
        data(f"{markdown_cell(line)}\n")
    if lines:
        data("\n")


def _fact_lines(facts: Row, forms: Mapping[str, Form]) -> Iterator[str]:
    width = max(map(len, map(to_cell, facts)), default=0)
    for name, value in facts.items():
        items = value if isinstance(value, list | tuple) else [value]
        for head, item in zip_longest([to_cell(name)], items, fillvalue=""):
            yield f"{head:<{width}}{GAP}{to_cell(item, forms.get(name, AS_IS))}".rstrip()


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show on a terminal that something takes a while."""
    from rich.console import Console

    console = Console(stderr=True)
    with console.status(what) if console.is_terminal else nullcontext():
        yield


def _print_json(rows: Iterable[Row], columns: Sequence[str]) -> None:
    separator = "["
    for row in rows:
        data(separator + to_json({name: row.get(name) for name in columns}))
        separator = ",\n "
    data("]\n" if separator != "[" else "[]\n")


def _print_csv(rows: Iterable[Row], columns: Sequence[str]) -> None:
    # not at the top, as in what follows: most output is a table
    from dealdb.formats.formulas import begins_like_formula, defused_name

    guarded = not is_raw()
    writer = csv.writer(Sink(), lineterminator="\n")
    writer.writerow(map(defused_name, columns) if guarded else columns)
    escaped = 0
    for row in rows:
        values = [row.get(name) for name in columns]
        # a number may begin with a minus: only a text is written by people
        runs = [guarded and isinstance(v, str) and begins_like_formula(v) for v in values]
        writer.writerow(
            ("'" if run else "") + to_text(v) for v, run in zip(values, runs, strict=True)
        )
        escaped += sum(runs)
    note_escaped(escaped)


def _print_markdown(rows: Sequence[Row], columns: Sequence[str], forms: Mapping[str, Form]) -> None:
    from dealdb.formats.markdown import NUMBER_EDGE, TEXT_EDGE, markdown_cell

    numeric = [all_numbers([row.get(name) for row in rows]) for name in columns]
    cells = [
        [markdown_cell(_page_cell(row.get(name), forms.get(name))) for name in columns]
        for row in rows
    ]
    rule = [NUMBER_EDGE if right else TEXT_EDGE for right in numeric]
    for line in (map(markdown_cell, columns), rule, *cells):
        data(f"| {' | '.join(line)} |\n")


def _page_cell(value: Any, form: Form | None) -> str:
    """All digits, but where a form says how people read the number."""
    return to_text(value) if form is None or not is_number(value) else to_cell(value, form)
