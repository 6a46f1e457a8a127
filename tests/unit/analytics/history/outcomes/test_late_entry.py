"""Wins that were recorded late."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl

from dealdb.analytics.history.outcomes.late_entry import late_entry
from dealdb.model.schema import Schema
from dealdb.store.facts.facts import Facts
from dealdb.store.facts.fold import folded
from h1 import PIPELINE, moment
from histories.written import empty, read
from pasts import past_of

WINDOW: dict[str, Any] = {"since": "2026-01-01", "until": "2026-04-01"}


def recorded(*lines: tuple[str, str | None]) -> Facts:
    """Facts of lines, each with the day of 2026 on which it was recorded; None for no known commit."""
    rows, commits = [], []
    for seq, (line, day) in enumerate(lines, start=1):
        rows += [(*row, seq) for row in read(line)]
        if day is not None:
            commits.append((seq, moment(f"2026-{day}", 12), "sync", "facts"))
    frame = pl.DataFrame(rows, schema=["id", "at", "field", "value", "op", "seq"], orient="row")
    schema = {"seq": pl.UInt32, "at": pl.Int64, "who": pl.String, "kind": pl.String}
    return folded(
        frame,
        Schema.standard(),
        PIPELINE,
        commits=pl.DataFrame(commits, schema=schema, orient="row"),
    )


def test_days_between_event_and_record() -> None:
    facts = recorded(
        ("A 01-05 stage=Won closed=2026-01-05 owner=Ann amount=10.00", "01-12"),
        ("B 01-05 stage=Won closed=2026-01-05 owner=Ann amount=20.00", "01-13"),
        ("C 01-05 stage=Won closed=2026-01-05 owner=Bob", "01-05"),
        ("D 01-05 stage=Won closed=2026-01-05 owner=Bob amount=5.00", None),
        ("E 01-05 stage=Lost closed=2026-01-05 owner=Bob", "02-05"),
        ("F 01-05 stage=Won closed=2026-05-05 owner=Bob", "02-05"),
    )
    found = late_entry(past_of(facts, by="owner"), **WINDOW)
    assert found.to_dicts() == [
        {
            "owner": "Ann",
            "n": 2,
            "late": 1,
            "share": 0.5,
            "median_days": 7.5,
            "worst_days": 8,
            "value": Decimal("30.00"),
            "late_value": Decimal("20.00"),
            "blank": 0,
            "unknown": 0,
        },
        {
            "owner": "Bob",
            "n": 2,
            "late": 0,
            "share": 0.0,
            "median_days": 0.0,
            "worst_days": 0,
            "value": Decimal("5.00"),
            "late_value": Decimal("0.00"),
            "blank": 1,
            "unknown": 1,
        },
    ]
    assert late_entry(past_of(facts), days=6, **WINDOW)["late"] == 2
    lines = late_entry(past_of(facts, by="owner", deals=True), **WINDOW).frame
    assert lines["id"].to_list() == ["A", "B", "C", "D"]
    assert lines["value"].sum() == Decimal("35.00")


def test_of_the_example_nothing_was_late() -> None:
    found = late_entry(past_of(as_of="2026-03-31"), **WINDOW)
    assert (found["n"], found["late"], found["worst_days"]) == (2, 0, 0)


def test_nothing_at_all() -> None:
    found = late_entry(past_of(empty()))
    assert (found["n"], found["share"], found["median_days"]) == (0, None, None)
    assert late_entry(past_of(empty(), by="owner")).rows() == []
