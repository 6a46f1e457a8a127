"""Wins that were recorded late."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

import outcomes_brute as brute
from dealdb.analytics.history.outcomes.late_entry import late_entry
from dealdb.model.schema import Schema
from dealdb.store.facts.facts import Facts
from dealdb.store.facts.fold import folded
from h1 import PIPELINE, moment
from histories.written import Row, empty, facts_of, read
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


@brute.some
@given(brute.histories(), st.integers(0, 20))
def test_random_histories(rows: list[Row], lag: int) -> None:
    facts = facts_of(rows)
    lag_ms = lag * 24 * 60 * 60 * 1000
    late = facts.commits.with_columns(at=pl.col("at") + lag_ms * (pl.col("seq") % 2).cast(pl.Int64))
    lags = {(row["at"], row["seq"]): lag * (row["seq"] % 2) for row in facts.commits.to_dicts()}
    order = sorted({(row[1], row[0]) for row in rows})
    since, until = date(2026, 1, 1), date(2026, 3, 1)
    lines = brute.closed(brute.replay(rows), moment("2026-03-01"), None, since=since, until=until)
    days = [
        lags[one.at, order.index((one.at, one.life.id)) + 1]
        for one in lines
        if one.outcome == "won"
    ]
    past = past_of(replace(facts, commits=late), as_of="2026-02-28")
    found = late_entry(past, since=since, until=until).frame
    assert found["n"].sum() == len(days)
    assert found["late"].sum() == sum(each > 7 for each in days)
    assert found["worst_days"].max() == (max(days) if days else None)
