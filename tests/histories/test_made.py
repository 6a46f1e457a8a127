"""Made histories are the same for one seed, and follow their truth."""

from __future__ import annotations

import hashlib
from functools import cache

import polars as pl
import pytest

from histories.made import History, histories
from histories.studies import drawn_stays, stays
from histories.truth import LOST, WON, Law, StageTruth, Truth

TRUTH = Truth(
    (
        StageTruth("Lead", {"Demo": 0.5, "Offer": 0.1, LOST: 0.4}),
        StageTruth(
            "Demo", {"Lead": 0.1, "Offer": 0.5, WON: 0.1, LOST: 0.3}, Law("weibull", 20, 1.5)
        ),
        StageTruth("Offer", {"Demo": 0.1, WON: 0.5, LOST: 0.4}, Law("lognormal", 15, 0.7)),
    ),
    push=(0.3, 40),
    reopen=0.05,
    delete=0.05,
    merge=0.02,
    dirty=0.02,
    drift=0.05,
    drift_spread=0.1,
    currencies=("EUR", "USD"),
    owners={"Ann": 1.5, "Bob": 0.7},
)


@cache
def made() -> History:
    return histories(2_000, 1, truth=TRUTH)


def mark(history: History) -> str:
    return hashlib.sha256(str(history.rows.rows()).encode()).hexdigest()[:16]


def test_one_seed_gives_the_same_rows_everywhere() -> None:
    assert mark(made()) == mark(histories(2_000, 1, truth=TRUTH)) == "0742de70aa656279"
    assert mark(made()) != mark(histories(2_000, 2, truth=TRUTH))


def test_each_odd_thing_happens() -> None:
    rows = made().rows
    assert set(rows["op"]) == {"set", "delete", "merge"}
    assert set(rows.filter(pl.col("field") == "currency")["value"]) == {"EUR", "USD"}
    closed = rows.filter(pl.col("field") == "closed")
    assert closed["value"].null_count() > 0  # reopened
    moved = rows.filter(pl.col("field") == "expected_close").group_by("id").len()
    assert moved["len"].max() > 1  # type: ignore[operator]
    created = rows.filter(pl.col("field") == "created")
    assert created.filter(pl.col("value") > "2025-01-15").height > 0  # dirty dates
    assert int(rows["at"].max()) < made().until  # type: ignore[arg-type]


def test_nothing_comes_after_a_deletion() -> None:
    ends = made().rows.filter(pl.col("op") != "set").select("id", end="at")
    after = made().rows.join(ends, on="id").filter(pl.col("at") > pl.col("end"))
    assert after.is_empty()
    assert made().facts.lives.height == made().rows["id"].n_unique()


def test_deals_end_as_often_won_as_the_truth_says() -> None:
    plain = Truth(TRUTH.stages, watched=5_000)
    history = histories(2_000, 3, truth=plain)
    won = sum(stage == WON for _, stage in history.closings.values())
    # five standard errors
    assert won / len(history.closings) == pytest.approx(plain.ends()["Lead"], abs=0.049)


def test_stays_that_are_drawn_at_once_are_those_of_histories() -> None:
    ways = {WON: 0.4, LOST: 0.6}
    laws = {WON: Law("exponential", 57), LOST: Law("weibull", 14, 1.5)}
    truth = Truth((StageTruth("Lead", ways, laws=laws),), watched=300)
    told, [drawn] = stays(histories(3_000, 4, truth=truth)), drawn_stays(truth, 3_000, 1)
    for cause in (0, 1, 2):
        one, other = (spans.filter(pl.col("cause") == cause)["time"] for spans in (told, drawn))
        share = one.len() / told.height
        # five standard errors of a difference
        most = 5 * (2 * share * (1 - share) / 3_000) ** 0.5
        assert other.len() / drawn.height == pytest.approx(share, abs=most)
        spread = one.cast(pl.Float64).std() * (2 / one.len()) ** 0.5
        assert other.mean() == pytest.approx(one.mean(), abs=5 * spread)


def test_stays_have_the_median_of_their_law() -> None:
    for law in (Law("exponential", 10), Law("weibull", 20, 1.5), Law("lognormal", 15, 0.7)):
        assert law.beyond(law.median) == pytest.approx(0.5)
        assert law.beyond(law.quantile(0.9)) == pytest.approx(0.1)
