"""Sentences for results with groups, several currencies, and nothing in them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

import h1
from dealdb.analytics import Basis, MetricResult
from dealdb.analytics.history.movement.forecast import forecast
from dealdb.analytics.history.movement.waterfall import waterfall
from dealdb.analytics.history.outcomes.losses import losses
from dealdb.analytics.history.past import Past
from dealdb.analytics.history.stages.time_in_stage import time_in_stage
from dealdb.answers.answer import answer_of
from dealdb.cli.output.people import note_in_words, sheet_of
from dealdb.model.schema import Schema
from dealdb.store.facts.fold import folded

Q1: dict[str, Any] = {"since": "2026-01-01", "until": "2026-04-01"}


def past(*, dollars: str = "", **options: Any) -> Past:
    """The example history, deals of which may be in dollars."""
    rows = h1.rows().with_columns(
        value=pl.when((pl.col("field") == "currency") & pl.col("id").is_in([*dollars]))
        .then(pl.lit("USD"))
        .otherwise("value")
    )
    facts = folded(rows, Schema.standard(), h1.PIPELINE)
    return Past(facts=facts, compile=lambda where, schema: None, **options)


def test_money_of_two_currencies_is_never_added() -> None:
    asked: dict[str, Any] = {"since": "2026-02-01", "until": "2026-04-01"}
    told = answer_of(waterfall(past(dollars="D"), **asked), asked)
    assert told is not None
    assert "by 1,050.00 EUR" in told
    assert "grew by 800.50 USD" in told
    assert "2,800.50" not in told
    due = answer_of(forecast(past(dollars="D", as_of="2026-02-28"), **Q1), Q1)
    assert due is not None
    assert "likely to close at 1,920.00 EUR" in due
    assert "likely to close at 80.05 USD" in due
    lost = answer_of(losses(past(dollars="G", by="loss_reason")), {})
    assert lost is not None
    assert lost.startswith(
        "3 deals were lost, worth 1,200.00 EUR and 400.00 USD. The first reason is Price: 2"
    )


def test_a_group_is_named() -> None:
    asked = {**Q1, "by": ["owner"]}
    told = answer_of(losses(past(by="owner")), {"by": ["owner"]})
    assert told is not None
    assert "Most of them: Ann: 1 deal" in told or "Most of them: Bob: 1 deal" in told
    assert answer_of(waterfall(past(by="owner"), since="2026-02-01"), asked)


def test_lines_of_deals_and_metrics_of_the_present() -> None:
    lines = waterfall(past(deals=True), since="2026-02-01")
    assert (answer_of(lines, {"deals": True}) or "").startswith("A line for each deal")
    none = MetricResult(name="summary", frame=pl.DataFrame({"n": [1]}), basis=Basis(n=1))
    assert answer_of(none, {}) is None


def test_columns_of_one_name_keep_their_keys() -> None:
    frame = pl.DataFrame(
        {"what": ["a"], "bucket": ["up"], "n": [1], "value": [Decimal(1)], "blank": [0]}
    )
    sheet = sheet_of(MetricResult(name="waterfall", frame=frame, basis=Basis(n=1)))
    assert list(sheet.columns) == ["what", "bucket", "deals", "value", "no amount"]
    assert sheet.columns["bucket"] == ["amount raised"]


@pytest.mark.parametrize(
    ("note", "words"),
    [
        (
            "cohort entered:Demo, mode any",
            "from their first entry into Demo; only stages they were in",
        ),
        ("basis update, respite next_step", "days since the last change, respite next_step"),
        (
            "30 days before: MAPE 0.238 WAPE 0.212",
            "30 days before: off by 23.8 % on average, and by 21.2 % of all money",
        ),
        (
            "values before their record assumed of 3 deals",
            "values before their record assumed of 3 deals",
        ),
    ],
)
def test_notes_in_words(note: str, words: str) -> None:
    assert note_in_words(note) == words


def test_closed_deals_wait_for_nothing() -> None:
    asked = {"by": ["owner"], "closed": True, "unit": "visit"}
    told = answer_of(time_in_stage(past(by="owner"), closed=True, unit="visit"), asked)
    assert (
        told
        == "Deals stay longest in Lead (none): 39 days on average, half of them 39 days or less (1 stay that ended)."
    )
