"""Calibration: the example, and chances of made histories that are right or wrong by a known part."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import polars as pl
import pytest

import h1
from dealdb.analytics.prediction.calibration import calibration
from dealdb.analytics.prediction.forecast_error import forecast_error
from dealdb.errors import QueryError
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.store.facts.fold import folded
from histories.made import histories
from histories.truth import LOST, WON, Law, StageTruth, Truth
from histories.written import facts_of, read
from pasts import past_of

END = "2026-03-31"
MARCH = {"since": "2026-03-01", "horizon_days": 31, "every": "week"}
TWO = Truth(
    (
        StageTruth("Lead", {"Offer": 0.5, LOST: 0.5}, Law("exponential", 6), chance="0.30"),
        StageTruth("Offer", {WON: 0.6, LOST: 0.4}, Law("exponential", 6), chance="0.60"),
    ),
    days=300,
    watched=420,
)


def test_the_example() -> None:
    found = calibration(past_of(as_of=END), **MARCH)  # type: ignore[arg-type]
    horizon, eventually = found.to_dicts()
    assert (horizon["target"], horizon["n"], horizon["resolved_share"]) == ("horizon", 5, 0.6)
    assert horizon["brier"] == pytest.approx(0.202)
    assert (eventually["target"], eventually["n"], eventually["resolved_share"]) == (
        "eventually",
        3,
        0.6,
    )
    assert eventually["brier"] == pytest.approx(0.91 / 3)
    # C 600.00, G 120.00, which is overdue, and D 80.05; E has no amount yet, and F is due in May
    assert (horizon["expected"], horizon["actual"]) == (Decimal("800.05"), Decimal("300.25"))
    assert eventually["expected"] is eventually["actual"] is None
    assert horizon["bias"] == pytest.approx((0.3 + 0.1 + 0.1 + 0.1 + 0.3 - 1) / 5)


def test_groups_are_those_of_the_moment() -> None:
    rows = calibration(past_of(as_of=END, by="owner"), **MARCH).to_dicts()  # type: ignore[arg-type]
    assert [(row["owner"], row["n"]) for row in rows if row["target"] == "horizon"] == [
        ("Ann", 1),
        ("Bob", 3),
        ("(none)", 1),
    ]


def test_lines_add_up_to_n() -> None:
    lines = calibration(past_of(as_of=END, deals=True), **MARCH).frame  # type: ignore[arg-type]
    assert lines.group_by("target").len().sort("target").rows() == [
        ("eventually", 3),
        ("horizon", 5),
    ]
    mean = lines.filter(pl.col("target") == "horizon")["value"].mean()
    assert mean == pytest.approx(-0.02)


def test_groups_of_no_deals_have_no_rows() -> None:
    nobody = past_of(as_of=END, by="owner", where="owner = 'Nobody'")
    assert calibration(nobody, **MARCH).frame.is_empty()  # type: ignore[arg-type]


def test_a_horizon_that_is_not_over_is_refused() -> None:
    with pytest.raises(QueryError, match="horizon"):
        calibration(past_of(as_of=END), since="2026-03-02", horizon_days=31)
    with pytest.raises(QueryError, match="since"):
        calibration(past_of(as_of=END), since=None)
    with pytest.raises(QueryError, match="every"):
        calibration(past_of(as_of=END), since="2026-02-01", every="hour")


def off_by(share: str) -> Pipeline:
    stages = (
        each
        if each.probability is None
        else replace(each, probability=each.probability + Decimal(share))
        for each in TWO.pipeline
    )
    return replace(TWO.pipeline, stages=tuple(stages))


def test_right_chances_have_no_bias_and_wrong_ones_have_theirs() -> None:
    history = histories(1_000, 3, truth=TWO)
    options = {"since": "2024-04-01", "every": "month", "horizon_days": 30}
    rows = calibration(past_of(history.facts, as_of="2025-02-20"), **options).to_dicts()  # type: ignore[arg-type]
    right = next(row for row in rows if row["target"] == "eventually")
    assert right["resolved_share"] == 1.0
    assert right["reliability"] < 0.003
    assert right["bias_lo"] < right["bias_hi"]
    # 0.3 and 0.6 are the truth, but for three standard errors
    assert abs(right["bias"]) < 3 * (right["bias_hi"] - right["bias_lo"]) / 4
    wanted = 0.3 * 0.7, 0.6 * 0.4
    assert min(wanted) - 0.03 < right["brier"] < max(wanted) + 0.03
    wrong_facts = replace(history.facts, pipeline=off_by("0.2"))
    rows = calibration(past_of(wrong_facts, as_of="2025-02-20"), **options).to_dicts()  # type: ignore[arg-type]
    wrong = next(row for row in rows if row["target"] == "eventually")
    assert wrong["bias"] == pytest.approx(right["bias"] + 0.2)
    assert wrong["reliability"] == pytest.approx(
        0.04, abs=4 * 0.2 * 0.5 / math.sqrt(right["n"] / 2)
    )


def test_a_deal_without_a_chance_is_one_on_however_many_days() -> None:
    facts = facts_of(read("A 01-05 stage=Elsewhere", "B 01-05 stage=Demo"))
    found = calibration(past_of(facts, as_of=END), since="2026-02-01", horizon_days=20)
    assert found.basis.notes[0] == "6 moments, horizon 20 days"
    assert found.basis.warnings == (
        "deals that were open without a chance, left out on those days: 1",
    )


def test_groups_may_be_those_of_now() -> None:
    handed = pl.DataFrame(
        {
            "id": ["C"],
            "at": [h1.moment("2026-03-29")],
            "seq": [99],
            "field": ["owner"],
            "value": ["Zoe"],
            "op": ["set"],
        }
    )
    facts = folded(
        pl.concat([h1.rows(), handed], how="diagonal_relaxed"), Schema.standard(), h1.PIPELINE
    )
    for by_at, owners in (
        (None, {"Ann", "Bob", "(none)"}),
        ("now", {"Ann", "Bob", "(none)", "Zoe"}),
    ):
        past = past_of(facts, as_of="2026-03-31", by="owner", by_at=by_at)
        found = calibration(past, since="2026-03-01", horizon_days=30)
        assert {*found.frame["owner"]} == owners
        errors = forecast_error(past, days_before=(31,))
        # F, of nobody, is due only later
        assert {*errors.frame["owner"]} == owners - {"(none)"}
        # one deal that is looked at on several days is one deal
        assert found.basis.n == 5
