"""The sentence for a result, by the name of its metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import localcontext
from typing import TYPE_CHECKING, Any

from dealdb.answers import movement, outcomes, predictions, stages
from dealdb.answers.asked import AskedMetric

if TYPE_CHECKING:
    from dealdb.analytics.result import MetricResult

_ANSWERS: dict[str, Callable[[AskedMetric], str]] = {
    function.__name__: function
    for function in (
        stages.funnel, stages.time_in_stage, stages.ageing, stages.rotting,
        movement.waterfall, movement.slippage, movement.coverage, movement.forecast,
        outcomes.cohorts, outcomes.losses, outcomes.win_loss, outcomes.ramp, outcomes.leaderboard,
        outcomes.trend, outcomes.attainment,
        outcomes.activity, outcomes.late_entry, outcomes.hindsight,
        predictions.stage_chances, predictions.survival, predictions.time_to_close,
        predictions.simulate, predictions.calibration, predictions.forecast_error,
        predictions.seasonality,
    )
}  # fmt: skip
# more digits than any sum of products of decimals has; a quotient gets as many
_PRECISION = 200
_LINES = "A line for each deal that counts, with what it adds; the lines of a figure add up to it exactly."


def answer_of(result: MetricResult, options: Mapping[str, Any]) -> str | None:
    """
    What a result says to the question of its metric, in a few sentences; None where it has none.

    Parameters
    ----------
    result
        All of its rows.
    options
        As they were given to the method.
    """
    if result.name not in _ANSWERS:
        return None
    # an outlook for each deal adds up to nothing
    if options.get("deals") and result.name != "time_to_close":
        return _LINES if len(result) else "No deal adds to these figures."
    # sums of long amounts keep all their digits
    with localcontext() as context:
        context.prec = _PRECISION
        return _ANSWERS[result.name](AskedMetric(result, options))
