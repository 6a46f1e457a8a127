"""Errors of forecasts: the example, against what was won in the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import polars as pl
import pytest

import h1
from dealdb.analytics.history.movement.forecast import forecast
from dealdb.analytics.prediction.forecast_error import forecast_error
from dealdb.errors import QueryError
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Field, FieldType, Schema
from dealdb.store.facts.fold import folded
from pasts import past_of

END = "2026-03-31"


def test_the_example() -> None:
    found = forecast_error(past_of(as_of=END), days_before=(31,))
    [row] = found.to_dicts()
    assert (row["period"], row["label"], row["days_before"]) == (date(2026, 1, 1), "2026-Q1", 31)
    assert (row["actual"], row["base"]) == (Decimal("1500.25"), Decimal("2000.05"))
    assert (row["commit"], row["high"]) == (Decimal("1200.00"), Decimal("4400.50"))
    errors = [row[f"{name}_error"] for name in ("base", "commit", "high")]
    assert errors == [Decimal("499.80"), Decimal("-300.25"), Decimal("2900.25")]
    assert row["base_share"] == 0.33314447592067986
    assert "31 days before: MAPE 0.333 WAPE 0.333" in found.basis.notes
    assert "only 1 period" in found.basis.notes


def test_columns_and_order() -> None:
    frame = forecast_error(past_of(as_of=END), days_before=(7, 60), period="month").frame
    assert frame.columns == [
        *("period", "label", "days_before", "actual", "base", "commit", "high"),
        *("base_error", "commit_error", "high_error", "base_share"),
    ]
    # 60 days before the end of January nothing was known; of February and March there is
    assert frame.select("label", "days_before").rows() == [
        ("2026-01", 7),
        ("2026-02", 7),
        ("2026-03", 60),
        ("2026-03", 7),
    ]


def test_what_was_won_counts_as_it_was_known_at_the_end() -> None:
    rows = forecast_error(past_of(as_of=END), days_before=(7,), period="month").to_dicts()
    # G was won in January, and reopened only later
    assert [row["actual"] for row in rows] == [
        Decimal("400.00"),
        Decimal("1200.00"),
        Decimal("300.25"),
    ]


def test_owners() -> None:
    rows = forecast_error(past_of(as_of=END, by="owner"), days_before=(31,)).to_dicts()
    assert [(row["owner"], row["actual"], row["base"]) for row in rows] == [
        ("Ann", Decimal("1500.25"), Decimal("1200.00")),
        ("Bob", Decimal("0.00"), Decimal("800.05")),
    ]
    assert rows[1]["base_share"] is None


def test_what_cannot_be_told_is_refused() -> None:
    with pytest.raises(QueryError, match="no quarter is over"):
        forecast_error(past_of(as_of="2026-03-30"))
    with pytest.raises(QueryError, match="period"):
        forecast_error(past_of(as_of=END), period="week")
    with pytest.raises(QueryError, match="days_before"):
        forecast_error(past_of(as_of=END), days_before=(-1,))
    with pytest.raises(QueryError, match="after the first fact"):
        forecast_error(past_of(as_of=END), days_before=(90,))


def test_where_nothing_is_known_the_table_is_empty() -> None:
    empty = folded(h1.rows().clear(), Schema.standard(), h1.PIPELINE)
    assert forecast_error(past_of(empty, as_of=END)).frame.is_empty()
    by_owner = past_of(as_of=END, where="owner = 'Nobody'", by="owner")
    assert forecast_error(by_owner, days_before=(31,)).frame.is_empty()
    nobody = forecast_error(past_of(as_of=END, where="owner = 'Nobody'"), days_before=(31,))
    assert nobody.frame.select("label", "actual", "base").rows() == [("2026-Q1", 0, 0)]


def test_a_period_in_which_nothing_was_due_or_won_has_its_rows() -> None:
    frame = forecast_error(past_of(as_of="2026-12-31"), days_before=(60, 7, 60)).frame
    told = frame.select("label", "days_before", "actual", "base", "base_share").rows()
    # C and D were due in the second quarter; in the others nothing was
    offers = Decimal("1680.30")
    assert told[2:] == [
        ("2026-Q2", 60, Decimal(0), offers, None),
        ("2026-Q2", 7, Decimal(0), offers, None),
        *((f"2026-Q{n}", days, Decimal(0), Decimal(0), None) for n in (3, 4) for days in (60, 7)),
    ]
    # the same number of days twice is one row
    assert told[0][2] == Decimal("1500.25")


def test_the_category_of_a_deal_comes_before_that_of_its_stage() -> None:
    schema = Schema.standard().with_fields([Field("forecast_category", FieldType.TEXT)])
    stages = [
        replace(each, category="commit") if each.name == "Demo" else each for each in h1.PIPELINE
    ]
    own = pl.DataFrame(
        {
            "id": ["D", "G"],
            "at": [h1.moment("2026-02-01", 13), h1.moment("2026-02-21")],
            "seq": [99, 99],
        }
    ).with_columns(
        field=pl.lit("forecast_category"), value=pl.Series(["Commit", "Omitted"]), op=pl.lit("set")
    )
    rows = pl.concat([h1.rows(), own], how="diagonal_relaxed")
    facts = folded(rows, schema, Pipeline(tuple(stages)))
    [row] = forecast_error(past_of(facts, as_of=END), days_before=(31,)).to_dicts()
    ahead = forecast(past_of(facts, as_of="2026-02-28"), since="2026-01-01", until="2026-04-01")
    # C stands in Demo, D says so itself, and G says that it is in no sum
    assert row["commit"] == ahead.totals["low"] == Decimal("1200.00") + Decimal("2800.50")
    assert row["high"] == ahead.totals["high"]


def test_chances_of_then_keep_their_digits() -> None:
    fine = [
        replace(each, probability=Decimal("0.1234")) if each.name == "Demo" else each
        for each in h1.PIPELINE
    ]
    facts = folded(
        h1.rows(),
        Schema.standard(),
        h1.PIPELINE,
        pipelines=[(0, Pipeline(tuple(fine))), (h1.moment("2026-03-10"), h1.PIPELINE)],
    )
    [row] = forecast_error(
        past_of(facts, as_of=END, pipeline_of="then"), days_before=(31,)
    ).to_dicts()
    # 0.1234 of C and G, and 0.10 of D
    assert row["base"] == Decimal("1200.00") + Decimal("296.16") + Decimal("80.05")
