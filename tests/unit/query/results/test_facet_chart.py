"""The chart of a facet shows its table."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from dealdb.query import QueryEngine

DEALS = pl.DataFrame(
    {
        "id": ["A", "B", "C", "D"],
        "stage": ["Won", "Lost", "Won", None],
        "amount": [Decimal("10.00"), Decimal("150.50"), Decimal("99.99"), None],
        "created": [date(2026, 1, 5), date(2026, 2, 1), date(2026, 5, 1), None],
    }
)


@pytest.mark.parametrize(
    ("column", "how", "labels"),
    [
        ("stage", None, ["Won", "Lost", "(none)"]),
        ("created", "quarter", ["2026-Q1", "2026-Q2", "(none)"]),
        ("created", "month", ["2026-01", "2026-02", "2026-05", "(none)"]),
        ("amount", 100, ["0 to below 100", "100 to below 200", "(none)"]),
    ],
)
def test_a_bar_for_each_bucket(column: str, how: object, labels: list[str]) -> None:
    facet = QueryEngine.over(DEALS).facets([column], by={column: how} if how else {})[column]
    chart = facet.chart()
    assert chart.marks["label"].to_list() == labels
    assert chart.marks["value"].to_list() == facet.table["deals"].to_list()
    assert facet._repr_html_().startswith("<svg")


def test_what_is_in_no_bucket_is_said() -> None:
    facet = QueryEngine.over(DEALS).facets(["stage"], limit=1)["stage"]
    assert facet.chart().notes == ("1 of the deals are in no bucket.",)
