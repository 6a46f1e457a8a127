"""Dots against the diagonal, and clouds of them."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import polars as pl
import pytest

from dealdb.charts.chart import Axis, Chart, ChartForm, Unit
from dealdb.charts.svg.drawing import drawn

NS = "{http://www.w3.org/2000/svg}"
SHARE = Axis(title="won", unit=Unit.SHARE)


def chart(form: ChartForm, axis: Axis = SHARE, **marks: list[object]) -> Chart:
    return Chart(form=form, title="", subtitle="", marks=pl.DataFrame(marks), x=axis, y=axis)


def circles(svg: str) -> list[dict[str, float]]:
    found = ET.fromstring(svg).iter(f"{NS}circle")
    return [{name: float(dot.attrib[name]) for name in ("cx", "cy", "r")} for dot in found]


def test_what_came_as_it_was_said_is_on_the_diagonal_and_the_area_is_the_number() -> None:
    svg = drawn(
        chart(
            ChartForm.DOTS,
            x=[0.2, 0.6],
            value=[0.2, 0.6],
            low=[-0.4, 0.5],
            high=[0.3, 1.7],
            n=[400, 100],
        )
    )
    diagonal = next(
        line for line in ET.fromstring(svg).iter(f"{NS}line") if line.get("class") == "diagonal"
    )
    x1, y1, x2, y2 = (float(diagonal.attrib[name]) for name in ("x1", "y1", "x2", "y2"))
    for dot in circles(svg):
        part = (dot["cx"] - x1) / (x2 - x1)
        assert dot["cy"] == pytest.approx(y1 + (y2 - y1) * part, abs=0.02)
    large, small = circles(svg)
    assert large["cx"] < small["cx"]
    assert large["r"] - 3 == pytest.approx(2 * (small["r"] - 3), abs=0.02)
    # a range of shares ends where shares do
    for line in ET.fromstring(svg).iter(f"{NS}line"):
        if line.get("class") == "whisker":
            assert y2 <= min(float(line.attrib["y1"]), float(line.attrib["y2"]))
            assert max(float(line.attrib["y1"]), float(line.attrib["y2"])) <= y1


def test_dots_beyond_what_can_be_looked_at_are_counted() -> None:
    axis = Axis(title="days", unit=Unit.DAYS)
    many = [*range(2500)]
    svg = drawn(chart(ChartForm.SCATTER, axis, x=many, value=many, label=many))
    assert len(circles(svg)) == 2000
    assert "500 more of 2,500 dots are not drawn" in svg
