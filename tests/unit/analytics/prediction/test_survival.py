"""Survival in a stage: the example, and on histories whose truth is known."""

from __future__ import annotations

import math

import pytest

from dealdb.analytics.prediction.survival import survival
from dealdb.errors import QueryError
from histories.studies import (
    ended_mean,
    lasting,
    median_days,
    one_stage,
    over_seeds,
    slack,
    studied,
)
from histories.truth import Law
from pasts import past_of

END = "2026-03-31"


def test_leads_of_the_example() -> None:
    found = survival(past_of(as_of=END), "Lead")
    assert found.frame.columns == ["days", "at_risk", "events", "censored", "s", "lo", "hi"]
    assert found.frame.select("days", "at_risk", "events", "censored").rows() == [
        (7.0, 7, 1, 0),
        (14.0, 6, 1, 0),
        (15.0, 5, 1, 0),
        (36.0, 4, 0, 1),
        (39.0, 3, 2, 0),
        (45.0, 1, 1, 0),
    ]
    assert found.frame["s"].to_list() == pytest.approx([6 / 7, 5 / 7, 4 / 7, 4 / 7, 4 / 21, 0.0])
    assert "median 39 days" in found.basis.notes


def test_each_visit_counts_by_itself() -> None:
    found = survival(past_of(as_of=END), "Offer")
    # A 15 and C 14 days, then C 29.5 and D 19.5 so far
    assert found.frame.select("days", "events", "censored").rows() == [
        (14.0, 1, 0),
        (15.0, 1, 0),
        (19.5, 0, 1),
        (29.5, 0, 1),
    ]
    assert "median 15 days" in found.basis.notes


def test_wins_are_an_incidence_since_losses_compete() -> None:
    found = survival(past_of(as_of=END), "Lead", event="won")
    assert found.frame.select("days", "events", "competing", "censored").rows() == [
        (14.0, 0, 1, 0),  # B
        (15.0, 1, 0, 0),  # G, which was reopened later
        (36.0, 1, 0, 1),  # A; H was deleted
        (39.0, 0, 1, 0),  # F
        (45.0, 1, 0, 0),  # E
        (58.5, 0, 0, 1),  # D
    ]
    incidence = found.frame["incidence"].to_list()
    assert incidence == pytest.approx([0.0, 1 / 7, 2 / 7, 2 / 7, 10 / 21, 10 / 21])
    assert found.frame["s"].to_list() == pytest.approx([1 - each for each in incidence])
    assert any("cumulative incidence" in note for note in found.basis.notes)


def test_moves_forward_compete_with_losses() -> None:
    found = survival(past_of(as_of=END), "Lead", event="forward")
    assert found.frame.select("days", "events", "competing").rows() == [
        (7.0, 1, 0),
        (14.0, 0, 1),
        (15.0, 1, 0),
        (36.0, 0, 0),
        (39.0, 1, 1),
        (45.0, 1, 0),
    ]


def test_a_move_back_is_not_forward() -> None:
    # C went from Offer back to Demo after 14 days
    found = survival(past_of(as_of=END), "Offer", event="forward")
    assert found.frame.row(0, named=True)["competing"] == 1


def test_closings_from_whichever_stage() -> None:
    found = survival(past_of(as_of=END), "Lead", event="closed")
    assert found.frame["days"].to_list() == [14.0, 15.0, 36.0, 39.0, 45.0, 58.5]
    assert found.frame["events"].to_list() == [1, 1, 1, 1, 1, 0]


def test_visits_that_began_before_history_count_from_then_on() -> None:
    found = survival(past_of(as_of=END), "Lead", since="2026-01-20")
    # A was over by then; B and G come into view at 12.5 and 4.5 days
    assert found.frame.select("days", "at_risk").rows()[:2] == [(14.0, 6), (15.0, 5)]


def test_groups_have_curves_of_their_own() -> None:
    found = survival(past_of(as_of=END, by="owner"), "Lead")
    assert found.frame.select("owner", "days").rows() == [
        ("Ann", 7.0),
        ("Ann", 14.0),
        ("Ann", 36.0),
        ("Ann", 45.0),
        ("Bob", 15.0),
        ("Bob", 39.0),
        ("(none)", 39.0),
    ]


def test_lines_are_the_visits() -> None:
    lines = survival(past_of(as_of=END, deals=True), "Lead").frame
    assert sorted(lines.select("id", "value").rows()) == [
        ("A", 7.0),
        ("B", 14.0),
        ("D", 39.0),
        ("E", 45.0),
        ("F", 39.0),
        ("G", 15.0),
        ("H", 36.0),
    ]


def test_a_stage_that_nobody_came_to_has_no_curve() -> None:
    found = survival(past_of(as_of="2026-01-06"), "Offer")
    assert not found
    assert "median never reached" in found.basis.notes


def test_wrong_options_are_refused() -> None:
    with pytest.raises(QueryError, match="stage"):
        survival(past_of(), "Leed")
    with pytest.raises(QueryError, match="event"):
        survival(past_of(), "Lead", event="lost")
    with pytest.raises(QueryError, match="level"):
        survival(past_of(), "Lead", level=1.0)


LAW = Law("exponential", 30)
TRUTH = one_stage(0.4, LAW, LAW, watched=60)


@pytest.mark.parametrize("seeds", [40, pytest.param(2_000, marks=pytest.mark.slow)])
def test_means_of_ended_visits_are_too_short_and_the_median_is_right(seeds: int) -> None:
    mean, median, share = over_seeds(TRUTH, 200, seeds, ended_mean, median_days, lasting(20))
    short = studied(mean, 30)
    assert short.bias == pytest.approx(-15.7, abs=5 * short.error + 0.1)
    middle = studied(median, LAW.median)
    assert middle.bias == pytest.approx(0.13, abs=5 * middle.error)
    lasts = studied(share, math.exp(-20 / 30))
    assert abs(lasts.bias) < 5 * lasts.error
    assert lasts.holds(0.95, slack(seeds, 0.95) if seeds < 2_000 else 0.01)
