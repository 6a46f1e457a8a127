"""What stands between two axes: lines, steps, fans, dots and scatters."""

from __future__ import annotations

from typing import Any

import altair as alt

from dealdb.charts.chart import Unit
from dealdb.charts.vega.forms.bars import legend
from dealdb.charts.vega.rows import DrawnPanel, Rows, Shape, reach_of, title_of
from dealdb.charts.vega.style import BAR, INK, LINE, SOFT

_HEIGHT = 280
# more texts than these would be in each other's way
_MOST_TEXTS = 7
_AIR = 0.08


def lines(panel: DrawnPanel) -> Shape:
    """A line for each series."""
    x = _x(panel)
    encoded = _by_series(panel, panel.base(), x, _y(panel, "value"))
    shown = encoded.mark_line(size=2.5, interpolate="linear")
    layers: list[Any] = [shown, encoded.mark_point(filled=True, size=45, opacity=1)]
    if not panel.has("series"):
        text = panel.base(_told_at(panel.rows)).mark_text(dy=-12, color=INK)
        layers.append(text.encode(x=x, y=_y(panel, "value"), text="text:N"))
    return _framed(panel, layers)


def _told_at(rows: Rows) -> Rows:
    """The points whose values are told: all where they are few, else the largest and the last one."""
    known = [row for row in rows if row["value"] is not None]
    if len(known) <= _MOST_TEXTS:
        return known
    largest = max(known, key=lambda row: float(row["value"]))
    return [largest] if largest is known[-1] else [largest, known[-1]]


def steps(panel: DrawnPanel) -> Shape:
    """A line that stays until it falls, and the band in which it may be."""
    x = _x(panel)
    layers: list[Any] = []
    if panel.has("low", "high"):
        known = [row for row in panel.rows if row["low"] is not None and row["high"] is not None]
        band = _by_series(panel, panel.base(known), x, _y(panel, "low"))
        layers.append(band.mark_area(opacity=0.16, interpolate="step-after").encode(y2="high:Q"))
    line = _by_series(panel, panel.base(), x, _y(panel, "value"))
    layers.append(line.mark_line(size=2.5, interpolate="step-after"))
    # what a mark says is found at its point, which is not drawn
    layers.append(line.mark_point(opacity=0, size=80))
    return _framed(panel, layers)


def fan(panel: DrawnPanel) -> Shape:
    """A range that opens around its middle."""
    x = _x(panel)
    base = panel.base()
    band = _by_series(panel, base, x, _y(panel, "low")).mark_area(opacity=0.2).encode(y2="high:Q")
    middle = _by_series(panel, base, x, _y(panel, "middle"))
    layers = [
        band,
        middle.mark_line(size=2.5, strokeDash=[7, 4]),
        middle.mark_point(filled=True, size=55, opacity=1),
        *_said_of_fan(panel, x),
    ]
    return _framed(panel, layers)


def _said_of_fan(panel: DrawnPanel, x: alt.X) -> list[Shape]:
    """The values at the end, a text for each."""
    last: dict[str, int] = {}
    for place, row in enumerate(panel.rows):
        last[row.get("series", "")] = place
    texts: Rows = []
    for place in last.values():
        mark, row = panel.marks[place], panel.rows[place]
        for name in ("low", "middle", "high"):
            if row[name] is not None:
                texts.append({"x": row["x"], "place": row[name], "text": panel.short(mark[name])})
    if len(last) > 1:
        return []
    base = panel.base(texts).mark_text(align="left", dx=8, color=INK)
    return [base.encode(x=x, y=_y(panel, "place"), text="text:N")]


def dots(panel: DrawnPanel) -> Shape:
    """Dots beside the diagonal on which both axes agree."""
    reach = reach_of(panel.rows, ("x", "value", "low", "high"))
    both = (min(reach[0], panel.reach[0]), max(reach[1], panel.reach[1]))
    air = _AIR * (both[1] - both[0])
    scale = alt.Scale(domain=[both[0], both[1] + air], nice=False, zero=False)
    x = alt.X("x:Q", scale=scale, axis=panel.axis(panel.chart.x, both))
    y_axis = panel.axis(panel.chart.y, both)
    line = panel.base([{"x": at, "value": at} for at in both])
    base = panel.base(
        [row for row in panel.rows if row["x"] is not None and row["value"] is not None]
    )
    y = alt.Y("value:Q", scale=scale, axis=y_axis)
    layers: list[Any] = [
        line.mark_line(color=LINE, strokeDash=[5, 4]).encode(x=x, y=y),
        base.mark_rule(size=1.5, color=SOFT)
        .transform_filter("isValid(datum.low) && isValid(datum.high)")
        .encode(x=x, y=alt.Y("low:Q", scale=scale), y2="high:Q"),
        _by_series(panel, base, x, y).mark_circle(opacity=0.9).encode(size=_size(panel)),
    ]
    return alt.layer(*layers).properties(width=panel.width * 0.75, height=panel.width * 0.6)


def _size(panel: DrawnPanel) -> Any:
    known = [row["n"] for row in panel.rows if row.get("n")]
    if not known:
        return alt.value(110)
    scale = alt.Scale(domain=[0, max(known)], range=[40, 320])
    return alt.Size("n:Q", scale=scale, legend=None)


def scatter(panel: DrawnPanel) -> Shape:
    """A dot for each row."""
    dots = _by_series(panel, panel.base(), _x(panel), _y(panel, "value"))
    return _framed(panel, [dots.mark_circle(opacity=0.65, size=60)])


def _x(panel: DrawnPanel) -> alt.X:
    unit, title = panel.chart.x.unit, title_of(panel.chart.x)
    if unit is Unit.LABEL:
        order = panel.names("x")
        axis = alt.Axis(labelAngle=0, labelOverlap="greedy", title=title)
        return alt.X("x:N", sort=order, axis=axis, scale=alt.Scale(type="point", padding=0.3))
    if unit is Unit.DATE:
        days = sorted({row["x"] for row in panel.rows})
        axis = alt.Axis(format="%Y-%m-%d", labelAngle=0, title=title, labelOverlap="greedy")
        if len(days) <= 6:
            axis.values = [
                {"expr": f"utc({day[:4]}, {int(day[5:7]) - 1}, {int(day[8:10])})"} for day in days
            ]
        return alt.X("x:T", scale=alt.Scale(type="utc"), axis=axis)
    low, high = reach_of(panel.rows, ("x",))
    scale = alt.Scale(domain=[low, high + 0.02 * (high - low)], nice=False, zero=False)
    return alt.X("x:Q", scale=scale, axis=panel.axis(panel.chart.x, (low, high)))


def _y(panel: DrawnPanel, column: str) -> alt.Y:
    low, high = panel.reach
    air = _AIR * (high - low)
    domain = [low - (air if low < 0 else 0), high + air]
    scale = alt.Scale(domain=domain, nice=False, zero=False)
    return alt.Y(f"{column}:Q", scale=scale, axis=panel.axis(panel.chart.y, panel.reach))


def _by_series(panel: DrawnPanel, base: Shape, x: alt.X, y: alt.Y) -> Shape:
    colour = legend("series", panel.names("series")) if panel.has("series") else alt.value(BAR)
    return base.encode(x=x, y=y, color=colour, tooltip=panel.tooltip)


def _framed(panel: DrawnPanel, layers: list[Any]) -> Shape:
    return alt.layer(*layers).properties(width=panel.width, height=_HEIGHT)
