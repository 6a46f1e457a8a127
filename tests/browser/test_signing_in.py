"""Who comes in, by which address, and who doesn't."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import pytest

from browser.cards import card, own_id
from browser.carried import CarriedBoard, carried_board
from browser.conftest import Own, Window
from browser.visit import visiting
from dealdb import DealDatabase
from servers import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_the_printed_address_lets_in_once_and_nothing_of_it_stays(
    browser: Browser, sample_server: Server
) -> None:
    with carried_board(sample_server.url) as board:
        with visiting(browser, board.address) as visit:
            page = visit.open(board.entry.replace("/?", "/deals?where=amount+%3E+90000&")).page
            page.wait_for_selector("h1")
            assert visit.path == "/deals?where=amount+%3E+90000"
            assert page.evaluate("document.cookie") == ""
            [cookie] = page.context.cookies()
            assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
            assert cookie["value"] not in page.content()
        with visiting(browser, board.address) as visit:
            visit.expected = {403}
            page = visit.open(board.entry).page
            page.wait_for_url("**/login?used=1&*")
            assert "has been used" in page.inner_text("[role=alert]")
            assert "The terminal" in page.inner_text(".note")


def test_a_stranger_sees_the_form_and_no_deal(browser: Browser, board: CarriedBoard) -> None:
    with visiting(browser, board.address) as visit:
        page = visit.open("/deals/D0001").page
        page.wait_for_url("**/login?next=*")
        page.wait_for_selector("form")
        assert "D0001" not in page.inner_text("body")


def test_token_and_name_sign_in_and_lead_to_where_one_was_going(
    browser: Browser, sample_server: Server, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("open sesame, please\n")
    with (
        carried_board(sample_server.url, f"--token-file={token}") as board,
        visiting(browser, board.address) as visit,
    ):
        page = visit.open("/deals?where=stage+%3D+%27Won%27&sort=-amount").page
        page.wait_for_url("**/login?next=*")
        visit.expected = {403}
        page.fill("[name=token]", "wrong")
        page.fill("[name=name]", "Ann Lee")
        page.keyboard.press("Enter")
        page.wait_for_selector("[role=alert]")
        assert page.input_value("[name=name]") == "Ann Lee"
        page.fill("[name=token]", "open sesame, please")
        page.keyboard.press("Enter")
        page.wait_for_selector("#deals")
        assert visit.path == "/deals?where=stage+%3D+%27Won%27&sort=-amount"
        assert "Ann Lee" in page.inner_text("header")


def test_addresses_lead_to_this_board_only(
    browser: Browser, board: CarriedBoard, cookies: Any
) -> None:
    for target in (
        "//evil.example/x",
        "https://evil.example",
        "/\\evil.example",
        "\t//evil.example",
    ):
        with visiting(browser, board.address, cookies=cookies) as visit:
            visit.expected = {404}
            page = visit.page
            page.goto(f"{board.address}/login")
            page.evaluate(
                "target => { document.querySelector('[name=next]').value = target; }", target
            )
            page.fill("[name=name]", "Ann")
            page.click("button.primary")
            page.wait_for_url(lambda url: "/login" not in url)
            assert page.url.startswith(board.address + "/")


def test_a_window_of_another_site_changes_nothing(window: Window) -> None:
    # a page of another origin has neither the cookie nor the header
    visit = window("/deals")
    page = visit.page.context.new_page()
    page.goto("data:text/html,<h1>evil</h1>")
    answer = page.evaluate(
        """async address => {
          try {
            return (await fetch(address + "/deals/D0001/delete", {method: "POST", mode: "no-cors",
              credentials: "include", body: '{"expect_rev": 1}'})).type;
          } catch (error) { return String(error); }
        }""",
        visit.address,
    )
    assert answer in ("opaque", "TypeError: Failed to fetch")
    assert visit.open("/deals/D0001").page.inner_text("h1")


def test_a_page_goes_on_by_itself_when_the_board_is_back_with_its_token(
    browser: Browser, sample_server: Server, db: DealDatabase, own: Own, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("open sesame, please\n")
    path = own("Lead")
    with ExitStack() as window:
        with carried_board(sample_server.url, f"--token-file={token}") as board:
            visit = window.enter_context(visiting(browser, board.address))
            visit.expected = {401}
            page = visit.open(path).page
            page.fill("[name=token]", "open sesame, please")
            page.fill("[name=name]", "Ann Lee")
            page.keyboard.press("Enter")
            page.wait_for_selector("#state.live")
        visit.faults = [each for each in visit.faults if "ERR_" not in each]
        port = f"--port={board.address.rpartition(':')[2]}"
        with carried_board(sample_server.url, f"--token-file={token}", port):
            page.wait_for_selector("#state.live")
            db.update_deal(own_id(visit, "Deal 0"), amount=4321)
            card(visit, "4,321.00").wait_for()
            assert page.locator("#signed-out").count() == 0
        visit.faults = [each for each in visit.faults if "ERR_" not in each]


def test_a_page_whose_session_is_gone_says_what_to_do_and_goes_on_then(
    browser: Browser, sample_server: Server, db: DealDatabase, own: Own
) -> None:
    path = own("Lead")
    with ExitStack() as window:
        with carried_board(sample_server.url) as board:
            visit = window.enter_context(visiting(browser, board.address))
            visit.expected = {401}
            page = visit.open(board.entry).page
            page.wait_for_selector("#board")
            visit.open(path)
            page.wait_for_selector("#state.live")
        port = f"--port={board.address.rpartition(':')[2]}"
        with carried_board(sample_server.url, port) as again:
            page.wait_for_selector("#signed-out")
            assert page.inner_text("#state") == "signed out"
            link = page.get_by_role("link", name="Sign in again")
            assert link.get_attribute("href") == board.address + path
            other = page.context.new_page()
            other.goto(again.address + again.entry)
            other.wait_for_selector("#board")
            page.wait_for_selector("#signed-out", state="detached")
            page.wait_for_selector("#state.live")
            db.update_deal(own_id(visit, "Deal 0"), amount=4321)
            card(visit, "4,321.00").wait_for()
        # a board that is away
        visit.faults = [each for each in visit.faults if "ERR_" not in each]


@pytest.mark.parametrize("is_named", [True, False])
def test_a_frame_on_another_site_works_where_the_site_is_named(
    browser: Browser,
    sample_server: Server,
    db: DealDatabase,
    own: Own,
    tmp_path: Path,
    is_named: bool,
) -> None:
    token = tmp_path / "token"
    token.write_text("open sesame, please\n")
    path = f"{own('Lead')}&embed=1"
    with portal() as (origin, framing), ExitStack() as stack:
        named = origin if is_named else "https://portal.example"
        options = [f"--token-file={token}", f"--embed-origin={named}"]
        board = stack.enter_context(carried_board(sample_server.url, *options))
        context = browser.new_context(locale="en-GB")
        stack.callback(context.close)
        page = context.new_page()
        page.goto(framing(board.address + path))
        frame = page.frame_locator("iframe")
        if not is_named:
            # the browser's own page stands there
            framed = page.frames[1]
            framed.wait_for_url("chrome-error://**")
            assert framed.locator("form").count() == 0
            return
        frame.locator("[name=token]").fill("open sesame, please")
        frame.locator("[name=name]").fill("Ann Lee")
        frame.get_by_role("button", name="Sign in").click()
        shown = frame.locator(".card")
        shown.filter(has_text="Deal 0").wait_for()
        id_ = shown.get_attribute("data-id")
        frame.locator("#state.live").wait_for(state="attached")
        assert id_ is not None
        db.update_deal(id_, amount=4321)
        shown.filter(has_text="4,321.00").wait_for()
        # its links, and what is saved there
        shown.locator("a").click()
        frame.locator("[name=name]").fill("Saved in a frame")
        frame.locator("#save").click()
        frame.locator("h1", has_text="Saved in a frame").wait_for()
        assert frame.locator("body.embedded").count() == 1
        assert db.deal_history(id_)["who"].to_list()[-1] == "Ann Lee"
        # of no use to a page of the board itself, nor elsewhere
        [cookie] = context.cookies()
        assert (cookie["sameSite"], cookie["secure"], cookie["httpOnly"]) == ("None", True, True)
        page.goto(board.address + path)
        page.wait_for_selector("[name=token]")


@contextmanager
def portal() -> Iterator[tuple[str, Callable[[str], str]]]:
    """Another site: its origin, and what gives the address of its page that frames one of a board."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            address = unquote(self.path.partition("?")[2]).replace("&", "&amp;")
            self.wfile.write(f'<iframe src="{address}" width=900 height=700></iframe>'.encode())

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    # 127.0.0.1 is another site than localhost
    server = ThreadingHTTPServer(("localhost", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    origin = f"http://localhost:{server.server_port}"
    try:
        yield origin, lambda address: f"{origin}/?{quote(address, safe='')}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
