"""What a win rate by value says where sums are below zero."""

from __future__ import annotations

import polars as pl
import pytest

from dealdb.analytics.metrics import win_rate
from dealdb.model.pipeline import Pipeline

STAGES = Pipeline().covering(["Won", "Lost"])
DOUBT = "some sums are negative: value win rate is not meaningful"


@pytest.mark.parametrize(
    ("won", "lost", "rate", "warnings"),
    [
        ([-10], [10], None, (DOUBT,)),
        ([-200], [], 1.0, (DOUBT,)),
        ([30], [-10], 1.5, (DOUBT,)),
        # a refund among larger amounts leaves a sum that means something
        ([40, -10], [10], 0.75, ()),
        ([30], [10], 0.75, ()),
    ],
)
def test_negative_sums_are_a_doubt(
    won: list[int], lost: list[int], rate: float | None, warnings: tuple[str, ...]
) -> None:
    frame = pl.DataFrame(
        {"stage": ["Won"] * len(won) + ["Lost"] * len(lost), "amount": [*won, *lost]}
    )
    result = win_rate(frame, STAGES, measure="value")
    assert result["value_win_rate"] == rate
    assert result.basis.warnings == warnings
