"""Cells are counted alike, whether Python looks at a few of them or Polars at many."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dealdb.loader.cells.fitting import Look, counts, counts_of_few, simple_texts

_PARTS = (
    "2026", "-", "01", "31", "/", ".", " ", "\n", "\t", "\x1c", "\x0b", "USD", "$", "5", "1,250.00", "e+3", "k", "yes",
    "0", "n/a", "Acme", "OPP", "001", "006A0000012abcd", "deal_", "T", "12:30", "NA", "\\n", "_", "(", ")", "%",
)  # fmt: skip
_CELLS = st.one_of(
    st.none(),
    st.lists(st.sampled_from(_PARTS), max_size=6).map("".join),
    st.text(st.characters(max_codepoint=127), max_size=12),
)


@pytest.mark.parametrize("look", Look)
@given(cells=st.lists(_CELLS, max_size=8))
@example(cells=["12345678\n", "USD\n", "2026-01\n"])
def test_few_cells_are_counted_as_many(look: Look, cells: list[str | None]) -> None:
    frame = pl.DataFrame({"c": cells}, schema={"c": pl.String})
    texts = simple_texts(frame["c"])
    assert texts is not None
    assert counts_of_few(texts, look) == tuple(frame.select(counts(frame, "c", look)).row(0)[0])


@pytest.mark.parametrize("cell", ["Zoë", "٣", "x" * 101, "\u00a0"])
def test_other_letters_and_long_texts_are_left_to_polars(cell: str) -> None:
    assert simple_texts(pl.Series(["a", None, cell])) is None
