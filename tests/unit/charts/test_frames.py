"""Charts of frames."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from dealdb.charts import Unit, bar_chart, deals_chart, scatter_chart
from dealdb.charts.frames import table_chart
from dealdb.errors import QueryError

DEALS = pl.DataFrame(
    {
        "id": ["A", "B", "C", "D"],
        "name": ["Acme", None, "Cobra", "Dent"],
        "stage": ["Won", "Lost", "Won", "Demo"],
        "amount": [Decimal("1200.50"), Decimal(500), Decimal(7), Decimal(8)],
        "currency": ["EUR", "EUR", "USD", "EUR"],
        "created": [date(2026, 1, 5)] * 4,
        "closed": [date(2026, 2, 10), date(2026, 1, 21), date(2026, 1, 5), None],
    }
)


def test_size_against_cycle() -> None:
    chart = deals_chart(DEALS)
    shown = chart.marks.select("row", "x", "value", "label", "panel", "series").rows()
    assert shown == [
        (0, 36, Decimal("1200.50"), "Acme", "EUR", "Won"),
        (1, 16, Decimal("500.00"), "B", "EUR", "Lost"),
        (2, 0, Decimal("7.00"), "Cobra", "USD", "Won"),
    ]
    assert chart.y.currency is None
    assert chart.notes == (
        "1 deal without an amount, a day of creation or one of closing is not drawn.",
    )


def test_one_currency_is_that_of_the_axis() -> None:
    chart = deals_chart(DEALS.filter(pl.col("currency") == "EUR"))
    assert (chart.panels, chart.y.currency, chart.x.unit) == ([None], "EUR", Unit.DAYS)


def test_a_column_that_is_missing_is_named() -> None:
    with pytest.raises(QueryError, match="and there is no 'closed'"):
        deals_chart(DEALS.drop("closed"))
    with pytest.raises(QueryError, match="there is no column 'size'"):
        bar_chart(DEALS, label="name", value="size")
    with pytest.raises(QueryError, match="'name' has no numbers to draw"):
        scatter_chart(DEALS, x="amount", y="name")


def test_a_table_of_a_label_and_a_number_is_bars() -> None:
    sums = pl.DataFrame({"won": [Decimal("1200.50"), None], "day": [date(2026, 1, 5), None]})
    chart = table_chart(sums)
    assert chart.marks.select("label", "value").rows() == [
        ("2026-01-05", Decimal("1200.50")),
        ("(none)", None),
    ]
    for other in (
        DEALS,
        DEALS.select("id"),
        DEALS.select("id", "name"),
        sums.select("won", b="won"),
    ):
        with pytest.raises(QueryError, match=r"a chart needs a table .* this one has \w+ \("):
            table_chart(other)


def test_more_dots_than_can_be_seen_are_said_to_be_left_out() -> None:
    many = pl.DataFrame({"id": range(3000), "x": range(3000), "y": range(3000)})
    chart = scatter_chart(many, x="x", y="y")
    assert chart.marks.height == 2000
    assert chart.notes == ("Drawn are the first 2,000 of 3,000 deals.",)


def test_bars_of_one_name_are_told_apart() -> None:
    frame = pl.DataFrame({"owner": ["Ann", "Ann", None], "n": [1, 2, 3]})
    chart = bar_chart(frame, label="owner", value="n", unit=Unit.DEALS)
    assert chart.marks["label"].to_list() == ["Ann", "Ann (2)", "(none)"]


@pytest.mark.parametrize("name", ["^n$", "*"])
def test_a_column_whose_name_is_a_pattern_is_drawn(name: str) -> None:
    frame = pl.DataFrame({"n": [1, 2], "owner": ["Ann", "Ben"], name: [7, 8]})
    assert bar_chart(frame, label="owner", value=name).marks["value"].to_list() == [7, 8]
    dots = scatter_chart(frame, x=name, y="n", label="owner").marks
    assert dots.select("x", "value").rows() == [(7, 1), (8, 2)]
    assert bar_chart(frame, label=name, value="n").marks["value"].to_list() == [1, 2]
