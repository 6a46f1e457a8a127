"""The trend of events in the example history."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import outcomes_brute as brute
from dealdb.analytics.history.outcomes.trend_events import trend_of_events
from dealdb.errors import QueryError
from h1 import moment
from histories.written import Row, empty, facts_of, history
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


@brute.some
@given(brute.histories(), st.sampled_from([None, "owner"]))
def test_random_histories(rows: list[Row], by: str | None) -> None:
    end = moment("2026-03-01")
    lives = brute.replay(rows)
    lines = brute.closed(lives, end, by, events=True)
    for life in lives:
        if life.begin < end:
            amount, currency = (
                life.at("amount", life.begin + 1),
                life.at("currency", life.begin + 1),
            )
            line = brute.Line(life, "created", life.begin, amount, currency, None, None)
            line.group = (life.at(by, life.begin + 1),) if by else ()
            lines.append(line)
    brute.split(lines)
    found = trend_of_events(past_of(facts_of(rows), by=by, as_of="2026-02-28"))
    expected = {}
    for label in sorted({brute.day(line.at).strftime("%Y-%m") for line in lines}):
        for group in {line.group for line in lines}:
            own = [
                one
                for one in lines
                if (brute.day(one.at).strftime("%Y-%m"), one.group) == (label, group)
            ]
            n = [sum(one.outcome == kind for one in own) for kind in ("created", "won", "lost")]
            value = brute.total(own, lambda one: one.outcome == "won")
            rate = n[1] / (n[1] + n[2]) if n[1] + n[2] else None
            expected[(label, *group)] = (*n, value, rate)
    figures = ("created", "won", "lost", "won_value", "win_rate")
    found_rows = brute.shown(found, ["label", *([by] if by else [])], figures)
    assert {key: row for key, row in found_rows.items() if key in expected} == expected
    # months in which nothing happened
    assert all(row[:4] == (0, 0, 0, 0) for key, row in found_rows.items() if key not in expected)
