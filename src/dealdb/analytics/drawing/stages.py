"""Charts of deals in their stages: ``pipeline``, ``funnel``, ``ageing``, ``rotting``."""

from __future__ import annotations

import polars as pl

from dealdb.analytics.drawing.figures import FigureTable, Groups
from dealdb.charts.chart import Axis, Chart, ChartForm, Unit

_STAGES = Axis(title="stage", unit=Unit.LABEL)


def pipeline(table: FigureTable) -> Chart:
    """The value of each open stage; what is won and lost would dwarf it."""
    marks = table.marks(
        Groups.PANEL, label=table.texts(["stage"]), value=pl.col("value"), kind=pl.col("kind")
    )
    is_open = pl.col("kind") == "open"
    notes = []
    if marks.filter(is_open).height and marks.filter(~is_open).height:
        marks = marks.filter(is_open)
        notes.append("Won and lost stages are in the table, not in the chart.")
    return table.chart(
        ChartForm.BARS,
        "What is open in each stage",
        marks.drop("kind"),
        x=_STAGES,
        y=table.money("open value" if notes else "value"),
        notes=notes,
    )


def funnel(table: FigureTable) -> Chart:
    """How many deals reached each stage."""
    marks = table.marks(
        Groups.PANEL,
        label=table.texts(["stage"]),
        value=pl.col("n"),
        share=pl.col("cumulative"),
        next=pl.col("next"),
    )
    return table.chart(
        ChartForm.FUNNEL,
        "How far deals come",
        marks,
        x=_STAGES,
        y=Axis(title="deals", unit=Unit.DEALS),
    )


def ageing(table: FigureTable) -> Chart:
    """Open deals by age: bars, or a row of cells for each group."""
    y = Axis(title="open deals", unit=Unit.DEALS)
    buckets = table.texts(["bucket"])
    marks = table.marks(Groups.LABEL, value=pl.col("n"), column=buckets)
    title = "How old open deals are"
    if [name for name in table.groups if name != "currency"]:
        # a group has a row for each bucket: they share its label
        return table.chart(
            ChartForm.HEAT,
            title,
            marks.with_columns(label=table.marks(Groups.SERIES)["series"]),
            x=Axis(title="days", unit=Unit.LABEL),
            y=y,
        )
    bars = table.marks(Groups.PANEL, value=pl.col("n"), label=buckets)
    return table.chart(ChartForm.BARS, title, bars, x=Axis(title="days", unit=Unit.LABEL), y=y)


def rotting(table: FigureTable) -> Chart:
    """Open deals of each stage, those that were left alone for too long and the others."""
    layers = [
        table.marks(Groups.PANEL, label=table.texts(["stage"]), value=value, part=pl.lit(name))
        for name, value in (
            ("rotting", pl.col("rotting")),
            ("in time", pl.col("n") - pl.col("rotting")),
        )
    ]
    return table.chart(
        ChartForm.BARS,
        "Deals that were left alone for too long",
        pl.concat(layers).sort("row", maintain_order=True),
        x=_STAGES,
        y=Axis(title="open deals", unit=Unit.DEALS),
    )
