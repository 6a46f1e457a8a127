"""A chart as SVG: well formed, finite and escaped, whatever the deals are named."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import date
from typing import Any
from xml.etree import ElementTree as ET

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dealdb.charts.chart import Axis, Chart, ChartForm, Unit
from dealdb.charts.svg.drawing import drawn, standalone
from dealdb.charts.svg.elements import _NOT_XML
from dealdb.charts.wording import mark_text, place_of
from dealdb.formats.controls import visible
from dealdb.formats.locale import Locale
from unit.charts.making import HOSTILE, bars_of, charts

NS = "{http://www.w3.org/2000/svg}"
DRAWN = {"svg", "title", "desc", "g", "a", "rect", "line", "path", "circle", "text", "style"}
NUMBERS = {
    "x",
    "y",
    "x1",
    "x2",
    "y1",
    "y2",
    "cx",
    "cy",
    "r",
    "width",
    "height",
    "d",
    "transform",
    "viewBox",
}
ONE_OF = {
    ChartForm.FAN: ("middle",),
    ChartForm.DOTS: ("x", "value"),
    ChartForm.SCATTER: ("x", "value"),
    ChartForm.STEPS: ("value",),
    ChartForm.LINES: ("value",),
}


def parsed(svg: str) -> ET.Element:
    """The elements, after a look that they are ours and that all their numbers are finite."""
    root = ET.fromstring(svg)
    for element in root.iter():
        assert element.tag.removeprefix(NS) in DRAWN
        assert not any(name.startswith("on") or name == "style" for name in element.attrib)
        for name in NUMBERS & set(element.attrib):
            assert not re.search("nan|inf|None", element.attrib[name], re.IGNORECASE)
            for number in re.findall(r"-?[\d.]+(?:e[+-]?\d+)?", element.attrib[name]):
                assert math.isfinite(float(number))
                assert abs(float(number)) < 1e5
        assert float(element.attrib.get("width", 0)) >= 0
        assert float(element.attrib.get("height", 0)) >= 0
    return root


def titles(root: ET.Element) -> list[str]:
    return [
        mark.findtext(f"{NS}title") or "" for mark in root.iter() if mark.get("class") == "mark"
    ]


def in_xml(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", visible(text))


@pytest.mark.parametrize("form", ChartForm)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_marks_are_drawn_finite_and_escaped(form: ChartForm, data: st.DataObject) -> None:
    chart = data.draw(charts(form))
    width = data.draw(st.sampled_from([120, 320, 640, 1200]))
    if form is ChartForm.HEAT:
        # of columns that there is no room for, marks are not drawn
        width = 640
    tag = data.draw(st.sampled_from(["", "de-DE"]))
    root = parsed(drawn(chart, width=width, locale=Locale(tag), link=lambda _: "/deals?x=1&y=2"))
    told = titles(root)
    for row in chart.marks.iter_rows(named=True):
        at_a_place = all(
            place_of(row[name]) is not None for name in ONE_OF.get(form, ()) if name != "x"
        )
        if form in (ChartForm.DOTS, ChartForm.SCATTER):
            at_a_place = at_a_place and place_of(row["x"]) is not None
        elif "x" in row:
            at_a_place = at_a_place and not (
                isinstance(row["x"], float) and not math.isfinite(row["x"])
            )
            at_a_place = at_a_place and row["x"] is not None
        if at_a_place:
            assert in_xml(mark_text(chart, row, Locale(tag))) in told


@pytest.mark.parametrize("form", ChartForm)
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_file_has_its_own_style_and_needs_no_page(form: ChartForm, data: st.DataObject) -> None:
    svg = standalone(data.draw(charts(form)))
    root = parsed(svg)
    assert root.find(f"{NS}style") is not None
    assert "var(--" not in re.sub(r"<(title|desc|text)\b.*?</\1>", "", svg)
    assert 'fill="#' in svg
    assert re.search(r"@media \(prefers-color-scheme: dark\)", svg)


def test_a_chart_says_what_it_is_to_those_who_do_not_see_it() -> None:
    root = parsed(drawn(bars_of(["Ann", "Bob"], [7, 3])))
    assert root.get("role") == "img"
    title, desc = root.find(f"{NS}title"), root.find(f"{NS}desc")
    assert title is not None
    assert desc is not None
    assert (root.get("aria-labelledby"), root.get("aria-describedby")) == (
        title.get("id"),
        desc.get("id"),
    )
    assert title.text == "Open deals"
    assert desc.text == "n 10, as of 2026-11-26. Ann: 7 deals; Bob: 3 deals"


def test_ids_are_of_the_chart_or_of_the_page() -> None:
    one = bars_of(["Ann"], [7])
    two = replace(one, title="Won deals")
    assert 'id="left-title"' in drawn(one, id_prefix="left")
    assert drawn(one) == drawn(one)
    assert parsed(drawn(one)).get("aria-labelledby") != parsed(drawn(two)).get("aria-labelledby")


def test_marks_lead_to_their_deals() -> None:
    asked: list[dict[str, Any]] = []

    def link(row: dict[str, Any]) -> str | None:
        asked.append(row)
        return None if row["label"] is None else f'/deals?where=owner="{row["label"]}"&x=1'

    root = parsed(drawn(bars_of(["Ann", None], [7, 3], row=[0, 1]), link=link))
    assert root.get("role") == "group"
    links = list(root.iter(f"{NS}a"))
    assert [a.get("href") for a in links] == ['/deals?where=owner="Ann"&x=1']
    assert [a.get("aria-label") for a in links] == ["Ann: 7 deals"]
    assert asked == [{"label": "Ann", "value": 7, "row": 0}, {"label": None, "value": 3, "row": 1}]


@pytest.mark.parametrize(
    "href", ["javascript:alert(1)", " javascript:x", "JaVaScRiPt:x", "data:text/html,x", ""]
)
def test_a_link_that_is_none_is_a_fault(href: str) -> None:
    with pytest.raises(ValueError, match="not one to a page"):
        drawn(bars_of(["Ann"], [7]), link=lambda _: href)


def test_no_deals_are_said() -> None:
    for form in ChartForm:
        chart = Chart(
            form=form,
            title="Nothing",
            subtitle="n 0",
            marks=pl.DataFrame(
                {
                    name: []
                    for name in (
                        "label",
                        "value",
                        "share",
                        "next",
                        "start",
                        "end",
                        "is_total",
                        "column",
                        "x",
                        "low",
                        "middle",
                        "high",
                        "n",
                    )
                }
            ),
            x=Axis(title="", unit=Unit.LABEL),
            y=Axis(title="", unit=Unit.DEALS),
        )
        texts = [text.text for text in parsed(drawn(chart)).iter(f"{NS}text")]
        assert texts == ["Nothing", "n 0", "no deals"]


def test_panels_of_currencies_stand_side_by_side_where_there_is_room_and_never_share_a_scale() -> (
    None
):
    chart = bars_of(["a", "a"], [1_000_000, 2], Unit.MONEY, panel=["USD", "EUR"])
    narrow, wide = parsed(drawn(chart, width=400)), parsed(drawn(chart, width=900))
    places = [
        {group.get("transform") for group in root.findall(f"{NS}g")} for root in (narrow, wide)
    ]
    assert places[0] == {"translate(0 50)", "translate(0 130)"} or len(places[0]) == 2
    assert {place.split("(")[1].split(" ")[0] for place in places[0] if place} == {"0"}
    assert len({place.split(" ")[1] for place in places[1] if place}) == 1
    lengths = [float(bar.attrib["width"]) for bar in wide.iter() if bar.get("class") == "bar"]
    assert min(lengths) > 100


def test_more_panels_than_one_can_look_at_are_counted() -> None:
    chart = bars_of(["a"] * 20, [1] * 20, panel=[f"{n}" for n in range(20)])
    assert "8 more of 20 parts are not drawn" in drawn(chart)


def test_long_labels_are_cut_and_whole_in_their_titles() -> None:
    long = "x" * 10_000
    root = parsed(drawn(bars_of([long], [7])))
    [label] = [text for text in root.iter(f"{NS}text") if text.get("text-anchor") == "end"]
    assert label.findtext(f"{NS}title") == long
    drawn_text = "".join(label.itertext()).removeprefix(long)
    assert len(drawn_text) < 60
    assert drawn_text.endswith("…")


def test_hostile_names_are_texts_and_nothing_else() -> None:
    names = [*HOSTILE]
    svg = drawn(bars_of(names, [1] * len(names)), link=lambda _: "/deals")
    for bad in ("<img", "<script", "</script", '"onload', "\u202e", "\x1b", "\x00"):
        assert bad not in svg
    parsed(svg)


def test_days_are_written_as_the_reader_writes_them() -> None:
    chart = Chart(
        form=ChartForm.LINES,
        title="Won",
        subtitle="",
        marks=pl.DataFrame(
            {"x": [date(2026, month, 1) for month in range(1, 13)], "value": [1234.5] * 12}
        ),
        x=Axis(title="month", unit=Unit.DATE),
        y=Axis(title="value", unit=Unit.MONEY, currency="EUR"),
    )
    assert "1.1.2026: 1.234,50 EUR" in drawn(chart, locale=Locale("de-DE"))
    assert "2026-01-01: 1,234.50 EUR" in drawn(chart)


def test_a_line_of_very_many_values_is_no_page_of_names() -> None:
    days = pl.date_range(date(2016, 1, 1), date(2025, 12, 31), eager=True)
    chart = Chart(
        form=ChartForm.LINES,
        title="Won by day",
        subtitle="",
        marks=pl.DataFrame({"x": days, "value": [*range(len(days))]}),
        x=Axis(title="day", unit=Unit.DATE),
        y=Axis(title="deals", unit=Unit.DEALS),
    )
    svg = drawn(chart)
    assert len(svg) < 100_000
    assert "lines of more than 1,000 values are drawn without naming each" in svg
    assert titles(parsed(svg)) == []


def test_names_of_ten_thousand_characters_make_no_page_of_megabytes() -> None:
    svg = drawn(
        bars_of(["x" * 10_000 + f"{n}" for n in range(30)], [1] * 30), link=lambda _: "/deals"
    )
    assert len(svg) < 800_000
