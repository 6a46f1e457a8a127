"""Lines over periods or days, each with its name at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from dealdb.charts.chart import Unit
from dealdb.charts.svg.colours import of_series
from dealdb.charts.svg.elements import Svg, element, path
from dealdb.charts.svg.forms.plane import Plane, plane_of
from dealdb.charts.svg.lettering import SMALL, lettered, shortened, width_in_pixels
from dealdb.charts.svg.pen import Drawn, Pen, Row, nothing
from dealdb.charts.wording import label_text, place_of

# at more points than these a line has no dots, only places that a pointer finds
MOST_DOTS = 60
# and at more than these, the line alone says what there is
MOST_POINTS = 1000
_MOST_NAME = 0.24
_NAME = 14.0

Point = tuple[float, float]
# points of a line without a gap
Run = list[tuple[Row, Point]]
Shapes = Callable[[Plane, Sequence[Row], Sequence[Run], str], list[Svg]]


def lines(pen: Pen, rows: Sequence[Row], width: float) -> Drawn:
    """The lines of a panel; a gap is where there is no value."""

    def shapes(_plane: Plane, _own: Sequence[Row], runs: Sequence[Run], fill: str) -> list[Svg]:
        found = [
            element(
                "path",
                d=path([point for _, point in run]),
                fill="none",
                stroke=fill,
                stroke_width=2,
                stroke_linejoin="round",
            )
            for run in runs
            if len(run) > 1
        ]
        return found + points(pen, runs, fill, is_many=len(rows) > MOST_DOTS)

    if has_none(rows, "value"):
        return nothing("no values")
    return by_series(pen, rows, width, ("value",), "value", shapes)


def by_series(
    pen: Pen, rows: Sequence[Row], width: float, columns: Sequence[str], line: str, shapes: Shapes
) -> Drawn:
    """
    What is drawn of each series, with its name at its end.

    Parameters
    ----------
    pen, rows, width
        As for any form.
    columns
        Those that there has to be room for.
    line
        The one of them that the line goes along; a gap is where it has no value.
    shapes
        What is drawn of a series, by the plane, its rows, the runs of its line and its colour.
    """
    names = series_of(pen, rows)
    right = name_room(pen, names, width)
    xs, ys = places_of(pen, rows, columns)
    plane = plane_of((pen.chart.x, pen.chart.y), xs, ys, width, pen.locale, right=right)
    parts, ends = list(plane.frame), list[tuple[str | None, str, Point]]()
    for name, fill in names.items():
        own = [row for row in rows if row.get("series") == name]
        runs = runs_of(plane, own, line)
        parts += shapes(plane, own, runs, fill)
        if runs:
            ends.append((name, fill, runs[-1][-1][1]))
    if len(names) > 1:
        parts += named_ends(pen, ends, right)
    return Drawn(plane.height, parts, unnamed(rows, names))


def places_of(
    pen: Pen, rows: Sequence[Row], columns: Sequence[str]
) -> tuple[list[object], list[object]]:
    """What there has to be room for along both axes: of all panels that are to be compared, but for labels."""
    scaled = [row for each in pen.beside(rows) for row in each]
    ys = [row.get(column) for row in scaled for column in columns]
    # labels of another panel would be empty places
    return [row["x"] for row in (rows if pen.chart.x.unit is Unit.LABEL else scaled)], ys


def has_none(rows: Sequence[Row], *names: str) -> bool:
    """Whether no row has a value in any of these columns."""
    return all(place_of(row.get(name)) is None for row in rows for name in names)


def unnamed(rows: Sequence[Row], names: dict[str | None, str]) -> list[str]:
    """What to say where a line is drawn without the values of its points."""
    many = Counter(row.get("series") for row in rows)
    if max(many[name] for name in names) <= MOST_POINTS:
        return []
    return [f"lines of more than {MOST_POINTS:,} values are drawn without naming each"]


def series_of(pen: Pen, rows: Sequence[Row]) -> dict[str | None, str]:
    """Colours of the series of a panel, the same in each panel."""
    here = {row.get("series") for row in rows}
    return {name: of_series(number) for number, name in enumerate(pen.chart.series) if name in here}


def name_room(pen: Pen, names: dict[str | None, str], width: float) -> float:
    """Room for the names at the ends of the lines."""
    if len(names) < 2:
        return 10.0
    wanted = max(width_in_pixels(label_text(name, pen.locale)[:200], SMALL) for name in names)
    return min(wanted, width * _MOST_NAME) + 12


def runs_of(plane: Plane, rows: Sequence[Row], column: str) -> list[list[tuple[Row, Point]]]:
    """Points one after the other without a gap."""
    runs: list[list[tuple[Row, Point]]] = [[]]
    if not plane.places:
        # a line goes on in time; labels have the order of the rows
        rows = sorted(rows, key=lambda row: place_of(row["x"]) or 0.0)
    for row in rows:
        x, y = plane.across(row["x"]), plane.up(row[column])
        if x is None or y is None:
            runs.append([])
        else:
            runs[-1].append((row, (x, y)))
    return [run for run in runs if run]


def points(
    pen: Pen, runs: Sequence[Sequence[tuple[Row, Point]]], fill: str, *, is_many: bool
) -> list[Svg]:
    """A dot for each value; where there are many, one that is not seen, but found by a pointer; of too many, none."""
    if sum(map(len, runs)) > MOST_POINTS:
        return []
    return [
        pen.mark(
            row,
            element("circle", cx=x, cy=y, r=8, fill="transparent"),
            *(
                []
                if is_many and len(run) > 1
                else [element("circle", cx=x, cy=y, r=2.8, fill=fill)]
            ),
        )
        for run in runs
        for row, (x, y) in run
    ]


def named_ends(pen: Pen, ends: Sequence[tuple[str | None, str, Point]], right: float) -> list[Svg]:
    """Names at the ends of lines, moved apart where they would be one over the other."""
    order = sorted(ends, key=lambda end: end[2][1])
    ys = apart([point[1] for *_, point in order])
    found = []
    at = max((point[0] for *_, point in order), default=0.0) + 10
    for (name, fill, (x, y)), to in zip(order, ys, strict=True):
        whole = label_text(name, pen.locale)
        text = shortened(whole, right - 10, SMALL)
        found += [
            element(
                "path", d=path([(x + 3, y), (at - 2, to)]), fill="none", stroke=fill, stroke_width=1
            ),
            lettered(text, at, to + SMALL * 0.35, size=SMALL, whole=whole),
        ]
    return found


def apart(ys: Sequence[float], gap: float = _NAME) -> list[float]:
    """
    Places from the top down, moved so that none is nearer to another than the gap.

    Examples
    --------
    >>> apart([10, 12, 40], 14)
    [4.0, 18.0, 40.0]
    """
    # runs of names that touch are moved as one, about the middle of where they want to be
    groups: list[list[float]] = []
    for y in ys:
        groups.append([float(y)])
        while len(groups) > 1 and _top(groups[-1], gap) < _top(groups[-2], gap) + gap * len(
            groups[-2]
        ):
            last = groups.pop()
            groups[-1] += last
    return [_top(group, gap) + gap * number for group in groups for number in range(len(group))]


def _top(group: Sequence[float], gap: float) -> float:
    return sum(group) / len(group) - gap * (len(group) - 1) / 2
