"""A funnel's bars are about one middle."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import polars as pl
import pytest

from dealdb.charts.chart import Axis, Chart, ChartForm, Unit
from dealdb.charts.svg.drawing import drawn

NS = "{http://www.w3.org/2000/svg}"


def test_bars_have_one_middle_and_the_shares_that_came_on_between_them() -> None:
    chart = Chart(
        form=ChartForm.FUNNEL,
        title="Funnel",
        subtitle="",
        marks=pl.DataFrame(
            {
                "label": ["Lead", "Qualified", "Won"],
                "value": [200, 100, 25],
                "share": [1.0, 0.5, 0.125],
                "next": [0.5, 0.25, None],
            }
        ),
        x=Axis(title="stage", unit=Unit.LABEL),
        y=Axis(title="deals", unit=Unit.DEALS),
    )
    svg = drawn(chart)
    root = ET.fromstring(svg)
    bars = [bar.attrib for bar in root.iter(f"{NS}rect") if bar.get("class") == "bar"]
    middles = [float(bar["x"]) + float(bar["width"]) / 2 for bar in bars]
    assert max(middles) - min(middles) < 0.02
    lengths = [float(bar["width"]) for bar in bars]
    assert [length / lengths[0] for length in lengths] == pytest.approx([1, 0.5, 0.125], abs=0.001)
    texts = [text.text for text in root.iter(f"{NS}text")]
    assert [text for text in texts if text and text.startswith("\N{DOWNWARDS ARROW}")] == [
        "\N{DOWNWARDS ARROW} 50.0 %",
        "\N{DOWNWARDS ARROW} 25.0 %",
    ]
    assert "Qualified: 100 deals, 50.0 % of the first, 25.0 % came on" in svg
