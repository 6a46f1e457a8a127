"""Ranges about a line."""

from __future__ import annotations

from datetime import date
from xml.etree import ElementTree as ET

import polars as pl

from dealdb.charts.chart import Axis, Chart, ChartForm, Unit
from dealdb.charts.svg.drawing import drawn

NS = "{http://www.w3.org/2000/svg}"
MONEY = Axis(title="won", unit=Unit.MONEY, currency="EUR")


def paths(chart: Chart) -> list[dict[str, str]]:
    return [dict(path.attrib) for path in ET.fromstring(drawn(chart)).iter(f"{NS}path")]


def test_what_is_certain_has_a_whole_line_and_what_may_come_a_broken_one() -> None:
    chart = Chart(
        form=ChartForm.FAN,
        title="Forecast",
        subtitle="",
        marks=pl.DataFrame(
            {
                "x": [date(2026, month, 1) for month in (1, 2, 3, 4)],
                "low": [10.0, 20.0, 22.0, 20.0],
                "middle": [10.0, 20.0, 26.0, 30.0],
                "high": [10.0, 20.0, 31.0, 44.0],
            }
        ),
        x=Axis(title="month", unit=Unit.DATE),
        y=MONEY,
    )
    band, certain, broken = paths(chart)
    assert band["class"] == "band"
    assert band["d"].endswith("Z")
    assert "stroke-dasharray" not in certain
    assert (certain["d"].count("M"), broken["d"].count("M")) == (1, 2)
    assert broken["stroke-dasharray"]
    assert "2026-04-01: 30 EUR, 20 EUR to 44 EUR" in drawn(chart)


def test_a_step_stays_on_its_height_up_to_the_next() -> None:
    chart = Chart(
        form=ChartForm.STEPS,
        title="Survival",
        subtitle="",
        # in no order: steps go on in time
        marks=pl.DataFrame({"x": [10, 0, 30], "value": [0.5, 1.0, 0.25]}),
        x=Axis(title="days", unit=Unit.DAYS),
        y=Axis(title="still there", unit=Unit.SHARE),
    )
    [line] = paths(chart)
    points = [tuple(map(float, point.split())) for point in line["d"].removeprefix("M").split("L")]
    xs, ys = zip(*points, strict=True)
    assert list(xs) == sorted(xs)
    assert ys == (ys[0], ys[0], ys[2], ys[2], ys[4])
    assert ys[0] < ys[2] < ys[4]


def test_a_missing_value_is_a_gap_in_a_line_and_a_lone_one_is_a_dot() -> None:
    chart = Chart(
        form=ChartForm.LINES,
        title="Trend",
        subtitle="",
        marks=pl.DataFrame(
            {"x": ["Q1", "Q2", "Q3", "Q4", "Q5"], "value": [1.0, 2.0, None, 3.0, None]}
        ),
        x=Axis(title="", unit=Unit.LABEL),
        y=MONEY,
    )
    [line] = paths(chart)
    assert line["d"].count("L") == 1
    seen = [
        dot
        for dot in ET.fromstring(drawn(chart)).iter(f"{NS}circle")
        if dot.get("fill") != "transparent"
    ]
    assert len(seen) == 3
