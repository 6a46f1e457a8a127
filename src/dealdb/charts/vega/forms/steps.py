"""From one total to another, and from one stage to the next: waterfall and funnel."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

import altair as alt

from dealdb.charts.chart import Axis, Unit
from dealdb.charts.vega.rows import DrawnPanel, Shape
from dealdb.charts.vega.style import BAR, DOWN, INK, SOFT, TOTAL, UP
from dealdb.charts.wording import short_text, signed

_STEP, _WRAPPED, _HEIGHT = 84, 12, 300
_FUNNEL_STEP = 46
# a bar that is shorter than this share of the first has no room for its text
_INSIDE = 0.12
_SHARE = Axis(title="", unit=Unit.SHARE)


def waterfall(panel: DrawnPanel) -> Shape:
    """Bars that stand where the one before them ended."""
    rows = [
        {**row, "text": _change(panel, mark), "kind": _kind(mark), "top": _top(row)}
        for mark, row in zip(panel.marks, panel.rows, strict=True)
    ]
    # letters of labels are wrapped by us, as Vega breaks lines at a sign only
    for row in rows:
        row["label"] = "\n".join(wrap(row["label"], _WRAPPED) or [""])
    labels = [row["label"] for row in rows]
    low, high = panel.reach
    air = 0.08 * (high - low)
    scale = alt.Scale(domain=[low - (air if low < 0 else 0), high + air], nice=False, zero=False)
    x = alt.X(
        "label:N",
        sort=labels,
        title=None,
        scale=alt.Scale(paddingInner=0.3, paddingOuter=0.1),
        axis=alt.Axis(labelAngle=0, labelExpr="split(datum.label, '\\n')"),
    )
    y = alt.Y("start:Q", scale=scale, axis=panel.axis(panel.chart.y, panel.reach))
    colour = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=["total", "up", "down"], range=[TOTAL, UP, DOWN]),
        legend=None,
    )
    base = panel.base(rows)
    shown = base.mark_bar().encode(x=x, y=y, y2="end:Q", color=colour, tooltip=panel.tooltip)
    text = base.mark_text(baseline="bottom", dy=-4, fontSize=13).encode(
        x=x, y=alt.Y("top:Q", scale=scale), text="text:N"
    )
    layers: list[Any] = [shown, text]
    if low < 0:
        ground = (
            panel.base([{"zero": 0}]).mark_rule(color=SOFT).encode(y=alt.Y("zero:Q", scale=scale))
        )
        layers.insert(0, ground)
    width = max(panel.width if len(rows) > 3 else 0, _STEP * max(1, len(rows)))
    return alt.layer(*layers).properties(width=width, height=_HEIGHT)


def _change(panel: DrawnPanel, mark: dict[str, Any]) -> str:
    write = short_text if mark["is_total"] else signed
    return write(mark["value"], panel.chart.y, panel.locale)


def _kind(mark: dict[str, Any]) -> str:
    if mark["is_total"]:
        return "total"
    return "down" if (mark["value"] or 0) < 0 else "up"


def _top(row: dict[str, Any]) -> float:
    return max(row["start"] or 0.0, row["end"] or 0.0)


def funnel(panel: DrawnPanel) -> Shape:
    """Bars around the middle, each with the share that came to it from the one before."""
    most = max((row["value"] or 0.0 for row in panel.rows), default=0.0) or 1.0
    rows = []
    came: object = None
    for mark, row in zip(panel.marks, panel.rows, strict=True):
        value = row["value"] or 0.0
        half = value / 2
        share = "" if came is None else short_text(came, _SHARE, panel.locale)
        fits = value > _INSIDE * most
        rows.append({**row, "from": -half, "to": half, "came": share, "fits": fits})
        came = mark["next"]
    labels = [row["label"] for row in rows]
    scale = alt.Scale(domain=[-0.52 * most, 0.72 * most], nice=False, zero=False)
    x: dict[str, Any] = {"scale": scale, "axis": None}
    y = alt.Y(
        "label:N",
        sort=labels,
        title=None,
        scale=alt.Scale(paddingInner=0.3, paddingOuter=0.1),
        axis=alt.Axis(labelFontSize=13),
    )
    base = panel.base(rows)
    shown = base.mark_bar(color=BAR, cornerRadius=3).encode(
        x=alt.X("from:Q", **x), x2="to:Q", y=y, tooltip=panel.tooltip
    )
    inside = (
        base.transform_filter("datum.fits")
        .mark_text(color="#ffffff", fontWeight="bold", fontSize=13)
        .encode(x=alt.XDatum(0, **x), y=y, text="text:N")
    )
    beside = (
        base.transform_filter("!datum.fits")
        .mark_text(color=INK, fontWeight="bold", fontSize=13, align="left", dx=6)
        .encode(x=alt.X("to:Q", **x), y=y, text="text:N")
    )
    came_on = base.mark_text(color=SOFT, fontSize=13, align="right").encode(
        x=alt.XDatum(0.72 * most, **x), y=y, text="came:N"
    )
    return alt.layer(shown, inside, beside, came_on).properties(
        width=panel.width, height=alt.Step(_FUNNEL_STEP)
    )
