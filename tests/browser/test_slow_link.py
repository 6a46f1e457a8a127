"""What people do before a script or an answer has come, and what a browser puts into a page that it shows again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from browser.conftest import Own, Window
from dealdb import DealDatabase

if TYPE_CHECKING:
    from playwright.sync_api import Route

    from browser.visit import Visit


def begun(visit: Visit, path: str, script: str) -> Route:
    """Go to a page one of whose scripts is still on its way."""
    late: list[Route] = []
    visit.page.route(f"**/{script}.*.js", lambda route: late.append(route), times=1)
    visit.page.goto(visit.address + path, wait_until="commit")
    visit.page.wait_for_selector("main")
    visit.page.wait_for_function("() => document.readyState === 'interactive'")
    return late[0]


def test_an_order_that_was_chosen_before_the_script_shows(window: Window, own: Own) -> None:
    visit = window()
    script = begun(visit, own("Lead", "Lead"), "kanban")
    visit.page.select_option("[name=sort]", "name")
    with visit.page.expect_navigation(url="**sort=name**"):
        script.continue_()


def test_a_query_is_not_saved_into_the_address_before_the_script(window: Window) -> None:
    visit = window()
    script = begun(visit, "/deals?where=amount+%3E+5", "table")
    visit.page.click("#saved summary")
    expect(visit.page.locator("#save-query button")).to_be_disabled()
    script.continue_()
    expect(visit.page.locator("#save-query button")).to_be_enabled()


def test_what_is_written_while_a_deal_is_saved_is_not_lost_with_the_page(
    window: Window, db: DealDatabase
) -> None:
    db.save_deal({"id": "on-its-way", "name": "Slow", "stage": "Lead"})
    visit, late = window("/deals/on-its-way"), list[str]()
    visit.expected.add(503)
    page = visit.page

    def answer(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        page.keyboard.type(" and more")
        late.append(page.input_value("[name=name]"))
        route.fulfill(status=503, body="the server is away")

    page.route("**/deals/on-its-way", answer)
    page.fill("[name=name]", "Slower")
    page.press("[name=name]", "Enter")
    expect(page.locator("#conflict")).to_contain_text("the server is away")
    assert late == ["Slower"]
    # whoever goes on is where they were
    page.keyboard.type("!")
    assert page.input_value("[name=name]") == "Slower!"


def test_a_form_shows_the_deal_as_it_is_when_one_comes_back(
    window: Window, db: DealDatabase
) -> None:
    db.save_deal({"id": "again", "name": "Again", "stage": "Lead", "amount": 5})
    visit = window("/deals/again").open("/feed")
    db.save_deal({"id": "again", "stage": "Proposal"})
    visit.page.go_back()
    visit.page.wait_for_load_state()
    assert visit.page.input_value("[name=stage]") == "Proposal"
    visit.page.fill("[name=amount]", "6")
    with visit.page.expect_navigation():
        visit.page.click("#save")
    deal = db.get_deal("again")
    assert deal is not None
    assert (deal["stage"], deal["amount"]) == ("Proposal", 6)


@pytest.mark.parametrize(
    ("path", "name", "value"), [("/", "sort", "name"), ("/figures/waterfall", "net", "no")]
)
def test_a_choice_is_that_of_the_page_when_one_comes_back(
    window: Window, path: str, name: str, value: str
) -> None:
    visit = window(path)
    choice = visit.page.locator(f"[name={name}]")
    before = choice.input_value()
    with visit.page.expect_navigation():
        choice.select_option(value)
        if path != "/":
            visit.page.click(".options button")
    visit.page.go_back()
    visit.page.wait_for_load_state()
    assert visit.path == path
    assert choice.input_value() == before
