"""
How data reaches standard output: tables for people, JSON and CSV for programs, Markdown for pages.

A table is cut to the terminal by whole columns and says what it left out; in a pipe it is complete. Messages go to
standard error (``note``), so that a pipe gets data alone.
"""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import accumulate, zip_longest
from typing import TYPE_CHECKING, Any

from dealdb.cli.context import Output, note
from dealdb.cli.pager import show
from dealdb.errors import ConfigError
from dealdb.schema import Field, FieldType
from dealdb.values import encode

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """
    How a table writes the numbers of a column.

    Attributes
    ----------
    digits
        Digits after the point; None writes all digits of a decimal and four of a float.
    percent
        The numbers are ratios, to be written as percentages.
    grouped
        Group the thousands of integers of four digits, which may be years, too.
    """

    digits: int | None = None
    percent: bool = False
    grouped: bool = False


AS_IS = Form()

# longer texts are cut in the tables of a terminal
MAX_CELL = 40
SHORTER_CELLS = (30, 22, 18, 14)
GAP = "  "
_MOMENT = Field("moment", FieldType.DATETIME)


def print_rows(
    rows: Iterable[Row],
    columns: Sequence[str],
    output: Output,
    *,
    null: str = "",
    forms: Mapping[str, Form] | None = None,
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
    null
        What a table shows for null.
    forms
        How a table writes the numbers of a column.
    """
    match output:
        case Output.JSON:
            _print_json(rows, columns)
        case Output.JSONL:
            for row in rows:
                print(to_json({name: row.get(name) for name in columns}))
        case Output.CSV:
            _print_csv(rows, columns)
        case Output.MD:
            _print_markdown(list(rows), columns)
        case Output.TABLE:
            table = list(rows)
            drawn = {
                name: [null if row.get(name) is None else row[name] for row in table]
                for name in columns
            }
            _print_table(drawn, forms or {})


def print_frame(frame: pl.DataFrame, output: Output, parquet: Path | None = None) -> None:
    """
    Print a Polars frame as ``print_rows`` prints records, or write it to a Parquet file.

    Raises
    ------
    ConfigError
        If the file and another form of output are asked for.
    """
    if parquet is None:
        print_rows(frame.iter_rows(named=True), frame.columns, output)
    else:
        write_parquet(frame, output, parquet)


def write_parquet(frame: pl.DataFrame, output: Output, file: Path) -> None:
    """
    Write a frame to a Parquet file, and tell.

    Raises
    ------
    ConfigError
        If another form of output is asked for.
    """
    if output is not Output.TABLE:
        msg = f"--{output} and --parquet exclude each other"
        raise ConfigError(msg)
    frame.write_parquet(file)
    note(f"{file}: {frame.height:,} rows")


def print_facts(facts: Row, output: Output, *, forms: Mapping[str, Form] | None = None) -> None:
    """Print one record: a line a value in a table, one object in JSON, one line under a header in CSV."""
    match output:
        case Output.JSON | Output.JSONL:
            print(to_json(facts))
        case Output.MD:
            rows = [{"name": name, "value": value} for name, value in facts.items()]
            _print_markdown(rows, ["name", "value"])
        case Output.CSV:
            _print_csv([facts], list(facts))
        case Output.TABLE:
            show(list(_fact_lines(facts, forms or {})))


def _fact_lines(facts: Row, forms: Mapping[str, Form]) -> Iterator[str]:
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        items = value if isinstance(value, list | tuple) else [value]
        for head, item in zip_longest([name], items, fillvalue=""):
            yield f"{head:<{width}}{GAP}{to_cell(item, forms.get(name, AS_IS))}".rstrip()


def bold(text: str) -> str:
    """Text in bold on a terminal, plain in a pipe and where NO_COLOR is set."""
    plain = (
        not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    )
    return text if plain else f"\x1b[1m{text}\x1b[0m"


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show on a terminal that something takes a while."""
    from rich.console import Console

    console = Console(stderr=True)
    with console.status(what) if console.is_terminal else nullcontext():
        yield


def to_json(value: Any) -> str:
    """
    JSON text of a value; decimals become numbers with all their digits.

    Examples
    --------
    >>> from datetime import date
    >>> to_json({"amount": Decimal("125000.00"), "closed": date(2026, 1, 31)})
    '{"amount": 125000.00, "closed": "2026-01-31"}'
    """
    match value:
        case Mapping():
            return (
                "{"
                + ", ".join(f"{json.dumps(str(k))}: {to_json(v)}" for k, v in value.items())
                + "}"
            )
        case list() | tuple():
            return "[" + ", ".join(map(to_json, value)) + "]"
        case Decimal() if value.is_finite():
            return f"{value:f}"
        case float() if not math.isfinite(value):
            # JSON has no such number
            return "null"
        case None | bool() | int() | float():
            return json.dumps(value)
    return json.dumps(to_text(value), ensure_ascii=False)


def to_text(value: Any) -> str:
    """
    Text of a value as ``load`` reads it back.

    Examples
    --------
    >>> to_text(True), to_text(Decimal("1E+3")), to_text(None)
    ('true', '1000', '')
    """
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Decimal():
            return f"{value:f}"
        case datetime() if value.tzinfo:
            return encode(value, _MOMENT)
        case list() | tuple() | Mapping():
            return to_json(value)
        case bytes():
            return value.hex()
    return str(value)


def to_cell(value: Any, form: Form = AS_IS) -> str:
    r"""
    Text of a value as a table shows it: thousands grouped, nothing that could steer the terminal.

    Examples
    --------
    >>> to_cell(Decimal("125000.00")), to_cell(2026), to_cell(0.6315005), to_cell("a\x1b[2J")
    ('125,000.00', '2026', '0.6315', 'a\\x1b[2J')
    >>> to_cell(0.6315005, Form(percent=True, digits=1))
    '63.2 %'
    """
    match value:
        case bool():
            pass
        case int() if form.grouped or abs(value) >= 10_000:
            return f"{value:,}"
        case float() | Decimal() if math.isfinite(value):
            return _number_cell(value, form)
    text = to_text(value)
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def _number_cell(value: float | Decimal, form: Form) -> str:
    if form.percent:
        return f"{value * 100:,.{form.digits or 0}f} %"
    digits = 4 if form.digits is None and isinstance(value, float) else form.digits
    return f"{value:,f}" if digits is None else f"{value:,.{digits}f}"


def _print_json(rows: Iterable[Row], columns: Sequence[str]) -> None:
    separator = "["
    for row in rows:
        sys.stdout.write(separator + to_json({name: row.get(name) for name in columns}))
        separator = ",\n "
    print("]" if separator != "[" else "[]")


def _print_csv(rows: Iterable[Row], columns: Sequence[str]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([to_text(row.get(name)) for name in columns] for row in rows)


def _print_markdown(rows: Sequence[Row], columns: Sequence[str]) -> None:
    numeric = [_all_numbers([row.get(name) for row in rows]) for name in columns]
    cells = [[_markdown_cell(row.get(name)) for name in columns] for row in rows]
    rule = ["--:" if right else "---" for right in numeric]
    for line in (map(_markdown_cell, columns), rule, *cells):
        print(f"| {' | '.join(line)} |")


def _markdown_cell(value: Any) -> str:
    text = to_text(value).replace("\\", "\\\\").replace("|", "\\|")
    return " ".join(text.splitlines())


def _all_numbers(values: Sequence[Any]) -> bool:
    return any(map(_is_number, values)) and all(
        _is_number(v) or v in ("", "-", None) for v in values
    )


def _print_table(table: dict[str, list[Any]], forms: Mapping[str, Form]) -> None:
    if not table:
        return
    on_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns
    drawn = _drawn(table, forms, min(MAX_CELL, width) if on_terminal else None)
    shown = _fitting(drawn, width) if on_terminal else len(drawn)
    for limit in SHORTER_CELLS:
        # shorter cells are worth it only where nothing has to be left out then
        if shown < len(drawn) and _fitting(shorter := _drawn(table, forms, limit), width) == len(
            drawn
        ):
            drawn, shown = shorter, len(drawn)
    header, *lines = (GAP.join(cells).rstrip() for cells in zip(*drawn[:shown], strict=True))
    show([bold(header), *lines])
    if shown < len(drawn):
        note(f"not shown for want of width: {', '.join([*table][shown:])}")


def _drawn(
    table: Mapping[str, list[Any]], forms: Mapping[str, Form], limit: int | None
) -> list[list[str]]:
    return [
        _column(name, values, forms.get(name) or _form_of(values), limit)
        for name, values in table.items()
    ]


def _form_of(values: list[Any]) -> Form:
    """One form for a whole column, so that points and commas stand below each other."""
    large_float = any(isinstance(value, float) and abs(value) >= 100 for value in values)
    large_int = any(isinstance(value, int) and abs(value) >= 10_000 for value in values)
    return Form(digits=2 if large_float else None, grouped=large_int)


def _column(name: str, values: list[Any], form: Form, limit: int | None) -> list[str]:
    """Cells of a column, padded to one width, its name first; numbers stand to the right."""
    cells = [to_cell(value, form) for value in values]
    if limit:
        # a number or a moment without its end would be another one
        cells = [
            cut(cell, limit) if isinstance(value, str | list) else cell
            for cell, value in zip(cells, values, strict=True)
        ]
    cells.insert(0, name)
    widths = [*map(width_of, cells)]
    pads = [" " * (max(widths) - width) for width in widths]
    right = _all_numbers(values)
    return [pad + c if right else c + pad for c, pad in zip(cells, pads, strict=True)]


def width_of(text: str) -> int:
    """
    Columns of a terminal that a text takes.

    Examples
    --------
    >>> width_of("Acme"), width_of("株式会社")
    (4, 8)
    """
    if text.isascii():
        return len(text)
    # not at the top: most texts do without, and it takes as long as the table
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, width: int) -> str:
    """
    Text of at most so many columns; a sign stands for what was cut off.

    Examples
    --------
    >>> cut("Meridian Logistics", 10), cut("Acme", 10)
    ('Meridian …', 'Acme')
    """
    if width_of(text) <= width:
        return text
    from rich.cells import set_cell_size

    return set_cell_size(text, width - 1) + "…"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _fitting(drawn: list[list[str]], width: int) -> int:
    """How many columns from the left fit into the width of the terminal; at least one."""
    ends = list(accumulate(width_of(column[0]) + len(GAP) for column in drawn))
    return max(1, sum(end - len(GAP) <= width for end in ends))
