"""Win and loss of the example history."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from dealdb.analytics.history.outcomes.win_loss import win_loss
from histories.written import empty, history
from pasts import past_of

WINDOW: dict[str, Any] = {"since": "2026-01-01", "until": "2026-04-01"}


def test_by_the_owner_at_closing() -> None:
    found = win_loss(past_of(as_of="2026-03-31", by="owner"), **WINDOW)
    assert found.frame.columns == [
        *("owner", "won", "lost", "n", "rate", "lo", "hi", "won_value", "lost_value")
    ]
    assert [(row["owner"], row["won"], row["n"], row["rate"]) for row in found] == [
        ("Ann", 2, 3, 2 / 3),
        ("Bob", 0, 1, 0.0),
        ("(none)", 0, 1, 0.0),
    ]
    assert found.frame["won_value"].to_list() == [Decimal("1500.25"), 0, 0]
    assert found.frame["lost_value"].to_list() == [
        Decimal(each) for each in ("500.00", "400.00", "700.00")
    ]


@pytest.mark.parametrize(
    ("won", "n", "low", "high"),
    [(2, 5, 0.117621, 0.769276), (1, 2, 0.094531, 0.905469), (1, 1, 0.206549, 1.0)],
)
def test_the_interval(won: int, n: int, low: float, high: float) -> None:
    deals = (f"D{i} 01-05 stage={'Won' if i < won else 'Lost'}" for i in range(n))
    found = win_loss(past_of(history(*deals)))
    assert (round(found["lo"], 6), round(found["hi"], 6)) == (low, high)


def test_small_groups_together() -> None:
    options: dict[str, Any] = {"by": "owner", "as_of": "2026-03-31"}
    found = win_loss(past_of(**options), few=True, least=2, **WINDOW)
    assert [(row["owner"], row["n"]) for row in found] == [("Ann", 3), ("(few)", 2)]
    lines = win_loss(past_of(**options, deals=True), few=True, least=2, **WINDOW).frame
    assert lines["owner"].to_list().count("(few)") == 2
    # of another type they become texts
    by_day = win_loss(past_of(by="created"), few=True, least=2)
    assert by_day.rows()[0][:4] == ("(few)", 2, 3, 5)
    assert win_loss(past_of(by="owner"), few=True).frame["owner"].to_list() == ["(few)"]
    named = history("A 01-05 stage=Won owner=(few)", "B 01-05 stage=Won owner=Ann")
    assert win_loss(past_of(named, by="owner"), few=True).frame["owner"].to_list() == ["((few))"]


def test_events_count_what_was_undone() -> None:
    found = win_loss(past_of(by="owner", as_of="2026-03-31"), events=True, **WINDOW)
    assert [(row["owner"], row["won"], row["lost"]) for row in found] == [
        ("Ann", 2, 1),
        ("Bob", 1, 1),
        ("(none)", 0, 1),
    ]


def test_lines_add_up() -> None:
    table = win_loss(past_of(by="owner"), **WINDOW)
    lines = win_loss(past_of(by="owner", deals=True), **WINDOW).frame
    for row in table:
        own = lines.filter(owner=row["owner"])
        assert own.height == row["n"]
        for stage, figure in (("Won", "won_value"), ("Lost", "lost_value")):
            assert own.filter(to=stage)["value"].sum() == row[figure]


def test_nothing_at_all() -> None:
    assert win_loss(past_of(empty())).to_dicts() == [
        {
            **dict.fromkeys(("won", "lost", "n"), 0),
            **dict.fromkeys(("rate", "lo", "hi")),
            **dict.fromkeys(("won_value", "lost_value"), Decimal("0.00")),
        }
    ]
    assert win_loss(past_of(empty(), by="owner"), few=True).rows() == []
