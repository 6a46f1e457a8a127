"""Chances learned from history: of the example, and on histories whose truth is known."""

from __future__ import annotations

from decimal import Decimal
from math import exp

import polars as pl
import pytest

import h1
from dealdb.analytics.estimates.curves import incidence
from dealdb.analytics.prediction.stage_chances import adopted, stage_chances
from dealdb.errors import QueryError
from histories.made import histories
from histories.studies import (
    Study,
    closed_share,
    competing,
    drawn_stays,
    one_stage,
    over_seeds,
    slack,
    studied,
)
from histories.truth import LOST, WON, Law, StageTruth, Truth
from pasts import past_of

END = "2026-03-31"
DAY = 86_400_000


def exponential(mean: float) -> Law:
    return Law("exponential", mean)


THREE = Truth(
    (
        StageTruth("Lead", {"Demo": 0.5, "Offer": 0.1, LOST: 0.4}, exponential(8)),
        StageTruth(
            "Demo", {"Lead": 0.1, "Offer": 0.5, WON: 0.1, LOST: 0.3}, Law("weibull", 9, 1.5)
        ),
        StageTruth("Offer", {"Demo": 0.1, WON: 0.5, LOST: 0.4}, Law("lognormal", 7, 0.7)),
    ),
    watched=600,
    delete=0.02,
)


def test_closed_deals_of_the_example() -> None:
    found = stage_chances(past_of(as_of=END), method="closed")
    assert found.frame.columns == ["stage", "won", "n", "chance", "lo", "hi"]
    rows = {row["stage"]: row for row in found.to_dicts()}
    assert {stage: (row["won"], row["n"], row["chance"]) for stage, row in rows.items()} == {
        "Lead": (2, 5, 0.4),
        "Demo": (1, 2, 0.5),
        "Offer": (1, 1, 1.0),
    }
    bounds = [(round(row["lo"], 6), round(row["hi"], 6)) for row in rows.values()]
    assert bounds == [(0.117621, 0.769276), (0.094531, 0.905469), (0.206549, 1.0)]


def test_competing_ends_of_the_example() -> None:
    rows = stage_chances(past_of(as_of=END)).to_dicts()
    # Lead: E and A won after 45 and 36 days, B, G (after its reopening) and F lost, H deleted after 36, D open
    assert rows[0]["n"] == 7
    assert rows[0]["chance"] == pytest.approx(9 / 28)
    assert rows[0]["undecided"] == pytest.approx(0.0)
    # Demo: G lost after 23 days, A won after 29, C is open
    assert [rows[1][name] for name in ("won", "n", "chance", "undecided")] == pytest.approx(
        [1, 3, 1 / 3, 1 / 3]
    )
    assert all(row["lo"] <= row["chance"] <= row["hi"] for row in rows)


def test_moves_of_the_example() -> None:
    rows = stage_chances(past_of(as_of=END), method="markov").to_dicts()
    # moves out of Lead: A to Demo, D to Offer, E and G to Won, B and F to Lost
    assert [(row["won"], row["n"]) for row in rows] == [(2, 6), (0, 4), (1, 2)]
    lead, demo, offer = (row["chance"] for row in rows)
    # the equations of the chain, with half a move on each way
    assert lead == pytest.approx((1.5 * demo + 1.5 * offer + 2.5) / 8)
    assert demo == pytest.approx((0.5 * lead + 3.5 * offer + 0.5) / 6)
    assert offer == pytest.approx((0.5 * lead + 1.5 * demo + 1.5) / 4)


def test_groups_and_windows() -> None:
    rows = stage_chances(past_of(as_of=END, by="owner"), method="closed").to_dicts()
    assert [(row["owner"], row["won"], row["n"]) for row in rows if row["stage"] == "Lead"] == [
        ("Ann", 2, 3),
        ("Bob", 0, 1),
        ("(none)", 0, 1),
    ]
    found = stage_chances(past_of(as_of=END), method="closed", since="2026-02-01")
    # E and F came into Lead in February
    assert next((row["won"], row["n"]) for row in found) == (1, 2)


@pytest.mark.parametrize("method", ["closed", "competing", "markov"])
def test_lines_of_deals_add_up(method: str) -> None:
    table = stage_chances(past_of(as_of=END), method=method).frame
    lines = stage_chances(past_of(as_of=END, deals=True), method=method).frame
    for stage, won, n in table.select("stage", "won", "n").rows():
        own = lines.filter(pl.col("stage") == stage)
        assert (own["value"].sum(), own.height) == (won, n)


def test_nothing_has_no_chance() -> None:
    facts = h1.facts(THREE.pipeline)
    for method in ("closed", "competing"):
        rows = stage_chances(past_of(facts, as_of="2026-01-20"), method=method).to_dicts()
        assert all(row["chance"] is None or row["n"] for row in rows)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(QueryError, match="method"):
        stage_chances(past_of(), method="guess")


