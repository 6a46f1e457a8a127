"""Columns of texts are known without a look at all of their cells."""

from __future__ import annotations

import polars as pl
import pytest

from dealdb.loader.cells.column_profile import ColumnProfile, has_values, without_nothing
from dealdb.model.schema import FieldType

TEXT, INT = FieldType.TEXT, FieldType.INT


def _texts(*cells: str | None) -> pl.Series:
    return pl.Series(cells, dtype=pl.String)


@pytest.mark.parametrize(
    "cell",
    [
        None, "", " ", "-", " N/A ", "NaN", r"\N", "0000-00-00", "00/00/0000 00:00", "\u2013", "\u00a0", "\u2003null",
        "0", "EMEA", "x", "nana", "\x1cnull\x1c", "\u0130", "null and void", "0.5", "Zo\u00eb", "#N/A!", "\u212a",
    ],
)  # fmt: skip
def test_a_column_has_values_where_some_cell_does_not_stand_for_nothing(cell: str | None) -> None:
    cells = _texts(None, cell, "-")
    assert has_values(cells) == (without_nothing(cells).null_count() < cells.len())


def test_a_value_behind_many_cells_of_nothing_is_seen() -> None:
    assert has_values(_texts(*["-"] * 1_000, "EMEA"))


def test_what_the_source_says_is_text_is_text_once_it_has_values() -> None:
    seen = ColumnProfile(n_values=2, types={INT})
    assert seen.take_text(_texts("-", None), None, TEXT)
    assert (seen.n_values, seen.types) == (2, {INT})
    assert seen.take_text(_texts("EMEA", None), None, TEXT)
    assert (seen.n_values, seen.types) == (3, {INT, TEXT})
    assert seen.take_text(_texts("-"), None, INT)
    assert seen.n_values == 4


@pytest.mark.parametrize(
    ("kind", "declared"), [(INT, TEXT), (None, None), (None, INT), (INT, None)]
)
def test_what_may_be_something_else_is_looked_at(
    kind: FieldType | None, declared: FieldType | None
) -> None:
    seen = ColumnProfile()
    assert not seen.take_text(_texts("7"), kind, declared)
    assert seen == ColumnProfile()
