"""
Tables of figures, which have all their columns whatever the width.

A table that is too wide is turned over, so that its rows are side by side and there is a line for each figure; where
that are too many rows, its columns continue below, in another block.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

from dealdb.cli.output.pager import show
from dealdb.cli.output.streams import bold
from dealdb.cli.output.table import CELLS, GAP, drawn, fit
from dealdb.formats.cells import AS_IS, Form, all_numbers, to_cell
from dealdb.formats.terminal import cut, padded, width_of

Block = Sequence[Sequence[str]]

# what a page has room for, where the width is not known
PIPE_WIDTH = 120
# rows side by side are easy to compare in one block, and still in two
_MOST_BLOCKS = 2


def print_figures(
    table: Mapping[str, list[Any]], forms: Mapping[str, Form], *, above: Sequence[str] = ()
) -> None:
    """
    Print rows of figures; the columns up to the first one of numbers name them.

    ``above`` are lines that stand above the table.
    """
    if not table:
        return
    is_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if is_terminal else PIPE_WIDTH
    show([*above, *_lines(arranged(table, forms, width, may_split=is_terminal))])


def arranged(
    table: Mapping[str, list[Any]], forms: Mapping[str, Form], width: int, *, may_split: bool = True
) -> list[Block]:
    """
    The table in blocks that fit the width, each as columns of cells.

    Parameters
    ----------
    table
        Values by column.
    forms
        How the numbers of a column are written.
    width
        Of a line.
    may_split
        Whether texts may be shortened and columns continue in another block: a reader of a pipe wants whole lines.

    Examples
    --------
    >>> table = {"currency": ["EUR", "USD"], "deals": [7, 12], "won": [3, 10]}
    >>> arranged(table, {}, 80)
    [[['currency', 'EUR     ', 'USD     '], ['deals', '    7', '   12'], ['won', '  3', ' 10']]]
    >>> arranged(table, {}, 18)
    [[['currency', 'deals   ', 'won     '], ['EUR', '  7', '  3'], ['USD', ' 12', ' 10']]]
    """
    whole = drawn(table, forms, None)
    if _width(whole) <= width:
        return [whole]
    if may_split and len(shortened := fit(table, forms, width)) == len(table):
        return [shortened]
    turned = list(_turned(table, forms, width))
    if len(turned) <= _MOST_BLOCKS:
        return turned
    return list(_split(table, forms, width)) if may_split else [whole]


def _turned(
    table: Mapping[str, list[Any]], forms: Mapping[str, Form], width: int
) -> Iterator[Block]:
    """A column of cells for each row, next to those of the names."""
    names = padded([*map(to_cell, table)], right=False)
    columns = [
        [cut(to_cell(value, forms.get(name, AS_IS)), CELLS[2]) for value in values]
        for name, values in table.items()
    ]
    rows = [padded(row, right=True) for row in zip(*columns, strict=True)]
    return _blocks([names], rows, width)


def _split(
    table: Mapping[str, list[Any]], forms: Mapping[str, Form], width: int
) -> Iterator[Block]:
    """As many columns as fit, with what names the rows before them in each block."""
    n_names = len(list(takewhile(lambda values: not all_numbers(values), table.values())))
    # at least half of the width is for figures
    limits = (limit for limit in CELLS if _width(drawn(table, forms, limit)[:n_names]) * 2 <= width)
    cells = drawn(table, forms, next(limits, CELLS[-1]))
    return _blocks(cells[:n_names], cells[n_names:], width)


def _blocks(
    names: Sequence[Sequence[str]], columns: Sequence[Sequence[str]], width: int
) -> Iterator[Block]:
    block = [*names]
    for column in columns:
        if len(block) > len(names) and _width([*block, column]) > width:
            yield block
            block = [*names]
        block.append(column)
    yield block


def _width(block: Block) -> int:
    return sum(width_of(column[0]) + len(GAP) for column in block) - len(GAP)


def _lines(blocks: Sequence[Block]) -> Iterator[str]:
    for number, block in enumerate(blocks):
        if number:
            yield ""
        header, *lines = (GAP.join(cells).rstrip() for cells in zip(*block, strict=True))
        yield bold(header)
        yield from lines
