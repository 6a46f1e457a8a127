"""An open page that missed something: it makes itself anew, and shows nothing that is no longer so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from boards import carried
from browser.cards import card, column, deal_of, own_id, saved
from browser.carried import carried_board
from browser.conftest import Own, Window, enter
from browser.visit import visiting
from dealdb import DealDatabase, Kind, Pipeline, Stage
from dealdb.board.app import app
from dealdb.board.kanban.board_view import MOST_LANES
from dealdb.board.live import hub
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


def test_a_lane_that_is_gone_when_the_link_is_back_is_not_shown(
    window: Window, own: Own, db: DealDatabase
) -> None:
    path = own("Lead", "Lead", owners=("Ann Lee", "Ben Ro")) + "&by=owner"
    id_ = own_id(window(path), "Deal 1")
    visit = window()
    asked: list[str] = []

    def first_cut(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            db.delete_deal(id_)
            route.fulfill(content_type="text/event-stream", body="retry: 100\n\n")
        else:
            route.continue_()

    visit.page.route("**/live?*", first_cut)
    visit.open(path)
    visit.page.wait_for_selector("#state.live")
    visit.page.wait_for_selector(".lane[data-lane='=Ben Ro']", state="detached")
    assert visit.page.locator(".lane").count() == 1


@pytest.fixture
def own_server(binary: Path, tmp_path: Path) -> Iterator[Server]:
    server = Server(binary, tmp_path / "own").start()
    yield server
    server.stop()


@pytest.mark.parametrize("options", ["", "?by=owner"])
def test_a_history_that_begins_again_shows_at_once(
    browser: Browser, own_server: Server, options: str
) -> None:
    with (
        DealDatabase.from_url(own_server.url) as db,
        carried_board(own_server.url) as board,
        visiting(browser, board.address, cookies=enter(browser, board)) as visit,
    ):
        for n in range(5):
            db.save_deal({"id": str(n), "name": f"Old {n}", "stage": "Lead", "owner": "Ann"})
        page = visit.open(f"/{options}").page
        card(visit, "Old 4").wait_for()
        page.wait_for_selector("#state.live")
        with own_server.client() as client:
            client.flushall()
        db.save_deal({"id": "new", "name": "The new one", "stage": "Lead", "owner": "Ann"})
        card(visit, "The new one").wait_for()
        assert page.locator(".card").count() == 1
        db.update_deal("new", name="The newest one")
        card(visit, "The newest one").wait_for()


def test_another_history_with_the_same_numbers_shows_at_once(
    browser: Browser, own_server: Server
) -> None:
    with (
        DealDatabase.from_url(own_server.url) as db,
        carried_board(own_server.url) as board,
        visiting(browser, board.address, cookies=enter(browser, board)) as visit,
    ):
        asked: list[str] = []

        def save(name: str, n: int) -> None:
            with DealDatabase.from_url(own_server.url) as other:
                for each in range(n):
                    other.save_deal({"id": str(each), "name": f"{name} {each}", "stage": "Lead"})

        def first_late(route: Route) -> None:
            asked.append(route.request.url)
            if len(asked) > 1:
                route.continue_()
                return
            with own_server.client() as client:
                client.flushall()
            save("New", 5)
            route.fulfill(content_type="text/event-stream", body="retry: 100\n\n")

        save("Old", 5)
        begun = db.changes().token.partition("-")[0]
        visit.page.route("**/live?*", first_late)
        visit.open("/")
        card(visit, "New 4").wait_for()
        assert db.changes().token.partition("-")[0] == begun
        assert visit.page.locator(".card").count() == 5
        assert card(visit, "Old").count() == 0


def test_lanes_that_are_left_out_are_told_as_they_come(
    browser: Browser, own_server: Server
) -> None:
    with (
        DealDatabase.from_url(own_server.url) as db,
        carried_board(own_server.url) as board,
        visiting(browser, board.address, cookies=enter(browser, board)) as visit,
    ):
        for n in range(MOST_LANES):
            db.save_deal({"id": str(n), "stage": "Lead", "owner": f"Owner {n}"})
        page = visit.open("/?by=owner").page
        page.wait_for_selector("#state.live")
        doubts, note = page.locator("[data-notes] details"), page.locator("[data-notes] .note")
        assert note.count() == 0
        doubts.locator("summary").click()
        db.save_deal({"id": "more", "stage": "Lead", "owner": "Somebody else"})
        note.get_by_text("1 further lane with 1 deal is not shown").wait_for()
        assert f"without an amount: {MOST_LANES + 1}" in doubts.inner_text()
        assert doubts.get_attribute("open") is not None
        assert page.evaluate("document.activeElement.matches('.doubts > summary')")


def test_a_move_that_is_taken_back_at_once_leaves_nothing_behind(
    browser: Browser, own_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the move and its end are told together, after the page has made two columns anew in between
    monkeypatch.setattr(hub, "JOIN_S", 4.0)
    with (
        DealDatabase.from_url(own_server.url) as db,
        carried(app(db)) as port,
        visiting(browser, f"http://127.0.0.1:{port}") as visit,
    ):
        db.set_pipeline(Pipeline((Stage("Lead", Kind.OPEN), Stage("Demo", Kind.OPEN))))
        db.save_deal({"id": "1", "name": "The first", "stage": "Lead"})
        db.save_deal({"id": "2", "name": "The second", "stage": "Demo"})
        page = visit.open("/").page
        page.wait_for_selector("#state.live")
        page.focus(".card[data-id='1'] a")
        page.keyboard.press("Alt+ArrowRight")
        page.wait_for_selector("[data-stage=Demo] .count:has-text('2')")
        db.update_deal("1", stage="Lead")
        page.wait_for_selector("[data-stage=Lead] .card[data-id='1']")
        page.wait_for_selector("[data-stage=Demo] .count:has-text('1')")
        assert page.locator(".card[data-id='1']").count() == 1


def test_a_page_that_could_not_be_made_anew_tries_again(
    browser: Browser, own_server: Server
) -> None:
    with (
        DealDatabase.from_url(own_server.url) as db,
        carried_board(own_server.url) as board,
        visiting(browser, board.address, cookies=enter(browser, board)) as visit,
    ):
        db.save_deal({"id": "1", "name": "The only one", "stage": "Lead"})
        visit.expected = {503}
        refused: list[str] = []

        def away(route: Route) -> None:
            # the page itself is there; what it asks for anew is not, for a while
            if route.request.resource_type == "fetch" and len(refused) < 2:
                refused.append(route.request.url)
                route.fulfill(status=503, body="the server is away")
            else:
                route.continue_()

        visit.page.route(board.address + "/", away)
        visit.open("/").page.wait_for_selector("#state.live")
        # all columns may be others: the page is to be made anew
        db.set_pipeline(Pipeline((Stage("New", Kind.OPEN), Stage("Lead", Kind.OPEN))))
        visit.page.wait_for_selector("#state.lost")
        column(visit, "New").wait_for()
        visit.page.wait_for_selector("#state.live")
        assert len(refused) == 2


def test_a_page_that_is_refused_keeps_one_stream(window: Window, own: Own) -> None:
    visit = window()
    visit.expected = {503}
    # what a page does when it is left: end its stream, and nothing for each one that it had
    visit.page.add_init_script(
        "window.leaving = 0; const add = window.addEventListener;"
        "window.addEventListener = function (kind, ...rest) {"
        " if (kind === 'pagehide') window.leaving += 1; return add.call(this, kind, ...rest); };"
    )
    refused: list[str] = []

    def twice(route: Route) -> None:
        refused.append(route.request.url)
        if len(refused) < 3:
            route.fulfill(status=503, body="too many pages are open")
        else:
            route.continue_()

    visit.page.route("**/live?*", twice)
    visit.open(own("Lead"))
    visit.page.wait_for_selector("#state.live")
    # refused, asked whether it is let in now, twice, and joined
    assert len(refused) == 4
    assert visit.page.evaluate("window.leaving") == 1


def test_a_table_says_of_how_many_deals_it_has_some(
    window: Window, own: Own, db: DealDatabase
) -> None:
    visit = window(own("Lead", "Lead").replace("/?", "/deals?"))
    visit.page.wait_for_selector("#state.live")
    said = visit.page.locator(".head .sub")
    before = int(said.inner_text().removeprefix("of ").replace(",", ""))
    try:
        db.save_deal({"id": "one more"})
        visit.page.wait_for_function(
            "said => document.querySelector('.head .sub').innerText === said",
            arg=f"of {before + 1:,}",
        )
    finally:
        db.delete_deal("one more")


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
        # to where the page had no column, and no stage in its menu
        card(visit, "The first").locator(".move").click()
        page.get_by_role("menuitem", name="New").click()
        column(visit, "New").locator(".card:has-text('The first')").wait_for()
        saved(visit)
        assert deal_of(db, "1")["stage"] == "New"
        db.save_deal({"id": "2", "name": "Nowhere yet", "amount": 5})
        page.locator(".column:not([data-stage]) .card:has-text('Nowhere yet')").wait_for()
