"""
Charts: what a picture shows, apart from how it is drawn.

``Chart`` is a form, its marks as a table, and the words around them. It knows nothing of metrics, and each way to draw
it knows nothing of the others.

The order of the parts; nothing imports from a part behind it:
chart, scales → wording → svg, text.
"""

from __future__ import annotations

from dealdb.charts.chart import Axis, Chart, ChartForm, Unit

__all__ = ["Axis", "Chart", "ChartForm", "Unit"]
