"""Facts in any order become the same history."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import h1
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.store.facts.facts import Facts
from dealdb.store.facts.fold import folded


def fold(*rows: tuple[str, int, str | None, str | None, str]) -> Facts:
    frame = pl.DataFrame(rows, schema=["id", "at", "field", "value", "op"], orient="row")
    return folded(frame, Schema.standard(), Pipeline())


def test_the_example_history() -> None:
    facts = h1.facts()
    assert facts.lives["id"].to_list() == list("ABCGHDEF")
    assert facts.first == h1.moment("2026-01-05", 12)
    h = facts.lives.filter(pl.col("id") == "H").row(0, named=True)
    assert (h["begin"], h["end"]) == (h1.moment("2026-01-20", 12), h1.moment("2026-02-25", 12))
    g = facts.lives.filter(pl.col("id") == "G")["life"].item()
    own = facts.of("closed").filter(pl.col("life") == g)
    assert own["value"].to_list() == [date(2026, 1, 30), None, date(2026, 3, 15)]
    assert facts.of("amount")["value"].dtype == pl.Decimal(38, 2)
    assert facts.of("amount")["value"].sum() == Decimal("6950.75")
    assert facts.of("source").is_empty()


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_rows_says_nothing(seed: int) -> None:
    order = list(range(h1.rows().height))
    random.Random(seed).shuffle(order)
    other = folded(h1.rows()[order], Schema.standard(), h1.PIPELINE)
    facts = h1.facts()
    assert_frame_equal(other.lives, facts.lives)
    for name in ("stage", "amount", "expected_close", "closed"):
        assert_frame_equal(other.of(name), facts.of(name))


def test_values_that_repeat_what_was_so_are_no_changes() -> None:
    facts = fold(
        ("1", 1, "owner", None, "set"),
        ("1", 2, "owner", "Ann", "set"),
        ("1", 3, "owner", "Ann", "set"),
        ("1", 4, "owner", None, "set"),
    )
    assert facts.of("owner").select("at", "value").rows() == [(2, "Ann"), (4, None)]
    assert facts.lives["begin"].to_list() == [1]


def test_the_last_fact_of_a_moment_counts() -> None:
    facts = fold(
        ("1", 1, "owner", "Ann", "set"),
        ("1", 1, "owner", "Bob", "set"),
        ("1", 2, "owner", "Cy", "set"),
        ("1", 2, "owner", "Bob", "set"),
    )
    assert facts.of("owner").select("at", "value").rows() == [(1, "Bob")]


def test_a_deal_that_is_saved_after_its_deletion_lives_anew() -> None:
    facts = fold(
        ("1", 0, None, None, "delete"),
        ("1", 1, "owner", "Ann", "set"),
        ("1", 2, "owner", "Bob", "set"),
        ("1", 3, None, "2", "merge"),
        ("1", 4, None, None, "delete"),
        ("1", 5, "stage", "Lead", "set"),
    )
    assert facts.lives.rows() == [(0, "1", 1, 3, "2"), (1, "1", 5, None, None)]
    assert facts.of("owner")["life"].to_list() == [0, 0]
    assert facts.of("stage")["life"].to_list() == [1]


def test_without_facts_there_is_nothing() -> None:
    facts = fold()
    assert facts.first is None
    assert facts.lives.is_empty()
    assert facts.of("amount").is_empty()


def test_a_column_of_nulls_is_one_of_texts() -> None:
    facts = fold(("1", 5, "amount", None, "set"))
    assert facts.of("amount").is_empty()
    assert facts.lives.height == 1


def test_stages_that_were_renamed_have_their_present_names() -> None:
    facts = fold(
        ("1", 1, "stage", "Call", "set"),
        ("1", 2, "stage", "Demo", "set"),
        ("1", 3, "stage", "Won", "set"),
        ("1", 3, "owner", "Call", "set"),
    )
    assert facts.with_present_names() is facts
    now = replace(facts, pipeline=Pipeline(renamed={"Call": "Demo"})).with_present_names()
    assert now.of("stage").select("at", "value").rows() == [(1, "Demo"), (3, "Won")]
    assert now.of("owner")["value"].to_list() == ["Call"]
    assert facts.of("stage")["value"].to_list() == ["Call", "Demo", "Won"]
