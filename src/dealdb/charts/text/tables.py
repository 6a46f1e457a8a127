"""Bars, steps of a funnel and a waterfall, and dots, as tables with a column of bars."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

from dealdb.charts.chart import Axis, Unit
from dealdb.charts.scales import Scale
from dealdb.charts.text.blocks import PARTS, bar
from dealdb.charts.text.text_page import Drawing, Lines, Row, TextPage
from dealdb.charts.wording import (
    NO_VALUE,
    label_text,
    place_of,
    short_text,
    signed,
)
from dealdb.formats.terminal import cut, padded, width_of

MOST_BARS = 60
_SHARE = Axis(title="", unit=Unit.SHARE)
_LEAST = 8
_NO_ROOM = "too narrow for the rest of the lines"


def bars(page: TextPage, rows: Sequence[Row]) -> Lines:
    """A line for each bar; stacked parts in shades of their own, ``│`` for a target."""
    panels = [_groups(each) for each in page.scaled]
    shown = [group for groups in panels for group in groups[:MOST_BARS]]
    scale = Scale.over([place for group in shown for place in _reach(group)], 0, 1)
    labels = [page.label(group[0], "label", "series") for group in shown]
    texts = [_with_aim(page, group) for group in shown]
    parts = (
        page.chart.marks["part"].unique(maintain_order=True).to_list() if "part" in rows[0] else []
    )
    rests = [_range(page, group[0]) for group in shown]
    own = page.part([min(len(groups), MOST_BARS) for groups in panels])
    lines = _table(
        page, labels, texts, lambda n, cells: _bar(shown[n], scale, cells, parts), rests, own=own
    )
    if parts:
        names = (
            f"{PARTS[n % len(PARTS)]} {page.text(label_text(p, page.locale))}"
            for n, p in enumerate(parts)
        )
        lines.insert(0, "  ".join(names))
    every = len(panels[page.own])
    return lines + page.left_out(every, min(every, MOST_BARS), "bars")


def _groups(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows of each bar."""
    groups: dict[object, list[Row]] = {}
    for number, row in enumerate(rows):
        key = (row["label"], row.get("series")) if "part" in row else number
        groups.setdefault(key, []).append(row)
    return list(groups.values())


def _reach(rows: Sequence[Row]) -> list[float]:
    up = sum(max(place_of(row["value"]) or 0.0, 0.0) for row in rows)
    down = sum(min(place_of(row["value"]) or 0.0, 0.0) for row in rows)
    targets = [place_of(row.get("target")) for row in rows]
    ends = [up, down, *(place for place in targets if place is not None)]
    return [min(max(end, -1.7e308), 1.7e308) for end in ends]


def _bar(rows: Sequence[Row], scale: Scale, cells: int, parts: Sequence[object]) -> str:
    if not parts:
        value = place_of(rows[0]["value"])
        text = "" if value is None else bar(scale.place(0), scale.place(value), cells)
        return _with_target(text, place_of(rows[0].get("target")), scale, cells, is_aim=True)
    text, ends = "", {True: 0.0, False: 0.0}
    for row in rows:
        value = place_of(row["value"]) or 0.0
        end = ends[value > 0] + value
        block = PARTS[parts.index(row["part"]) % len(PARTS)]
        first, last = sorted(round(scale.place(place) * cells) for place in (ends[value > 0], end))
        drawn = " " * first + block * (last - first)
        text = _over(text, drawn)
        ends[value > 0] = end
    return text


def _over(below: str, above: str) -> str:
    wide = max(len(below), len(above))
    pairs = zip(below.ljust(wide), above.ljust(wide), strict=True)
    return "".join(a if a != " " else b for b, a in pairs)


def _with_target(
    text: str, target: float | None, scale: Scale, cells: int, *, is_aim: bool = False
) -> str:
    if target is None:
        return text
    at = min(round(scale.place(target) * cells), cells - 1)
    if is_aim:
        # what leads to it shows which bar it is of
        text = text + "─" * (at - len(text))
    padded_ = text.ljust(at + 1)
    return f"{padded_[:at]}│{padded_[at + 1 :]}"


def _value(page: TextPage, rows: Sequence[Row]) -> str:
    values = [row["value"] for row in rows if place_of(row["value"]) is not None]
    return short_text(reduce(add, values), page.chart.y, page.locale) if values else NO_VALUE


def _with_aim(page: TextPage, rows: Sequence[Row]) -> str:
    """The value of a bar, and of what."""
    text, target = _value(page, rows), rows[0].get("target")
    if place_of(target) is None:
        return text
    return f"{text} of {short_text(target, page.chart.y, page.locale)}"


