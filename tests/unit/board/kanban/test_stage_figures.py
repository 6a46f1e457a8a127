"""Figures of columns: by stage and lane, currencies together, and no label taken for a value."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from dealdb.analytics import Analytics
from dealdb.board.kanban.stage_figures import StageFigures, stage_figures
from dealdb.model.pipeline import Kind, Pipeline, Stage
from dealdb.query import FixedDeals, QueryEngine

PIPELINE = Pipeline((Stage("Lead", Kind.OPEN, Decimal("0.5"), rot_days=10), Stage("Won", Kind.WON)))
TODAY = date(2026, 3, 31)


def figures(
    *deals: dict[str, Any], by: str | None = None, where: str | None = None
) -> list[StageFigures]:
    query = QueryEngine.over(
        [{"id": str(n), **deal} for n, deal in enumerate(deals)], pipeline=PIPELINE
    )
    kept = query.select(where)
    analytics = Analytics(QueryEngine(FixedDeals(kept)).select, today=TODAY)
    return stage_figures(analytics.pipeline(by=by), kept, by)


def money(each: StageFigures) -> list[tuple[str | None, Decimal, Decimal | None]]:
    return [(sum_.currency, sum_.value, sum_.weighted) for sum_ in each.sums]


def test_every_stage_of_the_pipeline_is_there_and_a_deal_without_one_too() -> None:
    found = figures({"amount": Decimal(5)}, {"stage": "Nowhere", "amount": Decimal(7)})
    # what is open comes first, as on the board
    assert {each.stage: (each.kind, each.n) for each in found} == {
        "Lead": (Kind.OPEN, 0), "Nowhere": (Kind.OPEN, 1), None: (Kind.OPEN, 1), "Won": (Kind.WON, 0),
    }  # fmt: skip
    assert money(found[0]) == []


def test_a_value_that_reads_like_the_label_of_none_is_not_taken_for_none() -> None:
    found = figures(
        {"stage": None, "currency": None, "amount": Decimal(1)},
        {"stage": "(none)", "currency": "(none)", "amount": Decimal(2)},
        {"stage": "(no stage)", "currency": "EUR", "amount": Decimal(4)},
    )
    filled = {each.stage: money(each) for each in found if each.n}
    assert {stage: [(c, v) for c, v, _ in sums] for stage, sums in filled.items()} == {
        None: [(None, Decimal(1))],
        "(none)": [("(none)", Decimal(2))],
        "(no stage)": [("EUR", Decimal(4))],
    }


def test_currencies_are_never_added_whatever_they_are_called() -> None:
    names = ("EUR", "eur", " EUR", "", None, "Klingon darsek")
    found = figures(
        *({"stage": "Lead", "currency": each, "amount": Decimal("0.10")} for each in names),
        {"stage": "Lead", "currency": "EUR", "amount": Decimal("0.20")},
        # no amount is no line of its currency, and counts
        {"stage": "Lead", "currency": "JPY", "amount": None},
    )
    [lead] = [each for each in found if each.stage == "Lead"]
    assert (lead.n, lead.blank) == (8, 1)
    assert {currency: value for currency, value, _ in money(lead)} == dict.fromkeys(
        names, Decimal("0.10")
    ) | {"EUR": Decimal("0.30")}
    assert sum((weighted or 0) for _, _, weighted in money(lead)) == Decimal("0.40")


def test_sums_are_exact_far_beyond_a_float() -> None:
    big = Decimal("99999999999999999999.99")
    found = figures(*({"stage": "Lead", "amount": big} for _ in range(3)))
    assert money(found[0]) == [(None, big * 3, big * 3 / 2)]


def test_won_deals_have_no_weighted_value_and_are_never_late() -> None:
    late = {"expected_close": date(2026, 1, 1), "created": date(2026, 1, 1), "amount": Decimal(5)}
    by_stage = {
        each.stage: each for each in figures({"stage": "Lead"} | late, {"stage": "Won"} | late)
    }
    assert (by_stage["Lead"].overdue, by_stage["Lead"].rotting) == (1, 1)
    assert (by_stage["Won"].overdue, by_stage["Won"].rotting) == (0, 0)
    assert money(by_stage["Won"]) == [(None, Decimal(5), None)]


def test_lanes_have_their_parts_and_those_without_a_value_are_a_lane_of_their_own() -> None:
    found = figures(
        {"stage": "Lead", "owner": "Ann", "amount": Decimal(1)},
        {"stage": "Lead", "owner": "", "amount": Decimal(2)},
        {"stage": None, "owner": None, "amount": Decimal(4)},
        {"stage": "Lead", "owner": "(none)", "amount": Decimal(8)},
        by="owner",
    )
    filled = {(each.lane, each.stage): each.sums[0].value for each in found if each.n}
    assert filled == {
        ("Ann", "Lead"): 1, ("", "Lead"): 2, (None, None): 4, ("(none)", "Lead"): 8,
    }  # fmt: skip


def test_a_filter_that_keeps_nothing_leaves_empty_stages() -> None:
    found = figures({"stage": "Lead", "amount": Decimal(5)}, where="amount > 5")
    assert [(each.stage, each.n, money(each)) for each in found] == [
        ("Lead", 0, []),
        ("Won", 0, []),
    ]
