"""The ramp of people in the example history."""

from __future__ import annotations

from decimal import Decimal

import pytest

from dealdb.analytics.history.outcomes.ramp import ramp
from dealdb.errors import QueryError
from histories.written import empty, history
from pasts import past_of


def test_the_example() -> None:
    found = ramp(past_of(by="owner", as_of="2026-03-31"), months=4)
    assert found.frame.columns == [
        "owner",
        "month",
        "won",
        "value",
        "cumulative",
        "active",
        "ramped",
    ]
    money = [Decimal(each) for each in ("0.00", "1200.00", "1500.25")]
    assert found.rows() == [
        ("Ann", 0, 0, money[0], money[0], True, None),
        ("Ann", 1, 1, money[1], money[1], True, None),
        ("Ann", 2, 1, Decimal("300.25"), money[2], True, None),
        ("Ann", 3, None, None, None, False, None),
        ("Bob", 0, 0, money[0], money[0], True, None),
        ("Bob", 1, 0, money[0], money[0], True, None),
        ("Bob", 2, 0, money[0], money[0], True, None),
        ("Bob", 3, None, None, None, False, None),
    ]
    assert ramp(past_of(by="owner", as_of="2026-03-31")).frame.height == 24


def test_events_count_the_win_that_was_undone() -> None:
    found = ramp(past_of(by="owner", as_of="2026-03-31"), months=1, events=True)
    assert [(row["owner"], row["value"]) for row in found] == [
        ("Ann", 0),
        ("Bob", Decimal("400.00")),
    ]


def test_other_starts() -> None:
    first = ramp(past_of(by="owner", as_of="2026-03-31"), start="first_win", months=2)
    assert [(row["owner"], row["won"]) for row in first] == [("Ann", 1), ("Ann", 1)]
    days = {"Ann": "2026-02-15", "Cy": "2026-03-01"}
    given = ramp(past_of(by="owner", as_of="2026-03-31"), start=days, months=2)
    assert [(row["owner"], row["month"], row["won"]) for row in given] == [
        ("Ann", 0, 0),
        ("Ann", 1, 1),
        ("Cy", 0, 0),
        ("Cy", 1, None),
    ]
    assert given.basis.warnings == ("wins before the start, in no month: 1",)
    with pytest.raises(QueryError, match="start of 'Ann'"):
        ramp(past_of(by="owner"), start={"Ann": "soon"})
    with pytest.raises(QueryError, match="start='hired' is not a choice"):
        ramp(past_of(by="owner"), start="hired")


@pytest.mark.parametrize(
    ("start", "closed", "month"),
    [
        ("2026-01-31", "2026-02-27", 0),
        ("2026-01-31", "2026-02-28", 1),
        ("2026-01-31", "2026-03-30", 1),
        ("2026-01-31", "2026-03-31", 2),
        ("2025-12-15", "2026-01-14", 0),
        ("2025-12-15", "2026-01-15", 1),
    ],
)
def test_months_end_with_the_month(start: str, closed: str, month: int) -> None:
    facts = history(f"A 04-30 stage=Won owner=Ann amount=1.00 closed={closed}")
    found = ramp(past_of(facts, by="owner", as_of="2026-06-30"), start={"Ann": start})
    assert [row["month"] for row in found if row["won"]] == [month]


def test_who_came_up_to_the_others() -> None:
    facts = history(
        *(
            f"{deal}{i} 03-15 stage=Won owner={deal} amount={amount} closed=2026-{day}"
            for deal, amount in (("P", "100.00"), ("Q", "200.00"), ("R", "300.00"))
            for i, day in enumerate(("02-10",))
        ),
        "N1 03-15 stage=Won owner=N amount=100.00 closed=2026-01-15",
        "N2 03-15 stage=Won owner=N amount=60.00 closed=2026-02-15",
    )
    starts = {**dict.fromkeys("PQR", "2025-01-01"), "N": "2026-01-01"}
    found = ramp(past_of(facts, by="owner", as_of="2026-03-31"), start=starts, months=3)
    # 160.00 in two months is 80 % of 200.00
    assert [row["ramped"] for row in found if row["owner"] == "N"] == [1, 1, 1]
    fewer = ramp(
        past_of(facts, by="owner", as_of="2026-03-31"), start={**starts, "P": "2026-01-01"}
    )
    assert fewer.frame["ramped"].null_count() == fewer.frame.height


def test_lines_add_up() -> None:
    table = ramp(past_of(by="owner", as_of="2026-03-31"))
    lines = ramp(past_of(by="owner", as_of="2026-03-31", deals=True)).frame
    assert lines.columns == ["owner", "month", "id", "value", "from", "to", "at"]
    for row in table:
        own = lines.filter(owner=row["owner"]).filter(month=row["month"])
        assert (own.height, own["value"].sum()) == (row["won"] or 0, row["value"] or 0)


def test_currencies_are_apart() -> None:
    facts = history(
        "A 01-05 stage=Won owner=Ann closed=2026-01-05 amount=1.00 currency=EUR",
        "B 01-05 stage=Won owner=Bob closed=2026-01-05 amount=2.00 currency=USD",
    )
    found = ramp(past_of(facts, by="owner"), months=1)
    assert [(row["owner"], row["currency"], row["value"]) for row in found] == [
        ("Ann", "EUR", 1),
        ("Ann", "USD", 0),
        ("Bob", "EUR", 0),
        ("Bob", "USD", 2),
    ]


def test_nothing_at_all() -> None:
    assert ramp(past_of(empty(), by="owner")).rows() == []
    assert ramp(past_of(by="owner", where="amount > 9e9")).rows() == []
    with pytest.raises(QueryError, match="give by= a column"):
        ramp(past_of())
