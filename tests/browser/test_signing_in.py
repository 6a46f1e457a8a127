"""Who comes in, by which address, and who doesn't."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from browser.carried import CarriedBoard, carried_board
from browser.conftest import Window
from browser.visit import visiting
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
