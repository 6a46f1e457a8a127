"""A waterfall ends where its steps lead."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import polars as pl
import pytest

from dealdb.charts.chart import Axis, Chart, ChartForm, Unit
from dealdb.charts.svg.drawing import drawn

NS = "{http://www.w3.org/2000/svg}"


def test_each_bar_starts_where_the_one_before_it_ends() -> None:
    chart = Chart(
        form=ChartForm.WATERFALL,
        title="What changed",
        subtitle="",
        marks=pl.DataFrame(
            {
                "label": ["Open", "Created", "Won", "Open"],
                "value": [100.0, 60.0, -40.0, 120.0],
                "start": [0.0, 100.0, 160.0, 0.0],
                "end": [100.0, 160.0, 120.0, 120.0],
                "is_total": [True, False, False, True],
            }
        ),
        x=Axis(title="", unit=Unit.LABEL),
        y=Axis(title="value", unit=Unit.MONEY, currency="EUR"),
    )
    svg = drawn(chart)
    root = ET.fromstring(svg)
    bars = [bar.attrib for bar in root.iter(f"{NS}rect") if bar.get("class") == "bar"]
    spans = [(float(bar["x"]), float(bar["x"]) + float(bar["width"])) for bar in bars]
    opened, created, won, end = spans
    assert created[0] == pytest.approx(opened[1], abs=0.02)
    assert won[1] == pytest.approx(created[1], abs=0.02)
    assert end[1] == pytest.approx(won[0], abs=0.02)
    assert end[0] == opened[0]
    # a sign and a colour each
    assert [bar["fill"].split(",")[0] for bar in bars] == [
        f"var(--chart-{kind}" for kind in ("total", "up", "down", "total")
    ]
    texts = {text.text for text in root.iter(f"{NS}text")}
    assert {"100", "+60", "\N{MINUS SIGN}40", "120", "value, EUR"} <= texts
    assert "Created: +60 EUR" in svg
