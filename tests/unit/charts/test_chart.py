"""What a chart says of itself before it is drawn."""

from __future__ import annotations

import polars as pl
import pytest

from dealdb.charts.chart import COLUMNS, Axis, Chart, ChartForm, Unit

LABELS = Axis(title="owner", unit=Unit.LABEL)
MONEY = Axis(title="value", unit=Unit.MONEY)


def of(form: ChartForm, marks: pl.DataFrame) -> Chart:
    return Chart(form=form, title="Value", subtitle="n 3", marks=marks, x=LABELS, y=MONEY)


@pytest.mark.parametrize("form", ChartForm)
def test_marks_that_lack_a_column_of_their_form_are_refused(form: ChartForm) -> None:
    whole = pl.DataFrame({name: ["a"] for name in COLUMNS[form]})
    assert of(form, whole).form is form
    for name in COLUMNS[form]:
        with pytest.raises(ValueError, match=f"lack {name}$"):
            of(form, whole.drop(name))


def test_panels_and_series_keep_the_order_of_the_marks() -> None:
    marks = pl.DataFrame(
        {
            "label": ["Ann", "Bob", "Ann"],
            "value": [1, 2, 3],
            "panel": ["USD", "EUR", "USD"],
            "series": ["won", None, "won"],
        }
    )
    chart = of(ChartForm.BARS, marks)
    assert chart.panels == ["USD", "EUR"]
    assert chart.series == ["won", None]
    assert [chart.of_panel(panel)["value"].to_list() for panel in chart.panels] == [[1, 3], [2]]


def test_a_chart_of_nothing_has_one_panel() -> None:
    chart = of(ChartForm.BARS, pl.DataFrame({"label": [], "value": [], "panel": []}))
    assert chart.panels == [None]
    assert chart.of_panel(None).is_empty()
