"""Columns of floats become the decimals that single floats become."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from dealdb.loader.cells.numbers import without_noise
from dealdb.model.decimals import encode_decimal


@given(st.lists(st.floats(-1e19, 1e19).filter(lambda n: n == 0 or abs(n) > 1e-15)))
def test_a_column_has_the_texts_of_its_values(numbers: list[float]) -> None:
    texts = without_noise(pl.Series([repr(number) for number in numbers], dtype=pl.String))
    assert [encode_decimal(text) for text in texts] == [encode_decimal(n) for n in numbers]


def test_what_is_not_finite_stays_to_be_rejected() -> None:
    texts = pl.Series(["inf", None, "-inf", "0.30000000000000004"])
    assert without_noise(texts).to_list() == ["inf", None, "-inf", "0.3"]
