"""What was so of a deal at a moment."""

from __future__ import annotations

import polars as pl
import pytest

from dealdb.analytics.history.state import values_until


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
