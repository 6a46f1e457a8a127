"""Ranges about a line: what may come, and how long deals stay."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from dealdb.charts.svg.elements import Svg, element, path
from dealdb.charts.svg.forms.lines import (
    MOST_DOTS,
    Point,
    has_none,
    name_room,
    named_ends,
    places_of,
    points,
    runs_of,
    series_of,
    unnamed,
)
from dealdb.charts.svg.forms.plane import Plane, plane_of
from dealdb.charts.svg.pen import Drawn, Pen, Row, nothing
from dealdb.charts.wording import place_of

_PALE = 0.22


def fan(pen: Pen, rows: Sequence[Row], width: float) -> Drawn:
    """A range at each day, with a line through its middle; what is certain has a whole line, the rest a broken one."""
    if has_none(rows, "low", "middle", "high"):
        return nothing("no values")
    plane, names, right = _plane(pen, rows, ("low", "middle", "high"), width)
    parts, ends = list(plane.frame), list[tuple[str | None, str, Point]]()
    for name, fill in names.items():
        own = [row for row in rows if row.get("series") == name]
        parts += _band(plane, own, fill, is_stepped=False)
        runs = runs_of(plane, own, "middle")
        for run in runs:
            parts += _middle(run, fill)
        parts += points(pen, runs, fill, is_many=len(own) > MOST_DOTS)
        if runs:
            ends.append((name, fill, runs[-1][-1][1]))
    if len(names) > 1:
        parts += named_ends(pen, ends, right)
    return Drawn(plane.height, parts, unnamed(rows, names))


def steps(pen: Pen, rows: Sequence[Row], width: float) -> Drawn:
    """What holds from one point on to the next."""
    if has_none(rows, "value"):
        return nothing("no values")
    plane, names, right = _plane(pen, rows, ("value", "low", "high"), width)
    parts, ends = list(plane.frame), list[tuple[str | None, str, Point]]()
    for name, fill in names.items():
        own = [row for row in rows if row.get("series") == name]
        parts += _band(plane, own, fill, is_stepped=True)
        runs = runs_of(plane, own, "value")
        parts += [
            element("path", d=path(stepped([at for _, at in run])), stroke=fill, stroke_width=2)
            for run in runs
        ]
        # the line says where the steps are
        parts += points(pen, runs, fill, is_many=True)
        if runs:
            ends.append((name, fill, runs[-1][-1][1]))
    if len(names) > 1:
        parts += named_ends(pen, ends, right)
    return Drawn(plane.height, parts, unnamed(rows, names))


def stepped(points: Sequence[Point]) -> list[Point]:
    """
    Points of a line that stays on a height up to the next point.

    Examples
    --------
    >>> stepped([(0, 9), (5, 7)])
    [(0, 9), (5, 9), (5, 7)]
    """
    found = list(points[:1])
    for (_, before), (x, y) in pairwise(points):
        found += [(x, before), (x, y)]
    return found


def _plane(
    pen: Pen, rows: Sequence[Row], columns: Sequence[str], width: float
) -> tuple[Plane, dict[str | None, str], float]:
    names = series_of(pen, rows)
    right = name_room(pen, names, width)
    xs, ys = places_of(pen, rows, columns)
    plane = plane_of((pen.chart.x, pen.chart.y), xs, ys, width, pen.locale, right=right)
    return plane, names, right


def _band(plane: Plane, rows: Sequence[Row], fill: str, *, is_stepped: bool) -> list[Svg]:
    if not rows or "low" not in rows[0] or "high" not in rows[0]:
        return []
    both = [row for row in rows if plane.up(row["low"]) is not None]
    found = []
    for run in runs_of(plane, both, "high"):
        lower = [(at[0], plane.up(row["low"]) or 0.0) for row, at in run]
        upper = [at for _, at in run]
        if is_stepped:
            lower, upper = stepped(lower), stepped(upper)
        outline = path([*upper, *reversed(lower)], closed=True)
        found.append(element("path", class_="band", d=outline, fill=fill, fill_opacity=_PALE))
    return found


def _middle(run: Sequence[tuple[Row, Point]], fill: str) -> list[Svg]:
    certain, open_ = list[str](), list[str]()
    for (_, start), (row, end) in pairwise(run):
        (certain if _is_certain(row) else open_).append(path([start, end]))
    return [
        element("path", d="".join(part), stroke=fill, stroke_width=2, stroke_dasharray=dashes)
        for part, dashes in ((certain, None), (open_, "5 4"))
        if part
    ]


def _is_certain(row: Row) -> bool:
    low, high = place_of(row["low"]), place_of(row["high"])
    return low == high
