"""Weighted sums are exact, or rounded once with a word, however many digits amounts and probabilities have."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdb.analytics.metrics import concentration, leaderboard, pipeline_by_stage, summary
from dealdb.model.pipeline import Kind, Pipeline, Stage

DEFAULT = Decimal("0.1")
STAGES = Pipeline((Stage("Lead", Kind.OPEN, DEFAULT), Stage("Won", Kind.WON)))
LONG = Decimal("0." + "3" * 37)


def deals(rows: list[dict[str, Any]], *, scale: int, digits: int) -> pl.DataFrame:
    return pl.DataFrame(
        [{"stage": "Lead", "owner": "Ann", **row} for row in rows],
        schema={
            "stage": pl.String,
            "owner": pl.String,
            "amount": pl.Decimal(38, scale),
            "probability": pl.Decimal(38, digits),
        },
    )


@st.composite
def frames(draw: st.DrawFn) -> tuple[list[dict[str, Any]], int, int]:
    scale, digits = draw(st.sampled_from([0, 2, 18])), draw(st.sampled_from([2, 9, 28, 37]))
    units = st.one_of(*(st.integers(-(10**n), 10**n) for n in (3, 12, scale + 17)))
    chances = st.none() | st.integers(0, 10**digits)

    def number(unit: int | None, places: int) -> Decimal | None:
        return None if unit is None else Decimal((unit < 0, _digits(unit), -places))

    deal = st.fixed_dictionaries(
        {
            "owner": st.sampled_from(["Ann", "Bob"]),
            "amount": (st.none() | units).map(lambda unit: number(unit, scale)),
            "probability": chances.map(lambda unit: number(unit, digits)),
        }
    )
    return draw(st.lists(deal, max_size=8)), scale, digits


def _digits(number: int) -> tuple[int, ...]:
    return tuple(map(int, str(abs(number))))


@given(frames())
def test_sums_are_those_of_fractions(drawn: tuple[list[dict[str, Any]], int, int]) -> None:
    rows, scale, digits = drawn
    expected: dict[str, Fraction] = defaultdict(Fraction)
    for row in rows:
        chance = DEFAULT if row["probability"] is None else row["probability"]
        expected[row["owner"]] += Fraction(row["amount"] or 0) * Fraction(chance)
    board = leaderboard(deals(rows, scale=scale, digits=digits), STAGES)
    shown = board.frame.schema["open_weighted"]
    assert isinstance(shown, pl.Decimal)
    found = {row["owner"]: Fraction(row["open_weighted"]) for row in board}
    assert found.keys() == expected.keys()
    assert all(
        abs(found[owner] - expected[owner]) <= Fraction(1, 2 * 10**shown.scale) for owner in found
    )
    says_so = any("rounded to" in warning for warning in board.basis.warnings)
    assert says_so is (found != expected)


@pytest.mark.parametrize("rows", [[], [{"amount": Decimal(0), "probability": LONG}]])
def test_nothing_times_a_long_probability_is_nothing(rows: list[dict[str, Any]]) -> None:
    frame = deals(rows, scale=2, digits=37)
    assert summary(frame, STAGES)["weighted"] == 0
    assert set(pipeline_by_stage(frame, STAGES).frame["weighted"]) == {Decimal(0), None}
    assert concentration(frame, STAGES, "owner", of="open")["value"] == 0
    assert all(row["open_weighted"] == 0 for row in leaderboard(frame, STAGES))


def test_a_third_of_many_amounts_refuses_nothing() -> None:
    rows = [{"amount": Decimal(10**6), "probability": Decimal(1) / 3}] * 200
    figures = summary(deals(rows, scale=2, digits=28), STAGES)
    assert figures["weighted"] == Decimal("66666666." + "6" * 20)
    assert figures["pipeline_value"] == Decimal(2 * 10**8)
    assert figures.basis.warnings == ()


def test_a_sum_of_too_many_digits_is_rounded_with_a_word() -> None:
    frame = deals([{"amount": Decimal(10**20 - 1), "probability": LONG}], scale=2, digits=37)
    figures = summary(frame, STAGES)
    exact = Fraction(10**20 - 1) * Fraction(LONG)
    assert abs(Fraction(figures["weighted"]) - exact) <= Fraction(1, 2 * 10**18)
    assert figures.basis.warnings == (
        "weighted sums have more than 38 digits: rounded to 18 after the point",
    )


def test_what_is_not_a_probability_takes_no_default() -> None:
    # a default of many digits widens the column, where 50 would not fit
    stages = Pipeline((Stage("Lead", Kind.OPEN, LONG),))
    frame = deals([{"amount": Decimal(1), "probability": Decimal(50)}], scale=2, digits=2)
    figures = summary(frame, stages)
    assert (figures["weighted"], figures["unweighted"]) == (0, 1)
