"""Titles of the groups of a sheet, such as `Active` alone in its row, and the sums without a label below a group."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import reduce
from operator import and_, or_

import polars as pl

from dealdb.loader.cells.numbers import decimals
from dealdb.loader.chunk import Chunk, RowPlace
from dealdb.loader.columns.deal_ids import BLANKS
from dealdb.loader.columns.headers import map_headers
from dealdb.model.schema import Schema

_DIGIT = r"[0-9]"
_CODE = r"^\s*\S*[0-9]\S*\s*$"
# in a table of fewer columns a row of one cell may be a deal
_COLUMNS_OF_A_TABLE = 3
# a span of days, as sums of columns of dates have it
_SPAN = r"^[0-9./-]{6,10}\s+(?:to|-|\u2013)\s+[0-9./-]{6,10}$"
# by these a sheet is grouped; the name or the company of a deal may well be those of the deal before it
_NOT_GROUPED_BY = ("name", "company", "id")
# one title alone is no pattern
_SEVERAL = 2


def single_cells(frame: pl.DataFrame) -> dict[int, str]:
    """
    Rows of one cell that has something in it, each with its text.

    Examples
    --------
    >>> single_cells(pl.DataFrame({"name": ["Active", "Acme"], "stage": [None, "Demo"]}))
    {0: 'Active'}
    """
    if frame.width < _SEVERAL:
        return {}
    # nearly every row has something in its first two cells
    full = is_filled(frame.to_series(0)) & is_filled(frame.to_series(1))
    if full.all():
        return {}
    bare = frame.filter(~full).select(pl.all().str.strip_chars(BLANKS).replace("", None))
    alone = bare.select(pl.sum_horizontal(pl.all().is_not_null()) == 1).to_series()
    texts = bare.filter(alone).select(pl.coalesce(pl.all())).to_series()
    return dict(zip((~full).arg_true().filter(alone).to_list(), texts.to_list(), strict=True))


def titles(
    chunk: Chunk, id_header: str | None, schema: Schema, again: Collection[int]
) -> list[int]:
    """
    Rows that are titles of groups for certain.

    A title stands above the names of the columns, or is what the next deal has as its stage or the like; or each of
    them begins a block of rows after a blank one; or it has no digit where ids have one.

    Parameters
    ----------
    chunk
        Some rows.
    id_header
        Column of the ids, or None where rows have none.
    schema
        Fields that exist.
    again
        Rows that are the names of the columns.
    """
    frame = chunk.frame
    single = single_cells(frame)
    if not single:
        return []
    sure = {row for row in single if row + 1 in again}
    are_numbers = _is_number_or_empty(pl.Series(list(single.values()), dtype=pl.String))
    others = {
        row: text
        for (row, text), is_number in zip(single.items(), are_numbers, strict=True)
        if row not in sure and not is_number
    }
    if has_codes(frame, id_header, single):
        labels = frame[id_header or frame.columns[0]]
        words = (row for row, text in others.items() if not re.search(_DIGIT, text))
        return sorted({*sure, *(row for row in words if labels[row])})
    fields = map_headers(frame.columns[1:], None, schema) if others else {}
    names = [name for name, field in fields.items() if field not in _NOT_GROUPED_BY]
    sure |= {row for row, text in others.items() if _is_group_of(text, frame, row + 1, names)}
    rest = [row for row in others if row not in sure]
    if len(rest) >= _SEVERAL and all(_begins_block(chunk, row, single) for row in rest):
        sure |= set(rest)
    return sorted(sure)


def has_codes(frame: pl.DataFrame, id_header: str | None, single: Collection[int]) -> bool:
    """Whether the ids, or the first cells where rows have none, are single words with a digit each."""
    if frame.width < _COLUMNS_OF_A_TABLE:
        return False
    cells = frame[id_header or frame.columns[0]]
    others = cells.filter(~pl.int_range(cells.len(), eager=True).is_in(list(single))).drop_nulls()
    return not others.is_empty() and bool(others.str.contains(_CODE).all())


def sums_without_label(frame: pl.DataFrame) -> list[int]:
    """
    Rows of numbers only, without anything in the first column, where most rows have that.

    Examples
    --------
    >>> frame = pl.DataFrame({"name": ["A", "B", None], "value": ["1", "2", "3"]})
    >>> sums_without_label(frame)
    [2]
    """
    first, *others = frame.get_columns()
    rows = (~is_filled(first)).arg_true()
    # where the first column is seldom filled, it is not what names the deals
    if rows.is_empty() or not others or 2 * rows.len() > frame.height:
        return []
    is_sum = reduce(and_, (_is_number_or_empty(column.gather(rows)) for column in others))
    return rows.filter(is_sum).to_list()


def is_filled(cells: pl.Series) -> pl.Series:
    """Which cells are neither empty nor blank."""
    filled = cells.str.strip_chars(BLANKS) != ""
    return filled.fill_null(value=False) if cells.null_count() else filled


def _is_number_or_empty(cells: pl.Series) -> pl.Series:
    bare = cells.str.strip_chars(BLANKS)
    points = (decimals(bare, point, percent=True).is_not_null() for point in ".,")
    is_span = bare.str.contains(_SPAN).fill_null(value=False)
    return reduce(or_, points, is_span | ~is_filled(cells))


def _is_group_of(text: str, frame: pl.DataFrame, row: int, names: Collection[str]) -> bool:
    """Whether a deal has a text as its stage, its owner or the like."""
    if row >= frame.height:
        return False
    return text.casefold() in {(frame[name][row] or "").strip(BLANKS).casefold() for name in names}


def _begins_block(chunk: Chunk, row: int, single: Collection[int]) -> bool:
    """Whether a row follows a blank one, and a deal follows it at once."""
    if row + 1 >= chunk.frame.height or row + 1 in single:
        return False
    places = chunk.locate([*([row - 1] if row else []), row, row + 1])
    *before, this, after = places
    is_first = all(_end(each) < this.line for each in before)
    return is_first and _end(this) == after.line


def _end(place: RowPlace) -> int:
    """Line after a row."""
    return place.line + place.raw.count("\n") + 1
