"""The sample deals: reproducible, consistent, and with figures worth looking at."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from dealdb.errors import ConfigError
from dealdb.model.pipeline import Kind, Pipeline
from dealdb.model.schema import Schema
from dealdb.model.values import Value, encode
from dealdb.sample import HISTORY_DAYS, deals

TODAY = date(2026, 9, 1)


@pytest.fixture(scope="module")
def sample() -> list[dict[str, Value]]:
    return deals(today=TODAY)


def day(deal: dict[str, Value], field: str) -> date:
    value = deal[field]
    assert isinstance(value, date)
    return value


def test_the_same_arguments_give_the_same_deals_whatever_the_hash_seed() -> None:
    code = "from datetime import date; from dealdb.sample import deals; print(deals(50, today=date(2026, 9, 1)))"
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert runs == {f"{deals(50, today=TODAY)}\n"}


def test_another_seed_gives_other_deals() -> None:
    assert deals(20, seed=8, today=TODAY) != deals(20, today=TODAY)


def test_fewer_deals_are_the_first_of_more(sample: list[dict[str, Value]]) -> None:
    assert deals(100, today=TODAY) == sample[:100]
    assert deals(0) == []


def test_another_day_moves_all_dates_alike(sample: list[dict[str, Value]]) -> None:
    later = deals(today=TODAY + timedelta(10))
    for before, after in zip(sample, later, strict=True):
        moved = {k: v + timedelta(10) if isinstance(v, date) else v for k, v in before.items()}
        assert after == moved


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(ConfigError, match="from 0 up"):
        deals(-1)


def test_every_value_fits_the_standard_schema(sample: list[dict[str, Value]]) -> None:
    schema = Schema.standard()
    assert len(sample) == 1600
    assert len({deal["id"] for deal in sample}) == 1600
    for deal in sample:
        for name, value in deal.items():
            assert value is not None
            assert encode(value, schema[name])


def test_dates_follow_each_other(sample: list[dict[str, Value]]) -> None:
    for deal in sample:
        updated = deal["updated"]
        assert isinstance(updated, datetime)
        created, last = day(deal, "created"), day(deal, "closed") if "closed" in deal else updated
        assert TODAY - timedelta(HISTORY_DAYS) <= created < day(deal, "expected_close")
        assert created <= updated.date() < TODAY
        assert "closed" not in deal or created < last == updated.date()


def test_outcome_closing_date_and_loss_reason_agree(sample: list[dict[str, Value]]) -> None:
    pipeline = Pipeline().covering(str(deal["stage"]) for deal in sample)
    kind = {stage.name: stage.kind for stage in pipeline}
    assert set(kind.values()) == set(Kind)
    assert pipeline.names(Kind.OPEN) == ["Lead", "Qualified", "Proposal", "Negotiation"]
    for deal in sample:
        outcome = kind[str(deal["stage"])]
        assert ("closed" in deal) == (outcome is not Kind.OPEN)
        assert ("loss_reason" in deal) == (outcome is Kind.LOST)
        assert "probability" not in deal or outcome is Kind.OPEN


def test_amounts_are_exact_and_skewed(sample: list[dict[str, Value]]) -> None:
    amounts = sorted(deal["amount"] for deal in sample if isinstance(deal["amount"], Decimal))
    assert len(amounts) == 1600
    assert all(amount > 0 and amount.as_tuple().exponent == -2 for amount in amounts)
    # log-normal: the mean lies well above the median
    assert sum(amounts) / 1600 > amounts[800] * Decimal("1.2")
    assert any(amount % 1 for amount in amounts)


def test_owners_differ(sample: list[dict[str, Value]]) -> None:
    won = Counter(deal["owner"] for deal in sample if deal["stage"] == "Won")
    lost = Counter(deal["owner"] for deal in sample if deal["stage"] == "Lost")
    rates = {owner: won[owner] / (won[owner] + lost[owner]) for owner in won}
    assert len(rates) == 8
    assert max(rates.values()) - min(rates.values()) > 0.2
