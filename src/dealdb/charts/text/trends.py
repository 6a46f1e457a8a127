"""Lines, bands and steps as sparklines, with their first, last, least and most."""

from __future__ import annotations

from collections.abc import Sequence

from dealdb.charts.chart import ChartForm
from dealdb.charts.scales import Scale
from dealdb.charts.text.blocks import sparkline, thinned
from dealdb.charts.text.text_page import Lines, Row, TextPage
from dealdb.charts.wording import exact_text, label_text, place_of, short_text
from dealdb.formats.terminal import cut, padded, width_of

_LEAST = 10
_NAMES = {ChartForm.FAN: ("high", "middle", "low")}


def trends(page: TextPage, rows: Sequence[Row]) -> Lines:
    """A sparkline for each series, all of one scale, and the span that they are of."""
    names = _NAMES.get(page.chart.form, ("value",))
    if all(place_of(row[name]) is None for row in rows for name in names):
        return ["no values"]
    scale = Scale.over([place_of(row[name]) for row in page.comparable for name in names], 0, 1)
    kinds = dict.fromkeys(row.get("series") for row in rows)
    is_stepped = page.chart.form is ChartForm.STEPS
    labels, told, runs = [], [], []
    for kind in kinds:
        own = [row for row in rows if row.get("series") == kind]
        for name in names:
            words = [label_text(kind, page.locale)] if "series" in rows[0] else []
            labels.append(page.text(" ".join([*words, *([name] if len(names) > 1 else [])])))
            told.append(_summary(page, [row[name] for row in own]))
            runs.append(_evenly(own, name) if is_stepped else [place_of(row[name]) for row in own])
    side = padded([cut(label, page.width // 3) for label in labels], right=False)
    gap = 2 if width_of(side[0]) else 0
    room = page.width - width_of(side[0]) - gap - 2
    ends = _fitting(told, room - _LEAST)
    room -= width_of(ends[0])
    return [
        f"{label}{' ' * gap}{_line(run, scale, room)}  {text}".rstrip()
        for label, run, text in zip(side, _of_one_width(runs, room), ends, strict=True)
    ] + [_span(page, rows)]


def _evenly(rows: Sequence[Row], name: str, columns: int = 60) -> list[float | None]:
    """Values that hold from their place on, at places that are the same step apart."""
    known = [
        (place, place_of(row[name])) for row in rows if (place := place_of(row["x"])) is not None
    ]
    if not known:
        return [place_of(row[name]) for row in rows]
    known.sort(key=lambda each: each[0])
    first, last = known[0][0], known[-1][0]
    found, at = list[float | None](), 0
    for number in range(columns):
        x = first + (last - first) * number / (columns - 1)
        while at + 1 < len(known) and known[at + 1][0] <= x + 1e-9:
            at += 1
        found.append(known[at][1])
    return found


def _of_one_width(runs: Sequence[Sequence[float | None]], room: int) -> list[list[float | None]]:
    longest = max(map(len, runs))
    return [[*thinned([*run, *[None] * (longest - len(run))], room)] for run in runs]


def _line(run: Sequence[float | None], scale: Scale, room: int) -> str:
    parts = [None if value is None else scale.place(value) for value in run]
    return sparkline(parts).ljust(min(len(run), room))


def _summary(page: TextPage, values: Sequence[object]) -> list[str]:
    known = [value for value in values if place_of(value) is not None]
    if not known:
        return ["no values", "", "", ""]
    by_place = sorted(known, key=lambda value: place_of(value) or 0.0)
    named = (("first", known[0]), ("last", known[-1]), ("min", by_place[0]), ("max", by_place[-1]))
    return [f"{name} {short_text(value, page.chart.y, page.locale)}" for name, value in named]


def _fitting(told: Sequence[Sequence[str]], room: int) -> list[str]:
    """As many of first, last, least and most as there is room for, below each other."""
    ends = [""] * len(told)
    for number in range(len(told[0])):
        column = padded([parts[number] for parts in told], right=False)
        more = [
            f"{end}  {part}" if number else part for end, part in zip(ends, column, strict=True)
        ]
        if width_of(more[0]) > room:
            break
        ends = more
    return ends


def _span(page: TextPage, rows: Sequence[Row]) -> str:
    xs = [row["x"] for row in rows if row["x"] is not None]
    if not xs:
        return "no values"
    first, last = (page.text(exact_text(x, page.chart.x, page.locale)) for x in (xs[0], xs[-1]))
    return f"from {first} to {last}"
