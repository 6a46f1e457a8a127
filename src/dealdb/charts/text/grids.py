"""Heat maps and clouds of dots as tables of shades."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from dealdb.charts.scales import Scale
from dealdb.charts.text.blocks import shade
from dealdb.charts.text.text_page import Lines, Row, TextPage
from dealdb.charts.wording import exact_text, label_text, place_of, short_text, ways_to_tell
from dealdb.formats.terminal import cut, padded, width_of

MOST_ROWS = 60
_HEIGHT = 12


def heat(page: TextPage, rows: Sequence[Row]) -> Lines:
    """A table of values with their shades; of shades alone, where there is no room for more."""
    columns = list(dict.fromkeys(row["column"] for row in rows))
    if all(place_of(column) is not None for column in columns):
        columns.sort(key=lambda column: place_of(column) or 0.0)
    labels = list(dict.fromkeys(row["label"] for row in rows))
    values = {(row["label"], row["column"]): row["value"] for row in rows}
    scale = Scale.over([place_of(row["value"]) for row in page.comparable], 0, 1)

    shown = labels[:MOST_ROWS]
    names = [cut(page.text(label_text(label, page.locale)), page.width // 3) for label in shown]
    side = padded(["", *names], right=False)
    heads = [page.text(label_text(column, page.locale)) for column in columns]

    def table(tell: Callable[[object], str] | None) -> list[list[str]]:
        return [
            padded(
                [
                    "" if tell is None else head,
                    *(_cell(values, (label, column), scale, tell) for label in shown),
                ],
                right=True,
            )
            for head, column in zip(heads, columns, strict=True)
        ]

    room = page.width - width_of(side[0])
    ways = [table(way) for way in ways_to_tell(page.chart.y, page.locale)]
    cells = next((way for way in ways if sum(width_of(c[0]) + 2 for c in way) <= room), None)
    low, high = (short_text(end, page.chart.y, page.locale) for end in (scale.low, scale.high))
    scale_line = f"{shade(0)} {low}  {shade(1)} {high}"
    rest = page.left_out(len(labels), len(shown), "rows")
    if cells:
        return [*_lines(side, cells, "  "), scale_line, *rest]
    # no room for values
    bare = table(None)[: room - 2]
    span = f"{page.text(page.chart.x.title)} from {heads[0]} to {heads[len(bare) - 1]}"
    rest = [*page.left_out(len(columns), len(bare), "columns"), *rest]
    return [span, *_lines(side, bare, "")[1:], scale_line, *rest]


def _lines(side: Sequence[str], cells: Sequence[Sequence[str]], gap: str) -> Lines:
    return [f"{name}  {gap.join(row)}".rstrip() for name, *row in zip(side, *cells, strict=True)]


def _cell(
    values: dict[tuple[object, object], object],
    key: tuple[object, object],
    scale: Scale,
    tell: Callable[[object], str] | None,
) -> str:
    if key not in values:
        return "" if tell else " "
    place = place_of(values[key])
    sign = shade(None if place is None else scale.place(place))
    return f"{sign} {tell(values[key])}" if tell else sign


def scatter(page: TextPage, rows: Sequence[Row]) -> Lines:
    """How many dots are where; of all series together."""
    places = [(place_of(row["x"]), place_of(row["value"])) for row in rows]
    known = [(x, y) for x, y in places if x is not None and y is not None]
    if not known:
        return ["no values"]
    chart, locale = page.chart, page.locale
    across = Scale.over([place_of(row["x"]) for row in page.comparable], 0, 1, with_zero=False)
    upward = Scale.over([place_of(row["value"]) for row in page.comparable], 0, 1)
    tops = [short_text(value, chart.y, locale) for value in (upward.high, upward.low)]
    side = padded([tops[0], *[""] * (_HEIGHT - 2), tops[1]], right=True)
    cells = max(page.width - width_of(side[0]) - 2, 10)
    many = Counter(
        (
            min(int(across.place(x) * cells), cells - 1),
            min(int(upward.place(y) * _HEIGHT), _HEIGHT - 1),
        )
        for x, y in known
    )
    most = max(many.values())
    lines = [
        f"{left} │{''.join(_dot(many[column, _HEIGHT - 1 - n], most) for column in range(cells))}".rstrip()
        for n, left in enumerate(side)
    ]
    first, last = (
        exact_text(round(value, 4), chart.x, locale) for value in (across.low, across.high)
    )
    below = f"{page.text(chart.x.title)} from {first} to {last}, {page.text(chart.y.title)} upward"
    return [*lines, below, f"{shade(0)} one, {shade(1)} {most:,} of {len(known):,}"]


def _dot(n: int, most: int) -> str:
    return " " if not n else shade((n - 1) / max(most - 1, 1))
