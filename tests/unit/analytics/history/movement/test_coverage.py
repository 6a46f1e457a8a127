"""Coverage of the example history; ``tests/oracle`` has those of random ones."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

import h1
from dealdb.analytics.history.movement.coverage import coverage
from dealdb.analytics.prediction.simulate import simulate
from dealdb.errors import QueryError
from dealdb.model.schema import Schema
from dealdb.store.facts.fold import folded
from histories.written import facts_of, in_january, read
from pasts import past_of

QUARTER: dict[str, Any] = {"since": "2026-01-01", "until": "2026-04-01"}
FEBRUARY: dict[str, Any] = {"as_of": "2026-02-28"}


def test_the_example() -> None:
    found = coverage(past_of(**FEBRUARY), **QUARTER, target="3000.00")
    assert found.to_dicts() == [
        {
            "target": Decimal("3000.00"),
            "won": Decimal("1200.00"),
            "remaining": Decimal("1800.00"),
            "open": Decimal("3200.50"),
            "coverage": 1.7780555555555555,
            "required": 2.0,
            "gap": Decimal("399.50"),
            "met": False,
            "surplus": None,
            "overdue": 1,
            "undated_value": Decimal("0.00"),
            "blank": 1,
        }
    ]


def test_a_target_that_is_met() -> None:
    found = coverage(past_of(**FEBRUARY), **QUARTER, target=1000)
    assert (found["met"], found["remaining"], found["surplus"]) == (True, -200, 200)
    assert (found["coverage"], found["gap"], found["required"]) == (None, None, 2.0)


def test_a_win_rate_of_ones_own() -> None:
    found = coverage(past_of(**FEBRUARY), **QUARTER, target=3000, win_rate=0.7)
    assert found["required"] == 10 / 7
    # 18000 / 7 is 2571.4285...
    assert found["gap"] == Decimal("2571.43") - Decimal("3200.50")


def test_nothing_was_closed_yet() -> None:
    found = coverage(past_of(as_of="2026-01-12"), **QUARTER, target=3000)
    assert (found["won"], found["required"], found["gap"]) == (0, None, None)
    assert found["coverage"] == 3500 / 3000


def test_lines_add_up_to_the_figures() -> None:
    lines = coverage(past_of(**FEBRUARY, deals=True), **QUARTER, target=3000).frame
    assert lines.columns == ["figure", "id", "value", "from", "to", "at"]
    assert lines.select("figure", "id").rows() == [
        ("won", "A"), ("open", "C"), ("open", "G"), ("open", "D"), ("open", "E"),
    ]  # fmt: skip
    sums = dict(lines.group_by("figure").agg(pl.col("value").sum()).rows())
    assert sums == {"won": Decimal("1200.00"), "open": Decimal("3200.50")}


def test_targets_by_group() -> None:
    past = past_of(**FEBRUARY, by="owner")
    found = coverage(past, **QUARTER, target={"Ann": 2000, "Bob": 1000, "Zoe": 10}).frame
    assert found.select("owner", "target", "won", "open", "gap").rows() == [
        ("Ann", Decimal("2000.00"), Decimal("1200.00"), Decimal("0.00"), Decimal("1600.00")),
        ("Bob", Decimal("1000.00"), Decimal("0.00"), Decimal("3200.50"), None),
        ("Zoe", Decimal("10.00"), Decimal("0.00"), Decimal("0.00"), None),
    ]
    lacking = coverage(past, **QUARTER, target={"Ann": 2000})
    assert lacking.frame["target"].to_list() == [Decimal("2000.00"), None]
    assert lacking.basis.warnings == ("groups without a target: 1",)
    alike = coverage(past, **QUARTER, target=500).frame
    assert alike["target"].to_list() == [500, 500]
    nobody = past_of(as_of="2026-02-28", by="owner", where="owner is null")
    f_only = coverage(nobody, since="2026-05-01", until="2026-06-01", target={"(none)": 700})
    assert f_only.frame.select("owner", "target", "coverage").rows() == [("(none)", 700, 1.0)]


def test_a_target_needs_no_deal_of_the_period_to_have_a_win_rate() -> None:
    # of Ann's deals of last year one of three was won, and none is open now
    facts = facts_of(
        read(
            "A 01-05 stage=Won owner=Ann amount=5.00 closed=2026-01-05",
            "B 01-06 stage=Lost owner=Ann closed=2026-01-06",
            "C 01-07 stage=Lost owner=Ann closed=2026-01-07",
            "D 01-07 stage=Lost owner=Cy closed=2026-01-07",
            "E 03-01 stage=Lead owner=Bob amount=8.00 expected_close=2026-03-20",
        )
    )
    past, march = past_of(facts, by="owner", as_of="2026-03-10"), ("2026-03-01", "2026-04-01")
    found = coverage(past, since=march[0], until=march[1], target={"Ann": 10, "Bob": 4}).frame
    assert found.select("owner", "open", "required", "gap").rows() == [
        ("Ann", 0, 3.0, 30),
        ("Bob", 8, None, None),
    ]
    everyone = coverage(past, since=march[0], until=march[1], target=4).frame
    assert everyone["owner"].to_list() == ["Bob"]


def test_a_collection_without_facts() -> None:
    empty = coverage(past_of(in_january()), **QUARTER, target=10)
    assert (empty["won"], empty["open"], empty["coverage"]) == (0, 0, 0.0)


def test_options_that_make_no_sense() -> None:
    for options, text in (
        ({"target": "much"}, "target is an amount"),
        ({"target": "1.001"}, "more than 2 digits"),
        ({"target": {"Ann": 1}}, "target by group needs by"),
        ({"target": 1, "win_rate": 0}, "win_rate is a number"),
        ({"target": 1, "win_rate": "1.5"}, "win_rate is a number"),
        ({"target": 1, "since": None}, "since is needed"),
        ({"target": 1, "until": None}, "until is needed"),
    ):
        with pytest.raises(QueryError, match=text):
            coverage(past_of(**FEBRUARY), **{**QUARTER, **options})
    with pytest.raises(QueryError, match="a key has a value for each of owner"):
        coverage(past_of(**FEBRUARY, by="owner"), **QUARTER, target={("Ann", "Bob"): 1})


def test_wins_without_a_closing_date_are_counted() -> None:
    cleared = {"id": "A", "at": h1.moment("2026-02-20"), "seq": 99, "field": "closed", "op": "set"}
    undated = pl.DataFrame([cleared]).with_columns(value=pl.lit(None, pl.String))
    facts = folded(
        pl.concat([h1.rows(), undated], how="diagonal_relaxed"), Schema.standard(), h1.PIPELINE
    )
    past = past_of(facts, **FEBRUARY)
    assert coverage(past, **QUARTER, target=3000)["won"] == 0
    assert (
        "won deals without a closing date, in no figure: 1"
        in coverage(past, **QUARTER, target=3000).basis.warnings
    )
    outlook = simulate(past_of(facts, **FEBRUARY), "2026-04-01", chances="own")
    assert "won deals without a closing date, left out: 1" in outlook.basis.warnings
