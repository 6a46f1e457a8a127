"""Figures, changes, the feed and questions, as one uses them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from browser.conftest import Window
from dealdb import DealDatabase

if TYPE_CHECKING:
    from playwright.sync_api import Locator, LocatorAssertions

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def soon(found: Locator) -> LocatorAssertions:
    """What has to be so of an element within a while."""
    # not at the top: without Playwright these tests skip
    from playwright.sync_api import expect

    return expect(found)


def test_figures_come_as_one_looks_and_a_number_leads_to_its_deals(window: Window) -> None:
    visit = window("/figures")
    page = visit.page
    # what is far below has not been asked for
    assert page.locator(".panel .figure").count() < page.locator(".panel").count()
    page.locator("#outcomes").scroll_into_view_if_needed()
    page.wait_for_selector("#figure-win_rate .chart")
    page.locator("#figure-win_rate summary").last.click()
    link = page.locator("#figure-win_rate td.number a").first
    number = link.inner_text()
    link.click()
    page.wait_for_selector(".number-said")
    assert page.inner_text("h1").startswith(f"{number} deal")
    assert number in page.inner_text(".number-said")


def test_charts_are_as_wide_as_a_phone(window: Window) -> None:
    visit = window("/figures/leaderboard?by=owner&at=closing", **PHONE)
    page = visit.page
    svg = page.locator(".drawing svg")
    soon(svg).to_have_attribute("width", re.compile(r"^[23]\d\d(\.\d+)?$"))
    box: Any = page.locator(".drawing").bounding_box()
    wide = page.locator(".drawing").evaluate("(each) => each.scrollWidth")
    assert wide <= box["width"] + 1
    assert visit.sideways() == 0


def test_the_feed_shows_what_others_save_and_waits_while_it_is_paused(
    window: Window, db: DealDatabase
) -> None:
    page = window("/feed").page
    page.wait_for_selector(".state.live")
    first = page.locator("#commits > li").first
    db.save_deal({"id": "fed-1", "name": "<b>Fed</b>", "stage": "Lead"})
    page.wait_for_selector("#commits > li:first-child >> text=fed-1")
    assert page.locator("#commits b").count() == 0
    assert "fresh" in (first.get_attribute("class") or "")
    page.get_by_role("button", name="Pause").click()
    n = page.locator("#commits > li").count()
    db.update_deal("fed-1", stage="Qualified")
    db.update_deal("fed-1", stage="Proposal")
    soon(page.locator("#feed-said")).to_have_text("Paused; 2 new")
    assert page.locator("#commits > li").count() == n
    page.get_by_role("button", name="Go on").click()
    numbers = page.eval_on_selector_all(
        "#commits > li", "rows => rows.slice(0, 3).map((row) => Number(row.dataset.seq))"
    )
    assert numbers == [numbers[0], numbers[0] - 1, numbers[0] - 2]
    assert "Proposal" in first.inner_text()
    db.delete_deal("fed-1")


def test_what_changed_since_the_last_visit(window: Window) -> None:
    visit = window("/changes")
    page = visit.page
    assert page.get_by_role("link", name="my last visit").count() == 0
    name, kept = next(
        (each["name"], each["value"])
        for each in page.context.cookies()
        if each["name"].startswith("dealdb-visits")
    )
    hour_ago = int(kept.rpartition(".")[2]) - 3_600_000
    page.context.add_cookies([{"name": name, "value": f".{hour_ago}", "url": visit.address}])
    page.reload()
    page.get_by_role("link", name="my last visit").click()
    page.wait_for_url(re.compile("since=my-last-visit"))
    assert "since your last visit" in page.inner_text(".sub")


def test_a_question_is_asked_by_keys_and_drawn(window: Window) -> None:
    visit = window("/sql")
    visit.expected = {400}
    page = visit.page
    page.fill("#q", "SELECT stage, count(*) AS n FROM deals GROUP BY stage ORDER BY n DESC")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".answer-table")
    assert page.locator("figure svg").count() == 1
    page.fill("#q", "SELECT stag FROM deals")
    page.keyboard.press("Control+Enter")
    soon(page.locator(".place mark")).to_have_text("stag")


def test_a_saved_query_asks_for_its_values(window: Window, db: DealDatabase) -> None:
    db.query.save("large", "amount > :least", sort="-amount")
    page = window("/deals").page
    page.locator("#saved summary").click()
    page.get_by_role("link", name="large").click()
    page.get_by_label("least").fill("50000")
    page.get_by_role("button", name="Show").click()
    page.wait_for_selector("#deals")
    assert page.inner_text(".chip code") == "amount > 50000"
    assert page.inner_text("h1") == f"{db.query.count('amount > 50000'):,} deals"
    db.query.forget("large")


def test_numbers_of_deals_are_no_money(window: Window, db: DealDatabase) -> None:
    late = {"stage": "Lead", "expected_close": "2020-01-01", "amount": 7}
    db.save_deal({"id": "late-usd", "currency": "USD", **late})
    db.save_deal({"id": "late-eur", "currency": "EUR", **late})
    page = window("/figures").page
    tile = page.locator(".tile", has_text="Overdue deals").locator(".value").all_inner_texts()
    db.delete_deal("late-usd"), db.delete_deal("late-eur")
    # other tests leave deals in other currencies, and in none
    assert [each for each in tile if not re.fullmatch(r"\d+ (in [A-Z]{3}|without .*)", each)] == []
    assert len(tile) > 1
