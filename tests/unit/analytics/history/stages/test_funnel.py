"""The funnel of the example history, in its three modes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

import h1
from dealdb.analytics.history.stages.funnel import funnel
from dealdb.errors import QueryError
from dealdb.model.schema import Schema
from dealdb.store.facts.fold import folded
from pasts import past_of

WINDOW = {"since": "2026-01-01", "until": "2026-04-01"}


@pytest.mark.parametrize(
    ("mode", "n", "following", "cumulative"),
    [
        ("reached", [7, 5, 5, 2], [5 / 7, 1.0, 0.4, None], [1.0, 5 / 7, 5 / 7, 2 / 7]),
        ("any", [6, 3, 3, 2], [0.5, 1.0, 2 / 3, None], [1.0, 0.5, 0.5, 1 / 3]),
        ("ordered", [6, 2, 1, 1], [1 / 3, 0.5, 1.0, None], [1.0, 1 / 3, 1 / 6, 1 / 6]),
    ],
)
def test_the_modes(
    mode: str, n: list[int], following: list[float], cumulative: list[float]
) -> None:
    found = funnel(past_of(as_of="2026-03-31"), mode=mode, **WINDOW)
    assert found.frame["stage"].to_list() == ["Lead", "Demo", "Offer", "won"]
    assert found.frame["n"].to_list() == n
    assert found.frame["next"].to_list() == following
    assert found.frame["cumulative"].to_list() == cumulative
    assert found.basis.n == 7
    # C began in Demo
    not_first = "deals that never stood in the first open stage, in no step: 1"
    assert found.basis.warnings == (
        "deals of the period that were deleted, in no step: 1",
        *([not_first] if mode == "ordered" else []),
    )


def test_each_deal_stops_in_one_step() -> None:
    frame = funnel(past_of(as_of="2026-03-31"), **WINDOW).frame
    assert frame["lost"].to_list() == [2, 0, 1, 0]
    assert frame["open"].to_list() == [0, 0, 2, 0]
    assert frame["value"].to_list() == [
        Decimal(each) for each in ("5900.75", "4700.75", "4700.75", "1500.25")
    ]
    last = [n - m for n, m in zip(frame["n"], [*frame["n"][1:], 0], strict=True)]
    assert [a + b for a, b in zip(frame["lost"], frame["open"], strict=True)] == [*last[:-1], 0]


def test_lines_add_up_to_the_figures() -> None:
    options: dict[str, Any] = {"by": "owner", "as_of": "2026-03-31"}
    table = funnel(past_of(**options), **WINDOW).frame
    lines = funnel(past_of(**options, deals=True), **WINDOW).frame
    assert lines.columns == ["owner", "stage", "id", "value", "from", "to", "at"]
    for row in table.to_dicts():
        own = lines.filter(owner=row["owner"], stage=row["stage"])
        assert own.height == row["n"]
        assert (own["value"].sum() or 0) == row["value"]
    assert table["owner"].unique(maintain_order=True).to_list() == ["Ann", "Bob", "(none)"]


def test_a_cohort_of_those_that_entered_a_stage() -> None:
    found = funnel(past_of(as_of="2026-03-31"), cohort="entered:Offer", **WINDOW)
    assert found.frame["n"].to_list() == [3, 3, 3, 1]
    with pytest.raises(QueryError, match="no stage 'Ofer'"):
        funnel(past_of(as_of="2026-03-31"), cohort="entered:Ofer")
    with pytest.raises(QueryError, match="cohort='closed' is not a choice"):
        funnel(past_of(as_of="2026-03-31"), cohort="closed")


def test_a_filter_is_of_the_state_at_the_end() -> None:
    found = funnel(past_of(as_of="2026-03-31", where="amount >= 1000"), **WINDOW)
    assert found.frame["n"].to_list() == [2, 2, 2, 1]
    earlier = funnel(past_of(as_of="2026-01-31", where="amount >= 1000"), since="2026-01-01")
    # A is not won yet; its amount was 1000 then
    assert earlier.frame["n"].to_list() == [2, 2, 1, 0]


def test_before_the_first_fact_nothing_is_known() -> None:
    with pytest.raises(
        QueryError, match=r"as_of=2026-01-04 is before the first fact, which is of 2026-01-05"
    ):
        past_of(as_of="2026-01-04")
    with pytest.raises(QueryError, match=r"until=2026-01-05 is before the first fact"):
        funnel(past_of(as_of="2026-03-31"), until="2026-01-05")


def test_deals_that_are_only_known_as_lost_are_counted_apart() -> None:
    lost = pl.DataFrame(
        {
            "id": ["X", "X"],
            "at": [h1.moment("2026-02-03")] * 2,
            "seq": [99, 99],
            "field": ["created", "stage"],
            "value": ["2026-02-03", "Lost"],
            "op": ["set", "set"],
        }
    )
    facts = folded(
        pl.concat([h1.rows(), lost], how="diagonal_relaxed"), Schema.standard(), h1.PIPELINE
    )
    found = funnel(past_of(facts, as_of="2026-03-31"), **WINDOW)
    assert found.frame["n"].to_list() == [7, 5, 5, 2]
    assert found.basis.n == 8
    nowhere = "deals that never stood in an open stage and were never won, in no step: 1"
    assert nowhere in found.basis.warnings
