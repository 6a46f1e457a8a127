import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given

from dealdb.model.schema import Schema
from dealdb.store.replica.changing import changing, chunks_of, few_changing, values_of

_TEXTS = st.sampled_from(["", "a", "b", None])


@pytest.mark.parametrize("dtype", [pl.String(), pl.Categorical()])
@given(
    column=st.lists(_TEXTS, min_size=4, max_size=4),
    changes=st.lists(st.tuples(st.integers(0, 3), _TEXTS), max_size=12),
)
def test_last_value_of_a_row_counts_if_it_is_another(
    dtype: pl.DataType, column: list[str | None], changes: list[tuple[int, str | None]]
) -> None:
    rows = pl.Series([row for row, _ in changes], dtype=pl.UInt32)
    values = pl.Series([value for _, value in changes], dtype=dtype)
    new_rows, new = changing(pl.Series(column, dtype=dtype), rows, values)
    expected = {row: value for row, value in dict(changes).items() if column[row] != value}
    assert dict(zip(new_rows, new, strict=True)) == expected
    assert len(new_rows) == len(expected)
    assert (new_rows.dtype, new.dtype) == (rows.dtype, values.dtype)
    some_rows, some = few_changing(pl.Series(column, dtype=dtype), list(rows), list(values))
    assert dict(zip(some_rows, some, strict=True)) == expected
    assert len(some_rows) == len(expected)


@given(rows=st.lists(st.integers(0, 300_000), max_size=20))
def test_chunks_of_rows(rows: list[int]) -> None:
    assert {*chunks_of(pl.Series(rows, dtype=pl.UInt32))} == {row // 65_536 for row in rows}


@pytest.mark.parametrize("n", [1, 8, 9, 100])
def test_a_column_is_left_alone_where_nothing_in_it_changes(n: int) -> None:
    """To write nothing into it would copy all of it where a frame has it, too."""
    field, texts = Schema.standard()["name"], [*map(str, range(n))]
    column = pl.Series("name", texts)
    assert values_of(field, [*range(n)], [*texts], column) is None
    put = values_of(field, [*range(n)], [*texts[1:], "new"], column)
    assert put is not None
    assert len(put[0]) == n
