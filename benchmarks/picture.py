"""The pictures: all ratios at the largest size, and the cost as a collection grows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import altair as alt
import polars as pl

from benchmarks.budgets import SIZE
from benchmarks.measure import Figure

_AHEAD, _BEHIND = "#1f6fb4", "#c0392b"
_WIDTH = 520


def draw(figures: Sequence[Figure], page: Path) -> list[Path]:
    """Write the pictures that there are results for next to their page, with its name."""
    charts = {"": _ratios(figures), "-growth": _growth(figures)}
    written = []
    for name, chart in charts.items():
        if chart is not None:
            path = page.with_name(f"{page.stem}{name}.svg")
            chart.save(path)
            written.append(path)
    return written


def _ratios(figures: Sequence[Figure]) -> Any:
    rows = list(_ratio_rows(figures))
    if not rows:
        return None
    n = max(figure.n for figure in figures if figure.n <= SIZE)
    order = [row["what"] for row in sorted(rows, key=lambda row: -row["speed"])]
    base = alt.Chart(pl.DataFrame(rows)).encode(
        y=alt.Y("what:N", sort=order, title=None, axis=alt.Axis(labelLimit=380)),
        color=alt.Color(
            "who:N",
            scale=alt.Scale(domain=["dealdb ahead", "dealdb behind"], range=[_AHEAD, _BEHIND]),
            legend=alt.Legend(title=None, orient="top"),
        ),
    )
    scale = alt.Scale(type="log", nice=False)
    speed = alt.X(
        "speed:Q", scale=scale, title="times as fast as the other way (log scale); 1 = as fast",
    )  # fmt: skip
    spread = base.mark_rule(strokeWidth=2, opacity=0.45).encode(
        x=alt.X("low:Q", scale=scale), x2="high:Q"
    )
    dots = base.mark_circle(size=70, opacity=1).encode(x=speed)
    labels = base.mark_text(align="left", dx=7, dy=-7, fontSize=9).encode(x=speed, text="label:N")
    even = (
        alt.Chart(pl.DataFrame({"one": [1.0]}))
        .mark_rule(strokeDash=[4, 3], color="#555")
        .encode(x="one:Q")
    )
    title = f"dealdb against other ways, {n:,} deals: median and spread of the ratios"
    return (even + spread + dots + labels).properties(
        width=_WIDTH, height=alt.Step(19), title=title
    )


def _growth(figures: Sequence[Figure]) -> Any:
    """Milliseconds by deals, both logarithmic: what is linear rises as steeply as the dashed line."""
    rows: list[dict[str, Any]] = [
        {"operation": way.name, "deals": figure.n, "ms": way.median}
        for figure in figures
        if figure.name == "growth"
        for way in figure.ways
    ]
    if not rows:
        return None
    sizes = sorted({row["deals"] for row in rows})
    order = [
        row["operation"]
        for row in sorted(rows, key=lambda r: -r["ms"])
        if row["deals"] == sizes[-1]
    ]
    x = alt.X(
        "deals:Q", scale=alt.Scale(type="log", nice=False), title="deals",
        axis=alt.Axis(values=sizes, format=","),
    )  # fmt: skip
    y = alt.Y("ms:Q", scale=alt.Scale(type="log"), title="milliseconds")
    lines = (
        alt.Chart(pl.DataFrame(rows))
        .mark_line(point=True)
        .encode(x=x, y=y, color=alt.Color("operation:N", sort=order, title=None))
    )
    least = min(row["ms"] for row in rows)
    slope = [{"deals": n, "ms": least * n / sizes[0]} for n in sizes]
    linear = (
        alt.Chart(pl.DataFrame(slope)).mark_line(strokeDash=[4, 3], color="#555").encode(x=x, y=y)
    )
    return (linear + lines).properties(
        width=_WIDTH,
        height=380,
        title="What an operation costs as the collection grows; dashed: linear",
    )


def _ratio_rows(figures: Sequence[Figure]) -> Iterable[dict[str, Any]]:
    """Every comparison at the largest size, all as speeds."""
    n = max((figure.n for figure in figures if figure.n <= SIZE), default=0)
    for figure in figures:
        for line in figure.lines if figure.n == n else ():
            if line.theirs is None:
                continue
            speeds = [1 / r if line.sense == "cost" else r for r in line.ratios]
            middle = median(speeds)
            yield {
                "what": line.what,
                "speed": middle,
                "low": min(speeds),
                "high": max(speeds),
                "label": f"{middle:,.0f}" if middle >= 10 else f"{middle:.2g}",
                "who": "dealdb ahead" if middle >= 1 else "dealdb behind",
            }