def _range(page: TextPage, row: Row) -> str:
    if row.get("low") is None or row.get("high") is None:
        return ""
    low, high = (short_text(row[name], page.chart.y, page.locale) for name in ("low", "high"))
    return f"up to {high}" if row["low"] == row["value"] else f"{low} to {high}"


def funnel(page: TextPage, rows: Sequence[Row]) -> Lines:
    """A line for each step, with what it is of the first, and what came on."""
    scale = Scale.over([place_of(row["value"]) for row in rows], 0, 1)
    labels = [page.label(row, "label") for row in rows]

    def share(row: Row, name: str) -> str:
        return "" if row[name] is None else short_text(row[name], _SHARE, page.locale)

    counts = padded(
        [short_text(row["value"], page.chart.y, page.locale) for row in rows], right=True
    )
    shares = padded([share(row, "share") for row in rows], right=True)
    nexts = [f"{came} came on" if (came := share(row, "next")) else "" for row in rows]
    values = [f"{count}  {part}" for count, part in zip(counts, shares, strict=True)]

    def drawn(number: int, cells: int) -> str:
        # in the middle, as a funnel is
        own = bar(0, max(scale.place(place_of(rows[number]["value"]) or 0.0), 0.0), cells)
        return " " * ((cells - len(own)) // 2) + own

    return _table(page, labels, values, drawn, nexts)


def waterfall(page: TextPage, rows: Sequence[Row]) -> Lines:
    """A line for each step from where the last one ended; what goes down is shaded."""
    own, rows = page.part([*map(len, page.scaled)]), page.comparable
    ends = [
        (0.0 if row["is_total"] else place_of(row["start"]) or 0.0, place_of(row["end"]) or 0.0)
        for row in rows
    ]
    scale = Scale.over([place for pair in ends for place in pair], 0, 1)
    labels = [page.label(row, "label") for row in rows]
    texts = [
        (short_text if row["is_total"] else signed)(row["value"], page.chart.y, page.locale)
        for row in rows
    ]

    def drawn(number: int, cells: int) -> str:
        start, end = ends[number]
        goes_down = end < start and not rows[number]["is_total"]
        return bar(scale.place(start), scale.place(end), cells, block="▒" if goes_down else "█")

    return _table(page, labels, texts, drawn, own=own)


def dots(page: TextPage, rows: Sequence[Row]) -> Lines:
    """A line for each dot: the bar is what came, ``│`` what was said."""
    own, rows, chart = page.part([*map(len, page.scaled)]), page.comparable, page.chart
    same = chart.x.unit is chart.y.unit
    places = [place_of(row[name]) for row in rows for name in ("value", *(["x"] if same else []))]
    scale = Scale.over(places, 0, 1)
    labels = [
        page.text(
            ", ".join(
                [
                    *_series(page, row),
                    f"{chart.x.title} {short_text(row['x'], chart.x, page.locale)}",
                ]
            )
        )
        for row in rows
    ]
    texts = [_value(page, [row]) for row in rows]
    rests = ["  ".join(part for part in (_range(page, row), _number(row)) if part) for row in rows]

    def drawn(number: int, cells: int) -> str:
        row = rows[number]
        text = bar(scale.place(0), scale.place(place_of(row["value"]) or 0.0), cells)
        return _with_target(text, place_of(row["x"]) if same else None, scale, cells)

    return _table(page, labels, texts, drawn, rests, own=own)


def _number(row: Row) -> str:
    return "" if row["n"] is None else f"n {label_text(row['n'])}"


def _series(page: TextPage, row: Row) -> list[str]:
    return [label_text(row["series"], page.locale)] if "series" in row else []


def _table(
    page: TextPage,
    labels: Sequence[str],
    values: Sequence[str],
    drawn: Drawing,
    rests: Sequence[str] = (),
    *,
    own: slice = slice(None),
) -> Lines:
    """Labels, bars and values side by side; behind them the rest, where there is room for it; of these the own ones."""
    side = padded([cut(label, page.width * 2 // 5) for label in labels], right=False)
    ends = padded(values, right=True)
    cells = page.width - width_of(side[0]) - width_of(ends[0]) - 4
    rest = max(map(width_of, rests), default=0)
    has_room = bool(rest) and cells - rest - 2 >= _LEAST
    cells = max(cells - rest - 2 if has_room else cells, 1)
    lines = [
        # a bar that is rounded up must not move the value
        f"{label}  {drawn(n, cells)[:cells].ljust(cells)}  {text}"
        for n, (label, text) in enumerate(zip(side, ends, strict=True))
    ]
    if has_room:
        return [f"{line}  {more}".rstrip() for line, more in zip(lines, rests, strict=True)][own]
    return [*lines[own], *([_NO_ROOM] if rest else [])]
