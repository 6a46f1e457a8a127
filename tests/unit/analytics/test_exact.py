"""Medians are rounded once, whatever the digits of the amounts."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from statistics import median as median_of

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from dealdb.analytics.metrics import deal_size, summary
from dealdb.model.pipeline import Pipeline

WON = Pipeline().covering(["Won"])


def won(units: list[int], scale: int) -> pl.DataFrame:
    amounts = [Decimal(unit).scaleb(-scale) for unit in units]
    return pl.DataFrame(
        {"stage": ["Won"] * len(units), "amount": pl.Series(amounts, dtype=pl.Decimal(38, scale))}
    )


@given(
    units=st.lists(st.integers(-(10**20), 10**20) | st.integers(1, 999), min_size=1, max_size=9),
    scale=st.sampled_from([2, 10]),
)
def test_a_median_is_that_of_fractions(units: list[int], scale: int) -> None:
    frame = won(units, scale)
    sized = [Fraction(unit, 10**scale) for unit in units if unit]
    expected = float(median_of(sized)) if sized else None
    assert deal_size(frame, WON)["median"] == expected
    assert deal_size(frame, WON, "stage")["median"] == expected
    assert summary(frame, WON)["median_size"] == expected


def test_the_middle_of_large_amounts_keeps_its_cents() -> None:
    assert deal_size(won([9007199254740993, 9007199254740995], 2), WON)["median"] == float(
        Fraction(9007199254740994, 100)
    )
