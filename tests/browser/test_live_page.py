"""An open page that missed something: it makes itself anew, and shows nothing that is no longer so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from browser.cards import card, column, own_id
from browser.carried import carried_board
from browser.conftest import Own, Window, enter
from browser.visit import visiting
from dealdb import DealDatabase, Kind, Pipeline, Stage
from dealdb.board.live.client import RELOAD
from servers import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route


def test_a_page_that_was_dropped_as_too_slow_shows_what_is_there(
    window: Window, own: Own, db: DealDatabase
) -> None:
    path = own("Lead", "Lead")
    id_ = own_id(window(path), "Deal 0")
    visit = window()
    asked: list[str] = []

    def first_dropped(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            db.update_deal(id_, amount=77)
            # what a client is sent whose queue is full, and then the end of the stream
            route.fulfill(content_type="text/event-stream", body=RELOAD.decode())
        else:
            route.continue_()

    visit.page.route("**/live?*", first_dropped)
    visit.open(path)
    card(visit, "77.00").wait_for()
    # it listens again, and is told what comes
    visit.page.wait_for_selector("#state.live")
    db.update_deal(id_, amount=78)
    card(visit, "78.00").wait_for()
    assert len(asked) == 2


def test_the_first_deal_and_the_first_stage_of_a_collection_show_by_themselves(
    browser: Browser, sample_server: Server
) -> None:
    url = sample_server.url
    with (
        DealDatabase.from_url(url, collection="empty") as db,
        carried_board(url, "--collection=empty") as board,
        visiting(browser, board.address, cookies=enter(browser, board)) as visit,
    ):
        page = visit.open("/").page
        assert "There are no deals yet" in page.inner_text("main")
        page.wait_for_selector("#state.live")
        db.save_deal({"id": "1", "name": "The first", "stage": "Lead", "amount": 5})
        card(visit, "The first").wait_for()
        assert "There are no deals yet" not in page.inner_text("main")
        db.set_pipeline(Pipeline((Stage("New", Kind.OPEN), Stage("Lead", Kind.OPEN))))
        column(visit, "New").wait_for()
        db.save_deal({"id": "2", "name": "Nowhere yet", "amount": 5})
        page.locator(".column:not([data-stage]) .card:has-text('Nowhere yet')").wait_for()
