"""``specification``: a chart as one of Vega-Lite, made by Altair."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import altair as alt

from dealdb.charts.chart import Chart, ChartForm
from dealdb.charts.vega.forms.bars import bars
from dealdb.charts.vega.forms.heat import heat
from dealdb.charts.vega.forms.plane import dots, fan, lines, scatter, steps
from dealdb.charts.vega.forms.steps import funnel, waterfall
from dealdb.charts.vega.rows import (
    DrawnPanel,
    Rows,
    Shape,
    lines_of,
    reach_of,
    row_of,
    shape_of,
    short_names,
)
from dealdb.charts.vega.style import CONFIG, PANEL_WIDTH, SOFT, WIDTH
from dealdb.charts.wording import label_text
from dealdb.formats.locale import PLAIN, Locale

_FORMS: dict[ChartForm, Callable[[DrawnPanel], Shape]] = {
    ChartForm.BARS: bars,
    ChartForm.FUNNEL: funnel,
    ChartForm.WATERFALL: waterfall,
    ChartForm.HEAT: heat,
    ChartForm.FAN: fan,
    ChartForm.STEPS: steps,
    ChartForm.DOTS: dots,
    ChartForm.LINES: lines,
    ChartForm.SCATTER: scatter,
}
_REACH = ("value", "low", "high", "middle", "target")
_WORDS_WIDTH = 620
_NOTHING = "no deals to draw"


def specification(chart: Chart, locale: Locale = PLAIN) -> dict[str, Any]:
    """
    A chart as Vega-Lite: a plain dict, with its data in it.

    Parameters
    ----------
    chart
        What to draw.
    locale
        How the reader writes numbers and days.
    """
    if chart.marks.is_empty():
        pictures: list[Any] = [_nothing()]
    else:
        names = short_names(chart, locale)
        pictures = [_picture(chart, panel, locale, names) for panel in chart.panels]
    columns = 1 if len(pictures) == 1 else 2
    whole = alt.concat(*pictures, columns=columns).resolve_scale(
        x="independent", y="independent", color="shared", size="independent"
    )
    # each of them begins where its letters or bars do
    parts = [whole, _notes(chart)] if chart.notes else [whole]
    title = alt.TitleParams(
        text=lines_of(chart.title, 430), subtitle=lines_of(chart.subtitle, _WORDS_WIDTH)
    )
    shown = alt.vconcat(*parts, spacing=16, align="none").properties(title=title, config=CONFIG)
    found: dict[str, Any] = shown.to_dict(validate=False)
    return found


def _picture(chart: Chart, panel: str | None, locale: Locale, names: Mapping[str, str]) -> Shape:
    is_only = len(chart.panels) == 1
    marks = chart.of_panel(panel).to_dicts()
    rows = [row_of(chart, mark, locale, names) for mark in marks]
    width = WIDTH if is_only else PANEL_WIDTH
    reach = _reach(chart, rows, locale, names)
    drawn = DrawnPanel(chart, marks, rows, locale, width, names, reach)
    picture = _FORMS[chart.form](drawn)
    if is_only and panel is None:
        return picture
    name = label_text(panel, locale)[:200]
    title = alt.TitleParams(
        text=name, fontSize=13, anchor="start", frame="group", offset=8, limit=width
    )
    return picture.properties(title=title)


def _reach(
    chart: Chart, rows: Rows, locale: Locale, names: Mapping[str, str]
) -> tuple[float, float]:
    """Of one panel where each has money of its own, of all where they can be compared."""
    if chart.y.unit == "money" and chart.y.currency is None:
        seen = rows
    else:
        marks = chart.marks.iter_rows(named=True)
        seen = (
            rows
            if len(chart.panels) == 1
            else [row_of(chart, mark, locale, names) for mark in marks]
        )
    if "part" in chart.marks.columns:
        return _stacked_reach(seen)
    if chart.form is ChartForm.WATERFALL:
        return reach_of(seen, ("start", "end"))
    return reach_of(seen, _REACH, zero=chart.form is not ChartForm.SCATTER)


def _stacked_reach(rows: Rows) -> tuple[float, float]:
    sums: dict[tuple[object, object, bool], float] = {}
    for row in rows:
        value = row["value"] or 0.0
        key = (row.get("panel"), row["label"], value < 0)
        sums[key] = sums.get(key, 0.0) + value
    return reach_of([{"value": value} for value in sums.values()], ("value",))


def _nothing() -> Shape:
    text = shape_of([{"text": _NOTHING}]).mark_text(color=SOFT, fontSize=13)
    return alt.layer(text.encode(text="text:N")).properties(width=WIDTH, height=80)


def _notes(chart: Chart) -> Shape:
    """What to know before believing it, below the picture."""
    told = [line for note in chart.notes for line in lines_of(note, _WORDS_WIDTH)]
    rows = [{"line": place, "text": line} for place, line in enumerate(told)]
    base = shape_of(rows)
    text = base.mark_text(align="left", color=SOFT, fontSize=11).encode(
        x=alt.value(0),
        y=alt.Y("line:O", axis=None),
        text="text:N",
    )
    return alt.layer(text).properties(width=WIDTH, height=alt.Step(16))
