"""Ranges about a line: what may come, and how long deals stay."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from dealdb.charts.svg.elements import Svg, element, path
from dealdb.charts.svg.forms.lines import (
    MOST_DOTS,
    Point,
    Run,
    by_series,
    has_none,
    points,
    runs_of,
)
from dealdb.charts.svg.forms.plane import Plane
from dealdb.charts.svg.pen import Drawn, Pen, Row, nothing
from dealdb.charts.wording import place_of

_PALE = 0.22


def fan(pen: Pen, rows: Sequence[Row], width: float) -> Drawn:
    """A range at each day, with a line through its middle; what is certain has a whole line, the rest a broken one."""

    def shapes(plane: Plane, own: Sequence[Row], runs: Sequence[Run], fill: str) -> list[Svg]:
        found = _band(plane, own, fill, is_stepped=False)
        for run in runs:
            found += _middle(run, fill)
        return found + points(pen, runs, fill, is_many=len(own) > MOST_DOTS)

    columns = ("low", "middle", "high")
    if has_none(rows, *columns):
        return nothing("no values")
    return by_series(pen, rows, width, columns, "middle", shapes)


def steps(pen: Pen, rows: Sequence[Row], width: float) -> Drawn:
    """What holds from one point on to the next."""

    def shapes(plane: Plane, own: Sequence[Row], runs: Sequence[Run], fill: str) -> list[Svg]:
        found = _band(plane, own, fill, is_stepped=True)
        found += [
            element("path", d=path(stepped([at for _, at in run])), stroke=fill, stroke_width=2)
            for run in runs
        ]
        # the line says where the steps are
        return found + points(pen, runs, fill, is_many=True)

    if has_none(rows, "value"):
        return nothing("no values")
    return by_series(pen, rows, width, ("value", "low", "high"), "value", shapes)


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
