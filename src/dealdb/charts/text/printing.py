"""``lines_of``: a chart as lines of text."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import replace

from dealdb.charts.chart import Chart, ChartForm
from dealdb.charts.text.grids import heat, scatter
from dealdb.charts.text.tables import bars, dots, funnel, waterfall
from dealdb.charts.text.text_page import Lines, Row, TextPage
from dealdb.charts.text.trends import trends
from dealdb.charts.wording import axis_title, label_text
from dealdb.formats.locale import PLAIN, Locale
from dealdb.formats.terminal import cut

_FORMS: dict[ChartForm, Callable[[TextPage, Sequence[Row]], Lines]] = {
    ChartForm.BARS: bars,
    ChartForm.FUNNEL: funnel,
    ChartForm.WATERFALL: waterfall,
    ChartForm.HEAT: heat,
    ChartForm.FAN: trends,
    ChartForm.STEPS: trends,
    ChartForm.DOTS: dots,
    ChartForm.LINES: trends,
    ChartForm.SCATTER: scatter,
}


def lines_of(
    chart: Chart, width: int = 80, locale: Locale = PLAIN, *, with_heading: bool = True
) -> list[str]:
    r"""
    A chart as lines that a terminal can show: bars, sparklines and shades of block characters.

    Parameters
    ----------
    chart
        What to show.
    width
        Columns of the terminal, 40 at least; no line is wider.
    locale
        How numbers and days are written.
    with_heading
        Begin with the title and what the figures rest on.

    Returns
    -------
    list of str
        Nothing in them steers a terminal, whatever the deals are named.

    Examples
    --------
    >>> import polars as pl
    >>> from dealdb.charts import Axis, Unit
    >>> chart = Chart(
    ...     form=ChartForm.BARS,
    ...     title="Open deals",
    ...     subtitle="n 10",
    ...     marks=pl.DataFrame({"label": ["Ann", "Bob"], "value": [7, 3]}),
    ...     x=Axis(title="owner", unit=Unit.LABEL),
    ...     y=Axis(title="deals", unit=Unit.DEALS),
    ... )
    >>> print("\n".join(lines_of(chart, 40)))
    Open deals
    n 10
    Ann  ████████████████████████████████  7
    Bob  █████████████▊                    3
    """
    page = TextPage(chart, max(width, 40), locale)
    lines = _wrapped(page, chart.title, chart.subtitle) if with_heading else []
    if chart.y.currency:
        lines += _wrapped(page, axis_title(chart.y))
    for place, name in enumerate(chart.panels):
        scaled = [list(marks.iter_rows(named=True)) for marks in chart.with_panel(name)]
        own = place if chart.is_on_one_scale else 0
        page, rows = replace(page, scaled=scaled, own=own), scaled[own]
        if len(chart.panels) > 1 or name is not None:
            lines.append(page.text(label_text(name, locale)))
        lines += _FORMS[chart.form](page, rows) if rows else ["no deals"]
    lines += _wrapped(page, *chart.notes)
    return [cut(line, page.width) for line in lines]


def _wrapped(page: TextPage, *texts: str) -> Lines:
    return [line for text in texts for line in textwrap.wrap(page.text(text[:2000]), page.width)]
