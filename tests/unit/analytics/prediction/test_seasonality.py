"""Seasonality: a December that is known is found again."""

from __future__ import annotations

from functools import cache

import polars as pl
import pytest

from dealdb.analytics.prediction.seasonality import seasonality
from dealdb.errors import QueryError
from dealdb.model.schema import Schema
from dealdb.store.facts.fold import folded
from histories.made import History, histories
from histories.truth import LOST, WON, StageTruth, Truth
from pasts import past_of

FIVE_YEARS = Truth(
    (StageTruth("Lead", {WON: 0.3, LOST: 0.7}),),
    days=1_827,
    watched=1_827,
    months=(1.0,) * 11 + (1.5,),
)


@cache
def history() -> History:
    return histories(5_000, 1, truth=FIVE_YEARS)


def test_a_december_of_one_and_a_half() -> None:
    found = seasonality(past_of(history().facts, as_of="2028-12-31"), "created_n")
    assert found.frame.columns == ["month", "factor", "n", "lo", "hi"]
    december = found.to_dicts()[11]
    # months of 31 days have a little more
    assert december["factor"] == pytest.approx(1.5 * 12 / 12.5, abs=0.1)
    assert december["lo"] <= december["factor"] <= december["hi"]
    assert found.frame["factor"].sum() == pytest.approx(12.0)
    assert "60 full months" in found.basis.notes


def test_below_three_years_it_is_indicative_and_has_no_interval() -> None:
    found = seasonality(past_of(history().facts, as_of="2026-06-30"), "created_n")
    assert "30 full months, indicative" in found.basis.notes
    assert found.frame["lo"].null_count() == 12


def test_quarters_and_money() -> None:
    found = seasonality(past_of(history().facts, as_of="2028-12-31"), period="quarter")
    assert found.frame["quarter"].to_list() == [1, 2, 3, 4]
    assert found.basis.currency == "EUR"


def test_a_group_of_less_than_two_years_is_left_out_and_named() -> None:
    made = history()
    day = made.until - 60 * 86_400_000
    new = [("new", day, "owner", "Zoe", "set"), ("new", day, "created", "2028-11-01", "set")]
    rows = pl.concat([made.rows, pl.DataFrame(new, schema=made.rows.schema, orient="row")])
    facts = folded(rows, Schema.standard(), FIVE_YEARS.pipeline)
    found = seasonality(past_of(facts, as_of="2028-12-31", by="owner"), "created_n")
    assert {*found.frame["owner"]} == {"Ann"}
    assert found.basis.remarks == (
        "Left out, as seasonality needs 24 full months and there are 2 of Zoe.",
    )


def test_fewer_than_two_years_are_refused_with_their_number() -> None:
    with pytest.raises(QueryError, match="24 full months; there are 23"):
        seasonality(past_of(history().facts, as_of="2025-12-30"), "created_n")
    with pytest.raises(QueryError, match="there are 1"):
        seasonality(past_of(as_of="2026-01-31"), "created_n")
    with pytest.raises(QueryError, match="measure"):
        seasonality(past_of(), "lost_n")
