"""Bars are as long as their exact values say."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealdb.charts.chart import Unit
from dealdb.charts.svg.drawing import drawn
from unit.charts.making import bars_of

NS = "{http://www.w3.org/2000/svg}"


def bars(svg: str) -> list[dict[str, float]]:
    return [
        {name: float(bar.attrib[name]) for name in ("x", "y", "width", "height")}
        for bar in ET.fromstring(svg).iter(f"{NS}rect")
        if bar.get("class") == "bar"
    ]


def texts(svg: str) -> list[str]:
    return [text.text or "" for text in ET.fromstring(svg).iter(f"{NS}text")]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.decimals(-(10**15), 10**15, places=2), min_size=1, max_size=40).filter(any),
    st.sampled_from([300, 640]),
)
def test_bars_are_proportional_to_the_exact_values(values: list[Decimal], width: int) -> None:
    found = bars(
        drawn(bars_of([f"{n}" for n, _ in enumerate(values)], values, Unit.MONEY), width=width)
    )
    most = max(map(abs, values))
    longest = found[[*map(abs, values)].index(most)]["width"]
    zeros = {
        round(bar["x"] if value > 0 else bar["x"] + bar["width"], 1)
        for bar, value in zip(found, values, strict=True)
        if value
    }
    for bar, value in zip(found, values, strict=True):
        exact = longest * float(Fraction(abs(value)) / Fraction(most))
        assert bar["width"] == pytest.approx(exact, abs=0.011)
    # all of them start at one zero
    assert max(zeros) - min(zeros) <= 0.11


def test_parts_of_a_bar_stand_one_behind_the_other_and_its_sum_at_the_end() -> None:
    values = [Decimal("0.10"), Decimal("0.20"), Decimal("-0.40"), Decimal("0.70")]
    svg = drawn(bars_of(["a"] * 4, values, Unit.MONEY, part=["p", "q", "r", "s"]))
    first, second, down, last = bars(svg)
    assert second["x"] == pytest.approx(first["x"] + first["width"], abs=0.02)
    assert last["x"] == pytest.approx(second["x"] + second["width"], abs=0.02)
    assert down["x"] + down["width"] == pytest.approx(first["x"], abs=0.02)
    # decimals are added as decimals
    assert "0.6" in texts(svg)


def test_bars_of_one_label_stand_together_and_have_their_label_once() -> None:
    svg = drawn(bars_of(["Q1", "Q1", "Q2", "Q2"], [1, 2, 3, 4], series=["won", "lost"] * 2))
    ys = [bar["y"] for bar in bars(svg)]
    assert ys[1] - ys[0] == ys[3] - ys[2] < ys[2] - ys[1]
    assert texts(svg).count("Q1") == 1
    assert {"won", "lost"} < set(texts(svg))


def test_what_is_not_drawn_is_counted() -> None:
    svg = drawn(bars_of([f"owner {n}" for n in range(500)], [*range(500)]))
    assert len(bars(svg)) == 40
    assert "460 more of 500 bars are not drawn" in texts(svg)


def test_no_value_is_not_zero() -> None:
    svg = drawn(bars_of(["a", "b", "c"], [1.0, None, float("nan")]))
    assert len(bars(svg)) == 1 or [bar["width"] for bar in bars(svg)][1:] == [0, 0]
    assert texts(svg).count("\N{EN DASH}") == 2
    assert "b: \N{EN DASH}" in svg


def test_a_value_at_its_end_stays_in_the_picture() -> None:
    svg = drawn(
        bars_of(
            ["a", "b"],
            [-5.0, 3.0],
            Unit.MONEY,
            target=[9.0, None],
            low=[-9.0, None],
            high=[20.0, None],
        )
    )
    for text in ET.fromstring(svg).iter(f"{NS}text"):
        assert 0 <= float(text.attrib["x"]) <= 640


def test_a_target_far_behind_its_bar_is_led_to_and_its_value_is_said() -> None:
    svg = drawn(bars_of(["far", "near"], [10, 99], target=[100, 100]))
    at = {text.text: float(text.attrib["x"]) for text in ET.fromstring(svg).iter(f"{NS}text")}
    ticks = [line for line in ET.fromstring(svg).iter(f"{NS}line") if line.get("class") == "target"]
    tracks = [rect for rect in ET.fromstring(svg).iter(f"{NS}rect") if rect.get("class") == "track"]
    for bar, track, tick, text in zip(
        bars(svg), tracks, ticks, ("10 of 100", "99 of 100"), strict=True
    ):
        end = float(track.attrib["x"]) + float(track.attrib["width"])
        assert float(track.attrib["x"]) == bar["x"]
        assert end == pytest.approx(float(tick.attrib["x1"]), abs=0.02)
        assert at[text] > end


def test_panels_of_one_unit_have_one_scale() -> None:
    chart = bars_of(["a", "a much longer name"], [10, 2], panel=["Ann", "Bob"])
    first, second = (bar["width"] for bar in bars(drawn(chart, width=900)))
    assert second == pytest.approx(first / 5, abs=0.02)
    # the parts of one bar are not those of another panel's bar of the same name
    parts = bars_of(["a"] * 4, [6, 4, 1, 1], panel=["x", "x", "y", "y"], part=["p", "q"] * 2)
    widths = [bar["width"] for bar in bars(drawn(parts, width=900))]
    assert widths == pytest.approx([6 * widths[2], 4 * widths[2], widths[2], widths[2]], abs=0.1)


def test_what_is_rotting_alone_has_the_colour_of_alarm() -> None:
    svg = drawn(bars_of(["a", "a"], [3, 9], part=["rotting", "in time"]))
    filled = [rect.attrib["fill"] for rect in ET.fromstring(svg).iter(f"{NS}rect")]
    assert [fill.partition(",")[0] for fill in filled] == ["var(--chart-2", "var(--chart-calm"] * 2


def test_parts_say_their_values_where_there_is_room() -> None:
    svg = drawn(bars_of(["a"] * 3, [60, 39, 1], part=["won", "lost", "open"]))
    assert {"60", "39", "100"} <= set(texts(svg))
    assert "1" not in texts(svg)
