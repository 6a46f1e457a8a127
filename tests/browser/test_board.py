"""The columns of cards: moved by mouse, finger, keys and menu, with conflicts told, live, and with exact sums."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl
import pytest

from browser.cards import card, column, deaf, deal_of, own_id, saved
from browser.conftest import Own, Window
from browser.places import serious_faults
from dealdb import DealDatabase

if TYPE_CHECKING:
    from playwright.sync_api import Route


def test_a_card_is_dragged_by_the_mouse(window: Window, own: Own, db: DealDatabase) -> None:
    visit = window(own("Lead", "Lead"))
    id_ = own_id(visit, "Deal 0")
    card(visit, "Deal 0").drag_to(column(visit, "Proposal"))
    saved(visit)
    assert deal_of(db, id_)["stage"] == "Proposal"
    assert column(visit, "Proposal").locator(".card").count() == 1
    # the click that ends a drag does not open the deal
    assert visit.path.startswith("/?where")


def test_a_card_is_dragged_by_a_finger(window: Window, own: Own, db: DealDatabase) -> None:
    visit = window(own("Lead"), has_touch=True)
    id_ = own_id(visit, "Deal 0")
    begin, end = (
        each.bounding_box() for each in (card(visit, "Deal 0"), column(visit, "Qualified"))
    )
    assert begin is not None
    assert end is not None
    fingers = visit.page.context.new_cdp_session(visit.page)

    def touch(kind: str, *at: float) -> None:
        points = [{"x": at[0], "y": at[1]}] if at else []
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    x, y = begin["x"] + 40, begin["y"] + 40
    touch("touchStart", x, y)
    # a finger that rests takes the card; one that moves at once scrolls
    visit.page.wait_for_selector(".card.lifted")
    for step in range(1, 11):
        touch("touchMove", x + (end["x"] + 60 - x) * step / 10, y + (end["y"] + 60 - y) * step / 10)
    visit.page.wait_for_selector(".column.target[data-stage=Qualified]")
    touch("touchEnd")
    saved(visit)
    assert deal_of(db, id_)["stage"] == "Qualified"


def test_keys_alone_move_a_card_and_the_focus_stays_on_it(
    window: Window, own: Own, db: DealDatabase
) -> None:
    visit = window(own("Lead", "Qualified"))
    page, id_ = visit.page, own_id(visit, "Deal 0")
    # from the top of the page, as by somebody without a mouse
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("!!document.activeElement.closest('.card')"):
            break
    assert page.evaluate("document.activeElement.closest('.card').dataset.id") == id_
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.closest('.card').dataset.id") != id_
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Alt+ArrowRight")
    saved(visit)
    assert deal_of(db, id_)["stage"] == "Qualified"
    assert page.evaluate("document.activeElement.closest('.card').dataset.id") == id_
    assert "Qualified" in page.inner_text("#said")


def test_the_menu_moves_a_card_and_asks_why_it_was_lost(
    window: Window, own: Own, db: DealDatabase
) -> None:
    visit = window(own("Lead"))
    page, id_ = visit.page, own_id(visit, "Deal 0")
    card(visit, "Deal 0").locator(".move").focus()
    page.keyboard.press("Enter")
    assert serious_faults(visit) == []
    page.click("#move-menu [data-to=Lost]")
    page.wait_for_selector("#why[open]")
    assert serious_faults(visit) == []
    page.keyboard.press("Escape")
    page.wait_for_selector("#why", state="hidden")
    assert deal_of(db, id_)["stage"] == "Lead"
    card(visit, "Deal 0").locator(".move").click()
    page.click("#move-menu [data-to=Lost]")
    page.fill("#why-reason", "too dear")
    page.keyboard.press("Enter")
    saved(visit)
    deal = deal_of(db, id_)
    assert (deal["stage"], deal["loss_reason"]) == ("Lost", "too dear")


@pytest.mark.parametrize("answer", ["theirs", "mine"])
def test_a_conflict_of_two_pages_is_told_with_both_ways_out(
    window: Window, own: Own, db: DealDatabase, answer: str
) -> None:
    path = own("Lead")
    visit = window()
    deaf(visit)
    visit.expected = {409}
    visit.open(path)
    id_ = own_id(visit, "Deal 0")
    other = window(path)
    card(other, "Deal 0").drag_to(column(other, "Proposal"))
    saved(other)
    card(visit, "Deal 0").drag_to(column(visit, "Qualified"))
    dialog = visit.page.locator("#conflict[open]")
    told = dialog.inner_text()
    assert "board" in told
    assert "stage" in told
    assert "Proposal" in told
    assert serious_faults(visit) == []
    dialog.locator(f"[value={answer}]").click()
    visit.page.wait_for_selector("#conflict", state="hidden")
    visit.page.wait_for_selector("#said:not(:empty)")
    wanted = {"theirs": "Proposal", "mine": "Qualified"}[answer]
    column(visit, wanted).locator(".card").wait_for()
    assert deal_of(db, id_)["stage"] == wanted


def test_a_card_whose_deal_was_deleted_meanwhile_has_one_way_out(
    window: Window, own: Own, db: DealDatabase
) -> None:
    path = own("Lead")
    visit = window()
    deaf(visit)
    visit.expected = {409}
    visit.open(path)
    db.delete_deal(own_id(visit, "Deal 0"))
    card(visit, "Deal 0").drag_to(column(visit, "Qualified"))
    ways = visit.page.locator("#conflict[open] button:visible")
    ways.first.wait_for()
    assert ways.all_inner_texts() == ["Leave it deleted"]
    ways.click()
    card(visit, "Deal 0").wait_for(state="detached")


def test_what_others_save_shows_in_an_open_page(window: Window, own: Own, db: DealDatabase) -> None:
    path = own("Lead", "Lead")
    visit = window(path)
    visit.page.wait_for_selector("#state.live")
    id_ = own_id(visit, "Deal 0")
    db.update_deal(id_, stage="Proposal", amount="99.25")
    column(visit, "Proposal").locator(".card").wait_for()
    assert "99.25" in column(visit, "Proposal").inner_text()
    # the weighted sum stands beside the sum: a new text of one must not take the other away
    assert column(visit, "Proposal").locator(".weighted").count() == 1
    db.delete_deal(id_)
    column(visit, "Proposal").locator(".card").wait_for(state="detached")
    assert column(visit, "Lead").locator(".card").count() == 1


def test_a_card_that_is_sent_later_has_all_that_the_others_have(
    window: Window, own: Own, db: DealDatabase
) -> None:
    visit = window(own("Lead", "Proposal"))
    visit.page.wait_for_selector("#state.live")
    id_ = own_id(visit, "Deal 0")
    rev = db.update_deal(id_, name="Deal 0 again").rev
    card(visit, "Deal 0 again").wait_for()
    for name in ("Deal 0 again", "Deal 1"):
        assert card(visit, name).get_by_role("button", name=f"Move {name}").count() == 1
    # the commit that it is of: a move says what its page has seen
    assert card(visit, "Deal 0 again").get_attribute("data-seq") == str(rev)
    # what is read aloud before a value, and not shown
    label = "getComputedStyle(document.querySelector('.card [data-f=owner]'), '::before').content"
    assert visit.page.evaluate(label) == '"owner: "'
    card(visit, "Deal 0 again").drag_to(column(visit, "Proposal"))
    saved(visit)
    assert deal_of(db, id_)["stage"] == "Proposal"


def test_a_menu_outlives_news_of_its_card(window: Window, own: Own, db: DealDatabase) -> None:
    visit = window()
    visit.expected = {409}
    visit.open(own("Lead", "Lead", "Lead"))
    ids = {name: own_id(visit, name) for name in ("Deal 0", "Deal 1", "Deal 2")}

    def chosen(name: str) -> None:
        card(visit, name).locator(".move").click()
        visit.page.get_by_role("menuitem", name="Qualified").wait_for()

    def told(word: str) -> None:
        visit.page.get_by_role("menuitem", name="Qualified").click()
        visit.page.wait_for_selector(f"#said:has-text('{word}')")

    # all cards are made anew, and none of them has changed
    chosen("Deal 0")
    visit.page.evaluate("() => window.dealdb.kanban.refresh()")
    told("Qualified")
    assert deal_of(db, ids["Deal 0"])["stage"] == "Qualified"
    # somebody else changes the deal
    chosen("Deal 1")
    db.update_deal(ids["Deal 1"], name="Deal 1 again")
    card(visit, "Deal 1 again").wait_for()
    visit.page.get_by_role("menuitem", name="Qualified").click()
    visit.page.locator("#conflict[open] [value=theirs]").click()
    assert deal_of(db, ids["Deal 1"])["stage"] == "Lead"
    # somebody else deletes it
    chosen("Deal 2")
    db.delete_deal(ids["Deal 2"])
    card(visit, "Deal 2").wait_for(state="detached")
    told("no longer on this board")
    assert ids["Deal 2"] not in db


def test_a_page_that_is_late_puts_nothing_old_back(
    window: Window, own: Own, db: DealDatabase
) -> None:
    visit = window(own("Lead", "Lead"))
    id_ = own_id(visit, "Deal 0")
    late: list[int] = []

    def hold(route: Route) -> None:
        answer = route.fetch()
        if route.request.resource_type == "fetch" and not late:
            late.append(answer.status)
            # the page is of the commit before, and comes after the news of this one
            db.update_deal(id_, amount="7.50")
            time.sleep(1)
        route.fulfill(response=answer)

    visit.page.route(lambda url: "where=" in url and "/live" not in url, hold)
    visit.page.evaluate("() => window.dealdb.kanban.refresh(['Lead'])")
    assert late == [200]
    assert "7.50" in card(visit, "Deal 0").text_content()


def test_without_a_script_the_board_can_be_read(window: Window, own: Own) -> None:
    visit = window(own("Lead"), java_script_enabled=False)
    text = card(visit, "Deal 0").text_content() or ""
    assert "1,000.10" in text
    assert visit.page.locator(".card .move").count() == 0


def test_totals_of_all_columns_are_those_of_the_command_line(
    window: Window, db: DealDatabase
) -> None:
    visit = window("/?closed=all")
    shown = visit.page.eval_on_selector_all(
        ".board > .column, .closed > .column",
        """each => each.map((one) => [one.dataset.stage, one.querySelector(".count").innerText.split(/\\s/)[0],
            [...one.querySelectorAll(".sum dd")].map((sum) => sum.innerText)])""",
    )
    table = db.analytics.pipeline().frame
    assert len(shown) >= 5
    for stage, n, sums in shown:
        # other tests leave deals in other currencies, each of which has a row
        rows = table.filter(pl.col("stage") == stage)
        assert int(n.replace(",", "")) == rows["n"].sum(), stage
        amounts = [Decimal("".join(c for c in text if c in "0123456789.")) for text in sums]
        assert {*amounts} - {0} == {*rows["value"]} - {0}, stage


def test_each_number_of_the_board_leads_to_as_many_deals(window: Window) -> None:
    visit = window("/?show=Won&closed=90")
    links = visit.page.eval_on_selector_all(
        "h1 a, .count, .column-late a, [data-rest] a",
        "each => each.map((one) => [one.textContent, one.getAttribute('href')])",
    )
    assert len(links) > 10
    # numbers alone, or of deals, that lead nowhere
    assert visit.page.evaluate(
        r"""() => {
          const found = [], texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
          for (let text; (text = texts.nextNode());)
            if (/^[\d,]+( deals?)?$/.test(text.data.trim()) && !text.parentElement.closest("a, option, select"))
              found.push(text.data.trim());
          return found;
        }"""
    ) == []  # fmt: skip
    for text, href in links:
        number = next(word for word in text.split() if word.replace(",", "").isdigit())
        shown = visit.open(href).page.inner_text("h1")
        assert shown.split()[0] == number, (text, href)


def test_the_address_of_a_board_shows_the_same_to_somebody_else(window: Window) -> None:
    visit = window("/")
    page = visit.page
    for label, value in (
        ("Sort", "expected_close"),
        ("Lanes", "owner"),
        ("Closed in the last", "90"),
    ):
        with page.expect_navigation():
            page.get_by_label(label).select_option(value)
    page.fill("#where", "amount > 60000")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.click("summary:has-text('Fields')")
    page.get_by_label("source", exact=True).check()
    with page.expect_navigation():
        page.get_by_role("button", name="Show", exact=True).click()
    read = page.text_content("#board")
    assert "Closed since" in read
    other = window(visit.path)
    assert other.page.text_content("#board") == read
    assert other.page.input_value("#where") == "amount > 60000"
    assert other.page.locator("[data-f=source]").count() > 0
    chosen = {"Sort": "expected_close", "Lanes": "owner", "Closed in the last": "90"}
    assert {label: other.page.get_by_label(label).input_value() for label in chosen} == chosen
    assert other.page.locator(".lane").count() > 1


def test_many_commits_leave_no_page_behind(window: Window, own: Own, db: DealDatabase) -> None:
    visit = window(own(*["Lead"] * 5))
    visit.page.wait_for_selector("#state.live")
    ids = visit.page.eval_on_selector_all(
        ".column .card", "cards => cards.map((card) => card.dataset.id)"
    )
    stages = ["Lead", "Qualified", "Proposal", "Negotiation"]
    for number in range(120):
        stage = stages[(number * 7) % 4]
        db.update_deal(ids[number % 5], amount=f"{number + 1}.50", stage=stage)
    wanted: dict[str, tuple[Decimal, int]] = {}
    for id_ in ids:
        deal = deal_of(db, id_)
        stage, amount = str(deal["stage"]), deal["amount"]
        assert isinstance(amount, Decimal)
        sum_, n = wanted.get(stage, (Decimal(0), 0))
        wanted[stage] = (sum_ + amount, n + 1)
    for stage, (sum_, n) in wanted.items():
        column(visit, stage).locator(f".sum dd:has-text('{sum_:,}')").wait_for()
        assert column(visit, stage).locator(".card").count() == n
