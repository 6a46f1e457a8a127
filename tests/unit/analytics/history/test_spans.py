"""Visits to stages."""

from __future__ import annotations

import polars as pl

from dealdb.analytics.history.spans import stage_spans
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.store.facts.fold import folded


def test_stages_as_categories_are_the_same_visits() -> None:
    changes = [
        ("a", 1, "Lead"), ("a", 3, "Old"), ("a", 5, None), ("a", 7, "Lead"), ("a", 9, "Won"), ("b", 4, "Old"),
    ]  # fmt: skip
    rows = pl.DataFrame(changes, schema=["id", "at", "value"], orient="row").with_columns(
        field=pl.lit("stage")
    )
    pipeline = Pipeline().covering(["Lead", "Won"])
    facts = folded(rows, Schema.standard(), pipeline)
    texts, named = stage_spans(facts, 9), stage_spans(facts, 9, pipeline)

    assert texts.select("stage", "before", "entered", "left", "how").rows() == [
        ("Lead", None, 1, 3, "exited"),
        ("Old", "Lead", 3, 5, "exited"),
        ("Lead", None, 7, None, "open"),
        ("Old", None, 4, None, "open"),
    ]
    # what the pipeline lacks is a visit, too
    known = pl.col("stage", "before").replace({"Old": None})
    as_texts = pl.col("stage", "before").cast(pl.String)
    assert named.with_columns(as_texts).equals(texts.with_columns(known))
