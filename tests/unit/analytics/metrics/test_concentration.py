"""What is at the top, and what nothing is concentrated on."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from dealdb.analytics.metrics import concentration
from dealdb.model.columns import empty_frame
from dealdb.model.pipeline import Kind, Pipeline, Stage
from dealdb.model.schema import Schema

STAGES = Pipeline((Stage("Won", Kind.WON),))


@pytest.mark.parametrize("by", ["currency", ["currency", "owner"], "owner"])
@pytest.mark.parametrize("of", ["won", "open"])
def test_nothing_is_a_row_of_zeros(by: Any, of: str) -> None:
    result = concentration(empty_frame(Schema.standard()), STAGES, by, of=of)
    assert (result["n"], result["groups"], result["value"], result["top"]) == (0, 0, 0, [])
    assert result["top_share"] is None


def test_groups_without_a_value_are_not_at_the_top() -> None:
    frame = pl.DataFrame({"stage": ["Won"] * 3, "company": ["A", "B", "C"], "amount": [0, 5, None]})
    result = concentration(frame, STAGES, k=3)
    assert (result["groups"], result["top"]) == (1, ["B"])


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (pl.Series([Decimal(100)], dtype=pl.Decimal(38, 10)), "100"),
        (pl.Series([Decimal("0.50")], dtype=pl.Decimal(38, 10)), "0.5"),
        (pl.Series([date(2026, 1, 31)]), "2026-01-31"),
        (pl.Series([True]), "true"),
        (pl.Series([["a", "b"]]), '["a","b"]'),
        (pl.Series([float("nan")]), "nan"),
        (pl.Series([None], dtype=pl.Date), "(none)"),
    ],
)
def test_names_at_the_top_are_the_texts_that_are_saved(values: pl.Series, name: str) -> None:
    frame = pl.DataFrame({"stage": ["Won"], "amount": [5], "mine": values})
    assert concentration(frame, STAGES, "mine")["top"] == [name]
