"""Rows of a sheet in which every cell is empty, as people leave them between deals, and programs below them."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import or_

import polars as pl

from dealdb.loader.chunk import Chunk
from dealdb.loader.columns.deal_ids import BLANKS
from dealdb.loader.derive.derived_source import DerivedSource, kept

_OF_SHEETS = ("csv", "tsv", "xlsx")


class WithoutBlankRows(DerivedSource):
    """A source without the rows that have nothing in any cell: they are neither deals nor mistakes."""

    def _begin(self) -> Callable[[Chunk], Chunk]:
        return _without if self.format in _OF_SHEETS else lambda chunk: chunk


def _without(chunk: Chunk) -> Chunk:
    first, *others = chunk.frame.get_columns() or [pl.Series([], dtype=pl.String)]
    # nearly every row has something in its first cell
    if not others or _is_filled(first).all():
        return chunk
    filled = reduce(or_, map(_is_filled, others), _is_filled(first))
    return chunk if filled.all() else kept(chunk, filled)


def _is_filled(cells: pl.Series) -> pl.Series:
    filled = cells.str.strip_chars(BLANKS) != ""
    return filled.fill_null(value=False) if cells.null_count() else filled
