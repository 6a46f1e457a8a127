"""What takes a value from its start to its end: bars that float, one below the other."""

from __future__ import annotations

from collections.abc import Sequence

from dealdb.charts.scales import Scale
from dealdb.charts.svg.colours import colour
from dealdb.charts.svg.elements import bar_between, element
from dealdb.charts.svg.forms.labels import CAPTION, LEAST, caption, side_label, side_width
from dealdb.charts.svg.lettering import TEXT, lettered, width_in_pixels
from dealdb.charts.svg.pen import Drawn, Pen, Row
from dealdb.charts.wording import NO_VALUE, label_text, place_of, short_text, signed

_ROW, _BAR, _GAP = 26.0, 16.0, 5.0


def waterfall(pen: Pen, rows: Sequence[Row], width: float) -> Drawn:
    """The bars of a panel; a line leads from the end of each to the next."""
    labels = [label_text(row["label"], pen.locale) for row in rows]
    texts = [_text(pen, row) for row in rows]
    ends = [_ends(row) for row in rows]
    # of all panels that are to be compared
    scaled = [row for each in pen.beside(rows) for row in each]
    side = side_width([label_text(row["label"], pen.locale) for row in scaled], width)
    # totals are bold
    room = max((width_in_pixels(_text(pen, row)) for row in scaled), default=0.0) * 1.1 + _GAP
    places = [place for row in scaled for place in _ends(row)]
    scale = Scale.over(places, side, max(width - room, side + LEAST))
    zero = scale.place(0)
    top = CAPTION
    height = top + len(rows) * _ROW
    ground = element("line", x1=zero, x2=zero, y1=top, y2=height, stroke=colour("line"))
    parts = [caption(pen.chart.y, side, width), ground]
    for number, (row, label, text) in enumerate(zip(rows, labels, texts, strict=True)):
        middle = top + number * _ROW + _ROW / 2
        start, end = map(scale.place, ends[number])
        shape = bar_between(start, end, middle, high=_BAR, fill=colour(_kind(row)))
        said = lettered(
            text,
            max(start, end) + _GAP,
            middle + TEXT * 0.35,
            bold=bool(row["is_total"]),
        )
        parts += [side_label(label, side, middle), pen.mark(row, shape, said)]
        if number + 1 < len(rows):
            parts.append(
                element(
                    "line",
                    x1=end,
                    x2=end,
                    y1=middle + _BAR / 2,
                    y2=middle + _ROW - _BAR / 2,
                    stroke=colour("total"),
                )
            )
    return Drawn(height, parts)


def _ends(row: Row) -> tuple[float, float]:
    start = 0.0 if row["is_total"] else place_of(row["start"]) or 0.0
    end = place_of(row["end"])
    return start, start if end is None else end


def _kind(row: Row) -> str:
    if row["is_total"]:
        return "total"
    return "up" if (place_of(row["value"]) or 0) >= 0 else "down"


def _text(pen: Pen, row: Row) -> str:
    if row["value"] is None:
        return NO_VALUE
    told = short_text if row["is_total"] else signed
    return told(row["value"], pen.chart.y, pen.locale)
