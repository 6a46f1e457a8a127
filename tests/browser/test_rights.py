"""A board that only reads, several collections, and a user of the server who may read one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from browser.carried import carried_board
from browser.conftest import enter
from browser.visit import visiting
from dealdb import DealDatabase
from servers import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_a_board_that_only_reads_offers_and_takes_no_change(
    browser: Browser, sample_server: Server, db: DealDatabase
) -> None:
    with (
        carried_board(sample_server.url, "--read-only") as board,
        visiting(browser, board.address, cookies=enter(browser, board)) as visit,
    ):
        visit.expected = {403}
        page = visit.open("/").page
        assert "read-only" in page.inner_text("header")
        for path in ("/", "/deals", "/deals/D0001", "/deals/new"):
            visit.open(path)
            assert page.locator("#save, #delete, .move, #save-query, [data-forget]").count() == 0
        before = db.get_deal("D0001")
        status = page.evaluate(
            """async () => (await fetch("/deals/D0001", {method: "POST", headers: {"X-Dealdb": "1",
              "Content-Type": "application/json"}, body: '{"expect_rev": 1, "changes": {"name": "x"}}'})).status"""
        )
        assert status == 403
        assert db.get_deal("D0001") == before


def test_a_user_without_rights_to_a_collection_sees_nothing_of_it(
    browser: Browser, sample_server: Server
) -> None:
    with DealDatabase.from_url(sample_server.url, collection="secret") as secret:
        secret.save_deal({"id": "s1", "name": "Top secret", "stage": "Lead", "amount": 77})
    with sample_server.client() as client:
        client.acl_setuser(
            "viewer", enabled=True, passwords=["+a password"], reset=True,
            keys=["deals:*", "deal:*"], channels=["deal*"], categories=["+@all", "-@dangerous"],
            commands=["+info"],
        )  # fmt: skip
    url = f"redis://viewer:a%20password@127.0.0.1:{sample_server.port}/0"
    with (
        carried_board(url, "--read-only", "--collections=deal,secret") as board,
        visiting(browser, board.address, cookies=enter(browser, board)) as visit,
    ):
        page = visit.open("/deal/deals").page
        page.wait_for_selector("#deals tbody tr")
        visit.expected = {403}
        for path in ("/secret/", "/secret/deals", "/secret/deals.json", "/secret/deals.csv", "/secret/deals/s1"):
            visit.open(path)
            text = page.content()
            assert "Top secret" not in text
            assert "a password" not in text
            assert "77" not in page.inner_text("body")
