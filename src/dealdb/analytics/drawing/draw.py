"""The chart of a result, by the name of its metric."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from dealdb.analytics.basis import Basis
from dealdb.analytics.drawing import movement, outcomes, predictions, stages
from dealdb.analytics.drawing.bars import BAR_FORMS, bars
from dealdb.analytics.drawing.figures import FigureTable
from dealdb.charts.chart import Chart
from dealdb.errors import QueryError

_LINE = {"id", "from", "to", "at"}
_DRAWN: dict[str, Callable[[FigureTable], Chart]] = {
    **dict.fromkeys(BAR_FORMS, bars),
    **{
        function.__name__: function
        for function in (
            stages.pipeline, stages.funnel, stages.ageing, stages.rotting,
            movement.waterfall, movement.hindsight, movement.coverage, movement.forecast, movement.trend,
            outcomes.cohorts, outcomes.ramp, outcomes.concentration,
            predictions.survival, predictions.time_to_close, predictions.simulate, predictions.calibration,
            predictions.forecast_error, predictions.seasonality,
        )
    },
}  # fmt: skip


def chart_of(name: str, frame: pl.DataFrame, basis: Basis) -> Chart:
    """
    The chart of a metric.

    Parameters
    ----------
    name
        Of the metric.
    frame
        Its rows, or the first of them.
    basis
        What they rest on.

    Raises
    ------
    QueryError
        If the rows are lines of deals, or of no metric.

    Examples
    --------
    >>> frame = pl.DataFrame({"owner": ["Ann"], "n": [4], "win_rate": [0.25]})
    >>> chart_of("win_rate", frame, Basis(n=4)).marks.rows(named=True)
    [{'row': 0, 'value': 0.25, 'label': 'Ann'}]
    """
    if {*frame.columns} >= _LINE:
        msg = (
            f"{name} with a line for each deal has no chart: leave out deals=True, as the chart is that of the figures "
            "to which the lines add up"
        )
        raise QueryError(msg)
    if name not in _DRAWN:
        msg = f"there is no chart of {name!r}; there is one of {', '.join(sorted(_DRAWN))}"
        raise QueryError(msg)
    return _DRAWN[name](FigureTable(name, frame, basis))
