"""Slippage of the example history; ``tests/oracle`` has those of random ones."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from dealdb.analytics.history.movement.slippage import slippage
from dealdb.errors import QueryError
from dealdb.store.facts.facts import Facts
from histories.written import JanuaryRow, day, in_january
from pasts import past_of

MARCH: dict[str, Any] = {"since": "2026-03-01", "until": "2026-04-01"}


def test_the_example() -> None:
    found = slippage(past_of(), **MARCH)
    assert found.to_dicts() == [
        {
            "n": 3,
            "value": Decimal("2800.50"),
            "won": 1,
            "lost": 0,
            "slipped": 2,
            "moved": 2,
            "overdue": 0,
            "deleted": 0,
            "slipped_value": Decimal("2800.50"),
            "share_n": 2 / 3,
            "share_value": 1.0,
            "pushes": 2,
            "pushed_deals": 2,
            "mean_days_pushed": 25.5,
            "blank": 1,
        }
    ]
    assert found.totals == {"pulls": 0, "pulled_deals": 0, "mean_days_pulled": None}
    assert found.basis.n == 3


def test_lines_say_what_became_of_each_deal() -> None:
    lines = slippage(past_of(deals=True), **MARCH).frame
    assert lines.columns == ["id", "value", "from", "to", "at"]
    assert lines.select("id", "value", "from", "to").rows() == [
        ("C", Decimal("2000.00"), "2026-03-31", "moved"),
        ("D", Decimal("800.50"), "2026-03-25", "moved"),
        ("E", None, "2026-03-31", "won"),
    ]


def test_groups_are_of_the_end_and_pushes_of_their_moment() -> None:
    facts = in_january(
        ("X", 2, 12, "amount", "100.00"),
        ("X", 2, 12, "expected_close", day(15)),
        ("X", 2, 12, "owner", "Ann"),
        ("X", 12, 12, "expected_close", day(19)),
        ("X", 14, 12, "owner", "Bob"),
        ("X", 16, 12, "expected_close", day(30)),
    )
    options: dict[str, Any] = {"since": day(10), "until": day(20)}
    found = slippage(past_of(facts, by="owner"), **options).frame
    shown = found.select("owner", "n", "value", "pushes", "mean_days_pushed").rows()
    assert shown == [
        ("Ann", 0, Decimal("0.00"), 1, 4.0),
        ("Bob", 1, Decimal("100.00"), 1, 11.0),
    ]
    today = slippage(past_of(facts, by="owner", by_at="now"), **options).frame
    assert today.select("owner", "pushes").rows() == [("Bob", 2)]


def moved(*days: tuple[int, int, int]) -> Facts:
    """A deal that is due on the 15th, and moved to days at a day and an hour."""
    return in_january(
        ("X", 2, 12, "amount", "100.00"),
        ("X", 2, 12, "expected_close", day(15)),
        *(("X", at, hour, "expected_close", day(to)) for at, hour, to in days),
    )


@pytest.mark.parametrize(
    ("moves", "settle", "pushes", "pulls"),
    [
        (((11, 10, 19), (11, 11, 15)), 0, 1, 1),
        (((11, 10, 19), (11, 11, 15)), "1h", 0, 0),
        (((11, 10, 19), (11, 12, 15)), "1h", 1, 1),
        (((11, 10, 19), (11, 12, 15)), timedelta(hours=2), 0, 0),
        # to and fro and to: the third stands
        (((11, 10, 19), (11, 11, 15), (11, 12, 19)), "1h", 1, 0),
        (((11, 10, 19), (11, 11, 16)), "1h", 1, 1),
    ],
)
def test_a_move_that_is_undone_in_time_is_none(
    moves: Any, settle: Any, pushes: int, pulls: int
) -> None:
    past = past_of(moved(*moves))
    found = slippage(past, since=day(10), until=day(20), settle=settle)
    assert found["pushes"] == pushes
    assert found.totals["pulls"] == pulls


def test_a_filter_and_no_facts() -> None:
    assert slippage(past_of(where="owner = 'Bob'"), **MARCH)["n"] == 2
    empty = slippage(past_of(in_january()), **MARCH)
    assert (empty["n"], empty["value"], empty["share_n"]) == (0, 0, None)
    assert slippage(past_of(in_january(), by="owner"), **MARCH).frame.is_empty()


def test_currencies_are_apart() -> None:
    rows: list[JanuaryRow] = [
        (deal, 2, 12, field, value)
        for deal, currency in (("X", "EUR"), ("Y", "USD"))
        for field, value in (
            ("amount", "100.00"), ("currency", currency), ("expected_close", day(15)),
        )
    ]  # fmt: skip
    rows.append(("Y", 11, 12, "expected_close", day(25)))
    found = slippage(past_of(in_january(*rows)), since=day(10), until=day(20))
    assert found.basis.currency == "mixed"
    assert found.frame.select("currency", "value", "moved", "overdue", "pushes").rows() == [
        ("EUR", Decimal("100.00"), 0, 1, 0),
        ("USD", Decimal("100.00"), 1, 0, 1),
    ]


def test_options_that_make_no_sense() -> None:
    for options, text in (
        ({**MARCH, "since": None}, "since is needed"),
        ({**MARCH, "until": None}, "until is needed"),
        ({**MARCH, "settle": "soon"}, "settle is a time"),
        ({"since": "2026-01-01", "until": "2026-01-04"}, "before the first fact"),
    ):
        with pytest.raises(QueryError, match=text):
            slippage(past_of(), **options)


def test_a_push_is_in_the_currency_of_the_beginning() -> None:
    """A deal that was deleted and saved again without a currency, and then pushed."""
    facts = in_january(
        ("X", 2, 12, "amount", "100.00"),
        ("X", 2, 12, "currency", "EUR"),
        ("X", 2, 12, "expected_close", day(15)),
        ("X", 11, 12, None, None),
        ("X", 12, 12, "expected_close", day(16)),
        ("X", 13, 12, "expected_close", day(25)),
        ("Y", 2, 12, "amount", "7.00"),
        ("Y", 2, 12, "expected_close", day(15)),
        ("Y", 11, 12, "currency", "EUR"),
        ("Y", 12, 12, "expected_close", day(18)),
    )
    options: dict[str, Any] = {"since": day(10), "until": day(20)}
    for by in ("currency", None):
        found = slippage(past_of(facts, by=by), **options).frame
        assert found.select("currency", "n", "value", "pushes").rows() == [
            ("EUR", 1, Decimal("100.00"), 1),
            ("(none)", 1, Decimal("7.00"), 1),
        ]
