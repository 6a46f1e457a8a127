"""Rotting of the example history."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

import h1
from dealdb.analytics.history.stages.ageing import ageing
from dealdb.analytics.history.stages.rotting import rotting
from dealdb.errors import QueryError
from dealdb.model.schema import Field, FieldType, Schema
from dealdb.store.facts.facts import Facts
from dealdb.store.facts.fold import folded
from histories.written import day, in_january
from pasts import past_of

FEBRUARY: dict[str, Any] = {"as_of": "2026-02-28"}


@pytest.mark.parametrize(
    ("basis", "ids", "value"),
    [("stage", "DE", "800.50"), ("update", "E", "0.00"), ("created", "CDEG", "3200.50")],
)
def test_the_example(basis: str, ids: str, value: str) -> None:
    frame = rotting(past_of(**FEBRUARY), basis=basis).frame
    assert frame["rotting"].sum() == len(ids)
    assert frame["value"].sum() == Decimal(value)
    lines = rotting(past_of(**FEBRUARY, deals=True), basis=basis).frame
    assert "".join(sorted(lines["id"])) == ids
    assert lines.columns == ["stage", "id", "value", "from", "to", "at"]
    # F has stood there for exactly 14 days
    assert "F" not in ids


def test_the_rows() -> None:
    found = rotting(past_of(**FEBRUARY), basis="stage")
    assert found.frame.columns == [
        "stage", "rot_days", "n", "rotting", "share", "value", "worst_days",
    ]  # fmt: skip
    assert found.frame.rows() == [
        ("Lead", 14, 3, 2, 2 / 3, Decimal("800.50"), 27),
        ("Demo", 14, 2, 0, 0.0, Decimal("0.00"), None),
        ("Offer", 7, 0, 0, None, Decimal("0.00"), None),
    ]
    assert found.basis.n == 5


@pytest.mark.parametrize("options", [{"basis": "update"}, {"basis": "stage", "rot_days": 1000}])
def test_money_is_in_the_currency_of_the_open_deals_where_none_rots_that_has_an_amount(
    options: dict[str, Any],
) -> None:
    found = rotting(past_of(**FEBRUARY), **options)
    assert found.frame["value"].sum() == 0
    assert found.basis.currency == "EUR"


def test_those_longest_over_their_days_come_first() -> None:
    lines = rotting(past_of(**FEBRUARY, deals=True), basis="created").frame
    assert lines.select("id", "from").rows() == [
        ("C", "2026-01-10"), ("G", "2026-01-15"), ("D", "2026-02-01"), ("E", "2026-02-03"),
    ]  # fmt: skip


def test_days_of_ones_own() -> None:
    frame = rotting(past_of(**FEBRUARY), basis="stage", rot_days=7).frame
    # C 13, D 27, E 25, F 14, G 8
    assert frame.select("stage", "rotting", "worst_days").rows() == [
        ("Lead", 3, 27), ("Demo", 2, 13), ("Offer", 0, None),
    ]  # fmt: skip
    some = rotting(past_of(**FEBRUARY), basis="stage", rot_days={"Demo": 10, "Lead": 0}).frame
    assert some.select("stage", "rot_days", "rotting").rows() == [("Demo", 10, 1), ("Offer", 7, 0)]


def test_a_step_that_lies_ahead_is_a_respite() -> None:
    # D is due on the 25th of March, E on the 31st
    frame = rotting(past_of(**FEBRUARY), basis="stage", respite="expected_close").frame
    assert frame["rotting"].sum() == 0
    created = rotting(past_of(**FEBRUARY, deals=True), basis="created", respite="expected_close")
    assert created.frame["id"].to_list() == ["G"]


def by_whom(**names: str) -> Facts:
    """A deal whose stage was set on the 2nd, and its amount on the 20th, by two actors."""
    facts = in_january(("X", 2, 12, "stage", "Lead"), ("X", 20, 12, "amount", "5.00"))
    commits = pl.DataFrame(
        {
            "seq": [0, 1],
            "at": [h1.moment(day(2), 12), h1.moment(day(20), 12)],
            "who": [names["stage"], names["amount"]],
            "kind": ["set", "set"],
        },
        schema=facts.commits.schema,
    )
    return type(facts)(
        schema=facts.schema, pipeline=facts.pipeline, lives=facts.lives, read=facts.read,
        commits=commits,
    )  # fmt: skip


def test_a_sync_does_not_freshen_a_deal() -> None:
    facts = by_whom(stage="ann", amount="sync")
    past = past_of(facts, as_of=day(25))
    assert rotting(past).frame["rotting"].sum() == 0
    assert rotting(past, ignore_actors=["sync"]).frame["rotting"].sum() == 1
    everyone = rotting(past, ignore_actors=["sync", "ann"])
    assert everyone.frame["rotting"].sum() == 0
    assert everyone.basis.warnings == (
        "open deals that nobody else has changed, which don't rot: 1",
    )
    # who is not known is taken for a person
    assert rotting(past, ignore_actors=["bob"]).frame["rotting"].sum() == 0


def test_a_deal_without_a_day_does_not_rot() -> None:
    facts = in_january(("X", 2, 12, "stage", "Lead"), ("Y", 2, 12, "stage", "Lead"))
    found = rotting(past_of(facts, as_of=day(25)), basis="created")
    assert found.frame.row(0)[:4] == ("Lead", 14, 2, 0)
    assert found.basis.warnings == ("open deals whose age is not known, which don't rot: 2",)


def test_groups_and_a_filter() -> None:
    frame = rotting(past_of(**FEBRUARY, by="owner"), basis="stage").frame
    assert frame.filter(pl.col("rotting") > 0).select("owner", "stage").rows() == [
        ("Ann", "Lead"), ("Bob", "Lead"),
    ]  # fmt: skip
    ann = rotting(past_of(**FEBRUARY, where="owner = 'Ann'"), basis="stage").frame
    assert ann["rotting"].sum() == 1


@pytest.mark.parametrize("kind", [FieldType.DATE, FieldType.DATETIME])
def test_days_since_the_last_activity(kind: FieldType) -> None:
    schema = Schema.standard().with_fields([Field("last_activity", kind)])
    at = "T09:00:00Z" if kind is FieldType.DATETIME else ""
    told = [
        ("1", 2, "stage", "Lead"),
        ("1", 2, "last_activity", f"2026-01-03{at}"),
        ("1", 9, "last_activity", f"2026-01-08{at}"),
        ("2", 2, "stage", "Lead"),
        ("2", 2, "last_activity", f"2026-01-02{at}"),
        ("3", 2, "stage", "Lead"),
    ]
    rows = [(id, h1.moment(day(n)), name, value) for id, n, name, value in told]
    table = pl.DataFrame(rows, schema=["id", "at", "field", "value"], orient="row")
    past = past_of(folded(table, schema, h1.PIPELINE), as_of="2026-01-20")
    found = rotting(past, basis="activity")
    assert found.frame.select("n", "rotting", "worst_days").row(0) == (3, 1, 18)
    assert "open deals whose age is not known, which don't rot: 1" in found.basis.warnings
    ages = ageing(past, basis="activity").frame
    assert dict(ages.select("bucket", "n").rows()) == {
        "0-7": 0, "8-14": 1, "15-30": 1, "31-60": 0, "61+": 0, "unknown": 1,
    }  # fmt: skip


def test_a_collection_without_facts() -> None:
    empty = rotting(past_of(in_january())).frame
    assert empty.select("stage", "n", "share").rows()[0] == ("Lead", 0, None)


def test_options_that_make_no_sense() -> None:
    past = past_of(**FEBRUARY)
    for options, text in (
        ({"basis": "calls"}, "basis='calls' is not a choice"),
        (
            {"basis": "activity"},
            "reads a field 'last_activity' of dates, and these deals have none",
        ),
        ({"rot_days": -1}, "rot_days is a whole number"),
        ({"rot_days": {"Won": 3}}, "no open stage 'Won'"),
        ({"respite": "owner"}, "respite='owner' is a field of text"),
        ({"respite": "next_step"}, "no column 'next_step'"),
        ({"ignore_actors": "sync"}, "ignore_actors is a list"),
        ({"ignore_actors": ["sync"], "basis": "stage"}, "ignore_actors is for"),
    ):
        with pytest.raises(QueryError, match=text):
            rotting(past, **options)
