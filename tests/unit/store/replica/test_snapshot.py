"""What the stages of a snapshot mean: as its pipeline says, and guessed only where there is none."""

from __future__ import annotations

import polars as pl
import pytest

from dealdb.model.pipeline import Kind, Pipeline, Stage
from dealdb.model.schema import Schema
from dealdb.store.replica.replica import Replica
from dealdb.store.replica.snapshot import Snapshot, snapshot_of


@pytest.mark.parametrize(
    ("pipeline", "won"),
    [(None, ["Won"]), (Pipeline((Stage("Lead", Kind.OPEN),)), [])],
)
def test_stages_are_guessed_only_without_a_pipeline(
    pipeline: Pipeline | None, won: list[str]
) -> None:
    replica = Replica(schema=Schema.standard(), pipeline=pipeline, stages=["Won", "Lead"])
    assert snapshot_of(replica, ["stage"]).pipeline.names(Kind.WON) == won


def test_deals_by_stage() -> None:
    rows = pl.DataFrame({"id": list("12345"), "stage": ["B", "A", "C", "C", None]})
    deals = Snapshot(
        frame=rows,
        kept=pl.Series([True, True, True, True, True]),
        schema=Schema.standard(),
        pipeline=Pipeline(),
        seq=1,
    )
    assert deals.deals_by_stage() == {"C": 2, "A": 1, "B": 1}
    assert deals.narrowed(rows["id"] != "3").deals_by_stage() == {"A": 1, "B": 1, "C": 1}
