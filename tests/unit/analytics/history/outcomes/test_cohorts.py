"""Cohorts of the example history."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from dealdb.analytics.history.outcomes.cohorts import cohorts
from dealdb.answers.answer import answer_of
from dealdb.errors import QueryError
from histories.written import empty, history
from pasts import past_of


def test_the_example() -> None:
    found = cohorts(past_of(as_of="2026-03-31"), periods=4)
    assert found.frame.columns == [
        *("cohort", "label", "k", "size", "won", "value", "rate", "open", "partial"),
        *("open_share", "deleted"),
    ]
    shown = [
        (row["label"], row["k"], row["size"], row["won"], row["value"], row["rate"], row["open"])
        for row in found
    ]
    january, february = Decimal("1200.00"), Decimal("300.25")
    assert shown == [
        ("2026-01", 0, 4, 0, Decimal("0.00"), 0.0, 1),
        ("2026-01", 1, 4, 1, january, 0.25, 1),
        ("2026-01", 2, 4, 1, january, 0.25, 1),
        ("2026-01", 3, 4, None, None, None, 1),
        ("2026-02", 0, 3, 0, Decimal("0.00"), 0.0, 1),
        ("2026-02", 1, 3, 1, february, 1 / 3, 1),
        ("2026-02", 2, 3, None, None, None, 1),
        ("2026-02", 3, 3, None, None, None, 1),
    ]
    assert found.frame["cohort"].unique().to_list() == [date(2026, 1, 1), date(2026, 2, 1)]
    assert found.frame["deleted"].to_list() == [1] * 4 + [0] * 4
    assert not found.frame["partial"].any()
    assert "deals that were deleted, in no figure but deleted: 1" in found.basis.warnings
    assert cohorts(past_of(as_of="2026-03-31")).frame.height == 24


def test_the_youngest_cell_is_partial() -> None:
    found = cohorts(past_of(as_of="2026-03-30"), periods=3)
    partial = [(row["label"], row["k"]) for row in found if row["partial"]]
    assert partial == [("2026-01", 2), ("2026-02", 1)]


def test_cohorts_between_others_and_odd_dates() -> None:
    facts = history(
        "A 01-05 stage=Won created=2025-11-05 closed=2025-11-01 amount=1.00",
        "B 01-06 stage=Won created=2026-01-05",
        "C 01-06 stage=Won closed=2026-01-05",
    )
    found = cohorts(past_of(facts, as_of="2026-01-31"), periods=1)
    assert [(row["label"], row["size"], row["won"], row["rate"]) for row in found] == [
        ("2025-11", 1, 1, 1.0),
        ("2025-12", 0, 0, None),
        ("2026-01", 1, 0, 0.0),
    ]
    assert found.basis.warnings == (
        "deals without a creation date, in no cohort: 1",
        "won deals without a closing date, in no cell: 1",
        "won deals that closed before they were created, in k = 0: 1",
        "won deals without an amount: 1",
    )


@pytest.mark.parametrize(
    ("measure", "figure"), [("won_n", "won"), ("win_rate", "won"), ("won_value", "value")]
)
def test_lines_add_up(measure: str, figure: str) -> None:
    table = cohorts(past_of(by="owner", as_of="2026-03-31"), measure=measure)
    lines = cohorts(past_of(by="owner", as_of="2026-03-31", deals=True), measure=measure).frame
    assert lines.columns == ["owner", "cohort", "label", "k", "id", "value", "from", "to", "at"]
    assert table.frame.height == 2 * 12 * 3
    for row in table:
        own = lines.filter(owner=row["owner"], label=row["label"])
        if row[figure] is not None:
            assert own.filter(own["k"] <= row["k"])["value"].sum() == row[figure]


def test_other_periods_and_a_filter() -> None:
    found = cohorts(
        past_of(as_of="2026-03-31", where="owner = 'Ann'"), by_period="quarter", periods=1
    )
    assert [(row["label"], row["size"], row["won"]) for row in found] == [("2026-Q1", 3, 2)]
    fiscal = cohorts(
        past_of(as_of="2026-03-31"), by_period="quarter", periods=1, fiscal_year_start=2
    )
    assert fiscal.frame["label"].to_list() == ["FY2026-Q4", "FY2027-Q1"]


def test_nothing_at_all_and_too_much() -> None:
    assert cohorts(past_of(empty())).rows() == []
    assert cohorts(past_of(empty(), by="owner")).rows() == []
    old = history("A 01-05 created=0900-01-01", "B 01-05 created=2026-01-01")
    with pytest.raises(QueryError, match="more than 1,000,000 rows"):
        cohorts(past_of(old), by_period="day")
    with pytest.raises(QueryError, match="measure='money' is not a choice"):
        cohorts(past_of(), measure="money")


def test_cohorts_of_which_all_are_deleted_have_rows() -> None:
    facts = history(
        "A 01-05 stage=Lead created=2025-11-05 owner=Ann amount=1.00 currency=USD",
        "A 01-06 *",
        "B 01-05 stage=Won created=2026-01-05 closed=2026-01-05 owner=Bob amount=2.00 currency=EUR",
    )
    found = cohorts(past_of(facts, as_of="2026-01-31"), periods=1)
    assert found.frame.select("label", "size", "rate", "deleted").rows() == [
        ("2025-11", 0, None, 1),
        ("2025-12", 0, None, 0),
        ("2026-01", 1, 1.0, 0),
    ]
    assert found.basis.warnings == ("deals that were deleted, in no figure but deleted: 1",)
    assert (answer_of(found, {}) or "").startswith("Of 1 deal created in 2026-01, 1 was won")
    owners = cohorts(past_of(facts, as_of="2026-01-31", by="owner"), periods=1).frame
    assert owners.filter(owner="Ann")["deleted"].sum() == 1
    nobody = cohorts(past_of(facts, as_of="2026-01-31", where="owner = 'Ann'"), periods=1)
    assert answer_of(nobody, {}) == "The one deal was deleted since."
    assert answer_of(cohorts(past_of(empty())), {}) == "No deal has a day of creation."


def test_currencies_are_apart() -> None:
    facts = history(
        "A 01-05 stage=Won created=2026-01-01 closed=2026-01-05 amount=1.00 currency=EUR",
        "B 01-05 stage=Won created=2026-01-01 closed=2026-01-05 amount=2.00 currency=USD",
    )
    found = cohorts(past_of(facts, as_of="2026-01-31"), periods=1)
    assert [(row["currency"], row["size"], row["value"]) for row in found] == [
        ("EUR", 1, Decimal("1.00")),
        ("USD", 1, Decimal("2.00")),
    ]


def test_groups_of_no_event_are_those_of_the_end() -> None:
    usual = cohorts(past_of(as_of="2026-03-31", by="owner")).frame
    assert cohorts(past_of(as_of="2026-03-31", by="owner", by_at="event")).frame.equals(usual)
