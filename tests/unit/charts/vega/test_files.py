"""Each form as each kind of file, opened again; texts of attackers are texts in all of them."""

from __future__ import annotations

import json
import re
import struct
from datetime import date
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree as ET

import polars as pl
import pytest

from dealdb.charts import Axis, Chart, ChartForm, Unit
from dealdb.charts.vega.files import picture_bytes

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    '"onload="x',
    "\u202eevil\u202c",
    "x" * 10_000,
    "' + alert(1) + '",
    "",
    "株式会社\n\t",
]
N = len(HOSTILE)
VALUES = [Decimal(-25), Decimal(0), None, *map(Decimal, range(N - 3))]
COLUMNS: dict[ChartForm, dict[str, Any]] = {
    ChartForm.BARS: {"label": HOSTILE, "value": VALUES, "low": VALUES, "high": VALUES},
    ChartForm.FUNNEL: {"label": HOSTILE, "value": range(N), "share": [0.5] * N, "next": [None] * N},
    ChartForm.WATERFALL: {
        "label": HOSTILE,
        "value": VALUES,
        "start": [Decimal(0)] * N,
        "end": VALUES,
        "is_total": [True, *[False] * (N - 1)],
    },
    ChartForm.HEAT: {"column": HOSTILE, "label": HOSTILE[::-1], "value": VALUES},
    ChartForm.FAN: {
        "x": [date(2026, 1, n) for n in range(1, N + 1)],
        "low": VALUES,
        "middle": VALUES,
        "high": VALUES,
    },
    ChartForm.STEPS: {"x": range(N), "value": VALUES, "series": HOSTILE},
    ChartForm.DOTS: {
        "x": range(N),
        "value": VALUES,
        "low": VALUES,
        "high": VALUES,
        "n": range(N),
        "series": HOSTILE,
    },
    ChartForm.LINES: {"x": HOSTILE, "value": VALUES, "panel": ["EUR", "</script>"] * (N // 2)},
    ChartForm.SCATTER: {"x": range(N), "value": VALUES, "label": HOSTILE, "series": HOSTILE},
}
UNITS = {ChartForm.FAN: Unit.DATE, ChartForm.STEPS: Unit.DAYS, ChartForm.DOTS: Unit.NUMBER}


def hostile(form: ChartForm) -> Chart:
    is_number = form is ChartForm.SCATTER
    unit = Unit.DAYS if is_number else UNITS.get(form, Unit.LABEL)
    return Chart(
        form=form,
        title=HOSTILE[1],
        subtitle=HOSTILE[0],
        marks=pl.DataFrame(COLUMNS[form], strict=False),
        x=Axis(title=HOSTILE[2], unit=unit),
        y=Axis(title=HOSTILE[0], unit=Unit.MONEY, currency="</script>"),
        notes=[HOSTILE[1]],
    )


def test_a_picture_is_large_enough_to_be_looked_at() -> None:
    png = picture_bytes(hostile(ChartForm.HEAT), "png")
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    assert 400 < width < 8000
    assert 200 < height < 8000


@pytest.mark.parametrize("form", ChartForm)
def test_each_form_is_a_file_in_which_all_texts_are_texts(form: ChartForm) -> None:
    chart = hostile(form)
    svg = ET.fromstring(picture_bytes(chart, "svg"))
    assert {each.tag.rpartition("}")[2] for each in svg.iter()} <= {
        "svg", "g", "path", "text", "tspan", "rect", "defs", "clipPath", "line", "circle", "linearGradient", "stop",
    }  # fmt: skip
    assert not [name for each in svg.iter() for name in each.attrib if name.startswith("on")]
    spec = json.loads(picture_bytes(chart, "json"))
    told = [row for rows in spec["datasets"].values() for row in rows if "told" in row]
    # a cell or dot without a value is not drawn
    lacking = 1 if form in (ChartForm.HEAT, ChartForm.DOTS) else 0
    assert len({row["told"] for row in told}) == N - lacking


def test_a_page_needs_nothing_from_elsewhere_and_runs_no_text() -> None:
    page = picture_bytes(hostile(ChartForm.BARS), "html").decode()
    # those of the page itself: the data, and the program
    assert re.findall(r"<script[^>]*>", page) == [
        '<script type="application/json" id="spec">',
        '<script type="module">',
    ]
    assert page.count("</script>") == 2
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
    assert "default-src 'none'" in page
    data = re.search(r'id="spec">(.*?)</script>', page, re.DOTALL)
    assert data
    assert json.loads(data[1])["title"]["text"] == [HOSTILE[1]]
