"""Won value of a period as it was known once, and as it is known now."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl

import h1
from dealdb.analytics.history.outcomes.hindsight import hindsight
from histories.written import empty, facts_of, read
from pasts import past_of

QUARTER: dict[str, Any] = {"since": "2026-01-01", "until": "2026-04-01"}
_BEFORE = (
    "A 01-05 stage=Won closed=2026-01-05 owner=Ann amount=10.00",
    "B 01-05 stage=Won closed=2026-01-05 owner=Ann amount=20.00",
    "C 01-05 stage=Won closed=2026-01-05 owner=Bob amount=30.00",
    "D 01-05 stage=Won closed=2026-01-05 owner=Bob",
    "F 01-05 stage=Won closed=2026-01-05 owner=Bob amount=8.00",
)
_AFTER = (
    "A 05-01 amount=12.00",
    "B 05-01 stage=Lead closed=",
    "C 05-01 *",
    "D 05-01 owner=Cy",
    "E 05-01 stage=Won closed=2026-03-31 amount=4.00 owner=Ann",
    "F 05-01 amount=7.00",
    "G 05-01 stage=Won closed=2026-04-01 amount=99.00",
)


def test_what_made_the_difference() -> None:
    then, now = facts_of(read(*_BEFORE)), facts_of(read(*_BEFORE, *_AFTER))
    found = hindsight(past_of(now), then, **QUARTER)
    assert found.rows() == [
        ("then", 5, Decimal("68.00"), 1),
        ("added", 1, Decimal("4.00"), 0),
        ("up", 1, Decimal("2.00"), 0),
        ("down", 1, Decimal("1.00"), 0),
        ("removed", 2, Decimal("50.00"), 0),
        ("now", 4, Decimal("23.00"), 1),
    ]
    lines = hindsight(past_of(now, deals=True), then, **QUARTER).frame
    assert lines.columns == ["bucket", "id", "value", "from", "to", "at"]
    for row in found:
        own = lines.filter(bucket=row["bucket"])
        assert (own.height, own["value"].sum()) == (row["n"], row["value"])


def test_every_group_balances() -> None:
    then, now = facts_of(read(*_BEFORE)), facts_of(read(*_BEFORE, *_AFTER))
    found = hindsight(past_of(now, by="owner"), then, **QUARTER).frame
    # the owner at the closing, not today's
    assert found["owner"].unique(maintain_order=True).to_list() == ["Ann", "Bob"]
    for owner in ("Ann", "Bob"):
        value = dict(found.filter(owner=owner).select("bucket", "value").rows())
        total = value["then"] + value["added"] + value["up"] - value["down"] - value["removed"]
        assert total == value["now"]


def test_an_amount_that_is_in_another_currency_now_is_not_added_to_it() -> None:
    won = "stage=Won closed=2026-01-05"
    before = (
        f"A 01-05 {won} amount=100.00 currency=EUR",
        f"B 01-05 {won} amount=7.00 currency=USD",
        f"C 01-05 {won} currency=EUR",
    )
    now = facts_of(read(*before, "A 05-01 currency=USD amount=90.00", "C 05-01 currency=USD"))
    for by in (None, "currency"):
        found = hindsight(past_of(now, by=by), facts_of(read(*before)), **QUARTER)
        assert found.frame.filter(pl.col("n") > 0).select(
            "currency", "bucket", "n", "value"
        ).rows() == [
            ("EUR", "then", 1, Decimal("100.00")),
            ("EUR", "removed", 1, Decimal("100.00")),
            ("USD", "then", 2, Decimal("7.00")),
            ("USD", "added", 1, Decimal("90.00")),
            ("USD", "now", 3, Decimal("97.00")),
        ]
    lines = hindsight(past_of(now, deals=True), facts_of(read(*before)), **QUARTER).frame
    assert lines.filter(id="A").select("bucket", "currency").rows() == [
        ("then", "EUR"), ("added", "USD"), ("removed", "EUR"), ("now", "USD"),
    ]  # fmt: skip


def test_a_filter_takes_a_deal_as_a_whole() -> None:
    then, now = facts_of(read(*_BEFORE)), facts_of(read(*_BEFORE, *_AFTER))
    found = hindsight(past_of(now, where="amount = 12"), then, **QUARTER)
    assert dict(found.frame.select("bucket", "value").rows()) == {
        **dict.fromkeys(("added", "down", "removed"), 0),
        "then": 10,
        "up": 2,
        "now": 12,
    }
    # what is unknown now is judged by what was known
    other = facts_of(read("Z 01-02 stage=Lead"))
    gone = hindsight(past_of(other, where="owner = 'Bob'"), then, **QUARTER)
    assert gone.frame["n"].to_list() == [3, 0, 0, 0, 3, 0]


def test_the_example_and_nothing_at_all() -> None:
    same = hindsight(past_of(as_of="2026-03-31"), h1.facts(), **QUARTER)
    assert same.frame["n"].to_list() == [2, 0, 0, 0, 0, 2]
    new = hindsight(past_of(as_of="2026-03-31"), empty(), **QUARTER)
    assert new.frame["n"].to_list() == [0, 2, 0, 0, 0, 2]
    assert hindsight(past_of(empty()), empty()).frame["n"].to_list() == [0] * 6
    assert hindsight(past_of(empty(), by="owner"), empty()).rows() == []
