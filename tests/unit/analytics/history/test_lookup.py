"""What belongs to a life is found by its number, whatever is there or missing."""

from __future__ import annotations

import polars as pl
import pytest

from dealdb.analytics.history.lookup import are_among, beside, gathered, rows_of

_NONE = pl.Series([], dtype=pl.UInt32)
_LIVES = pl.Series([5, 0, 3], dtype=pl.UInt32)


@pytest.mark.parametrize(
    ("known", "wanted", "rows"),
    [
        (_LIVES, pl.Series([3, 4, 9, 5]), [2, None, None, 0]),
        (_NONE, _LIVES, [None] * 3),
        (_LIVES, _NONE, []),
        (_NONE, _NONE, []),
    ],
)
def test_rows_and_members(known: pl.Series, wanted: pl.Series, rows: list[int | None]) -> None:
    assert rows_of(known, wanted).to_list() == rows
    assert are_among(wanted, known).to_list() == [row is not None for row in rows]


@pytest.mark.parametrize("dtype", [pl.String(), pl.Date(), pl.Decimal(38, 2), pl.List(pl.String())])
def test_nothing_is_gathered_of_an_empty_column_with_its_type(dtype: pl.DataType) -> None:
    found = gathered(pl.Series("value", [], dtype=dtype), pl.Series([None, None], dtype=pl.UInt32))

    assert found.to_list() == [None, None]
    assert found.dtype == dtype


def test_columns_beside_are_those_of_a_left_join() -> None:
    lines = pl.DataFrame({"life": [1, 7, 0, 1], "n": [1, 2, 3, 4]})
    table = pl.DataFrame({"life": [0, 1], "value": ["a", "b"], "at": [10, 11]})

    joined = lines.join(table, on="life", how="left", maintain_order="left")

    assert beside(lines, table).equals(joined)
