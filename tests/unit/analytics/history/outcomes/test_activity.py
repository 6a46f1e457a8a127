"""Activity in the example history."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import polars as pl
import pytest

import h1
from dealdb.analytics.history.outcomes.activity import activity
from dealdb.errors import QueryError
from dealdb.model.schema import Schema
from dealdb.store.facts.fold import folded
from histories.written import empty, facts_of, history, read
from pasts import past_of

QUARTER: dict[str, Any] = {"since": "2026-01-01", "until": "2026-04-01"}


def test_the_example_by_owner() -> None:
    found = activity(past_of(by="owner"), **QUARTER)
    assert found.frame.columns == [
        *("owner", "deals_touched", "changes", "stage_moves", "pushes", "amount_changes"),
        *("created", "closed", "days_active", "last", "bulk"),
    ]
    shown = (
        "owner",
        "deals_touched",
        "created",
        "pushes",
        "stage_moves",
        "amount_changes",
        "closed",
    )
    assert [tuple(row[name] for name in shown) for row in found] == [
        ("Ann", 4, 4, 0, 5, 2, 3),
        ("Bob", 3, 3, 3, 7, 0, 2),
        ("(none)", 1, 1, 0, 1, 0, 1),
    ]
    assert found.frame["last"].to_list()[0] == datetime(2026, 3, 20, 12, tzinfo=UTC)
    # Ann: 01-05, 01-07, 01-12, 01-20, 01-21, 01-26, 02-03, 02-10, 03-01, 03-20
    assert found.frame["days_active"].to_list() == [10, 11, 3]
    assert found.frame["bulk"].to_list() == [0, 0, 0]


def test_a_window() -> None:
    found = activity(past_of(by="owner"), since="2026-03-01", until="2026-04-01")
    shown = ("owner", "deals_touched", "changes", "created", "pushes", "closed")
    assert [tuple(row[name] for name in shown) for row in found] == [
        ("Ann", 1, 3, 0, 0, 1),
        ("Bob", 3, 7, 0, 2, 1),
        ("(none)", 1, 3, 0, 0, 1),
    ]


def test_by_actor_and_by_stage() -> None:
    found = activity(past_of(by="who"), **QUARTER)
    assert (found.frame["who"].to_list(), found["deals_touched"], found["created"]) == (
        ["sync"],
        8,
        8,
    )
    stages = activity(past_of(by="stage"), **QUARTER)
    assert {row["stage"]: row["closed"] for row in stages} == {
        **dict.fromkeys(("Demo", "Lead", "Offer"), 0),
        **dict.fromkeys(("Won", "Lost"), 3),
    }


def test_loads_and_imports() -> None:
    rows = read("A 01-05 stage=Lead owner=Ann", "A 01-06 stage=Demo")
    for kind in ("add", "facts"):
        found = activity(past_of(facts_of(rows, who=None, kind=kind), by="who"))
        assert (found["who"], found["changes"], found["bulk"], found["stage_moves"]) == (
            "(none)",
            3,
            3,
            1,
        )
    assert activity(past_of(facts_of(rows)))["bulk"] == 0


def test_a_load_is_one_whichever_of_its_deals_the_window_has() -> None:
    # one commit that says since when its deals were so
    rows = [
        {"id": deal, "at": h1.moment(day, 12), "seq": 1, "field": "stage", "value": "Lead"}
        for deal, day in (("A", "2026-01-05"), ("B", "2026-02-05"), ("C", "2026-03-05"))
    ]
    loaded = {"seq": [1], "at": [h1.moment("2026-03-10")], "who": ["sync"], "kind": ["set"]}
    commits = pl.DataFrame(loaded).cast({"seq": pl.UInt32})
    facts = folded(pl.DataFrame(rows), Schema.standard(), h1.PIPELINE, commits=commits)
    months = ("2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01")
    for since, until in pairwise(months):
        assert activity(past_of(facts), since=since, until=until)["bulk"] == 1
    assert activity(past_of(facts), since=months[0], until=months[-1])["bulk"] == 3


def test_what_is_a_move_and_what_is_a_push() -> None:
    facts = history(
        "A 01-05 owner=Ann",
        "A 01-06 stage=Lead expected_close=2026-03-01 amount=1.00",
        "A 01-07 stage= expected_close= amount=",
        "A 01-08 stage=Lead expected_close=2026-04-01",
        "A 01-09 stage=Demo expected_close=2026-04-02",
        "A 01-10 stage=Lead expected_close=2026-04-01",
    )
    found = activity(past_of(facts))
    assert (found["stage_moves"], found["pushes"], found["amount_changes"]) == (2, 1, 2)


def test_a_deal_that_was_saved_again_is_one_deal() -> None:
    found = activity(past_of(history("A 01-05 stage=Lead", "A 01-06 *", "A 01-07 stage=Lead")))
    assert (found["deals_touched"], found["created"], found["changes"]) == (1, 2, 2)


def test_lines_add_up() -> None:
    table = activity(past_of(by="owner"), **QUARTER)
    lines = activity(past_of(by="owner", deals=True), **QUARTER).frame
    assert lines.columns == ["owner", "id", "value", "from", "to", "at"]
    for row in table:
        own = lines.filter(owner=row["owner"])
        assert (own.height, own["value"].sum()) == (row["deals_touched"], row["changes"])


def test_a_filter_is_judged_at_the_end_of_the_window() -> None:
    until: dict[str, Any] = {"since": "2026-01-01", "until": "2026-02-01"}
    # A has 1000.00 then, and 1200.00 later
    assert activity(past_of(where="amount = 1000"), **until)["deals_touched"] == 1
    assert activity(past_of(where="amount = 1200"), **until)["deals_touched"] == 0


def test_nothing_at_all() -> None:
    found = activity(past_of(empty()))
    assert (found["changes"], found["created"], found["last"]) == (0, 0, None)
    assert activity(past_of(empty(), by="who")).rows() == []
    with pytest.raises(QueryError, match="is before the first fact"):
        activity(past_of(), until="2026-01-01")
