"""The leaderboard of those who had the deals when they closed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from dealdb.analytics.history.outcomes.leaderboard import leaderboard_at_closing
from dealdb.errors import QueryError
from histories.written import empty, history
from pasts import past_of

WINDOW: dict[str, Any] = {"since": "2026-01-01", "until": "2026-04-01"}


def test_who_had_the_deal_when_it_was_won() -> None:
    facts = history(
        "A 02-01 stage=Lead amount=1000.00 owner=Ann",
        "A 02-10 stage=Won closed=2026-02-10",
        "A 03-01 owner=Bob",
        "B 02-01 stage=Lead amount=10.00 owner=Ann",
        "B 03-01 owner=Bob",
    )
    found = leaderboard_at_closing(past_of(facts, by="owner"))
    shown = [
        (row["owner"], row["rank"], row["won_value"], row["won"], row["open"], row["open_weighted"])
        for row in found
    ]
    assert shown == [
        ("Ann", 1, Decimal("1000.00"), 1, 0, 0),
        ("Bob", 2, 0, 0, 1, Decimal("1.0000")),
    ]
    assert found.basis.notes[-2:] == (
        "groups as they were at the closing",
        "stages as they mean now",
    )
    now = leaderboard_at_closing(past_of(facts, by="owner", by_at="now"))
    assert now.frame["owner"].to_list() == ["Bob"]
    assert now["won_value"] == Decimal("1000.00")


def test_the_last_closing_counts() -> None:
    facts = history(
        "A 02-01 stage=Won owner=Ann closed=2026-02-01",
        "A 02-02 stage=Lead owner=Bob closed=",
        "A 02-03 stage=Won closed=2026-02-03",
        "A 02-04 owner=Cy",
        "B 02-01 stage=Won owner=Ann closed=2026-02-01",
        "B 02-02 owner=Bob",
        "B 02-03 stage=Lost",
    )
    found = leaderboard_at_closing(past_of(facts, by="owner"))
    assert [(row["owner"], row["won"], row["lost"]) for row in found] == [("Bob", 1, 1)]


def test_the_example() -> None:
    found = leaderboard_at_closing(past_of(by="owner", as_of="2026-03-31"), **WINDOW)
    assert [
        (row["owner"], row["won_value"], row["won"], row["lost"], row["open"]) for row in found
    ] == [
        ("Ann", Decimal("1500.25"), 2, 1, 0),
        ("Bob", 0, 0, 1, 2),
        ("(none)", 0, 0, 1, 0),
    ]


def test_lines_add_up() -> None:
    table = leaderboard_at_closing(past_of(by="owner"), **WINDOW)
    lines = leaderboard_at_closing(past_of(by="owner", deals=True), **WINDOW).frame
    assert lines.columns == ["owner", "id", "value", "from", "to", "at"]
    for row in table:
        own = lines.filter(owner=row["owner"])
        assert (own.height, own["value"].sum()) == (row["n"], row["won_value"])


def test_any_column_a_filter_and_nothing() -> None:
    assert leaderboard_at_closing(past_of(by="stage")).frame["stage"].to_list()[0] == "Won"
    assert leaderboard_at_closing(past_of(by="id"), **WINDOW).frame["id"].to_list()[0] == "A"
    one = leaderboard_at_closing(past_of(by="owner", where="amount = 1200"), **WINDOW)
    assert one["won_value"] == Decimal("1200.00")
    assert leaderboard_at_closing(past_of(empty(), by="owner")).rows() == []
    with pytest.raises(QueryError, match="a leaderboard ranks groups"):
        leaderboard_at_closing(past_of())
