"""Own columns may have the names of sums that velocity doesn't show."""

from __future__ import annotations

import polars as pl
import pytest

from dealdb.analytics.metrics import velocity
from dealdb.errors import QueryError
from dealdb.model.pipeline import Pipeline

FRAME = pl.DataFrame(
    {
        "stage": ["Won", "Demo"],
        "amount": [5, 7],
        "open": ["x", "y"],
        "lost": [True, False],
        "won_value": [1, 2],
        "won": ["a", "b"],
    }
)
STAGES = Pipeline().covering(["Won", "Demo"])


@pytest.mark.parametrize("name", ["open", "lost", "won_value"])
@pytest.mark.parametrize(("basis", "n"), [("closed", [1]), ("open", [0, 1])])
def test_a_group_of_that_name(name: str, basis: str, n: list[int]) -> None:
    result = velocity(FRAME, STAGES, name, basis=basis)
    assert sorted(result.frame["n"]) == n
    assert result.frame.columns[0] == name


def test_a_figure_that_is_shown_keeps_its_name() -> None:
    with pytest.raises(QueryError, match="has the name of a figure"):
        velocity(FRAME, STAGES, "won")
