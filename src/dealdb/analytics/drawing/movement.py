"""Charts of what changed and what is to come: ``waterfall``, ``hindsight``, ``coverage``, ``forecast``, ``trend``."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Context, Decimal

import polars as pl

from dealdb.analytics.drawing.figures import FigureTable, Groups, with_words
from dealdb.charts.chart import Axis, Chart, ChartForm, Unit
from dealdb.model.schema import MAX_DECIMAL_DIGITS

# sums of amounts have all their digits
_EXACT = Context(prec=2 * MAX_DECIMAL_DIGITS)
_TOTALS = ("start", "end", "then", "now")
_FIRST = ("start", "then")
TAKES = ("won", "lost", "pushed_out", "down", "deleted", "transferred_out", "removed")
# values with the signs with which they add up
SIGNED = pl.when(pl.col("bucket").is_in(TAKES)).then(-pl.col("value")).otherwise("value")
# what people call the rows; in tables, too
BUCKETS = {
    "start": "open at the start",
    "pulled_in": "pulled in",
    "up": "amount raised",
    "pushed_out": "pushed out",
    "down": "amount lowered",
    "transferred_in": "taken over",
    "transferred_out": "handed over",
    "fx": "exchange rates",
    "end": "open at the end",
}
KNOWLEDGE = {
    "then": "known then",
    "added": "added later",
    "up": "amount raised",
    "down": "amount lowered",
    "removed": "no longer won",
    "now": "known now",
}
_NO_LABEL = Axis(title="", unit=Unit.LABEL)


def waterfall(table: FigureTable) -> Chart:
    """From the open value of one day to that of another."""
    return _steps(table, "What changed in the open pipeline", "open value", BUCKETS)


def hindsight(table: FigureTable) -> Chart:
    """From the wins that were known to those that are."""
    return _steps(table, "How the wins of the period changed since", "won value", KNOWLEDGE)


def _steps(table: FigureTable, title: str, axis: str, words: Mapping[str, str]) -> Chart:
    is_total = pl.col("bucket").is_in(_TOTALS)
    marks = table.marks(
        Groups.PANEL,
        label=with_words("bucket", words),
        value=SIGNED,
        is_total=is_total,
        bucket=pl.col("bucket"),
    )
    marks = marks.with_columns(*_places(marks))
    # a step of nothing has no picture; in a chart of several groups each has the same steps
    moves = marks.filter(pl.col("is_total") | (pl.col("value") != 0))["label"].unique()
    still = [name for name in marks["label"].unique(maintain_order=True) if name not in moves]
    notes = [f"Nothing to draw, as it is 0: {', '.join(still)}."] if still else []
    kept = marks.filter(pl.col("label").is_in(moves.implode())).drop("bucket")
    return table.chart(
        ChartForm.WATERFALL, title, kept, x=_NO_LABEL, y=table.money(axis), notes=notes
    )


def _places(marks: pl.DataFrame) -> list[pl.Series]:
    """Where each bar begins and ends, exactly; each panel begins anew."""
    panels = marks["panel"] if "panel" in marks.columns else [None] * marks.height
    reached: dict[str | None, Decimal] = {}
    starts, ends = [], []
    for panel, bucket, value in zip(panels, marks["bucket"], marks["value"], strict=True):
        start = Decimal(0) if bucket in _TOTALS else reached.get(panel, Decimal(0))
        end = _EXACT.add(start, value)
        reached[panel] = end
        starts.append(start)
        ends.append(end)
    dtype = marks.schema["value"]
    return [
        pl.Series("start", starts, dtype=dtype),
        pl.Series("end", ends, dtype=dtype),
    ]


def coverage(table: FigureTable) -> Chart:
    """The open value of each group, and how much of it is needed."""
    needed = pl.coalesce(pl.col("open") + pl.col("gap"), pl.col("open") - pl.col("surplus"))
    # what is won beyond the target asks for nothing
    needed = pl.when(needed < 0).then(0).otherwise(needed)
    marks = table.marks(
        Groups.LABEL, "open deals", is_money=True, value=pl.col("open"), target=needed
    )
    return table.chart(
        ChartForm.BARS,
        "Is the open pipeline enough?",
        marks,
        x=table.groups_axis(),
        y=table.money("open value, and what is needed"),
    )


def forecast(table: FigureTable) -> Chart:
    """What is won, and what open deals may bring, by period."""
    parts = {
        "won": "won",
        "commit": "commit",
        "best": "best case",
        "pipeline": "pipeline",
        "omitted": "omitted",
    }
    layers = [
        table.marks(
            Groups.PANEL, label=table.texts(["label"]), value=pl.col(column), part=pl.lit(name)
        )
        for column, name in parts.items()
        # a category that nobody uses is no colour of the legend
        if column in ("won", "pipeline") or (table.frame[column] != 0).any()
    ]
    return table.chart(
        ChartForm.BARS,
        "What each period may bring",
        pl.concat(layers).sort("row", maintain_order=True),
        x=Axis(title="period", unit=Unit.LABEL),
        y=table.money("value, if all of it is won"),
    )


def trend(table: FigureTable) -> Chart:
    """The value that was won in each period."""
    marks = table.marks(
        Groups.SERIES, is_money=True, x=table.texts(["label"]), value=pl.col("won_value")
    )
    return table.chart(
        ChartForm.LINES,
        "What was won in each period",
        marks,
        x=Axis(title="period", unit=Unit.LABEL),
        y=table.money("won value"),
    )
