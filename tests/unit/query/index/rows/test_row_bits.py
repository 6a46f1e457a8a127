"""Sets of rows as bits have the rows that they are made of."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dealdb.query.index.rows.row_bits import are_in, bits_of, rows_of

# of a word of bits each, too
SPARSE = st.lists(st.integers(0, 2_000), max_size=20).map(
    lambda rows: [n in set(rows) for n in range(2_001)]
)


@given(st.lists(st.booleans(), max_size=200) | SPARSE, st.integers(0, 10))
def test_rows_come_back(values: list[bool], most: int) -> None:
    bits = bits_of(np.array(values, np.bool_))
    rows = np.arange(len(values), dtype=np.uint32)
    expected = [n for n, value in enumerate(values) if value]
    assert rows_of(bits, len(values)).tolist() == expected
    assert rows_of(bits, most).tolist() == expected[:most]
    assert are_in(bits, rows).tolist() == values
