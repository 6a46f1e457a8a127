"""What was so of a deal at a moment."""

from __future__ import annotations

import polars as pl
import pytest

from dealdb.analytics.history.state import latest_rows, values_until


@pytest.mark.parametrize("far", [100, 2**61])
def test_the_value_once_something_had_happened(far: int) -> None:
    facts = pl.DataFrame(
        {"life": [0, 0, 2], "at": [-far, 5, far], "value": ["a", None, "b"]},
        schema_overrides={"life": pl.UInt32},
    )
    events = pl.DataFrame(
        {"life": [2, 0, 0, 1, 2, 3, 0], "at": [far, 4, 5, 50, 50, 5, -far - 1]},
        schema_overrides={"life": pl.UInt32},
    )
    assert values_until(facts, events).to_list() == ["b", "a", None, None, None, None, None]
    assert values_until(facts.clear(), events).to_list() == [None] * 7
    assert values_until(facts, events.clear()).is_empty()


@pytest.mark.parametrize(
    ("lives", "moments", "moment", "rows"),
    [
        # all lives from the first on, some of them twice
        ([0, 0, 1, 2, 2], [1, 5, 2, 3, 9], 10, [1, 2, 4, None]),
        ([0, 0, 1, 2, 2], [1, 5, 2, 3, 9], 5, [0, 2, 3, None]),
        # one in between has none, or none yet
        ([0, 2, 3], [1, 3, 3], 10, [0, None, 1, 2]),
        ([0, 1, 2], [1, 9, 3], 5, [0, None, 2, None]),
        ([1, 1], [1, 2], 5, [None, 1, None, None]),
        ([0, 1], [5, 6], 5, [None] * 4),
        ([], [], 5, [None] * 4),
    ],
)
def test_the_last_row_of_each_life_before_a_moment(
    lives: list[int], moments: list[int], moment: int, rows: list[int | None]
) -> None:
    facts = pl.DataFrame({"life": lives, "at": moments}, schema={"life": pl.UInt32, "at": pl.Int64})
    assert latest_rows(facts, moment, 4).to_list() == rows
