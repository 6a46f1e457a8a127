"""Attainment of quotas in the example history."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from dealdb.analytics.history.outcomes.attainment import attainment
from dealdb.errors import QueryError
from histories.written import empty, history
from pasts import past_of


def quotas(
    *rows: tuple[Any, ...], kind: str = "quarter", start: date = date(2026, 1, 1)
) -> pl.DataFrame:
    schema: dict[str, Any] = {
        "period_start": pl.Date,
        "period": pl.String,
        "key": pl.String,
        "amount": pl.Decimal(38, 2),
        "currency": pl.String,
    }
    return pl.DataFrame(
        [(start, kind, key, Decimal(amount), currency) for key, amount, currency in rows],
        schema=schema,
        orient="row",
    )


TEAM = quotas(("Ann", "2000.00", "EUR"), ("Bob", "1000.00", "EUR"))


def test_the_example_at_the_end() -> None:
    found = attainment(past_of(by="owner", as_of="2026-03-31"), TEAM, "2026-Q1")
    assert found.frame.columns == [
        *("key", "quota", "won", "remaining", "attainment", "pace", "days_left", "needed_per_day")
    ]
    shown = [
        (row["key"], row["quota"], row["won"], row["attainment"], row["pace"]) for row in found
    ]
    assert shown == [
        ("Ann", 2000, Decimal("1500.25"), 0.750125, 0.750125),
        ("Bob", 1000, 0, 0.0, 0.0),
        ("(none)", None, 0, None, None),
        ("team", 3000, Decimal("1500.25"), 0.5000833333333333, 0.5000833333333333),
    ]
    assert found.frame["remaining"].to_list()[:2] == [Decimal("499.75"), Decimal("1000.00")]
    assert found.frame["needed_per_day"].to_list() == [None] * 4
    assert found.basis.currency == "EUR"


def test_the_example_in_between() -> None:
    found = attainment(past_of(by="owner", as_of="2026-02-28"), TEAM, "2026-Q1").to_dicts()
    ann = found[0]
    assert (ann["won"], ann["attainment"], ann["pace"]) == (1200, 0.6, 0.9152542372881356)
    assert (ann["days_left"], ann["needed_per_day"]) == (31, 800 / 31)


def test_only_quotas_of_the_period_count() -> None:
    table = pl.concat(
        [
            TEAM,
            quotas(("Ann", "9.00", "EUR"), kind="month"),
            quotas(("Ann", "7.00", "EUR"), kind="quarter", start=date(2026, 4, 1)),
        ]
    )
    for period, quota in (("2026-Q1", 2000), ("2026-01", 9), ("2026-Q2", 7), ("2026-02", None)):
        found = attainment(past_of(by="owner", as_of="2026-03-31"), table, period)
        by_key = {row["key"]: row["quota"] for row in found}
        assert by_key.get("Ann") == quota
    by_label = TEAM.with_columns(period=pl.lit("2026-Q1"))
    found = attainment(past_of(by="owner", as_of="2026-03-31"), by_label, "2026-Q1")
    assert found.to_dicts()[0]["quota"] == 2000


def test_no_quota_and_one_of_nothing() -> None:
    table = quotas(("Bob", "0.00", "EUR"))
    found = attainment(past_of(by="owner", as_of="2026-03-31"), table, "2026-Q1")
    assert [(row["key"], row["quota"], row["attainment"]) for row in found] == [
        ("Ann", None, None),
        ("Bob", 0, None),
        ("(none)", None, None),
        ("team", 0, None),
    ]
    assert found.basis.warnings == ("groups with wins and no quota: 1",)


def test_currencies_are_apart() -> None:
    table = quotas(("Ann", "2000.00", "EUR"), ("Ann", "500.00", "USD"))
    found = attainment(past_of(by="owner", as_of="2026-03-31"), table, "2026-Q1")
    assert [(row["currency"], row["key"], row["quota"], row["won"]) for row in found] == [
        ("EUR", "Ann", 2000, Decimal("1500.25")),
        ("EUR", "Bob", None, 0),
        ("EUR", "(none)", None, 0),
        ("EUR", "team", 2000, Decimal("1500.25")),
        ("USD", "Ann", 500, 0),
        ("USD", "team", 500, 0),
    ]
    # a quota without a currency is in that of the deals
    plain = quotas(("Ann", "2000.00", None))
    assert (
        attainment(past_of(by="owner", as_of="2026-03-31"), plain, "2026-Q1").to_dicts()[0][
            "attainment"
        ]
        == 0.750125
    )


def test_lines_add_up() -> None:
    options: dict[str, Any] = {"by": "owner", "as_of": "2026-03-31"}
    table = attainment(past_of(**options), TEAM, "2026-Q1")
    lines = attainment(past_of(**options, deals=True), TEAM, "2026-Q1").frame
    assert lines.columns == ["key", "id", "value", "from", "to", "at"]
    for row in table:
        assert lines.filter(key=row["key"])["value"].sum() == row["won"]


def test_a_filter_and_nothing_at_all() -> None:
    found = attainment(
        past_of(by="owner", as_of="2026-03-31", where="amount < 1000"), TEAM, "2026-Q1"
    )
    assert found.to_dicts()[0]["won"] == Decimal("300.25")
    nothing = attainment(past_of(empty(), by="owner", as_of="2026-03-31"), TEAM, "2026-Q1")
    assert [(row["key"], row["won"], row["attainment"]) for row in nothing] == [
        ("Ann", 0, 0.0),
        ("Bob", 0, 0.0),
        ("team", 0, 0.0),
    ]
    assert attainment(past_of(empty(), by="owner"), TEAM.clear(), "2026-Q1").rows()[0][:3] == (
        "team",
        None,
        0,
    )
    large = history(
        *(
            f"{deal} 01-05 stage=Won closed=2026-01-05 owner=Ann amount=123456789012345678.91"
            for deal in "AB"
        )
    )
    row = attainment(past_of(large, by="owner"), TEAM, "2026-Q1").to_dicts()[0]
    assert row["won"] == Decimal("246913578024691357.82")


def test_what_is_refused() -> None:
    with pytest.raises(QueryError, match="quotas lack the column 'currency'"):
        attainment(past_of(by="owner"), TEAM.drop("currency"), "2026-Q1")
    with pytest.raises(
        QueryError, match="amount of a quota is a decimal or a whole number, not Float64"
    ):
        attainment(past_of(by="owner"), TEAM.cast({"amount": pl.Float64}), "2026-Q1")
    with pytest.raises(QueryError, match="values of one column"):
        attainment(past_of(), TEAM, "2026-Q1")
    with pytest.raises(QueryError, match="is no period: write 2026-03"):
        attainment(past_of(by="owner"), TEAM, "first quarter")
