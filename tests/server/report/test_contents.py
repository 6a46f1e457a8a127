"""What a report says of deals in several currencies, in a time zone, and of owners that have changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import h1
from dealdb import DealDatabase
from dealdb.report import Report, report_of
from servers import Server

# deals as they are; what they were before is in CHANGES
DEALS = [
    {"id": "eur", "stage": "Lead", "amount": "900.00", "currency": "EUR", "owner": "Ann"},
    {"id": "usd", "stage": "Lead", "amount": "1000.00", "currency": "USD", "owner": "Ann"},
    {"id": "gbp", "stage": "Demo", "amount": "800.00", "currency": "GBP", "owner": "Bob"},
    {"id": "none", "stage": "Offer", "amount": "5000.00", "owner": "Bob"},
    {"id": "moved", "stage": "Won", "amount": "70.00", "currency": "EUR", "owner": "Bob"},
    {"id": "dear", "stage": "Won", "amount": "100.00", "currency": "USD", "owner": "Bob"},
    {"id": "late", "stage": "Lead", "amount": "10.00", "currency": "EUR", "created": "2026-08-01"},
]
RATES = [
    {"date": "2026-01-01", "currency": "USD", "rate": "0.50"},
    {"date": "2026-01-01", "currency": "GBP", "rate": "1.20"},
]
OWNED = {"moved": "Ann", "dear": "Bob"}


@pytest.fixture(scope="module")
def filled(shared_server: Server) -> Iterator[DealDatabase]:
    """Deals that were created on 2026-02-01 in Auckland, and closed on 2026-03-10 by whom ``OWNED`` says."""
    with shared_server.client() as client:
        client.flushall()
    with DealDatabase.from_url(f"unix://{shared_server.socket}") as db:
        fill(db)
        yield db


@pytest.fixture(scope="module")
def converted(filled: DealDatabase) -> Report:
    """The report in euros."""
    return told(filled, to="EUR", by="owner")


@pytest.fixture(scope="module")
def apart(filled: DealDatabase) -> Report:
    """The report in all currencies."""
    return told(filled)


def fill(db: DealDatabase) -> None:
    db.set_pipeline(replace(h1.PIPELINE, zone="Pacific/Auckland"))
    rows, facts = [], []
    for given in DEALS:
        deal: dict[str, Any] = {"created": "2026-02-01", "expected_close": "2026-03-15", **given}
        started = {**deal, "owner": OWNED.get(str(deal["id"]), deal.get("owner"))}
        if deal["stage"] == "Won":
            deal["closed"] = "2026-03-10"
            started["stage"] = "Lead"
        rows.append(deal)
        # midnight of the first of February in Auckland
        at = "2026-01-31T11:00:00Z"
        for field, value in started.items():
            if field != "id" and value is not None:
                facts.append({"id": deal["id"], "at": at, "field": field, "value": value})
        if deal["stage"] == "Won":
            for field in ("stage", "closed"):
                at = "2026-03-09T20:30:00Z"
                facts.append({"id": deal["id"], "at": at, "field": field, "value": deal[field]})
            at = "2026-03-20T00:00:00Z"
            facts.append({"id": deal["id"], "at": at, "field": "owner", "value": deal["owner"]})
    db.loader.load(rows, bar=False)
    db.history.load(facts)
    db.rates.load(RATES)
    db.quotas.load([{"key": "Ann", "period": "2026-Q1", "amount": "100", "currency": "EUR"}])


def told(db: DealDatabase, **options: Any) -> Report:
    return report_of(db, since="2026-02-01", as_of="2026-03-31", **options)


def section(report: Report, key: str) -> str:
    """A section of the Markdown."""
    title = next(each.title for each in report.contents.sections if each.key == key)
    return report.markdown().split(f"## {title}\n")[1].split("\n## ")[0]


def test_a_deal_is_of_whom_had_it_when_it_was_closed(converted: Report) -> None:
    people = section(converted, "people")
    assert "Most was won by Ann with 70.00 EUR in 1 deal." in people
    assert "had it when it closed" in people
    assert "dealdb leaderboard --by owner" in people
    # of groups as they are now, that is said
    groups = section(converted, "groups")
    assert "each counts for the owner that it has now" in groups


def test_converted_counts_are_of_no_currency(converted: Report, apart: Report) -> None:
    report = converted.markdown()
    assert "| Overdue | 5 |" in report
    assert "| Deals won | 2 | 0 | +2 |" in report
    each = apart.markdown()
    assert "| Overdue | 2 in EUR |" in each
    assert "| Overdue | 1 without a currency |" in each
    assert "| Deals won | 1 in USD | 0 in USD | +1 |" in each


def test_deals_are_in_the_order_of_what_they_are_worth(converted: Report, apart: Report) -> None:
    brief = " ".join(converted.contents.brief)
    assert "the largest of them deal gbp (Bob) with 960.00 EUR;" in brief
    # of whom had it when it was won
    assert "The largest win is deal moved (Ann) with 70.00 EUR." in brief
    waiting = section(converted, "waiting")
    late = waiting.split("overdue\n")[-1]
    assert late.index("| gbp |") < late.index("| eur |") < late.index("| usd |")
    # what has no rate has no place in that order, and is not left out
    assert late.index("| usd |") < late.index("| none |")
    each = " ".join(apart.contents.brief)
    assert "deal none (Bob) with 5,000.00 without a currency" in each


def test_money_without_a_currency_is_said_to_have_none(converted: Report) -> None:
    quality = section(converted, "quality")
    assert "5,000.00 without a currency" in quality


def test_what_is_to_come_is_not_said_to_be_missing(apart: Report) -> None:
    quality = section(apart, "quality")
    [note] = [line for line in quality.splitlines() if "still to come" in line]
    assert "1 deal was created on a day that is still to come" in note
    assert "missing from the figures" not in note
    assert "not among the new ones" in note


def test_moments_are_those_of_the_zone(apart: Report) -> None:
    changes = section(apart, "changes")
    # 20:30 UTC of the day before
    assert "| 2026-03-10 09:30 |" in changes
    assert "2026-01-31" not in changes
    assert "Pacific/Auckland" in apart.markdown()


def test_the_columns_of_a_forecast_are_what_they_are_called(converted: Report) -> None:
    [table] = [
        each
        for part in converted.contents.sections
        if part.key == "forecast"
        for each in part.tables
        if each.evidence.name == "forecast"
    ]
    assert "if all is won" not in " ".join(table.labels.values())
