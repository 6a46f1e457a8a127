"""Days until open deals close, against what they then took in made histories."""

from __future__ import annotations

import pytest

from dealdb.analytics.prediction.time_to_close import time_to_close
from dealdb.errors import QueryError
from histories.made import histories
from histories.truth import LOST, WON, Law, StageTruth, Truth
from pasts import past_of

TWO = Truth(
    (
        StageTruth("Lead", {"Offer": 0.7, LOST: 0.3}, Law("lognormal", 20, 0.6)),
        StageTruth("Offer", {"Lead": 0.1, WON: 0.5, LOST: 0.4}, Law("lognormal", 30, 0.8)),
    ),
    days=420,
    watched=420,
)
DAY = "2025-02-23"


def test_few_closed_deals_tell_nothing() -> None:
    found = time_to_close(past_of(as_of="2026-03-31"))
    assert found.frame.select("id", "stage", "age_days", "n").rows() == [
        ("C", "Offer", 29.5, 1),
        ("D", "Offer", 19.5, 1),
    ]
    assert found.frame.select("chance", "p10", "p50", "p90").null_count().row(0) == (2, 2, 2, 2)
    assert found.basis.warnings == ("rows that fewer than 20 closed deals tell of, left empty: 2",)


def test_one_deal() -> None:
    assert [row["id"] for row in time_to_close(past_of(as_of="2026-03-31"), "D")] == ["D"]
    with pytest.raises(QueryError, match="no open deal"):
        time_to_close(past_of(as_of="2026-03-31"), "A")


def test_wrong_options_are_refused() -> None:
    with pytest.raises(QueryError, match="event"):
        time_to_close(past_of(), event="lost")
    with pytest.raises(QueryError, match="by"):
        time_to_close(past_of(by="owner"))


def test_by_stage_it_is_of_a_deal_that_comes_in() -> None:
    past = past_of(histories(1_500, 1, truth=TWO).facts, as_of=DAY, by="stage")
    first, last = time_to_close(past).to_dicts()
    assert list(first) == ["stage", "n", "chance", "p10", "p50", "p90"]
    assert (first["chance"], last["chance"]) == pytest.approx(
        (TWO.ends()["Lead"], TWO.ends()["Offer"]), abs=0.07
    )
    assert first["p50"] > last["p50"] > 0
    assert first["p10"] < first["p50"] < first["p90"]
    assert time_to_close(past).to_dicts() == [first, last]


@pytest.mark.parametrize(
    ("event", "size"),
    [
        ("won", 1_800),
        pytest.param("won", 12_000, marks=pytest.mark.slow),
        pytest.param("closed", 12_000, marks=pytest.mark.slow),
    ],
)
def test_deals_close_within_the_percentiles_as_often_as_they_say(event: str, size: int) -> None:
    history = histories(size, 2, truth=TWO)
    found = time_to_close(past_of(history.facts, as_of=DAY), event=event, n=size // 3)
    inside = below = n = 0
    for row in found:
        at, stage = history.closings[row["id"]]
        if event == "won" and stage != WON:
            continue
        days = (at - history.until) / 86_400_000
        n += 1
        below += days <= row["p50"]
        inside += row["p10"] <= days <= row["p90"]
    assert n > size / 30
    # three points, and what chance adds for so few deals
    assert below / n == pytest.approx(0.5, abs=0.03 + 2 / n**0.5)
    assert inside / n == pytest.approx(0.8, abs=0.03 + 1.6 / n**0.5)
