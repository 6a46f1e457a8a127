"""Cells of a heat map."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import polars as pl

from dealdb.charts.chart import Axis, Chart, ChartForm, Unit
from dealdb.charts.svg.drawing import drawn

NS = "{http://www.w3.org/2000/svg}"


def heat(columns: int, rows: int = 1) -> Chart:
    cells = [
        (f"row {row}", column, column / columns) for row in range(rows) for column in range(columns)
    ]
    return Chart(
        form=ChartForm.HEAT,
        title="Cohorts",
        subtitle="",
        # a cohort may lack a month that others have: the months stay in their order
        marks=pl.DataFrame(cells[::-1], schema=["label", "column", "value"], orient="row"),
        x=Axis(title="months", unit=Unit.NUMBER),
        y=Axis(title="won", unit=Unit.SHARE),
    )


def test_columns_that_are_numbers_are_in_their_order_and_the_darkest_cell_is_the_most() -> None:
    root = ET.fromstring(drawn(heat(7)))
    cells = [cell.attrib for cell in root.iter(f"{NS}rect") if cell.get("class") == "cell"]
    cells.sort(key=lambda cell: float(cell["x"]))
    fills = [cell["fill"].split(",")[0] for cell in cells]
    assert fills[0] == "var(--chart-heat-0"
    assert fills[-1] == "var(--chart-heat-6"
    assert fills == sorted(fills)


def test_cells_and_columns_that_there_is_no_room_for() -> None:
    texts = [text.text for text in ET.fromstring(drawn(heat(60, 50), width=400)).iter(f"{NS}text")]
    assert "45 more of 60 columns are not drawn" in texts
    assert "10 more of 50 rows are not drawn" in texts
    # without room for "16.7 %", the whole percentage stands in the cell
    assert "17" in texts
