"""What a card shows of a deal, whatever the deal has or lacks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import pytest

from dealdb.analytics.calendar.zone import Zone
from dealdb.board.kanban.cards import Card, cards_of, columns_of_cards
from dealdb.board.kanban.options import BoardOptions
from dealdb.board.page_request import PageRequest
from dealdb.formats.locale import PLAIN, Locale
from dealdb.model.pipeline import Kind, Pipeline, Stage
from dealdb.query import QueryEngine

if TYPE_CHECKING:
    from dealdb import DealDatabase

TODAY = date(2026, 3, 31)
PIPELINE = Pipeline((Stage("Lead", Kind.OPEN, rot_days=10), Stage("Won", Kind.WON)))
USUAL = ("company", "owner", "amount", "days", "expected_close")


def cards(
    *deals: dict[str, Any],
    fields: tuple[str, ...] = USUAL,
    since: dict[str, date] | None = None,
    locale: Locale = PLAIN,
) -> list[Card]:
    options = BoardOptions(sort=(), fields=fields, by=None, opened=frozenset(), since=None)
    query = QueryEngine.over(deals)
    rows = query.find(columns=columns_of_cards(options, query.select().schema))
    asked = PageRequest(db=cast("DealDatabase", None), names={}, base="/b", locale=locale)
    entered = {deal: Zone().midnight_ms(day) for deal, day in (since or {}).items()}
    return list(cards_of(asked, options, PIPELINE, rows, TODAY, entered))


def lines(card: Card) -> dict[str, str]:
    return {line.name: line.text for line in card.lines}


def test_a_deal_that_is_only_an_id_has_a_card() -> None:
    [card] = cards({"id": "x/1?"})
    assert (card.title, lines(card), list(card.warnings)) == ("x/1?", {}, [])
    assert card.address.startswith("/b/deals/")


def test_fields_stand_in_the_order_that_was_asked_for() -> None:
    deal = {
        "id": "1",
        "name": "Bolts",
        "owner": "Ann",
        "amount": Decimal("1234.50"),
        "currency": "EUR",
    }
    [card] = cards(
        deal, fields=("amount", "days", "owner", "currency"), since={"1": date(2026, 3, 30)}
    )
    assert card.title == "Bolts"
    assert list(lines(card).items()) == [
        ("amount", "1,234.50 EUR"), ("days", "1 day here"), ("owner", "Ann"), ("currency", "EUR"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (Decimal("0.00"), "EUR", "0.00 EUR"),
        (Decimal("-12.30"), "USD", "-12.30 USD"),
        (Decimal("12345678901234567890.12"), None, "12,345,678,901,234,567,890.12"),
        (Decimal("5.00"), "", "5.00"),
        (Decimal("5.00"), "Klingon darsek", "5.00 Klingon darsek"),
    ],
)
def test_amounts_are_exact_with_whatever_currency(
    amount: Decimal, currency: str | None, shown: str
) -> None:
    assert lines(cards({"id": "1", "amount": amount, "currency": currency})[0])["amount"] == shown


def test_values_of_all_types_have_a_text_in_the_language_of_the_reader() -> None:
    deal = {
        "id": "1", "seats": 1200, "share": 0.25, "hot": True, "tags": ["a", "b"], "since": date(2026, 1, 31),
        "expected_close": date(2026, 12, 31), "empty": "", "missing": None,
    }  # fmt: skip
    fields = tuple(name for name in deal if name not in ("id",))
    found = lines(
        cards(deal, {"id": "2", "missing": "x"}, fields=fields, locale=Locale("de-DE"))[0]
    )
    assert found == {
        "seats": "1.200", "share": "0,25", "hot": "yes", "tags": "a, b", "since": "31.1.2026",
        "expected_close": "closes 31.12.2026", "empty": "",
    }  # fmt: skip


def test_long_names_are_cut_and_the_page_of_the_deal_has_the_rest() -> None:
    [card] = cards({"id": "i" * 5_000, "name": "x" * 10_000, "owner": "long words " * 900})
    assert len(card.title) < 200
    assert len(lines(card)["owner"]) < 200


def test_what_is_overdue_or_unchanged_is_said_of_open_deals_alone() -> None:
    late = {"expected_close": TODAY - timedelta(days=1)}
    old = {"updated": datetime(2026, 3, 20, 12, tzinfo=UTC)}
    today, fresh = {"expected_close": TODAY}, {"updated": datetime(2026, 3, 30, tzinfo=UTC)}
    found = cards(
        {"id": "late", "stage": "Lead", **late, **fresh},
        {"id": "both", "stage": "Lead", **late, **old},
        {"id": "today", "stage": "Lead", **today, **fresh},
        {"id": "won", "stage": "Won", **late, **old},
        # without a stage a deal is open, and no stage says how long it may stay
        {"id": "none", "stage": None, **late, **old},
        {"id": "unknown", "stage": "Nowhere", **late, **old},
        # where nobody says when it was changed, its creation counts, and is named
        {"id": "created", "stage": "Lead", "created": date(2026, 1, 1)},
    )
    assert {card.id: list(card.warnings) for card in found} == {
        "late": ["1 day overdue"],
        "both": ["1 day overdue", "unchanged for 11 days"],
        "today": [],
        "won": [],
        "none": ["1 day overdue"],
        "unknown": ["1 day overdue"],
        "created": ["created 89 days ago, no change known"],
    }


def test_days_are_written_as_the_reader_writes_numbers() -> None:
    old = {"id": "1", "stage": "Lead", "created": date(2020, 1, 1)}
    [card] = cards(old | {"expected_close": date(2020, 1, 1)}, locale=Locale("de-DE"))
    assert card.warnings == ("2.281 days overdue", "created 2.281 days ago, no change known")


def test_days_of_the_future_and_of_long_ago() -> None:
    # clocks of two programs differ: a deal may come into its stage tomorrow
    since = {"a": TODAY, "b": date(2020, 1, 1)}
    found = cards({"id": "a"}, {"id": "b"}, {"id": "c"}, fields=("days",), since=since)
    assert [lines(card).get("days") for card in found] == ["0 days here", "2,281 days here", None]
