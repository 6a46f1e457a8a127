"""Rows of a sheet in which every cell is empty, as people leave them between deals, and programs below them."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import or_

import polars as pl

from dealdb.loader.chunk import Chunk
from dealdb.loader.derive.derived_source import DerivedSource, kept
from dealdb.loader.derive.group_titles import is_filled

_OF_SHEETS = ("csv", "tsv", "xlsx")


class WithoutBlankRows(DerivedSource):
    """A source without the rows that have nothing in any cell: they are neither deals nor mistakes."""

    def _begin(self) -> Callable[[Chunk], Chunk]:
        return _without if self.format in _OF_SHEETS else lambda chunk: chunk


def _without(chunk: Chunk) -> Chunk:
    first, *others = chunk.frame.get_columns() or [pl.Series([], dtype=pl.String)]
    # nearly every row has something in its first cell
    if not others or is_filled(first).all():
        return chunk
    filled = reduce(or_, map(is_filled, others), is_filled(first))
    return chunk if filled.all() else kept(chunk, filled)
