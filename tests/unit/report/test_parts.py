"""Figures beside those of before: nothing is a figure, too."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl

from dealdb.report.evidence import Evidence
from dealdb.report.parts import cells_of, compared


def cells(rows: dict[str, Any], currency: str | None = None) -> dict[Any, Any]:
    frame = pl.DataFrame(rows)
    return cells_of(Evidence(name="win_rate", command=(), frame=frame, currency=currency), "won")


def told(now: dict[Any, Any], before: dict[Any, Any]) -> list[tuple[Any, ...]]:
    return [
        (pair.currency, *(each and each.value for each in (pair.now, pair.before)))
        for pair in compared(now, before)
    ]


NOTHING = cells({"won": [0]})


def test_a_period_without_deals_is_one_of_any_currency() -> None:
    euros = cells({"won": [5]}, "EUR")
    assert told(euros, NOTHING) == [("EUR", 5, 0)]
    assert told(NOTHING, euros) == [("EUR", 0, 5)]
    assert told(NOTHING, NOTHING) == [(None, 0, 0)]
    assert told(euros, {}) == [("EUR", 5, None)]
    assert told({}, {}) == []


def test_a_currency_that_comes_or_goes_is_0_at_the_other_end() -> None:
    both = cells({"won": [Decimal(5), Decimal(7)], "currency": ["EUR", "USD"]})
    euros = cells({"won": [Decimal(3)]}, "EUR")
    assert told(both, euros) == [("EUR", 5, 3), ("USD", 7, 0)]
    assert told(euros, both) == [("EUR", 3, 5), ("USD", 0, 7)]
    assert told(both, NOTHING) == [("EUR", 5, 0), ("USD", 7, 0)]


def test_deals_without_a_currency_are_no_deals_of_another() -> None:
    bare = cells({"won": [2]})
    some = cells({"won": [5, 7], "currency": ["EUR", "(none)"]})
    euros = cells({"won": [3]}, "EUR")
    assert told(euros, bare) == [("EUR", 3, 0), ("(none)", 0, 2)]
    assert told(some, bare) == [("EUR", 5, 0), ("(none)", 7, 2)]
    assert told(bare, bare) == [(None, 2, 2)]


def test_a_share_of_nothing_is_not_0() -> None:
    half, none = cells({"won": [0.5]}, "EUR"), cells({"won": [None]})
    frame = pl.DataFrame({"won": [0.5], "currency": ["USD"]})
    dollars = cells_of(Evidence(name="win_rate", command=(), frame=frame), "won")
    assert told(half, none) == [("EUR", 0.5, None)]
    assert told(half, dollars) == [("EUR", 0.5, None), ("USD", None, 0.5)]
