"""A figure says what its deals leave unsaid, and nothing in the ordinary case."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from dealdb.analytics import MetricResult
from dealdb.analytics import metrics as m
from dealdb.model.pipeline import Pipeline

GOOD: dict[str, list[Any]] = {
    "owner": ["Ann", "Bo", "Ann", "Cy"],
    "company": ["Acme", "Bolt", "Cog", "Dyn"],
    "stage": ["Won", "Lost", "Demo", "Won"],
    "amount": [5, 6, 7, 8],
    "currency": ["EUR"] * 4,
    "probability": [None, None, 0.5, None],
    "created": [date(2026, 1, 1)] * 4,
    "closed": [date(2026, 2, 1), date(2026, 2, 2), None, date(2026, 2, 3)],
}
ALL = (
    m.summary, m.win_rate, m.deal_size, m.sales_cycle, m.velocity, m.leaderboard, m.concentration, m.trend,
    m.pipeline_by_stage,
)  # fmt: skip


def run(metric: Any, changed: dict[str, list[Any]], **options: Any) -> tuple[str, ...]:
    deals = pl.DataFrame({**GOOD, **changed}, schema_overrides={"probability": pl.Decimal(38, 2)})
    result: MetricResult = metric(
        deals, Pipeline().covering(deals["stage"].drop_nulls()), **options
    )
    return result.basis.warnings


@pytest.mark.parametrize("metric", ALL)
def test_ordinary_deals_are_not_doubted(metric: Any) -> None:
    deals = {"probability": [None, None, "0.5", None]}
    assert run(metric, deals) == ()
    assert run(metric, deals, by="owner") == ()


@pytest.mark.parametrize("metric", [m.win_rate, m.velocity, m.leaderboard, m.summary, m.trend])
def test_no_stage_means_lost(metric: Any) -> None:
    said = run(metric, {"stage": ["Won", "Gone", "Demo", "Won"]})
    assert "no stage means lost: the win rate knows no lost deals" in said


@pytest.mark.parametrize("metric", [m.win_rate, m.deal_size, m.sales_cycle, m.summary])
def test_no_outcomes_at_all(metric: Any) -> None:
    said = run(metric, {"stage": ["Demo", "Gone", "Demo", "Talks"]})
    assert "no stage means won or lost: every deal counts as open" in said
    assert "no deal has a stage: every deal counts as open" in run(metric, {"stage": [None] * 4})
    assert "no stage means won: no deal counts as won" in run(
        metric, {"stage": ["Demo", "Lost", "Demo", "Talks"]}
    )


@pytest.mark.parametrize("metric", [m.sales_cycle, m.velocity, m.leaderboard, m.summary])
@pytest.mark.parametrize(("name", "text"), [("created", "creation"), ("closed", "closing")])
def test_no_dates(metric: Any, name: str, text: str) -> None:
    nothing = pl.Series([None] * 4, dtype=pl.Date).to_list()
    assert f"none of these deals has a {text} date: no sales cycle is known" in run(
        metric, {name: nothing}
    )


def test_no_dates_of_lost_deals() -> None:
    nothing = [date(2026, 1, 1), None, None, None]
    found = "none of these deals has a creation date: no sales cycle is known"
    assert found in run(m.sales_cycle, {"created": nothing}, outcome="lost")
    assert found not in run(m.sales_cycle, {"created": nothing})


@pytest.mark.parametrize(
    "metric", [m.summary, m.deal_size, m.velocity, m.pipeline_by_stage, m.trend]
)
def test_no_amounts(metric: Any) -> None:
    empty = "none of these deals has an amount: figures of money are empty"
    assert empty in run(metric, {"amount": [None] * 4})
    assert empty not in run(m.win_rate, {"amount": [None] * 4})


def test_amounts_without_a_currency_among_others() -> None:
    said = run(m.summary, {"currency": ["EUR", None, "EUR", None]})
    assert "deals with an amount but no currency, in rows of their own: 2" in said
    assert not [each for each in run(m.summary, {"currency": [None] * 4}) if "currency" in each]
    # an amount of 0 is one, and no amount is none
    amounts: dict[str, list[Any]] = {
        "amount": [5, 0, 5, None],
        "currency": ["EUR", None, "USD", None],
    }
    assert "deals with an amount but no currency, in rows of their own: 1" in run(
        m.summary, amounts
    )
    said = run(m.summary, {"currency": ["EUR", "eur", "USD", "USD"]})
    assert (
        "currency: names that differ only in case or blanks have rows of their own: 'EUR' and 'eur'"
        in said
    )


@pytest.mark.parametrize("metric", ALL)
def test_groups_that_are_alike(metric: Any) -> None:
    said = run(metric, {"owner": ["Ann", "Bo", "ann ", "ANN"]}, by="owner")
    [found] = [each for each in said if each.startswith("owner: names that differ only")]
    assert found.endswith("'ANN' and 'Ann'")


@pytest.mark.parametrize("spelled", ["C 6 ", "c\u00a06", "c  6", "c \u200b6"])
def test_very_many_groups_are_looked_through(spelled: str) -> None:
    n = 5_000
    names = [f"c {each}" for each in range(n)]
    names[7] = spelled
    deals = pl.DataFrame({"company": names, "stage": ["Won"] * n})
    said = m.win_rate(deals, Pipeline().covering(["Won", "Lost"]), "company").basis.warnings
    assert len(said) == 1
    assert "'c 6'" in said[0]
    assert repr(spelled) in said[0]
