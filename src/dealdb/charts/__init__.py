"""
Charts: what a picture shows, apart from how it is drawn.

``Chart`` is a form, its marks as a table, and the words around them. It knows nothing of metrics, and each way to draw
it knows nothing of the others.

The order of the parts; nothing imports from a part behind it:
chart → marks, wording, scales, tones → frames, svg, text, vega → picture.
"""

from __future__ import annotations

from dealdb.charts.chart import Axis, Chart, ChartForm, Unit
from dealdb.charts.frames import bar_chart, deals_chart, scatter_chart
from dealdb.charts.picture import Picture

__all__ = [
    "Axis", "Chart", "ChartForm", "Picture", "Unit", "bar_chart", "deals_chart", "scatter_chart",
]  # fmt: skip
