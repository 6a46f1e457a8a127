"""Dots: what was said against what came, and one value of deals against another."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dealdb.charts.chart import Unit
from dealdb.charts.svg.colours import colour, of_series
from dealdb.charts.svg.elements import Svg, element, moved
from dealdb.charts.svg.forms.lines import has_none, places_of, series_of
from dealdb.charts.svg.forms.plane import Plane, plane_of
from dealdb.charts.svg.pen import Drawn, Pen, Row, nothing
from dealdb.charts.wording import place_of

MOST_DOTS = 2000
_WIDEST, _HEIGHT = 400.0, 300.0
_SMALLEST, _LARGEST = 3.0, 11.0


def dots(pen: Pen, rows: Sequence[Row], width: float) -> Drawn:
    """A dot for each group, the larger the more deals are in it, and the diagonal on which all would be right."""
    if has_none(rows, "value"):
        return nothing("no values")
    names = series_of(pen, rows)
    legend = _legend(pen, names, width)
    # both axes have the same values, so the plane is no wider than it need be
    wide = min(width, _WIDEST)
    shares = pen.chart.x.unit is pen.chart.y.unit is Unit.SHARE
    xs, ys = places_of(pen, rows, ("value", "low", "high"))
    if shares:
        # a range that goes on beyond what a share can be ends at the edge
        xs, ys = [0.0, 1.0], [0.0, 1.0]
    axes = (pen.chart.x, pen.chart.y)
    plane = plane_of(axes, xs, ys, wide, pen.locale, height=_HEIGHT, is_square=True)
    parts = [*plane.frame, _diagonal(plane)]
    scaled = [row for each in pen.beside(rows) for row in each]
    most = max((place_of(row["n"]) or 0.0 for row in scaled), default=0.0)
    # large ones first, so that none is hidden
    for row in sorted(rows, key=lambda row: -(place_of(row["n"]) or 0.0)):
        x, y = plane.across(row["x"]), plane.up(row["value"])
        if x is None or y is None:
            continue
        fill = names.get(row.get("series"), of_series(0))
        size = _radius(place_of(row["n"]), most)
        dot = element("circle", cx=x, cy=y, r=size, fill=fill, fill_opacity=0.85)
        parts.append(pen.mark(row, dot, *_whisker(plane, row, x)))
    return Drawn(legend.height + plane.height, [*legend.parts, moved(parts, 0, legend.height)])


def scatter(pen: Pen, rows: Sequence[Row], width: float) -> Drawn:
    """A dot for each row."""
    if has_none(rows, "value"):
        return nothing("no values")
    shown = rows[:MOST_DOTS]
    names = series_of(pen, rows)
    legend = _legend(pen, names, width)
    xs, ys = places_of(pen, shown, ("value",))
    axes = (pen.chart.x, pen.chart.y)
    plane = plane_of(axes, xs, ys, width, pen.locale, height=_HEIGHT)
    parts = list(plane.frame)
    for row in shown:
        x, y = plane.across(row["x"]), plane.up(row["value"])
        if x is not None and y is not None:
            fill = names.get(row.get("series"), of_series(0))
            dot = element("circle", cx=x, cy=y, r=3.5, fill=fill, fill_opacity=0.6)
            parts.append(pen.mark(row, dot))
    left_out = len(rows) - len(shown)
    notes = [f"{left_out:,} more of {len(rows):,} dots are not drawn"] if left_out else []
    return Drawn(
        legend.height + plane.height, [*legend.parts, moved(parts, 0, legend.height)], notes
    )


def _legend(pen: Pen, names: dict[str | None, str], width: float) -> Drawn:
    return pen.legend(list(names.items()), width) if len(names) > 1 else Drawn(0, [])


def _diagonal(plane: Plane) -> Svg:
    low, high = max(plane.x.low, plane.y.low), min(plane.x.high, plane.y.high)
    return element(
        "line",
        class_="diagonal",
        x1=plane.x.place(low),
        y1=plane.y.place(low),
        x2=plane.x.place(high),
        y2=plane.y.place(high),
        stroke=colour("soft"),
        stroke_dasharray="4 4",
    )


def _radius(n: float | None, most: float) -> float:
    # the area says how many they are
    part = math.sqrt(max(n or 0.0, 0.0) / most) if most > 0 else 0.0
    return _SMALLEST + (_LARGEST - _SMALLEST) * part


def _whisker(plane: Plane, row: Row, x: float) -> list[Svg]:
    low, high = plane.up(row["low"]), plane.up(row["high"])
    if low is None or high is None:
        return []
    # it is seen on the dot, too, which may be larger than the range
    return [element("line", class_="whisker", x1=x, x2=x, y1=low, y2=high, stroke="currentColor")]
