"""Cells by column and label: the darker, the more; each says its value."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dealdb.charts.scales import Scale, some_of
from dealdb.charts.svg.colours import STEPS, colour
from dealdb.charts.svg.elements import Svg, element
from dealdb.charts.svg.forms.labels import side_label, side_width
from dealdb.charts.svg.lettering import SMALL, SOFT, lettered, shortened, width_in_pixels
from dealdb.charts.svg.pen import Drawn, Pen, Row
from dealdb.charts.wording import label_text, place_of, short_text, ways_to_tell

_MOST_ROWS = 40
_CELL, _NARROWEST, _WIDEST = 24.0, 22.0, 72.0
_TOP = 34.0


def heat(pen: Pen, rows: Sequence[Row], width: float) -> Drawn:
    """The cells of a panel; one without a value is grey, and one that there is no row for is empty."""
    columns = _in_order([row["column"] for row in rows])
    labels = list(dict.fromkeys(row["label"] for row in rows))
    side = side_width([label_text(label, pen.locale) for label in labels], width)
    shown = columns[: max(1, int((width - side) / _NARROWEST))]
    wide = min((width - side) / len(shown), _WIDEST)
    where = {column: side + number * wide for number, column in enumerate(shown)}
    height = {label: _TOP + number * _CELL for number, label in enumerate(labels[:_MOST_ROWS])}
    scaled = [row for each in pen.beside(rows) for row in each]
    scale = Scale.over([place_of(row["value"]) for row in scaled], 0, STEPS)
    inside = [row for row in rows if row["column"] in where and row["label"] in height]
    told = _telling(pen, inside, wide - 4)
    parts = _columns(pen, where, wide)
    parts += [
        side_label(label_text(label, pen.locale), side, y + _CELL / 2)
        for label, y in height.items()
    ]
    for row in inside:
        x, y = where[row["column"]], height[row["label"]]
        parts.append(pen.mark(row, *_cell(told(row["value"]), _step(scale, row), (x, y), wide)))
    bottom = _TOP + len(height) * _CELL
    parts += _scale(pen, scale, (side, bottom + 10), width)
    notes = [
        f"{len(every) - most:,} more of {len(every):,} {what} are not drawn"
        for every, most, what in (
            (columns, len(where), "columns"),
            (labels, len(height), "rows"),
        )
        if len(every) > most
    ]
    return Drawn(bottom + 28, parts, notes)


def _in_order(columns: Sequence[object]) -> list[object]:
    """Numbers and days by their size; labels as they come."""
    found = list(dict.fromkeys(columns))
    places = {column: place_of(column) for column in found}
    if any(place is None for place in places.values()):
        return found
    return sorted(found, key=lambda column: places[column] or 0.0)


def _step(scale: Scale, row: Row) -> int | None:
    place = place_of(row["value"])
    return None if place is None else min(int(scale.place(place)), STEPS - 1)


def _cell(text: str, step: int | None, at: tuple[float, float], wide: float) -> list[Svg]:
    x, y = at
    fill = colour("null" if step is None else f"heat-{step}")
    ink = SOFT if step is None else colour(f"heat-ink-{step}")
    shape = element("rect", x=x, y=y, width=wide - 1, height=_CELL - 1, fill=fill, class_="cell")
    if not text:
        return [shape]
    middle = y + _CELL / 2 + SMALL * 0.35 - 0.5
    said = lettered(text, x + wide / 2 - 0.5, middle, size=SMALL, anchor="middle", fill=ink)
    return [shape, said]


def _telling(pen: Pen, rows: Sequence[Row], room: float) -> Callable[[object], str]:
    """The longest way to write values that fits all cells; none where nothing fits."""
    for way in ways_to_tell(pen.chart.y, pen.locale):
        if all(width_in_pixels(way(row["value"]), SMALL) <= room for row in rows):
            return way
    return lambda _: ""


def _columns(pen: Pen, where: dict[object, float], wide: float) -> list[Svg]:
    labels = [label_text(column, pen.locale) for column in where]
    widest = min(max((width_in_pixels(label[:60], SMALL) for label in labels), default=0.0), 90.0)
    chosen = some_of(len(labels), max(1, int(len(labels) * wide / (widest + 6))))
    xs = list(where.values())
    title = lettered(pen.chart.x.title, xs[0] if xs else 0, 10, size=SMALL, fill=SOFT)
    return [title] + [
        lettered(
            shortened(labels[n], max(widest, wide - 4), SMALL),
            xs[n] + wide / 2 - 0.5,
            _TOP - 7,
            size=SMALL,
            anchor="middle",
            fill=SOFT,
            whole=labels[n],
        )
        for n in chosen
    ]


def _scale(pen: Pen, scale: Scale, at: tuple[float, float], width: float) -> list[Svg]:
    """What the colours mean: from the lowest to the highest."""
    low, high = (short_text(value, pen.chart.y, pen.locale) for value in (scale.low, scale.high))
    (x, y), ends = at, width_in_pixels(f"  {low}{high}", SMALL) + STEPS * 16 + 12
    title = shortened(pen.chart.y.title, max(width - at[0] - ends, 0), SMALL)
    name = f"{title}  {low}".strip()
    begin = x + width_in_pixels(name, SMALL) + 6
    cells = [
        element("rect", x=begin + n * 16, y=y, width=15, height=10, fill=colour(f"heat-{n}"))
        for n in range(STEPS)
    ]
    return [
        lettered(name, x, y + 9, size=SMALL, fill=SOFT),
        *cells,
        lettered(high, begin + STEPS * 16 + 5, y + 9, size=SMALL, fill=SOFT),
    ]
