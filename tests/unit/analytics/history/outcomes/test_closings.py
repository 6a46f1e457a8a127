"""What counts as a closing."""

from __future__ import annotations

import polars as pl

from dealdb.analytics.history.outcomes.closings import closed_within, closing_events
from dealdb.analytics.options import Window
from dealdb.model.pipeline import Kind, Pipeline, Stage
from h1 import PIPELINE
from histories.written import facts_of, read
from pasts import past_of


def test_a_move_between_won_stages_is_no_closing() -> None:
    pipeline = Pipeline((*PIPELINE.stages, Stage("Paid", Kind.WON)))
    rows = read(
        "A 01-05 stage=Won", "A 01-06 stage=Paid", "A 01-07 stage=Lost", "B 01-05 stage=Lead"
    )
    found = closing_events(past_of(facts_of(rows, pipeline=pipeline)))
    assert found.select("from", "to", "outcome").rows() == [
        (None, "Won", "won"),
        ("Paid", "Lost", "lost"),
    ]


def test_no_window_keeps_all_of_many_deals() -> None:
    # so many that Polars filters them in parts
    deals = pl.DataFrame({"_closed": pl.Series([None] * 100_000, dtype=pl.Date)})
    assert closed_within(deals, Window()).height == deals.height
    assert closed_within(deals, Window.of("2026-01-01", None)).is_empty()
