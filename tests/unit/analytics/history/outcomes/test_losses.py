"""Losses of the example history."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

import h1
from dealdb.analytics.history.outcomes.losses import losses
from dealdb.errors import QueryError
from histories.written import empty, history
from pasts import past_of

WINDOW: dict[str, Any] = {"since": "2026-01-01", "until": "2026-04-01"}


def test_the_reasons() -> None:
    found = losses(past_of(as_of="2026-03-31", by="loss_reason"), **WINDOW)
    assert found.rows() == [
        ("Price", 2, 2 / 3, Decimal("900.00"), 0.5625, 0, 36.5),
        ("(none)", 1, 1 / 3, Decimal("700.00"), 0.4375, 0, 39.0),
    ]
    assert found.frame.columns[1:] == [
        *("n", "share_n", "value", "share_value", "blank", "median_days")
    ]
    assert found.basis.n == 3


def test_the_stage_before() -> None:
    found = losses(past_of(as_of="2026-03-31", by="from_stage"), **WINDOW).frame
    assert found["from_stage"].to_list() == ["Demo", "Lead"]
    assert found["n"].to_list() == [1, 2]


def test_groups_are_those_of_the_loss() -> None:
    handed = history("A 01-05 stage=Lead owner=Ann", "A 01-06 stage=Lost", "A 01-07 owner=Bob")
    for by_at, name in ((None, "Ann"), ("end", "Bob"), ("now", "Bob")):
        found = losses(past_of(handed, by="owner", by_at=by_at))
        assert found.frame["owner"].to_list() == [name]


def test_a_reason_that_came_later_counts() -> None:
    late = history("A 01-05 stage=Lost", "A 01-09 loss_reason=Price")
    assert losses(past_of(late, by="loss_reason")).rows()[0][0] == "Price"


def test_spellings_become_one() -> None:
    told = [
        f"{deal} 01-05 stage=Lost loss_reason={why}"
        for deal, why in zip("ABCD", ["price", "Price", "PRICE", "Price"], strict=True)
    ]
    facts = history(*told)
    assert losses(past_of(facts, by="loss_reason")).frame["n"].to_list() == [1, 2, 1]
    assert losses(past_of(facts, by="loss_reason"), fold=True).rows()[0][:2] == ("Price", 4)


def test_events_have_deals_that_were_reopened() -> None:
    again = history(
        "A 01-05 stage=Lead amount=10.00 created=2026-01-01",
        "A 01-06 stage=Lost closed=2026-01-06",
        "A 01-07 stage=Lead amount=20.00 closed=",
        "B 01-05 stage=Lost amount=5.00",
        "B 01-08 *",
    )
    assert losses(past_of(again))["n"] == 0
    found = losses(past_of(again), events=True)
    assert (found["n"], found["value"], found["median_days"]) == (2, Decimal("15.00"), 5.0)


def test_lines_add_up() -> None:
    table = losses(past_of(by=["owner", "loss_reason"]), **WINDOW)
    lines = losses(past_of(by=["owner", "loss_reason"], deals=True), **WINDOW).frame
    assert lines.columns == ["owner", "loss_reason", "id", "value", "from", "to", "at"]
    for row in table:
        own = lines.filter(owner=row["owner"], loss_reason=row["loss_reason"])
        assert (own.height, own["value"].sum()) == (row["n"], row["value"])


def test_currencies_are_apart() -> None:
    facts = history(
        "A 01-05 stage=Lost amount=10.00 currency=EUR",
        "B 01-05 stage=Lost amount=30.00 currency=USD",
    )
    found = losses(past_of(facts))
    assert [(row["currency"], row["n"], row["share_value"]) for row in found] == [
        ("EUR", 1, 1.0),
        ("USD", 1, 1.0),
    ]
    assert found.basis.currency == "mixed"


def test_a_filter_and_nothing_at_all() -> None:
    assert losses(past_of(where="amount > 450"), **WINDOW)["n"] == 2
    for facts in (empty(), h1.facts()):
        none = losses(past_of(facts, where="amount > 9e9"))
        assert none.to_dicts() == [
            {
                "n": 0,
                "share_n": None,
                "value": Decimal("0.00"),
                "share_value": None,
                "blank": 0,
                "median_days": None,
            }
        ]
    assert losses(past_of(empty(), by="loss_reason")).rows() == []


def test_what_is_refused() -> None:
    options: dict[str, Any] = {"until": "2026-01-05"}
    with pytest.raises(QueryError, match="is before the first fact, which is of 2026-01-05"):
        losses(past_of(), **options)
    with pytest.raises(QueryError, match="no column 'reason'"):
        losses(past_of(by="reason"))
    huge = history(*(f"{deal} 01-05 stage=Lost amount={'9' * 36}.00" for deal in "AB"))
    with pytest.raises(QueryError, match="more than 38 digits"):
        losses(past_of(huge))


def test_a_deal_without_a_closing_date_is_outside_any_window() -> None:
    facts = history("A 01-05 stage=Lost")
    assert losses(past_of(facts))["n"] == 1
    found = losses(past_of(facts), **WINDOW)
    assert found["n"] == 0
    assert found.basis.warnings == ("closed deals without a closing date, outside any window: 1",)
