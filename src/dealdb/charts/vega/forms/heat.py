"""Cells with a colour for their value."""

from __future__ import annotations

import altair as alt

from dealdb.charts.vega.rows import DrawnPanel, Shape, title_of
from dealdb.charts.vega.style import HEAT, INK

_WIDE, _HIGH = 56, 30
# from here on the ground is dark
_DARK = 0.62


def heat(panel: DrawnPanel) -> Shape:
    """A cell for each column and label."""
    low, high = panel.reach
    rows = [row for row in panel.rows if row["value"] is not None]
    x = alt.X(
        "column:N",
        sort=list(dict.fromkeys(row["column"] for row in rows)),
        title=title_of(panel.chart.x),
        axis=alt.Axis(labelAngle=0, labelOverlap=True),
    )
    y = alt.Y("label:N", sort=list(dict.fromkeys(row["label"] for row in rows)), title=None)
    colour = alt.Color(
        "value:Q",
        scale=alt.Scale(domain=[low, high], range=list(HEAT), interpolate="rgb"),
        legend=_legend(panel, len({row["label"] for row in rows})),
    )
    base = panel.base(rows).encode(x=x, y=y, tooltip=panel.tooltip)
    cells = base.mark_rect(stroke="#ffffff", strokeWidth=1).encode(color=colour)
    texts = [
        panel.base([row for row in rows if (_share(row["value"], low, high) > _DARK) is is_dark])
        .mark_text(color="#ffffff" if is_dark else INK)
        .encode(x=x, y=y, text="text:N")
        for is_dark in (False, True)
    ]
    return alt.layer(cells, *texts).properties(width=alt.Step(_WIDE), height=alt.Step(_HIGH))


def _legend(panel: DrawnPanel, labels: int) -> alt.Legend:
    axis = panel.axis(panel.chart.y, panel.reach).to_dict()
    return alt.Legend(
        title=title_of(panel.chart.y),
        values=axis["values"],
        labelExpr=axis["labelExpr"],
        gradientLength=max(60, min(140, _HIGH * labels)),
        titleLimit=160,
    )


def _share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.0
