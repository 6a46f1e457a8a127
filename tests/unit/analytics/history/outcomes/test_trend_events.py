"""The trend of events in the example history."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from dealdb.analytics.history.outcomes.trend_events import trend_of_events
from dealdb.errors import QueryError
from histories.written import empty, history
from pasts import past_of

WINDOW: dict[str, Any] = {"since": "2026-01-01", "until": "2026-04-01"}


def test_the_quarter() -> None:
    found = trend_of_events(past_of(as_of="2026-03-31"), period="quarter", **WINDOW)
    assert found.frame.columns == [
        *("period", "label", "created", "n", "won", "lost", "won_value", "win_rate")
    ]
    assert found.rows()[0][1:] == ("2026-Q1", 8, 6, 3, 3, Decimal("1900.25"), 0.5)
    assert found.basis.warnings == ("deals created that were deleted: 1",)


def test_the_months_and_groups() -> None:
    months = trend_of_events(past_of(), **WINDOW)
    shown = [(row["label"], row["created"], row["won"], row["lost"]) for row in months]
    assert shown == [("2026-01", 5, 1, 1), ("2026-02", 3, 1, 0), ("2026-03", 0, 1, 2)]
    groups = trend_of_events(past_of(by="owner"), period="quarter", **WINDOW)
    assert [(row["owner"], row["created"], row["won"]) for row in groups] == [
        ("Ann", 4, 2),
        ("Bob", 3, 1),
        ("(none)", 1, 0),
    ]


def test_groups_are_those_of_the_event() -> None:
    facts = history(
        "A 01-05 stage=Lead owner=Ann", "A 01-06 owner=Bob", "A 01-07 stage=Won", "A 01-08 owner=Cy"
    )
    found = trend_of_events(past_of(facts, by="owner"))
    assert [(row["owner"], row["created"], row["won"]) for row in found] == [
        ("Ann", 1, 0),
        ("Bob", 0, 1),
    ]
    now = trend_of_events(past_of(facts, by="owner", by_at="now"))
    assert [(row["owner"], row["created"], row["won"]) for row in now] == [("Cy", 1, 1)]


def test_lines_add_up() -> None:
    table = trend_of_events(past_of(by="owner"), **WINDOW)
    lines = trend_of_events(past_of(by="owner", deals=True), **WINDOW).frame
    assert lines.columns == ["owner", "period", "label", "event", "id", "value", "from", "to", "at"]
    for row in table:
        own = lines.filter(owner=row["owner"], label=row["label"])
        for event in ("created", "won", "lost"):
            assert own.filter(event=event).height == row[event]
        assert own["value"].sum() == row["won_value"]


def test_an_empty_window_and_nothing_at_all() -> None:
    assert trend_of_events(past_of(empty())).rows() == []
    assert trend_of_events(past_of(empty(), by="owner")).rows() == []
    none = trend_of_events(past_of(where="amount > 9e9"), **WINDOW)
    assert none.frame["created"].to_list() == [0, 0, 0]
    with pytest.raises(QueryError, match="is before the first fact"):
        trend_of_events(past_of(), until="2026-01-05")
    with pytest.raises(QueryError, match="more than 1,000,000 rows"):
        trend_of_events(past_of(), since="0001-01-01", until="9999-01-01", period="day")
