"""The brute force gives the figures of the example history, which were computed by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

import h1
from histories.drawn import PIPELINES, History
from oracle import activity, movement, outcomes, stages, windows
from oracle.past import Row
from oracle.tables import Answer

Q1 = date(2026, 1, 1), date(2026, 4, 1)
MARCH = date(2026, 3, 1), date(2026, 4, 1)
FEBRUARY_28, MARCH_31 = date(2026, 2, 28), date(2026, 3, 31)


def typed(name: str | None, text: str | None) -> Any:
    if text is None:
        return None
    if name in ("created", "closed", "expected_close"):
        return date.fromisoformat(text)
    return Decimal(text) if name in ("amount", "probability") else text


H1 = History(
    [
        Row(id, at, name, typed(name, value), op, seq)
        for id, at, name, value, op, seq in h1.rows()
        .select("id", "at", "field", "value", "op", "seq")
        .iter_rows()
    ],
    PIPELINES[0],
)


def column(answer: Answer, name: str) -> list[Any]:
    return [row[name] for row in answer.rows]


def test_funnel() -> None:
    world = H1.world(MARCH_31)
    found = {
        mode: stages.funnel(world, since=Q1[0], until=Q1[1], mode=mode)
        for mode in ("reached", "any", "ordered")
    }
    assert {mode: column(answer, "n") for mode, answer in found.items()} == {
        "reached": [7, 5, 5, 2],
        "any": [6, 3, 3, 2],
        "ordered": [6, 2, 1, 1],
    }
    reached = found["reached"]
    assert column(reached, "next") == [0.7142857142857143, 1.0, 0.4, None]
    assert column(reached, "cumulative") == [1, 5 / 7, 5 / 7, 0.2857142857142857]
    assert column(reached, "lost") == [2, 0, 1, 0]
    assert column(reached, "open") == [0, 0, 2, 0]
    assert column(found["ordered"], "next") == [1 / 3, 0.5, 1.0, None]


def test_time_in_stage() -> None:
    world = H1.world(MARCH_31)
    deals = stages.time_in_stage(world)
    assert column(deals, "n") == [6, 3, 1]
    assert column(deals, "mean_days") == [26.5, 24.666666666666668, 15.0]
    assert column(deals, "median_days") == [27.0, 23.0, 15.0]
    assert column(deals, "open_n") == [0, 0, 2]
    assert column(deals, "open_mean_days") == [None, None, 24.5]
    assert column(deals, "deleted") == [1, 0, 0]
    visits = stages.time_in_stage(world, unit="visit")
    assert column(visits, "n") == [6, 4, 2]
    assert column(visits, "mean_days") == [26.5, 18.5, 14.5]


def test_ageing_and_rotting() -> None:
    world = H1.world(FEBRUARY_28)
    by_stage = stages.ageing(world)
    assert column(by_stage, "bucket") == ["0-7", "8-14", "15-30", "31-60", "61+", "unknown"]
    assert column(by_stage, "n") == [0, 3, 2, 0, 0, 0]
    assert column(by_stage, "value")[1:3] == [Decimal("3100.00"), Decimal("800.50")]
    assert column(by_stage, "blank") == [0, 0, 1, 0, 0, 0]
    created = stages.ageing(world, basis="created")
    assert column(created, "value")[1:4] == [Decimal(700), Decimal("800.50"), Decimal(2400)]
    weekdays = stages.ageing(world, calendar="weekdays", buckets=(5, 10, 18, 20))
    assert column(weekdays, "n") == [1, 2, 1, 1, 0, 0]
    rot = {basis: stages.rotting(world, basis=basis) for basis in ("stage", "update", "created")}
    assert {basis: sum(column(each, "rotting")) for basis, each in rot.items()} == {
        "stage": 2,
        "update": 1,
        "created": 4,
    }
    assert sum(column(rot["created"], "value")) == Decimal("3200.50")


def test_slippage() -> None:
    (row,) = windows.slippage(H1.world(MARCH_31), since=MARCH[0], until=MARCH[1]).rows
    assert row == {
        "n": 3,
        "value": Decimal("2800.50"),
        "blank": 1,
        "won": 1,
        "lost": 0,
        "deleted": 0,
        "slipped": 2,
        "moved": 2,
        "overdue": 0,
        "share_n": 0.6666666666666666,
        "slipped_value": Decimal("2800.50"),
        "share_value": 1.0,
        "pushes": 2,
        "pushed_deals": 2,
        "mean_days_pushed": 25.5,
    }


def test_coverage() -> None:
    world = H1.world(FEBRUARY_28)
    (row,) = windows.coverage(world, since=Q1[0], until=Q1[1], target=Decimal(3000)).rows
    assert (row["won"], row["remaining"], row["open"]) == (1200, 1800, Decimal("3200.50"))
    assert (row["coverage"], row["required"], row["gap"]) == (
        1.7780555555555555,
        2.0,
        Decimal("399.50"),
    )
    assert (row["overdue"], row["blank"], row["met"]) == (1, 1, False)
    (met,) = windows.coverage(world, since=Q1[0], until=Q1[1], target=Decimal(1000)).rows
    assert (met["coverage"], met["gap"], met["surplus"], met["met"]) == (None, None, 200, True)


def test_forecast() -> None:
    answer = windows.forecast(H1.world(FEBRUARY_28), since=Q1[0], until=Q1[1])
    shown = {row["label"]: (row["won"], row["weighted"], row["n"]) for row in answer.rows}
    assert shown == {
        "overdue": (0, 120, 1),
        "2026-01": (0, 0, 0),
        "2026-02": (1200, 0, 0),
        "2026-03": (0, Decimal("680.05"), 3),
        "undated": (0, 0, 0),
    }
    found = windows.totals(answer)
    # all stages are of the category "pipeline" here
    assert found == {"low": 1200, "base": Decimal("2000.05"), "high": Decimal("4400.50")}


@pytest.mark.parametrize(
    ("since", "due", "net", "expected"),
    [
        ("2026-02-01", Q1, True, "3050.00 1000.25 0 400 200 1500.25 1100 2000 0 50 0"),
        ("2026-02-01", None, True, "3050 1800.75 0 400 200 1500.25 1100 0 0 50 2800.50"),
        ("2026-02-01", Q1, False, "3050 800.50 700 400 500.25 1500.25 1100 2800.50 0 50 0"),
        ("2026-03-01", Q1, True, "3200.50 0 700 0 300.25 300.25 1100 2800.50 0 0 0"),
    ],
)
def test_waterfall(since: str, due: movement.Due, *, net: bool, expected: str) -> None:
    world = H1.world(MARCH_31)
    day = date.fromisoformat(since)
    answer = movement.waterfall(world, since=day, until=MARCH[1], due=due, net=net)
    assert column(answer, "value") == [Decimal(text) for text in expected.split()]


def test_a_waterfall_of_groups() -> None:
    rows = [
        Row("X", 1, "stage", "Lead", seq=1),
        Row("X", 1, "amount", Decimal(100), seq=1),
        Row("X", 1, "owner", "Ann", seq=1),
        Row("X", h1.moment("2026-01-05"), "owner", "Bob", seq=2),
    ]
    world = History(rows, PIPELINES[0]).world(MARCH_31, ("owner",))
    answer = movement.waterfall(world, since=Q1[0], until=Q1[1])
    assert [(row["owner"], row["bucket"], row["value"]) for row in answer.rows if row["n"]] == [
        ("Ann", "start", 100),
        ("Ann", "transferred_out", 100),
        ("Bob", "transferred_in", 100),
        ("Bob", "end", 100),
    ]


def test_cohorts() -> None:
    rows = outcomes.cohorts(H1.world(MARCH_31), periods=3).rows
    shown = [(row["cohort"].month, row["k"], row["won"], row["value"], row["rate"]) for row in rows]
    assert shown == [
        (1, 0, 0, 0, 0.0),
        (1, 1, 1, 1200, 0.25),
        (1, 2, 1, 1200, 0.25),
        (2, 0, 0, 0, 0.0),
        (2, 1, 1, Decimal("300.25"), 0.3333333333333333),
        (2, 2, None, None, None),
    ]
    assert [(row["size"], row["open"]) for row in rows[::3]] == [(4, 1), (3, 1)]


def test_losses_and_wins() -> None:
    world = H1.world(MARCH_31, ("loss_reason",))
    rows = outcomes.losses(world, since=Q1[0], until=Q1[1]).rows
    assert [(r["loss_reason"], r["n"], r["value"], r["share_value"]) for r in rows] == [
        ("Price", 2, 900, 0.5625),
        ("(none)", 1, 700, 0.4375),
    ]
    stage = outcomes.losses(H1.world(MARCH_31, ("from_stage",)), since=Q1[0], until=Q1[1]).rows
    assert [(row["from_stage"], row["n"]) for row in stage] == [("Demo", 1), ("Lead", 2)]
    owners = outcomes.win_loss(H1.world(MARCH_31, ("owner",)), since=Q1[0], until=Q1[1]).rows
    assert [(row["owner"], row["won"], row["n"]) for row in owners] == [
        ("Ann", 2, 3),
        ("Bob", 0, 1),
        ("(none)", 0, 1),
    ]
    board = outcomes.leaderboard(H1.world(MARCH_31, ("owner",))).rows
    assert [(row["rank"], row["owner"], row["won_value"]) for row in board] == [
        (1, "Ann", Decimal("1500.25")),
        (2, "Bob", 0),
        (2, "(none)", 0),
    ]


def test_activity_and_events() -> None:
    rows = activity.activity(H1.world(MARCH_31, ("owner",)), since=Q1[0], until=Q1[1]).rows
    assert [(row["owner"], row["created"], row["pushes"]) for row in rows] == [
        ("Ann", 4, 0),
        ("Bob", 3, 3),
        ("(none)", 1, 0),
    ]
    months = activity.events(H1.world(MARCH_31), since=Q1[0], until=Q1[1]).rows
    assert [row["label"] for row in months] == ["2026-01", "2026-02", "2026-03"]
    assert [sum(row[name] for row in months) for name in ("created", "won", "lost")] == [8, 3, 3]
