"""
From the table of a metric to a chart: which form, which column is a mark's value, and the words around it.

The order of the parts; nothing imports from a part behind it:
figures → bars, stages, movement, outcomes, predictions → draw.
"""

from __future__ import annotations

from dealdb.analytics.drawing.draw import chart_of

__all__ = ["chart_of"]
