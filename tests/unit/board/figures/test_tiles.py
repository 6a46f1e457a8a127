"""Headline figures beside those of before."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from dealdb.board.figures.tiles import value_before

NOTHING = {(None, "won"): 0}
EUROS = {("EUR", "won"): 5, ("EUR", "rate"): 0.5}
BOTH = {("EUR", "won"): 5, ("(none)", "won"): 7}


@pytest.mark.parametrize(
    ("was", "currency", "value", "expected"),
    [
        (EUROS, "EUR", 3, 5),
        (EUROS, "USD", Decimal(3), 0),
        (EUROS, None, 0, 5),
        # deals without a currency are none of those in euros
        (EUROS, None, 3, 0),
        (BOTH, None, 3, 7),
        # of which currency there is nothing, nobody knows
        (BOTH, None, 0, None),
        (NOTHING, "EUR", 3, 0),
        (NOTHING, None, 0, 0),
        ({}, "EUR", 3, None),
    ],
)
def test_what_was_before(was: Any, currency: str | None, value: Any, expected: Any) -> None:
    assert value_before(was, currency, "won", value) == expected


def test_a_share_of_no_deals_is_not_known() -> None:
    assert value_before(EUROS, "USD", "rate", 0.25) is None
