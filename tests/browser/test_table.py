"""The table of deals and a deal: addresses that last, rows by scrolling, live counts, forms, and print."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from browser.conftest import N_DEALS, Window
from browser.places import serious_faults
from dealdb import DealDatabase

if TYPE_CHECKING:
    from playwright.sync_api import Route


def test_a_filter_becomes_an_address_that_shows_the_same_again(
    window: Window, db: DealDatabase
) -> None:
    visit = window("/deals")
    page = visit.page
    page.fill("#where", "amount > 30000 AND owner = 'Grace Kim'")
    page.keyboard.press("Enter")
    page.wait_for_url("**/deals?where=*")
    page.click("th a:has-text('amount')")
    page.wait_for_url("**sort=*")
    shown = page.inner_text("h1"), page.inner_text("#deals")
    n = db.query.count("amount > 30000 AND owner = 'Grace Kim'")
    assert shown[0].startswith(f"{n} deal")
    page.reload()
    assert (page.inner_text("h1"), page.inner_text("#deals")) == shown
    other = window(visit.path)
    assert (other.page.inner_text("h1"), other.page.inner_text("#deals")) == shown
    page.go_back()
    page.go_back()
    assert page.input_value("#where") == ""


def test_a_facet_narrows_to_as_many_deals_as_it_counts(window: Window) -> None:
    visit = window("/deals")
    page = visit.page
    link = page.locator(".facets li a").first
    n = int(link.locator(".count").inner_text().replace(",", ""))
    link.click()
    page.wait_for_url("**where=*")
    assert page.inner_text("h1").startswith(f"{n:,} deal")


def test_scrolling_shows_all_rows_once_and_keeps_600_at_most(
    window: Window, db: DealDatabase
) -> None:
    path = "/deals?sort=id&columns=id,name"
    page = window(path).page
    seen: dict[str, None] = {}
    wanted = db.query.find(sort="id", columns=["id"])["id"].to_list()
    for _ in range(80):
        ids = page.eval_on_selector_all(
            "#deals tbody tr", "rows => rows.map((row) => row.cells[0].textContent.trim())"
        )
        assert len(ids) <= 600
        assert ids == wanted[wanted.index(ids[0]) :][: len(ids)]
        seen |= dict.fromkeys(ids)
        if ids[-1] == wanted[-1]:
            break
        last = ids[-1]
        page.evaluate(
            """() => { const box = document.getElementById("scrolls");
              box.scrollTop = box.scrollHeight; scrollTo(0, document.body.scrollHeight); }"""
        )
        page.wait_for_function(
            "last => [...document.querySelectorAll('#deals tbody tr')].pop().cells[0].textContent.trim() !== last",
            arg=last,
        )
    assert list(seen) == wanted
    assert len(wanted) >= N_DEALS


def test_a_table_counts_live_and_says_what_changed(window: Window, db: DealDatabase) -> None:
    page = window("/deals?where=source+%3D+%27counted%27").page
    page.wait_for_selector("#state.live")
    db.save_deal({"id": "counted-1", "name": "New one", "source": "counted", "stage": "Lead"})
    page.wait_for_selector("h1:has-text('1 deal')")
    link = page.locator("#changed")
    link.wait_for()
    assert "1 changed" in link.inner_text()
    link.click()
    page.wait_for_selector("#deals tbody tr:has-text('New one')")


def test_a_deal_is_changed_by_keys_and_its_history_says_so(
    window: Window, db: DealDatabase
) -> None:
    db.save_deal({"id": "by-keys", "name": "Before", "stage": "Lead", "amount": 5})
    page = window("/deals/by-keys").page
    page.focus("[name=name]")
    page.keyboard.press("Control+A")
    page.keyboard.type("Ångström & <Söhne>")
    page.focus("[name=amount]")
    page.keyboard.press("Control+A")
    page.keyboard.type("1234.50")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    deal = db.get_deal("by-keys")
    assert deal is not None
    assert (deal["name"], str(deal["amount"])) == ("Ångström & <Söhne>", "1234.50")
    assert "Ångström & <Söhne>" in page.inner_text(".history li")
    assert page.inner_text("h1") == "Ångström & <Söhne>"


def test_what_is_written_before_the_script_is_there_is_saved_too(
    window: Window, db: DealDatabase
) -> None:
    db.save_deal({"id": "early", "name": "Early", "stage": "Lead", "amount": 5, "source": "fair"})
    visit = window()
    late: list[Route] = []
    # not the method itself: Playwright marks what it is given
    visit.page.route("**/form.*.js", lambda route: late.append(route), times=1)
    visit.page.goto(f"{visit.address}/deals/early", wait_until="commit")
    visit.page.fill("[name=name]", "Earlier")
    visit.page.select_option("[name=stage]", "Proposal")
    visit.page.fill("[name=source]", "")
    late[0].continue_()
    with visit.page.expect_navigation():
        visit.page.click("#save")
    deal = db.get_deal("early")
    assert deal is not None
    assert (deal["name"], deal["stage"], deal.get("source")) == ("Earlier", "Proposal", None)
    assert deal["amount"] == 5


@pytest.mark.parametrize(("answer", "kept"), [("Save mine", 6), ("Take theirs", 7)])
def test_a_conflict_in_the_form_shows_both_values(
    window: Window, db: DealDatabase, answer: str, kept: int
) -> None:
    db.save_deal({"id": "twice", "name": "Twice", "stage": "Lead", "amount": 5})
    visit = window("/deals/twice")
    visit.expected = {409}
    page = visit.page
    page.fill("[name=amount]", "6")
    db.update_deal("twice", amount=7)
    page.click("#save")
    told = page.locator("#conflict:not([hidden])")
    told.wait_for()
    assert "ann" in told.inner_text()
    assert re.search(r"amount\s+7\S*\s+6", told.inner_text())
    assert serious_faults(visit) == []
    with page.expect_navigation():
        told.get_by_role("button", name=answer).click()
    page.wait_for_selector(".history del:has-text('5')")
    assert Decimal(page.input_value("[name=amount]")) == kept
    deal = db.get_deal("twice")
    assert deal is not None
    assert deal["amount"] == kept


@pytest.mark.parametrize("path", ["/", "/deals?where=amount+%3E+90000", "/deals/D0001"])
def test_print_has_the_content_and_no_controls(
    window: Window, db: DealDatabase, tmp_path: Path, path: str
) -> None:
    page = window(path).page
    page.pdf(path=str(tmp_path / "page.pdf"), format="A4", print_background=True)
    text = pdf_text(tmp_path / "page.pdf")
    assert "Apply" not in text
    assert "New deal" not in text
    if path == "/deals/D0001":
        deal = db.get_deal("D0001")
        assert deal is not None
        assert str(deal["name"]) in text
    elif path != "/":
        assert "amount > 90000" in text
        assert "As of commit" in text
        for name in db.query.find("amount > 90000", columns=["id"], limit=10)["id"]:
            assert name in text
    else:
        assert "As of commit" in text
        assert "Negotiation" in text


def pdf_text(path: Path) -> str:
    """The text of a PDF, words in one line."""
    from pypdf import PdfReader

    return " ".join(" ".join(page.extract_text() for page in PdfReader(path).pages).split())
