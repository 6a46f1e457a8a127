"""A board that only reads, several collections, and a user of the server who may read one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

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


# what docs/operations.md lists, without what changes a deal
READS = (
    "+ping +select +type +exists +scan +get +getrange +hget +hmget +hgetall +hscan +smembers "
    "+xlen +xrange +xread +eval +evalsha +time"
)


def test_a_user_without_rights_to_a_collection_sees_nothing_of_it(
    browser: Browser, sample_server: Server
) -> None:
    with DealDatabase.from_url(sample_server.url, collection="secret") as secret:
        secret.save_deal({"id": "s1", "name": "Top secret", "stage": "Lead", "amount": 77})
    with sample_server.client() as client:
        client.execute_command(
            *("ACL", "SETUSER", "viewer", "reset", "on", ">password", "~deal:*", "~deals:*"),
            *READS.split(),
        )
    url = f"redis://viewer:password@127.0.0.1:{sample_server.port}/0"
    # it says which right is missing before anybody can come in
    with (
        pytest.raises(AssertionError, match="withholds a right") as refused,
        carried_board(url, "--read-only", "--collection=secret"),
    ):
        pass
    assert "Top secret" not in str(refused.value)
    with (
        carried_board(url, "--read-only") as board,
        visiting(browser, board.address, cookies=enter(browser, board)) as visit,
    ):
        visit.expected = {404}
        for path in ("/", "/deals", "/deals/D0001", "/health"):
            text = visit.open(path).page.inner_text("main")
            assert "withholds a right" not in text, path
        visit.page.wait_for_selector("#state.live")
        for path in ("/secret/deals", "/deals/s1", "/deals?where=name+LIKE+%27Top%25%27"):
            assert "Top secret" not in visit.open(path).page.inner_text("body")
