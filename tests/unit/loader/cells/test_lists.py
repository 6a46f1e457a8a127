"""What a cell of several texts says, and what is none."""

from __future__ import annotations

import polars as pl
import pytest

from dealdb.loader.cells.lists import list_texts


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('["a","b"]', '["a","b"]'),
        (' [ "a", "b;c" ] ', '["a","b;c"]'),
        ("[]", "[]"),
        ("a;b", '["a","b"]'),
        ("; a b ;; c,d;", '["a b","c,d"]'),
        ('say "x"', '["say \\"x\\""]'),
        ("7", '["7"]'),
        ("[a;b", None),
        ("[1]", None),
        ('{"a":"b"}', None),
        (";", None),
        (None, None),
    ],
)
def test_a_cell_is_a_list_by_its_own_form(cell: str | None, text: str | None) -> None:
    cells = pl.Series("tags", [cell, "x", cell], dtype=pl.String)
    assert list_texts(cells).to_list() == [text, '["x"]', text]
    assert list_texts(cells).name == "tags"


def test_a_column_of_nothing_stays_one() -> None:
    nothing = pl.Series("tags", [None], dtype=pl.String)
    assert list_texts(nothing).to_list() == [None]
    assert list_texts(nothing.clear()).dtype == pl.String
