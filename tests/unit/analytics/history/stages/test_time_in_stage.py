"""Time in stage of the example history."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from dealdb.analytics.history.stages.time_in_stage import time_in_stage
from dealdb.model.schema import Schema
from dealdb.store.facts.fold import folded
from h1 import PIPELINE, moment
from pasts import past_of


def rows(**options: object) -> dict[str, dict[str, object]]:
    found = time_in_stage(past_of(as_of="2026-03-31"), **options)  # type: ignore[arg-type]
    return {row["stage"]: row for row in found.to_dicts()}


def test_visits_of_a_deal_are_added() -> None:
    found = rows()
    assert list(found) == ["Lead", "Demo", "Offer"]
    shown = (
        "n",
        "deals",
        "mean_days",
        "median_days",
        "open_n",
        "open_mean_days",
        "deleted",
        "backward",
    )
    assert [tuple(found[stage][name] for name in shown) for stage in found] == [
        (6, 6, 26.5, 27.0, 0, None, 1, 0),
        (3, 3, 74 / 3, 23.0, 0, None, 0, 2),
        (1, 1, 15.0, 15.0, 2, 24.5, 0, 0),
    ]
    assert found["Lead"]["p90_days"] == 45.0
    assert found["Lead"]["total_days"] == 159.0
    assert found["Offer"]["open_median_days"] == 24.5


def test_each_visit_by_itself() -> None:
    found = rows(unit="visit")
    assert [(row["n"], row["deals"], row["mean_days"]) for row in found.values()] == [
        (6, 6, 26.5),
        (4, 3, 18.5),
        (2, 2, 14.5),
    ]


def test_a_window_is_of_the_end_of_visits() -> None:
    found = rows(unit="visit", since="2026-02-01", until="2026-03-01")
    # A's offer and C's first demo and first offer; H was deleted
    assert {stage: (row["n"], row["deleted"]) for stage, row in found.items()} == {
        "Lead": (0, 1),
        "Demo": (1, 0),
        "Offer": (2, 0),
    }


def test_groups_without_a_visit_in_the_window_have_no_rows() -> None:
    past = past_of(as_of="2026-03-31", by="owner", by_at="event")
    found = time_in_stage(past, since="2026-03-25").frame
    # F left in it, C and D stand in a stage; all that Ann had ended before
    assert found["owner"].unique(maintain_order=True).to_list() == ["Bob", "(none)"]
    assert found.height == 6


def test_who_stands_in_a_stage_is_of_the_group_before_the_day_was_over() -> None:
    begun, over = moment("2026-03-30"), moment("2026-04-01")
    rows = [
        ("1", begun, "stage", "Lead"),
        ("1", begun, "owner", "Ann"),
        ("1", over, "owner", "Bob"),
    ]
    frame = pl.DataFrame(rows, schema=["id", "at", "field", "value"], orient="row")
    past = past_of(
        folded(frame, Schema.standard(), PIPELINE), as_of="2026-03-31", by="owner", by_at="event"
    )
    row = time_in_stage(past).to_dicts()[0]
    # what happens at midnight is of the next day
    assert (row["owner"], row["open_n"], row["open_mean_days"]) == ("Ann", 1, 2.0)


def test_closed_stages_on_request() -> None:
    found = rows(closed=True)
    assert (found["Won"]["n"], found["Won"]["mean_days"], found["Won"]["open_n"]) == (1, 21.0, 2)


@pytest.mark.parametrize("unit", ["deal", "visit"])
def test_lines_add_up_to_the_figures(unit: str) -> None:
    options: dict[str, Any] = {"by": "owner", "as_of": "2026-03-31"}
    table = time_in_stage(past_of(**options), unit=unit).frame
    lines = time_in_stage(past_of(**options, deals=True), unit=unit).frame
    for row in table.to_dicts():
        own = lines.filter(owner=row["owner"], stage=row["stage"])
        assert own.height == row["n"]
        assert own["value"].sum() == pytest.approx(row["total_days"])
