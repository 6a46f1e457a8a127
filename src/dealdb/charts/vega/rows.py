"""Marks as rows for Vega: floats for places only; the texts beside them are made from the exact values."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, TypeAlias

import altair as alt
import polars as pl

from dealdb.charts.chart import Axis, Chart, Unit
from dealdb.charts.marks import told_apart
from dealdb.charts.vega.style import LETTER, SOFT
from dealdb.charts.wording import label_text, mark_text, place_of, short_text
from dealdb.formats.locale import Locale

Rows = list[dict[str, Any]]
# what Altair makes; its own types don't know what its methods give back
Shape: TypeAlias = Any
# columns that are places along an axis of numbers
_PLACES = ("value", "low", "high", "middle", "start", "end", "target", "share", "next", "n")
_NAMES = ("label", "series", "part", "column")
_MOST_TICKS = 6
_NO_DIGIT = re.compile(r"[.,]0(?= )")
# of a name beside a mark, and of a text above or below the picture
_MOST_LETTERS, _MOST_SAID = 60, 600


@dataclass(frozen=True, slots=True)
class DrawnPanel:
    """
    One panel of a chart, ready to be drawn.

    Attributes
    ----------
    chart
        The whole.
    marks
        Of the panel, with exact values.
    rows
        The same: places as floats, names as texts, ``told`` with everything exact.
    locale
        Of the reader.
    width
        Of the plot, in pixels.
    short_names
        What names are shortened to.
    reach
        The least and the largest place along ``y`` that has to be shown.
    """

    chart: Chart
    marks: Rows
    rows: Rows
    locale: Locale
    width: int
    short_names: Mapping[str, str]
    reach: tuple[float, float]

    def has(self, *columns: str) -> bool:
        """Whether the marks have some columns."""
        return {*columns} <= {*self.chart.marks.columns}

    def base(self, rows: Rows | None = None) -> Shape:
        """A chart of the rows, or of others, without marks yet."""
        return shape_of(self.rows if rows is None else rows)

    @property
    def tooltip(self) -> alt.Tooltip:
        """What a mark says, exact."""
        return alt.Tooltip(field="told", type="nominal", title=" ")

    def short(self, value: object) -> str:
        """A value of ``y`` in a few digits."""
        return short_text(value, self.chart.y, self.locale)

    def names(self, column: str) -> list[str]:
        """The values of a column of names, in the order of the rows of all panels."""
        values = self.chart.marks[column].unique(maintain_order=True).to_list()
        return [self.short_names[label_text(value, self.locale)] for value in values]

    def _tick(self, tick: float, axis: Axis) -> str:
        if axis.unit is Unit.SHARE and round(tick * 100, 9).is_integer():
            return self.locale.share(tick, 0)
        # a round value has no digit behind its point
        return _NO_DIGIT.sub("", short_text(_plain(tick), axis, self.locale))

    def axis(self, axis: Axis, reach: tuple[float, float]) -> alt.Axis:
        """Ticks at round values, with our own texts."""
        ticks = round_ticks(*reach, whole=axis.unit is Unit.DEALS)
        texts = [self._tick(tick, axis) for tick in ticks]
        expression = f"{json.dumps(texts)}[indexof({json.dumps(ticks)}, datum.value)]"
        return alt.Axis(
            values=ticks,
            labelExpr=expression,
            title=title_of(axis),
            labelColor=SOFT,
        )


def shape_of(rows: Rows) -> Shape:
    """A chart of rows, without marks yet."""
    return alt.Chart(alt.InlineData(rows))


def short_names(chart: Chart, locale: Locale) -> dict[str, str]:
    """
    What names are shortened to, as Vega takes seconds to measure a long one; no two become the same.

    Examples
    --------
    >>> marks = pl.DataFrame({"label": ["x" * 500, "x" * 400], "value": [1, 2]})
    >>> axis = Axis(title="", unit=Unit.LABEL)
    >>> chart = Chart(form="bars", title="", subtitle="", marks=marks, x=axis, y=axis)
    >>> [name[-6:] for name in short_names(chart, Locale("")).values()]
    ['xxxxx…', 'x… (2)']
    """
    columns = [name for name in (*_NAMES, "x") if name in chart.marks.columns]
    texts = [
        label_text(each, locale)
        for name in columns
        for each in chart.marks[name].unique(maintain_order=True)
    ]
    names = list(dict.fromkeys(texts))
    cut = [name if len(name) <= _MOST_LETTERS else f"{name[:_MOST_LETTERS]}…" for name in names]
    return dict(zip(names, told_apart(pl.Series(cut, dtype=pl.String)).to_list(), strict=True))


def row_of(
    chart: Chart, mark: dict[str, Any], locale: Locale, names: Mapping[str, str]
) -> dict[str, Any]:
    """A mark as a row, whose names are shortened."""
    row: dict[str, Any] = {"told": mark_text(chart, mark, locale)}
    for name, value in mark.items():
        if name in _PLACES:
            row[name] = place_of(value)
        elif name in _NAMES:
            row[name] = names[label_text(value, locale)]
        elif name == "is_total":
            row[name] = bool(value)
    if "x" in mark:
        is_label = chart.x.unit is Unit.LABEL
        row["x"] = (
            names[label_text(mark["x"], locale)]
            if is_label
            else mark["x"].isoformat()
            if chart.x.unit is Unit.DATE
            else place_of(mark["x"])
        )
    shown = mark.get("middle") if "middle" in mark else mark.get("value")
    row["text"] = short_text(shown, chart.y, locale)
    return row


def reach_of(rows: Rows, columns: Sequence[str], *, zero: bool = True) -> tuple[float, float]:
    """
    The least and the largest place of some columns.

    Examples
    --------
    >>> reach_of([{"value": 3.0, "low": None}], ["value", "low"]), reach_of([], ["value"])
    ((0.0, 3.0), (0.0, 1.0))
    """
    known = [row[name] for row in rows for name in columns if row.get(name) is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    return (low, high) if high > low else (low, low + 1.0)


def round_ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    """
    Round values between two, a handful of them.

    Examples
    --------
    >>> round_ticks(0, 5450.75), round_ticks(0, 2, whole=True)
    ([0.0, 1000.0, 2000.0, 3000.0, 4000.0, 5000.0], [0.0, 1.0, 2.0])
    """
    span = high - low
    if not span > 0 or not math.isfinite(span):
        return [low]
    rough = span / _MOST_TICKS
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * each for each in (1, 2, 5, 10, 20) if size * each >= rough)
    if whole:
        step = max(step, 1.0)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(place * step, 12) for place in range(first, last + 1)]


def title_of(axis: Axis) -> str | None:
    """What stands beside an axis; money with its currency."""
    if axis.unit is Unit.MONEY and axis.currency:
        return f"{axis.title}, {label_text(axis.currency)}"
    return axis.title or None


def lines_of(text: str, width: int) -> list[str]:
    """A text in lines of at most so many pixels."""
    said = label_text(text)
    if len(said) > _MOST_SAID:
        said = f"{said[:_MOST_SAID]}…"
    return wrap(said, max(20, int(width / LETTER))) or [""]


def _plain(tick: float) -> float | int:
    return int(tick) if tick.is_integer() else tick
