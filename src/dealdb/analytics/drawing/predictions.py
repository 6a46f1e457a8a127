"""Charts of what is likely to come, and of how right that was."""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Sequence
from datetime import timedelta

import polars as pl

from dealdb.analytics.drawing.figures import FigureTable, Groups, with_words
from dealdb.charts.chart import Axis, Chart, ChartForm, Unit

_MONTHS = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
TARGETS = {"horizon": "in time", "eventually": "in the end"}
_STAGE = "stage "
# what a curve of survival is called, by the event that it waits for
_SURVIVAL = {
    "left": "How long deals stay in {}",
    "forward": "How long deals in {} take to move on",
    "closed": "How long deals in {} take to be won or lost",
    "won": "How long deals in {} take to be won",
}
_NO_N = pl.lit(None, pl.UInt32)


def survival(table: FigureTable) -> Chart:
    """The share that is left by days since the entry, which begins with all of them."""
    marks = table.marks(
        Groups.SERIES,
        x=pl.col("days"),
        value=pl.col("s"),
        low=pl.col("lo"),
        high=pl.col("hi"),
    )
    own = [name for name in ("series",) if name in marks.columns]
    first = marks.group_by(own, maintain_order=True).head(1) if own else marks.head(1)
    whole = {"x": 0.0, "value": 1.0, "low": 1.0, "high": 1.0}
    start = first.filter(pl.col("x") > 0).with_columns(
        pl.lit(None, pl.UInt32).alias("row"),
        *(pl.lit(value, marks.schema[name]).alias(name) for name, value in whole.items()),
    )
    order = marks["series"].unique(maintain_order=True) if own else None
    both = pl.concat([start.select(marks.columns), marks])
    if order is not None:
        # a curve begins in front of its own marks
        parts = [both.filter(pl.col("series").eq_missing(pl.lit(each))) for each in order]
        both = pl.concat([both.clear(), *parts])
    return table.chart(
        ChartForm.STEPS,
        _survival_title(table.basis.notes),
        both,
        x=Axis(title="days since the entry", unit=Unit.DAYS),
        y=Axis(title="share not ended yet", unit=Unit.SHARE),
    )


def _survival_title(notes: Sequence[str]) -> str:
    """What the curve is of, by the stage and the event that the notes name."""
    stages = [note for note in notes if note.startswith(_STAGE)]
    stage = literal_eval(stages[0].removeprefix(_STAGE)) if stages else "the stage"
    event = next((event for event in _SURVIVAL if f"event {event}" in notes), "left")
    return _SURVIVAL[event].format(stage)


def time_to_close(table: FigureTable) -> Chart:
    """Days that deals still take: half of them, and from 1 in 10 to 9 in 10."""
    by_deal = "id" in table.frame.columns
    label = "id" if by_deal else "stage"
    marks = table.marks(
        Groups.LABEL, value=pl.col("p50"), low=pl.col("p10"), high=pl.col("p90")
    ).with_columns(label=table.texts([label]))
    # what too little is known of has no days; those that have come first
    known = marks.drop_nulls("value")
    left = marks.height - known.height
    rows = "deals" if by_deal else "stages"
    return table.chart(
        ChartForm.BARS,
        "Days that open deals still take",
        known,
        x=Axis(title="deal" if by_deal else "stage", unit=Unit.LABEL),
        y=Axis(title="half of them within, and from 1 to 9 in 10, days", unit=Unit.DAYS),
        notes=[f"Too little is known of {left:,} {rows}, which are not drawn."] if left else (),
    )


def simulate(table: FigureTable) -> Chart:
    """From what is won to date to the range at the end."""
    basis = table.basis
    last = basis.until - timedelta(days=1) if basis.until else None
    days = pl.Series([basis.as_of, last], dtype=pl.Date)
    several = table.frame["rho"].n_unique() > 1
    layers = [
        table.marks(
            Groups.PANEL,
            x=pl.lit(day, pl.Date),
            low=pl.col(low),
            middle=pl.col(middle),
            high=pl.col(high),
            series=pl.format("correlation {}", pl.col("rho")),
        )
        for day, low, middle, high in (
            (days[0], "won", "won", "won"),
            (days[1], "p10", "p50", "p90"),
        )
    ]
    marks = pl.concat(layers).sort("row", maintain_order=True)
    return table.chart(
        ChartForm.FAN,
        f"What will have been won by {last}",
        marks if several else marks.drop("series"),
        x=Axis(title="", unit=Unit.DATE),
        y=table.money("won value: middle, and 8 of 10 outcomes"),
    )


def calibration(table: FigureTable) -> Chart:
    """What the chances said against the share that was won."""
    said = pl.col("base_rate") + pl.col("bias")
    marks = table.marks(
        Groups.PANEL,
        x=said,
        value=pl.col("base_rate"),
        low=said - pl.col("bias_hi"),
        high=said - pl.col("bias_lo"),
        n=pl.col("n"),
        series=with_words("target", TARGETS),
    )
    return table.chart(
        ChartForm.DOTS,
        "Were the chances right?",
        marks.drop_nulls(["x", "value"]),
        x=Axis(title="what the chances said", unit=Unit.SHARE),
        y=Axis(title="share that was won", unit=Unit.SHARE),
    )


def forecast_error(table: FigureTable) -> Chart:
    """Forecasts against what was won in the end."""
    marks = table.marks(
        Groups.PANEL,
        x=pl.col("base"),
        value=pl.col("actual"),
        low=pl.lit(None, table.frame.schema["actual"]),
        high=pl.lit(None, table.frame.schema["actual"]),
        n=_NO_N,
        series=pl.format("{} days before", pl.col("days_before")),
        label=pl.col("label"),
    )
    return table.chart(
        ChartForm.DOTS,
        "Forecasts, and what was won",
        marks.drop_nulls(["x", "value"]),
        x=table.money("forecast"),
        y=table.money("won in the end"),
    )


def seasonality(table: FigureTable) -> Chart:
    """How strong each month or quarter is, beside the year around it."""
    by_month = "month" in table.frame.columns
    places = table.frame["month" if by_month else "quarter"].to_list()
    names = [_MONTHS[place - 1] if by_month else f"Q{place}" for place in places]
    marks = table.marks(Groups.SERIES, x=pl.Series(names), value=pl.col("factor"))
    return table.chart(
        ChartForm.LINES,
        f"How strong each {'month' if by_month else 'quarter'} is",
        marks,
        x=Axis(title="month" if by_month else "quarter", unit=Unit.LABEL),
        y=Axis(title="times the year around it", unit=Unit.NUMBER),
    )
