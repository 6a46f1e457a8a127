"""What no option takes is a QueryError, never an error of Python."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from dealdb.analytics.history.stages.funnel import funnel
from dealdb.analytics.history.stages.rotting import rotting
from dealdb.analytics.metrics import concentration, leaderboard, trend, win_rate
from dealdb.analytics.prediction.forecast_error import forecast_error
from dealdb.analytics.prediction.simulate import simulate
from dealdb.analytics.prediction.survival import survival
from dealdb.errors import QueryError
from dealdb.model.pipeline import Pipeline
from pasts import past_of

FRAME = pl.DataFrame({"stage": ["Won"], "owner": ["Ann"], "company": ["Acme"]})
STAGES = Pipeline().covering(["Won"])


@pytest.mark.parametrize("by", [5, 5.5, True, b"owner", [5], [["owner"]], 0])
@pytest.mark.parametrize("metric", [concentration, leaderboard, trend, win_rate])
def test_what_is_not_a_column(metric: Any, by: Any) -> None:
    with pytest.raises(QueryError, match=r"^by"):
        metric(FRAME, STAGES, by=by)


@pytest.mark.parametrize("number", [2.0, True, "2", None, 0, -1, [2]])
def test_what_is_not_a_whole_number(number: Any) -> None:
    with pytest.raises(QueryError, match="k is a whole number from 1"):
        concentration(FRAME, STAGES, k=number)
    if number is None:
        # that is what the pipeline says
        return
    with pytest.raises(QueryError, match="fiscal_year_start is a whole number from 1 to 12"):
        trend(FRAME, STAGES, fiscal_year_start=number)


def test_groups_may_come_as_any_collection() -> None:
    for by in (("owner",), {"owner"}, iter(["owner"])):
        assert win_rate(FRAME, STAGES, by=by).rows() == [("Ann", 1, 1, 0, 1.0)]  # type: ignore[arg-type]


# of each option, values that it does not take
REFUSED: list[tuple[Any, str, list[Any]]] = [
    (survival, "level", [None, 0, 1, "x", Decimal("NaN"), True]),
    (simulate, "rho", [None, 1, -0.1, [], Decimal("NaN")]),
    (forecast_error, "days_before", [None, 7, "90", [1.5]]),
    (funnel, "cohort", [None, b"created", 5]),
    (rotting, "respite", [5, []]),
    (rotting, "ignore_actors", [None, "sync", [5]]),
]


@pytest.mark.parametrize(("metric", "option", "values"), REFUSED)
def test_what_an_option_of_the_past_does_not_take(
    metric: Any, option: str, values: list[Any]
) -> None:
    needed = {survival: {"stage": "Lead"}, simulate: {"until": "2026-04-01"}}
    past = past_of(as_of="2026-03-01")
    for value in values:
        with pytest.raises(QueryError, match=f"^{option}"):
            metric(past, **needed.get(metric, {}), **{option: value})
