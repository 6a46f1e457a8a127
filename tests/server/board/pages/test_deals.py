"""The table of deals over a real socket: figures, links and downloads agree, and nothing of the data is markup."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from decimal import Decimal
from urllib.parse import quote

import pytest

from boards import Browser
from dealdb import DealDatabase
from dealdb.board.pages.deals import PAGE_ROWS
from dealdb.sample import deals

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    '"onload="alert(1)',
    "\u202egnp.exe",
    "=cmd|'/c calc'!A0",
    "W" * 10_000,
)


@pytest.fixture
def sample(db: DealDatabase, signed_in: Browser) -> Browser:
    db.delete_deal("7")
    db.loader.load(deals(400))
    db.save_deal({"id": "usd", "name": "Elsewhere", "amount": "99.10", "currency": "USD"})
    return signed_in


def links(text: str, within: str) -> list[str]:
    return [html.unescape(each) for each in re.findall(within, text)]


def test_a_facet_counts_what_its_link_shows(sample: Browser, db: DealDatabase) -> None:
    text = sample.ask("/deals?where=amount+%3E+5000&facets=stage,amount,created")[1]
    found = re.findall(
        r'<li>\s*<a href="([^"]*)" title="([^"]*)">.*?class="count">([\d,]+)<', text, re.DOTALL
    )
    assert len(found) > 12
    for link, label, count in found:
        path, _, query = html.unescape(link).partition("?")
        total = sample.data(f"{path}.json?{query}")["total"]
        assert total == int(count.replace(",", "")), label


def test_a_condition_is_added_and_taken_away(sample: Browser) -> None:
    where = quote("amount > 5000 AND stage = 'Won'")
    text = sample.ask(f"/deals?where={where}&sort=-amount&cursor=")[1]
    removing = links(text, r'class="remove" href="([^"]*)"')
    assert removing == [
        "/deals?where=stage+%3D+%27Won%27&sort=-amount",
        "/deals?where=amount+%3E+5000&sort=-amount",
    ]
    assert re.search(r'<li class="chosen">\s*<a href="/deals\?where=amount[^"]*"', text)  # fmt: skip


def test_sums_are_by_currency_and_those_of_the_metrics(sample: Browser, db: DealDatabase) -> None:
    found = sample.data("/deals.json?where=" + quote("stage = 'Lead' OR currency = 'USD'"))
    by_hand: dict[str, Decimal] = {}
    for row in db.query.find("stage = 'Lead' OR currency = 'USD'").to_dicts():
        by_hand[row["currency"]] = by_hand.get(row["currency"], Decimal(0)) + row["amount"]
    assert {each["currency"]: Decimal(str(each["sum"])) for each in found["sums"]} == by_hand
    assert len(by_hand) == 2
    text = sample.ask("/deals?where=" + quote("currency = 'USD'"))[1]
    assert "<dd>99.10 USD</dd>" in text


def test_pages_joined_are_all_deals_in_order(sample: Browser, db: DealDatabase) -> None:
    path, seen = "/deals?sort=-amount&columns=id&columns=amount", []
    while path:
        text = sample.ask(path)[1]
        rows = re.findall(r'<tr><td class="[^"]*"><a href="[^"]*"><bdi>([^<]+)</bdi>', text)
        assert len(rows) <= 100
        seen += rows
        path = next(iter(links(text, r'rel="next" id="next" href="([^"]*)"')), "")
    assert seen == db.query.page(sort="-amount", size=1000).items["id"].to_list()


def test_a_download_has_all_deals_of_the_filter(sample: Browser, db: DealDatabase) -> None:
    text = sample.ask("/deals.csv?columns=id,amount&sort=amount&where=amount+IS+NOT+NULL")[1]
    assert len(text.splitlines()) - 1 == db.query.count("amount IS NOT NULL") > PAGE_ROWS


def test_heads_of_columns_sort_and_turn_round(sample: Browser) -> None:
    text = sample.ask("/deals?sort=-amount")[1]
    assert 'aria-sort="descending"' in text
    heads = links(text, r'<th scope="col"[^>]*><a href="([^"]*)"')
    assert "/deals?sort=amount" in heads
    assert "/deals?sort=name" in heads


def test_numbers_and_days_are_those_of_the_readers_language(
    signed_in: Browser, db: DealDatabase
) -> None:
    db.save_deal(
        {"id": "8", "amount": "1234567.50", "currency": "EUR", "expected_close": "2026-01-31"}
    )
    for language, number, day in (
        ("de-DE", "1.234.567,50", "31.1.2026"),
        ("fr-FR", "1\u202f234\u202f567,50", "31/01/2026"),
        ("en-US", "1,234,567.50", "1/31/2026"),
    ):
        text = signed_in.ask("/deals", accept_language=language)[1]
        assert f"<bdi>{number}</bdi>" in text
        assert f"<bdi>{day}</bdi>" in text


def test_hostile_texts_are_texts(signed_in: Browser, db: DealDatabase) -> None:
    for number, name in enumerate(HOSTILE):
        db.save_deal(
            {"id": f"h{number} {name[:40]}", "name": name, "owner": name[:200], "stage": name[:50]}
        )
    for path in (
        "/deals",
        "/deals?facets=name,owner,stage",
        "/deals?where=" + quote(f"owner = '{HOSTILE[0]}'"),
        "/deals?columns=owner,name&sort=owner",
    ):
        status, text, _ = signed_in.ask(path)
        assert status == 200
        assert "<img" not in text
        assert "<script>" not in text
        assert 'onload="' not in text.replace("&#34;", "")
        assert "W" * 3_000 not in text
    assert signed_in.ask(f"/deals?where={quote(HOSTILE[1])}")[0] == 400
    assert "<script>alert" not in signed_in.ask(f"/deals?where={quote(HOSTILE[1])}")[1]
    # a spreadsheet would run it
    assert "\n=cmd" not in signed_in.ask("/deals.csv?columns=name")[1]


def test_saved_queries_are_those_of_the_command_line(sample: Browser, db: DealDatabase) -> None:
    asked = {
        "name": "hot",
        "where": "amount > 5000",
        "sort": ["-amount"],
        "columns": ["id", "amount"],
    }
    assert sample.change("/saved", asked) == (200, {"name": "hot"})
    assert db.query.run("hot").columns == ["id", "amount"]
    link = next(iter(links(sample.ask("/deals")[1], r'<li><a href="(/deals\?where=amount[^"]*)"')))
    assert sample.data(link.replace("?", ".json?"))["total"] == db.query.count("amount > 5000")
    status, told = sample.change("/saved", {"name": "odd", "where": "stag = 1"})
    assert (status, told["code"]) == (400, "query")
    assert sample.change("/saved/forget", {"name": "hot"})[0] == 200
    assert sample.change("/saved/forget", {"name": "hot"})[0] == 400
    assert db.query.saved() == {}


def test_a_fault_in_a_filter_is_marked(sample: Browser) -> None:
    for where, mark in (("amount > 5 AND stag = 1", "stag"), ("stage = 'Won", "&#39;Won")):
        text = sample.ask("/deals?where=" + quote(where))[1]
        assert f"<mark>{mark}</mark>" in text


def test_an_empty_collection_and_an_empty_result_say_so(
    carry: Callable[..., Browser], db: DealDatabase
) -> None:
    browser = carry(db)
    assert "There are no deals yet" in browser.ask("/deals")[1]
    db.save_deal({"id": "1"})
    assert "No deal fits this filter" in browser.ask("/deals?where=amount+%3E+1")[1]
