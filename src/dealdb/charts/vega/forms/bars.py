"""Bars with their labels at the side: plain, stacked, side by side, with whiskers and ticks."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Any

import altair as alt

from dealdb.charts.vega.rows import DrawnPanel, Rows, Shape, title_of
from dealdb.charts.vega.style import BAR, INK, PALE_BAR, TRACK, colours_of, pale_parts
from dealdb.model.schema import MAX_DECIMAL_DIGITS

_STEP, _THIN = 30, 18
# a part that is shorter than this share of the axis has no room for its text
_INSIDE = 0.09
# room for the texts at the ends, as a share of the axis
_AIR = 0.18
# and of those with a range
_WIDE_AIR = 0.36
_EXACT = Context(prec=2 * MAX_DECIMAL_DIGITS)


def bars(panel: DrawnPanel) -> Shape:
    """A bar for each label."""
    is_stacked = panel.has("part")
    rows = _stacked(panel.rows) if is_stacked else _from_zero(panel)
    x, place = _across(panel), _beside(panel, rows)
    layers: list[Any] = [*_tracks(panel, rows, x, place), _bodies(panel, rows, x, place)]
    if is_stacked:
        layers += _inside(panel, rows, x, place)
    layers += [*_whiskers(panel, rows, x, place), *_targets(panel, rows, x, place)]
    layers += _ends(panel, _sums(panel, rows) if is_stacked else rows, x, place)
    step = max(_STEP, _THIN * len(panel.names("series"))) if panel.has("series") else _STEP
    return alt.layer(*layers).properties(width=panel.width, height=alt.Step(step))


def _across(panel: DrawnPanel) -> dict[str, Any]:
    low, high = panel.reach
    is_long = panel.has("low", "high") or panel.has("target")
    air = (_WIDE_AIR if is_long else _AIR) * (high - low)
    domain = [low - (air if low < 0 else 0), high + (air if high > 0 else 0)]
    # the values stand at the bars
    axis = alt.Axis(labels=False, title=title_of(panel.chart.y), orient="bottom")
    return {"scale": alt.Scale(domain=domain, nice=False, zero=False), "axis": axis}


def _beside(panel: DrawnPanel, rows: Rows) -> dict[str, Any]:
    labels = list(dict.fromkeys(row["label"] for row in rows))
    scale = alt.Scale(paddingInner=0.25, paddingOuter=0.1)
    found: dict[str, Any] = {"y": alt.Y("label:N", sort=labels, title=None, scale=scale)}
    if panel.has("series"):
        found["yOffset"] = alt.YOffset("series:N", sort=panel.names("series"))
    return found


def _bodies(panel: DrawnPanel, rows: Rows, x: dict[str, Any], place: dict[str, Any]) -> Shape:
    coloured = next((name for name in ("part", "series") if panel.has(name)), None)
    plain = PALE_BAR if panel.has("low", "high") or panel.has("target") else BAR
    colour = alt.value(plain) if coloured is None else legend(coloured, panel.names(coloured))
    return (
        panel.base(rows)
        .mark_bar()
        .encode(x=alt.X("from:Q", **x), x2="to:Q", color=colour, tooltip=panel.tooltip, **place)
    )


def legend(column: str, names: list[str]) -> alt.Color:
    """Colours of names, told above the plot."""
    return alt.Color(
        f"{column}:N",
        sort=names,
        scale=alt.Scale(domain=names, range=colours_of(names, are_parts=column == "part")),
        legend=alt.Legend(title=None, orient="top", direction="horizontal", columns=5),
    )


def _whiskers(
    panel: DrawnPanel, rows: Rows, x: dict[str, Any], place: dict[str, Any]
) -> list[Shape]:
    if not panel.has("low", "high"):
        return []
    known = [row for row in rows if row["low"] is not None and row["high"] is not None]
    base = panel.base(known)
    line = base.mark_rule(color=INK, size=1.5).encode(x=alt.X("low:Q", **x), x2="high:Q", **place)
    ends = [
        base.mark_tick(color=INK, thickness=1.5, size=9).encode(x=alt.X(f"{end}:Q", **x), **place)
        for end in ("low", "high")
    ]
    return [line, *ends]


def _tracks(panel: DrawnPanel, rows: Rows, x: dict[str, Any], place: dict[str, Any]) -> list[Shape]:
    """What leads from zero to the target, so that it is seen which bar the tick is of."""
    if not panel.has("target"):
        return []
    known = [row for row in rows if row["target"] is not None]
    bar = panel.base(known).mark_bar(color=TRACK)
    return [bar.encode(x=alt.X("from:Q", **x), x2="target:Q", **place)]


def _targets(
    panel: DrawnPanel, rows: Rows, x: dict[str, Any], place: dict[str, Any]
) -> list[Shape]:
    if not panel.has("target"):
        return []
    known = [row for row in rows if row["target"] is not None]
    tick = panel.base(known).mark_tick(color=INK, thickness=3, size=24)
    return [tick.encode(x=alt.X("target:Q", **x), **place)]


def _from_zero(panel: DrawnPanel) -> Rows:
    found = []
    for mark, row in zip(panel.marks, panel.rows, strict=True):
        value = row["value"] or 0.0
        ends = [row[name] for name in ("high", "low", "target") if row.get(name) is not None]
        tip = min([value, *ends]) if value < 0 else max([value, *ends])
        text = _with_range(panel, mark, row)
        found.append({**row, "from": 0.0, "to": row["value"], "tip": tip, "text": text})
    return found


def _with_range(panel: DrawnPanel, mark: dict[str, Any], row: dict[str, Any]) -> str:
    """The value, and what stands beside it: the text is behind the whisker, and must not be taken for its end."""
    text = str(row["text"])
    if row.get("low") is not None and row.get("high") is not None:
        low, high = panel.short(mark["low"]), panel.short(mark["high"])
        return (
            f"{text}, up to {high}" if mark["low"] == mark["value"] else f"{text} ({low} to {high})"
        )
    if row.get("target") is not None:
        return f"{text} of {panel.short(mark['target'])}"
    return text


def _stacked(rows: Rows) -> Rows:
    """Bars that begin where the one before them ended; what is below zero goes the other way."""
    ends: dict[tuple[str, bool], float] = {}
    found = []
    for row in rows:
        value = row["value"] or 0.0
        key = (row["label"], value < 0)
        start = ends.get(key, 0.0)
        ends[key] = start + value
        found.append({**row, "from": start, "to": ends[key]})
    return found


def _inside(panel: DrawnPanel, rows: Rows, x: dict[str, Any], place: dict[str, Any]) -> list[Shape]:
    """The values of the parts that have room for them."""
    low, high = panel.reach
    fits = [
        {**row, "center": (row["from"] + row["to"]) / 2}
        for row in rows
        if abs(row["to"] - row["from"]) > _INSIDE * (high - low) and not _is_whole(row, rows)
    ]
    pale = pale_parts(panel.names("part"))
    return [
        panel.base([row for row in fits if (row["part"] in pale) is is_pale])
        .mark_text(color=INK if is_pale else "#ffffff")
        .encode(x=alt.X("center:Q", **x), text="text:N", **place)
        for is_pale in (True, False)
    ]


def _is_whole(row: dict[str, Any], rows: Rows) -> bool:
    """Whether a bar has no other part, so that its sum says the same."""
    return not any(
        other["value"] for other in rows if other is not row and other["label"] == row["label"]
    )


def _ends(panel: DrawnPanel, rows: Rows, x: dict[str, Any], place: dict[str, Any]) -> list[Shape]:
    """The value behind each bar."""
    return [
        panel.base([row for row in rows if (row["tip"] < 0) is is_negative])
        .mark_text(align=align, dx=dx)
        .encode(x=alt.X("tip:Q", **x), text="text:N", **place)
        for is_negative, align, dx in ((False, "left", 6), (True, "right", -6))
    ]


def _sums(panel: DrawnPanel, rows: Rows) -> Rows:
    """The sum of each label, of its exact values."""
    sums: dict[str, Decimal] = {}
    tips: dict[str, float] = {}
    for mark, row in zip(panel.marks, rows, strict=True):
        label, value = row["label"], mark["value"]
        tips[label] = max(tips.get(label, 0.0), row["to"])
        if value is not None:
            exact = value if isinstance(value, Decimal) else Decimal(repr(value))
            sums[label] = _EXACT.add(sums.get(label, Decimal(0)), exact)
    return [
        {"label": label, "tip": tips[label], "text": panel.short(total)}
        for label, total in sums.items()
    ]
