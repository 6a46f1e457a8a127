"""
Tables for people.

In a pipe a table is complete. On a terminal it fits the width: long texts are shortened, with a sign, as far as that
makes room for more columns. Where that is not enough, columns without any value go first, then others from the right;
those that are not shown are named.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from dealdb.cli.output.pager import show
from dealdb.cli.output.streams import bold, note
from dealdb.formats.cells import Form, all_numbers, to_cell
from dealdb.formats.terminal import cut, padded, width_of

GAP = "  "
# to what texts are shortened where the whole ones don't fit
CELLS = (40, 30, 22, 18, 14)


def print_table(
    table: Mapping[str, list[Any]], forms: Mapping[str, Form], *, with_empty: bool = True
) -> None:
    """
    Print the values of columns: all of them in a pipe, what the width has room for on a terminal.

    Parameters
    ----------
    table
        Values by column; an empty text is no value.
    forms
        How the numbers of a column are written.
    with_empty
        Whether a terminal that has the width shows columns without any value.
    """
    if not table:
        return
    if not sys.stdout.isatty():
        _print_lines(drawn(table, forms, None))
        return
    width = shutil.get_terminal_size().columns
    shown = dict(table) if with_empty else _with_values(table)
    fitting = fit(shown, forms, width)
    if len(fitting) < len(shown):
        shown = _with_values(shown)
        fitting = fit(shown, forms, width)
    _print_lines(fitting)
    _note_left_out([name for name in table if name not in shown], [*shown][len(fitting) :])


def _with_values(table: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Columns that have a value; all of a table without rows, whose header is all that it has."""
    filled = {name: values for name, values in table.items() if any(v != "" for v in values)}
    return filled or dict(table)


def _note_left_out(empty: Sequence[str], wide: Sequence[str]) -> None:
    left_out = [
        *([f"for lack of values: {', '.join(empty)}"] if empty else []),
        *([f"for lack of width: {', '.join(wide)}"] if wide else []),
    ]
    if left_out:
        note(f"not shown {'; '.join(left_out)}; --csv has all")


def fit(table: Mapping[str, list[Any]], forms: Mapping[str, Form], width: int) -> list[list[str]]:
    """
    Cells by column, header first, as many columns as fit the width, at least one.

    Texts are shortened no more than it takes to have all columns, or the most that can be had.

    Examples
    --------
    >>> fit({"name": ["Meridian Logistics"], "n": [7]}, {}, 17)
    [['name          ', 'Meridian Logi…'], ['n', '7']]
    """
    best: list[list[str]] = []
    for limit in (width, *(limit for limit in CELLS if limit < width)):
        cells = drawn(table, forms, limit)
        shown = cells[: _fitting(cells, width)]
        if len(shown) == len(cells):
            return shown
        if len(shown) > len(best):
            best = shown
    return best


def _print_lines(columns: list[list[str]]) -> None:
    header, *lines = (GAP.join(cells).rstrip() for cells in zip(*columns, strict=True))
    show([bold(header), *lines])


def drawn(
    table: Mapping[str, list[Any]], forms: Mapping[str, Form], limit: int | None
) -> list[list[str]]:
    """
    Cells by column, header first, padded to one width; texts of more than ``limit`` columns are shortened.

    Examples
    --------
    >>> drawn({"name": ["Acme"], "n": [7]}, {}, 3)
    [['name', 'Ac… '], ['n', '7']]
    """
    return [
        _column(name, values, forms.get(name) or _form_of(values), limit)
        for name, values in table.items()
    ]


def _form_of(values: list[Any]) -> Form:
    """One form for a whole column, so that points and commas are below each other."""
    large_float = any(isinstance(value, float) and abs(value) >= 100 for value in values)
    large_int = any(isinstance(value, int) and abs(value) >= 10_000 for value in values)
    return Form(digits=2 if large_float else None, grouped=large_int)


def _column(name: str, values: list[Any], form: Form, limit: int | None) -> list[str]:
    """Cells of a column, padded to one width, its name first; numbers are on the right."""
    cells = [to_cell(value, form) for value in values]
    if limit:
        # a number or a moment without its end would be another one
        cells = [
            cut(cell, limit) if isinstance(value, str | list) else cell
            for cell, value in zip(cells, values, strict=True)
        ]
    return padded([to_cell(name), *cells], right=all_numbers(values))


def _fitting(columns: list[list[str]], width: int) -> int:
    """How many columns from the left fit into the width of the terminal; at least one."""
    ends = list(accumulate(width_of(column[0]) + len(GAP) for column in columns))
    return max(1, sum(end - len(GAP) <= width for end in ends))