def test_adopted_chances() -> None:
    found = stage_chances(past_of(as_of=END), method="closed")
    learned = adopted(h1.PIPELINE, found)
    assert [each.probability for each in learned][:3] == [
        Decimal("0.4167"),
        Decimal("0.5000"),
        Decimal("0.7500"),
    ]
    assert [each.rot_days for each in learned] == [each.rot_days for each in h1.PIPELINE]
    with pytest.raises(QueryError, match="undecided"):
        adopted(h1.PIPELINE, stage_chances(past_of(as_of=END)))
    with pytest.raises(QueryError, match="groups"):
        adopted(h1.PIPELINE, stage_chances(past_of(as_of=END, by="owner")))


def test_the_truth_of_a_made_history_is_found() -> None:
    history = histories(1_500, 5, truth=THREE)
    past = past_of(history.facts, as_of="2025-08-22")
    for method in ("competing", "markov"):
        found = {row["stage"]: row for row in stage_chances(past, method=method)}
        for stage, truth in THREE.ends().items():
            row = found[stage]
            # five standard errors, of intervals that are two wide
            assert abs(row["chance"] - truth) < 2.6 * (row["hi"] - row["lo"]) / 2, (method, stage)


@pytest.mark.parametrize("seeds", [40, pytest.param(2_000, marks=pytest.mark.slow)])
def test_what_is_missing_of_the_chance_is_what_is_undecided(seeds: int) -> None:
    """Of deals that come until the last day, the late ones are mostly wins that are not there yet."""
    truth = one_stage(0.4, exponential(57), exponential(14), watched=365)
    curves = [incidence(spans) for spans in drawn_stays(truth, 200, seeds)]
    most = 5 if seeds < 2_000 else 2
    for days in (30, 60, 120, 200):
        upto = [curve.filter(pl.col("time") <= days * DAY)["incidence"][-1] for curve in curves]
        found = studied(((share, (None, None)) for share in upto), 0.4 * (1 - exp(-days / 57)))
        assert abs(found.bias) < most * found.error, days
    ends = [curve.select("incidence", "undecided").row(-1) for curve in curves]
    low, high = (
        studied(((share, (None, None)) for share in shares), 0.4)
        for shares in ([f for f, _ in ends], [f + s for f, s in ends])
    )
    # the truth lies between what is won and that with all that is undecided
    assert low.bias < most * low.error
    assert high.bias > -most * high.error


def both(won: float, lost: float, *, watched: int, seeds: int) -> tuple[Study, Study]:
    truth = one_stage(0.4, exponential(won), exponential(lost), watched=watched)
    shares, incidences = over_seeds(truth, 200, seeds, closed_share, competing)
    return studied(shares, 0.4), studied(incidences, 0.4)


def test_the_share_of_closed_deals_is_too_low_and_competing_ends_are_not() -> None:
    share, incidence = both(57, 14, watched=365, seeds=40)
    assert share.bias == pytest.approx(-0.032, abs=5 * share.error)
    assert abs(incidence.bias + 0.004) < 5 * incidence.error
    assert incidence.holds(0.95, slack(40, 0.95))


@pytest.mark.slow
def test_bias_and_coverage_over_2000_seeds() -> None:
    share, incidence = both(57, 14, watched=365, seeds=2_000)
    assert share.bias == pytest.approx(-0.03, abs=0.005)
    assert share.covered == pytest.approx(0.86, abs=0.03)
    assert abs(incidence.bias) < 0.007
    assert 0.92 <= incidence.covered <= 0.97
    share, incidence = both(57, 57, watched=365, seeds=2_000)
    assert abs(share.bias) < 0.005
    assert abs(incidence.bias) < 0.005
    share, incidence = both(120, 20, watched=365, seeds=2_000)
    assert share.bias == pytest.approx(-0.072, abs=0.008)
    assert share.covered == pytest.approx(0.48, abs=0.07)
    assert incidence.bias == pytest.approx(-0.024, abs=0.008)
    share, incidence = both(57, 14, watched=90, seeds=2_000)
    assert share.bias == pytest.approx(-0.116, abs=0.008)
    assert incidence.bias == pytest.approx(-0.084, abs=0.012)


@pytest.mark.slow
def test_without_open_deals_intervals_hold_the_truth_in_95_percent() -> None:
    truth = one_stage(0.4, exponential(20), exponential(10), watched=365)
    # all deals came long before the end, so that next to none is undecided
    early = Truth(truth.stages, days=200, watched=365)
    (incidences,) = over_seeds(early, 200, 2_000, competing)
    found = studied(incidences, 0.4)
    assert abs(found.bias) < 2 * found.error + 0.001
    assert 0.93 <= found.covered <= 0.97
