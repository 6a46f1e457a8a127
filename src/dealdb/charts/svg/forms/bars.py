"""Bars across, each with its label at the side and its value at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import groupby, pairwise
from operator import add, itemgetter

from dealdb.charts.scales import Scale
from dealdb.charts.svg.colours import colour
from dealdb.charts.svg.elements import Svg, bar_between, element, moved
from dealdb.charts.svg.forms.labels import CAPTION, LEAST, caption, side_label, side_width
from dealdb.charts.svg.lettering import SMALL, TEXT, lettered, width_in_pixels
from dealdb.charts.svg.pen import Drawn, Pen, Row
from dealdb.charts.tones import tones_of
from dealdb.charts.wording import NO_VALUE, label_text, place_of, short_text

MOST_BARS = 40
_ROW, _BAR, _GAP = 24.0, 15.0, 5.0


@dataclass(frozen=True, slots=True)
class _Bar:
    """The parts of one bar, from zero on; ``text`` stands at its end."""

    label: str
    parts: Sequence[tuple[Row, float, float]]
    rows: Sequence[Row]
    text: str

    @property
    def reach(self) -> list[float]:
        """How far it and its signs go, to both sides."""
        signs = [place for row in self.rows for place in _signs_of(row) if place is not None]
        return [0.0, *(place for _, *both in self.parts for place in both), *signs]

    @property
    def has_whisker(self) -> bool:
        """Whether it says a range."""
        return any(_signs_of(row)[0] is not None for row in self.rows)

    @property
    def is_negative(self) -> bool:
        """Whether it goes to the left alone."""
        return min(self.reach) < 0 and not any(end > 0 for _, _, end in self.parts)


def bars(pen: Pen, rows: Sequence[Row], width: float) -> Drawn:
    """The bars of a panel."""
    every = _bars_of(pen, rows)
    shown = every[:MOST_BARS]
    # of all panels that are to be compared
    scaled = [bar for each in pen.beside(rows) for bar in _bars_of(pen, each)[:MOST_BARS]]
    named = _tones(pen, rows)
    legend = (
        pen.legend([(name, colour(tone)) for name, tone in named.items()], width)
        if len(named) > 1
        else Drawn(0, [])
    )
    side = side_width([bar.label for bar in scaled], width)
    room = max((width_in_pixels(bar.text) for bar in scaled), default=0.0) + _GAP
    # at the end of a whisker a value would be taken for that end: there they stand in a column
    column = width if any(bar.has_whisker for bar in scaled) else None
    left = side + (room if column is None and any(bar.is_negative for bar in scaled) else 0.0)
    right = width - (room if column or not all(bar.is_negative for bar in scaled) else 0.0)
    ends = [place for bar in scaled for place in bar.reach]
    scale = Scale.over(ends, left, max(right, left + LEAST))
    top = legend.height + CAPTION
    middles = _middles([bar.label for bar in shown], top)
    parts = [*legend.parts, moved([caption(pen.chart.y, side, width)], 0, legend.height)]
    parts += _labels([bar.label for bar in shown], middles, side)
    for bar, middle in zip(shown, middles, strict=True):
        parts += _drawn(pen, bar, scale, middle, named, column)
    height = middles[-1] + _ROW / 2
    zero = scale.place(0)
    parts.append(element("line", x1=zero, x2=zero, y1=top, y2=height, stroke=colour("line")))
    left_out = len(every) - len(shown)
    notes = [f"{left_out:,} more of {len(every):,} bars are not drawn"] if left_out else []
    return Drawn(height, parts, notes)


def _middles(labels: Sequence[str], top: float) -> list[float]:
    """Where the bars are; those of one label are nearer to each other than to others."""
    found = [top + _ROW / 2]
    for before, label in pairwise(labels):
        found.append(found[-1] + (_BAR + 2 if label == before else _ROW))
    return found


def _labels(labels: Sequence[str], middles: Sequence[float], side: float) -> list[Svg]:
    """A label beside its bar, or beside the middle of its bars."""
    found = []
    for label, group in groupby(zip(labels, middles, strict=True), key=itemgetter(0)):
        places = [middle for _, middle in group]
        found.append(side_label(label, side, sum(places) / len(places)))
    return found


def _bars_of(pen: Pen, rows: Sequence[Row]) -> list[_Bar]:
    groups: dict[object, list[Row]] = {}
    for number, row in enumerate(rows):
        # each row is a bar of its own, unless it is a part of one
        key = (row["label"], row.get("series")) if "part" in row else number
        groups.setdefault(key, []).append(row)
    return [_bar_of(pen, group) for group in groups.values()]


def _bar_of(pen: Pen, rows: Sequence[Row]) -> _Bar:
    parts, ends = [], {True: 0.0, False: 0.0}
    for row in rows:
        value = place_of(row["value"])
        if value is not None:
            start = ends[value > 0]
            ends[value > 0] = _finite(start + value)
            parts.append((row, start, ends[value > 0]))
    values = [row["value"] for row, *_ in parts]
    # exact: decimals are added as decimals
    text = short_text(reduce(add, values), pen.chart.y, pen.locale) if values else NO_VALUE
    if len(rows) == 1 and _signs_of(rows[0])[2] is not None:
        text = f"{text} of {short_text(rows[0]['target'], pen.chart.y, pen.locale)}"
    return _Bar(label_text(rows[0]["label"], pen.locale), parts, rows, text)


def _finite(value: float) -> float:
    return min(max(value, -1.7e308), 1.7e308)


def _tones(pen: Pen, rows: Sequence[Row]) -> dict[str | None, str]:
    """Colours by part or series, in the order of all marks, so that they are the same in each panel."""
    name = "part" if rows and "part" in rows[0] else "series"
    if not rows or name not in rows[0]:
        # what lies on the bars is to be seen
        has_signs = bool(rows) and ({"low", "high"} <= rows[0].keys() or "target" in rows[0])
        return {None: "pale" if has_signs else "1"}
    order = pen.chart.marks[name].unique(maintain_order=True).to_list()
    return tones_of(order, are_parts=name == "part")


def _drawn(
    pen: Pen,
    bar: _Bar,
    scale: Scale,
    middle: float,
    named: dict[str | None, str],
    column: float | None,
) -> list[Svg]:
    found = []
    drawn = {id(row): (start, end) for row, start, end in bar.parts}
    has_parts = sum(start != end for start, end in drawn.values()) > 1
    for row in bar.rows:
        start, end = (scale.place(place) for place in drawn.get(id(row), (0.0, 0.0)))
        tone = named.get(row.get("part", row.get("series")), "1")
        shapes = [
            *_track(row, scale, middle),
            bar_between(start, end, middle, high=_BAR, fill=colour(tone)),
        ]
        if has_parts:
            shapes += _inner_text(pen, row, (start, end), middle, colour(f"ink-{tone}"))
        shapes += _signs(row, scale, middle)
        if len(bar.rows) == 1:
            shapes.append(_end_text(bar, scale, middle, column))
        found.append(pen.mark(row, *shapes))
    if len(bar.rows) > 1:
        # the sum is of all parts, and leads to none of them
        found.append(_end_text(bar, scale, middle, column))
    return found


def _inner_text(
    pen: Pen, row: Row, ends: tuple[float, float], middle: float, fill: str
) -> list[Svg]:
    """The value of a part within it, where there is room for it."""
    text = short_text(row["value"], pen.chart.y, pen.locale)
    if width_in_pixels(text, SMALL) + 6 > abs(ends[1] - ends[0]):
        return []
    at = sum(ends) / 2
    return [lettered(text, at, middle + SMALL * 0.35, size=SMALL, anchor="middle", fill=fill)]


def _end_text(bar: _Bar, scale: Scale, middle: float, column: float | None) -> Svg:
    y = middle + TEXT * 0.35
    if column is not None:
        return lettered(bar.text, column, y, anchor="end")
    if bar.is_negative:
        return lettered(bar.text, scale.place(min(bar.reach)) - _GAP, y, anchor="end")
    ends = [0.0, *(place for _, *both in bar.parts for place in both)]
    # behind the target, too: between the bar and the tick it would be taken for either
    targets = [target for row in bar.rows if (target := _signs_of(row)[2]) is not None]
    return lettered(bar.text, scale.place(max([*ends, *targets])) + _GAP, y)


def _track(row: Row, scale: Scale, middle: float) -> list[Svg]:
    """What leads from zero to the target, so that it is seen which bar the tick is of."""
    target = _signs_of(row)[2]
    if target is None:
        return []
    ends = sorted((scale.place(0), scale.place(target)))
    return [
        element(
            "rect",
            class_="track",
            x=ends[0],
            y=middle - _BAR / 2,
            width=ends[1] - ends[0],
            height=_BAR,
            fill=colour("grid"),
        )
    ]


def _signs(row: Row, scale: Scale, middle: float) -> list[Svg]:
    """A tick for the target, a whisker for the range."""
    found = []
    low, high, target = _signs_of(row)
    if low is not None and high is not None:
        start, end = scale.place(low), scale.place(high)
        cap = f"M{start:.2f} {middle - 4:.2f}V{middle + 4:.2f}M{end:.2f} {middle - 4:.2f}V{middle + 4:.2f}"
        line = f"M{start:.2f} {middle:.2f}H{end:.2f}"
        found.append(element("path", class_="whisker", d=line + cap, stroke="currentColor"))
    if target is not None:
        x = scale.place(target)
        found.append(
            element(
                "line",
                class_="target",
                x1=x,
                x2=x,
                y1=middle - _ROW / 2 + 1,
                y2=middle + _ROW / 2 - 1,
                stroke="currentColor",
                stroke_width=2.5,
            )
        )
    return found


def _signs_of(row: Row) -> tuple[float | None, float | None, float | None]:
    """The ends of the whisker, which it has both or none, and the target."""
    low, high, target = (place_of(row.get(name)) for name in ("low", "high", "target"))
    return (low, high, target) if low is not None and high is not None else (None, None, target)
