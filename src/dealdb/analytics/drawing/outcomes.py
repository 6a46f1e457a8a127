"""Charts of what became of deals: ``cohorts``, ``ramp``, ``concentration``."""

from __future__ import annotations

import re

import polars as pl

from dealdb.analytics.drawing.figures import FigureTable, Groups
from dealdb.charts.chart import Axis, Chart, ChartForm, Unit

_PERIOD = re.compile(r"by (\w+), measure (\w+)")
# the column of each measure, and what a cell is
_MEASURES = {
    "won_n": ("won", "won deals", Unit.DEALS),
    "won_value": ("value", "won value", Unit.MONEY),
    "win_rate": ("rate", "share won", Unit.SHARE),
}


def cohorts(table: FigureTable) -> Chart:
    """What was won by each age of the deals that were created in a period."""
    asked = next(filter(None, map(_PERIOD.fullmatch, table.basis.notes)), None)
    period, measure = (asked[1], asked[2]) if asked else ("period", "won_n")
    column, words, unit = _MEASURES[measure]
    marks = table.marks(
        Groups.PANEL,
        label=table.texts(["label"]),
        column=table.texts(["k"]),
        value=pl.col(column),
    )
    y = table.money(words) if unit is Unit.MONEY else Axis(title=words, unit=unit)
    return table.chart(
        ChartForm.HEAT,
        "How much was won of the deals created in each period",
        # what has not begun yet has no cell
        marks.drop_nulls("value"),
        x=Axis(title=f"{period}s since creation", unit=Unit.LABEL),
        y=y,
    )


def ramp(table: FigureTable) -> Chart:
    """What each new owner has won, by months since the beginning."""
    marks = table.marks(
        Groups.SERIES, is_money=True, x=table.texts(["month"]), value=pl.col("cumulative")
    )
    return table.chart(
        ChartForm.LINES,
        "How quickly new owners come to win",
        marks.drop_nulls("value"),
        x=Axis(title="months since the beginning", unit=Unit.LABEL),
        y=table.money("won value so far"),
    )


def concentration(table: FigureTable) -> Chart:
    """The share of the largest groups in the whole."""
    names = [f"the top {k} of {n}" for k, n in table.frame.select("k", "groups").rows()]
    marks = table.marks(Groups.PANEL, label=pl.Series(names), value=pl.col("top_share"))
    return table.chart(
        ChartForm.BARS,
        "How much hangs on the largest",
        marks,
        x=Axis(title="", unit=Unit.LABEL),
        y=Axis(title="share of the value", unit=Unit.SHARE),
    )
