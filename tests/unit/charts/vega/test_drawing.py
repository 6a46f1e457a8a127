"""What Vega is given is what the marks are: places as floats, texts from the exact values, all of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from all_metrics import CALLS, results
from dealdb.charts import Axis, Chart, ChartForm, Unit
from dealdb.charts.vega.drawing import specification
from dealdb.charts.wording import mark_text, place_of

DEALS = Axis(title="deals", unit=Unit.DEALS)
EUR = Axis(title="value", unit=Unit.MONEY, currency="EUR")
OWNER = Axis(title="owner", unit=Unit.LABEL)


def rows_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """All rows of data in a specification that are of marks."""
    return [row for rows in spec["datasets"].values() for row in rows if "told" in row]


def texts_of(spec: Any) -> list[str]:
    """All texts that stand beside marks."""
    return [row["text"] for rows in spec["datasets"].values() for row in rows if "text" in row]


def bars(**marks: Any) -> Chart:
    return Chart(
        form=ChartForm.BARS,
        title="t",
        subtitle="s",
        marks=pl.DataFrame(marks, strict=False),
        x=OWNER,
        y=EUR,
    )


@pytest.mark.parametrize("name", [*CALLS, "seasonality"])
def test_the_data_of_every_metric_are_its_marks(name: str) -> None:
    chart = results()[name].chart()
    found = rows_of(specification(chart))
    known = {row["told"]: row for row in found}
    columns = ("value", "low", "high", "middle", "start", "end", "target")
    for mark in chart.marks.iter_rows(named=True):
        row = known[mark_text(chart, mark)]
        for column in columns:
            # a waterfall's labels are cut into lines, its places are not touched
            if column in mark:
                assert row[column] == place_of(mark[column]), (name, column)
    assert {*known} == {mark_text(chart, mark) for mark in chart.marks.iter_rows(named=True)}


def test_texts_are_made_from_exact_values() -> None:
    large = Decimal("12345678901234567890.12")
    row = rows_of(specification(bars(label=["Ann"], value=[large])))[0]
    assert row["told"] == "Ann: 12,345,678,901,234,567,890.12 EUR"
    assert row["value"] == float(large)


def test_the_sum_of_parts_is_exact_and_stands_behind_the_bar() -> None:
    chart = bars(
        label=["Ann", "Ann", "Bob"],
        value=[Decimal("0.10"), Decimal("0.20"), Decimal(7)],
        part=["won", "open", "won"],
    )
    spec = specification(chart)
    assert "0.3" in texts_of(spec)
    # the only part of a bar says no more than its sum
    assert texts_of(spec).count("7") == 2


def test_labels_of_one_name_stay_two_bars() -> None:
    spec = specification(bars(label=["Ann", "Bob"], value=[None, -3]))
    assert {row["label"]: row["value"] for row in rows_of(spec)} == {"Ann": None, "Bob": -3.0}


def test_a_chart_without_marks_says_so() -> None:
    chart = bars(label=pl.Series([], dtype=pl.String), value=pl.Series([], dtype=pl.Float64))
    assert "no deals to draw" in texts_of(specification(chart))


def test_money_of_several_currencies_has_scales_of_its_own() -> None:
    chart = Chart(
        form=ChartForm.BARS,
        title="t",
        subtitle="s",
        marks=pl.DataFrame({"label": ["a", "a"], "value": [1, 1000], "panel": ["EUR", "USD"]}),
        x=OWNER,
        y=Axis(title="value", unit=Unit.MONEY),
    )
    concat = specification(chart)["vconcat"][0]["concat"]
    titles = [each["title"]["text"] for each in concat]
    ends = [each["layer"][0]["encoding"]["x"]["scale"]["domain"][1] for each in concat]
    assert titles == ["EUR", "USD"]
    assert ends[1] > 500 * ends[0]


def test_what_the_reader_writes_is_written_so() -> None:
    from dealdb.formats.locale import Locale

    spec = specification(bars(label=["Ann"], value=[Decimal("1234.50")]), Locale("de-DE"))
    assert rows_of(spec)[0]["told"] == "Ann: 1.234,50 EUR"
