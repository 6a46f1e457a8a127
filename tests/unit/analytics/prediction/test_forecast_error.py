"""Errors of forecasts: the example, against what was won in the end."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import polars as pl
import pytest

import h1
from dealdb.analytics.prediction.forecast_error import forecast_error
from dealdb.errors import QueryError
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
    assert "only 1 periods" in found.basis.notes


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
    nobody = past_of(as_of=END, where="owner = 'Nobody'")
    assert forecast_error(nobody, days_before=(31,)).frame.is_empty()


def test_a_category_of_the_deal_comes_before_that_of_its_stage() -> None:
    schema = Schema.standard().with_fields([Field("forecast_category", FieldType.TEXT)])
    own = [("C", h1.moment("2026-02-01"), "forecast_category", "Commit", "set")]
    told = pl.DataFrame(own, schema=["id", "at", "field", "value", "op"], orient="row")
    rows = pl.concat([h1.rows().select(told.columns), told])
    [row] = forecast_error(
        past_of(folded(rows, schema, h1.PIPELINE), as_of=END), days_before=(31,)
    ).to_dicts()
    assert row["commit"] == Decimal("1200.00") + Decimal("2000.00")
