"""The table of a result: a number that rows are grouped by is a name."""

from __future__ import annotations

from decimal import Decimal

from dealdb.analytics import Analytics
from dealdb.board.figures.sheet import figure_sheet
from dealdb.formats.locale import PLAIN, Locale
from dealdb.query import QueryEngine


def test_years_and_numbers_of_groups_are_not_grouped_by_thousands() -> None:
    deals = [
        {"id": str(n), "stage": "Won", "year": 2026, "code": Decimal("1234.50"), "amount": 5000}
        for n in range(1200)
    ]
    result = Analytics(QueryEngine.over(deals).select).summary(by=["year", "code"])
    place = list(result.frame.columns).index("won")
    for locale, expected in (
        (PLAIN, ["2026", "1234.50", "1,200"]),
        (Locale("de-DE"), ["2026", "1234,50", "1.200"]),
    ):
        row = figure_sheet(result, locale, lambda *_: "").rows[0]
        assert [cell.text for cell in (row[0], row[1], row[place])] == expected
