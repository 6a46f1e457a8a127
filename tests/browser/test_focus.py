"""The focus while a page makes parts of itself anew: whoever has gone on stays where he is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from browser.cards import card, column, deaf, own_id, saved
from browser.conftest import Own, Window
from browser.visit import Visit
from dealdb import DealDatabase

if TYPE_CHECKING:
    from playwright.sync_api import Route

OWNERS = ("Ann Lee", "Ben Okafor")
# whether what has the focus fits a selector
HAS_FOCUS = "selector => document.activeElement.matches(selector)"


def test_a_key_after_a_move_goes_to_the_menu_that_was_reached_meanwhile(
    window: Window, own: Own
) -> None:
    visit = window()
    # without news, only the board that is asked for after the move shows the card anew
    deaf(visit)
    visit.open(own("Lead", "Qualified"))
    id_ = own_id(visit, "Deal 0")
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "GET":
            held.append(route)
        else:
            route.continue_()

    visit.page.route(lambda url: "where=" in url and "/live" not in url, hold)
    card(visit, "Deal 0").locator("a").focus()
    with visit.page.expect_request(lambda asked: "where=" in asked.url and asked.method == "GET"):
        visit.page.keyboard.press("Alt+ArrowRight")
    visit.page.keyboard.press("Tab")
    assert visit.page.evaluate(HAS_FOCUS, f".card[data-id='{id_}'] .move")
    mark(visit, f".card[data-id='{id_}']")
    for route in held:
        route.continue_()
    visit.page.wait_for_selector(f".card[data-id='{id_}']:not([data-old])")
    assert visit.page.evaluate(HAS_FOCUS, f".card[data-id='{id_}'] .move")
    saved(visit)
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_selector("#move-menu:not([hidden])")


@pytest.mark.parametrize("link", [".column-top .count", ".toggle", ".lane-name .count"])
def test_news_leave_the_focus_on_the_link_of_a_head(
    window: Window, own: Own, db: DealDatabase, link: str
) -> None:
    path = own("Lead", "Lead", "Lead", owners=OWNERS) + "&by=owner"
    visit = window(path)
    id_ = own_id(visit, "Deal 0")
    visit.page.wait_for_selector("#state.live")
    visit.page.locator(link).first.focus()
    mark(visit, link)
    db.update_deal(id_, stage="Qualified", owner="Cleo")
    visit.page.wait_for_selector(f"{link}:not([data-old])")
    column(visit, "Qualified", "Cleo").locator(f".card[data-id='{id_}']").wait_for()
    assert visit.page.evaluate(HAS_FOCUS, link)


def test_open_notes_stay_as_they_are_when_a_lane_comes(
    window: Window, own: Own, db: DealDatabase
) -> None:
    path = own("Lead", "Lead", "Lead", owners=OWNERS) + "&by=owner"
    first = window(path)
    one, other = own_id(first, "Deal 0"), own_id(first, "Deal 1")
    db.update_deal(other, amount=None)
    visit = window(path)
    visit.page.wait_for_selector("#state.live")
    summary = ".doubts > summary"
    visit.page.locator(summary).focus()
    visit.page.keyboard.press("Enter")
    mark(visit, ".lane")
    db.update_deal(one, owner="Cleo")
    column(visit, "Lead", "Cleo").locator(f".card[data-id='{one}']").wait_for()
    visit.page.wait_for_selector(".lane:not([data-old])")
    assert visit.page.evaluate(HAS_FOCUS, summary)
    assert visit.page.locator(".doubts[open]").count() == 1


def mark(visit: Visit, selector: str) -> None:
    """Let what there is be known from what comes in its place."""
    visit.page.eval_on_selector_all(selector, "all => all.forEach(e => e.dataset.old = '')")
