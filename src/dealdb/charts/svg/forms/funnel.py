"""Steps that fewer and fewer come through: bars about a middle, and the share that came on between them."""

from __future__ import annotations

from collections.abc import Sequence

from dealdb.charts.chart import Axis, Unit
from dealdb.charts.scales import Scale
from dealdb.charts.svg.colours import of_series
from dealdb.charts.svg.elements import element
from dealdb.charts.svg.forms.labels import CAPTION, LEAST, caption, side_label, side_width
from dealdb.charts.svg.lettering import SMALL, SOFT, TEXT, lettered, width_in_pixels
from dealdb.charts.svg.pen import Drawn, Pen, Row
from dealdb.charts.wording import NO_VALUE, label_text, place_of, short_text

_BAR, _BETWEEN = 24.0, 20.0
_SHARE = Axis(title="", unit=Unit.SHARE)


def funnel(pen: Pen, rows: Sequence[Row], width: float) -> Drawn:
    """The steps of a panel; at the right, what each is of the first."""
    labels = [label_text(row["label"], pen.locale) for row in rows]
    texts = [_text(pen, row) for row in rows]
    side = side_width(labels, width)
    room = max(map(width_in_pixels, texts), default=0.0) + 10
    widest = max((_size(row) for row in rows), default=0.0)
    scale = Scale.over([widest], 0, max(width - side - room, LEAST))
    centre = side + (width - side - room) / 2
    parts, y = [caption(pen.chart.y, side, width)], CAPTION
    for number, (row, label, text) in enumerate(zip(rows, labels, texts, strict=True)):
        long, middle = scale.place(_size(row)), y + _BAR / 2
        shape = element(
            "rect",
            class_="bar",
            x=centre - long / 2,
            y=y,
            width=long,
            height=_BAR,
            rx=2,
            fill=of_series(0),
        )
        said = lettered(text, width, middle + TEXT * 0.35, anchor="end")
        parts += [side_label(label, side, middle), pen.mark(row, shape, said)]
        y += _BAR
        if number + 1 < len(rows):
            if row["next"] is not None:
                share = short_text(row["next"], _SHARE, pen.locale)
                parts.append(
                    lettered(
                        f"\N{DOWNWARDS ARROW} {share}",
                        centre,
                        y + _BETWEEN / 2 + SMALL * 0.35,
                        size=SMALL,
                        anchor="middle",
                        fill=SOFT,
                    )
                )
            y += _BETWEEN
    return Drawn(y, parts)


def _size(row: Row) -> float:
    # fewer than none come through no step
    return max(place_of(row["value"]) or 0.0, 0.0)


def _text(pen: Pen, row: Row) -> str:
    if row["value"] is None:
        return NO_VALUE
    text = short_text(row["value"], pen.chart.y, pen.locale)
    if row["share"] is None:
        return text
    return f"{text} · {short_text(row['share'], _SHARE, pen.locale)}"
