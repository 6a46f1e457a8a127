"""Charts of any marks, for tests of each way to draw."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
from hypothesis import strategies as st

from dealdb.charts.chart import COLUMNS, Axis, Chart, ChartForm, Unit

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>",
    '"onload="alert(1)',
    "]]>&amp;<!--",
    "\u202egnp.exe\u202c",
    "a\x1b[2J\x07\x00\x9b",
    "\ufffe\uffff\ufdd0",
    "株式会社 שלום 👩‍👩‍👧",
    "x" * 10_000,
    "",
)
UNITS = (Unit.DEALS, Unit.MONEY, Unit.SHARE, Unit.DAYS, Unit.NUMBER)

labels = st.one_of(st.none(), st.sampled_from(HOSTILE), st.text(max_size=12))
_columns = st.sampled_from(
    [
        st.floats(allow_nan=True, allow_infinity=True),
        st.floats(0, 1),
        st.integers(-(10**18), 10**18),
        st.decimals(-(10**15), 10**15, places=2),
        st.sampled_from([0, 1]),
    ]
)
_xs = st.sampled_from(
    [st.dates(date(1, 1, 1), date(9999, 12, 31)), labels, st.floats(), st.integers(0, 400)]
)


@st.composite
def charts(draw: st.DrawFn, form: ChartForm) -> Chart:
    """A chart of a form, of whatever marks."""
    rows = draw(st.integers(0, 8))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(st.one_of(values, st.none()), min_size=rows, max_size=rows))

    number, x = draw(_columns), draw(_xs)
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "label": labels,
        "column": draw(st.sampled_from([labels, st.integers(0, 9)])),
        "part": st.sampled_from(["new", "old", HOSTILE[0]]),
        "series": st.sampled_from(["won", HOSTILE[2], None]),
        "panel": st.sampled_from(["EUR", "USD", HOSTILE[1]]),
        "is_total": st.booleans(),
        "x": x if form is not ChartForm.DOTS and form is not ChartForm.SCATTER else number,
        "n": st.integers(0, 10**9),
    }
    more = {
        ChartForm.BARS: ["part", "target", "low", "high"],
        ChartForm.STEPS: ["low", "high"],
    }.get(form, [])
    names = [*COLUMNS[form], *(name for name in [*more, "series", "panel"] if draw(st.booleans()))]
    marks = {name: column(kinds.get(name, number)) for name in names}
    if "is_total" in marks:
        marks["is_total"] = [bool(value) for value in marks["is_total"]]
    return Chart(
        form=form,
        title=draw(labels) or "Title",
        subtitle=draw(labels) or "",
        marks=pl.DataFrame(marks, strict=False),
        x=Axis(
            title=draw(labels) or "", unit=draw(st.sampled_from([Unit.LABEL, Unit.DATE, Unit.DAYS]))
        ),
        y=Axis(
            title=draw(labels) or "",
            unit=draw(st.sampled_from(UNITS)),
            currency=draw(st.sampled_from([None, "EUR"])),
        ),
        notes=draw(st.lists(st.sampled_from(HOSTILE), max_size=2)),
    )


def bars_of(
    label: list[Any], value: list[Any], unit: Unit = Unit.DEALS, **more: list[Any]
) -> Chart:
    """Bars."""
    return Chart(
        form=ChartForm.BARS,
        title="Open deals",
        subtitle="n 10, as of 2026-11-26",
        marks=pl.DataFrame({"label": label, "value": value, **more}),
        x=Axis(title="owner", unit=Unit.LABEL),
        y=Axis(title="deals", unit=unit),
    )
