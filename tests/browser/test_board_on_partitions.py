"""The live board of a collection of several partitions: what others save, moves, conflicts, and the feed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from browser.cards import card, column, deaf, deal_of, own_id, saved
from browser.carried import CarriedBoard, carried_board
from browser.conftest import Own, Window, enter
from browser.visit import visiting
from dealdb import DealDatabase
from servers import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture
def server_of_partitions(new_server: Callable[..., Server]) -> Server:
    return new_server()


@pytest.fixture
def db(server_of_partitions: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(server_of_partitions.url, actor="ann", partitions=4) as db:
        # all together have many more commits than the partition of any deal
        for n in range(40):
            db.save_deal({"id": f"other {n}", "amount": n})
        yield db


@pytest.fixture
def carried(server_of_partitions: Server, db: DealDatabase) -> Iterator[CarriedBoard]:
    with carried_board(server_of_partitions.url) as found:
        yield found


@pytest.fixture
def window(browser: Browser, carried: CarriedBoard) -> Iterator[Window]:
    cookies = enter(browser, carried)
    with ExitStack() as opened:

        def new(path: str | None = None, **options: Any) -> Any:
            visit = opened.enter_context(
                visiting(browser, carried.address, cookies=cookies, **options)
            )
            return visit.open(path) if path else visit

        yield new


def test_a_card_that_others_have_changed_is_shown_and_moved(
    window: Window, own: Own, db: DealDatabase
) -> None:
    visit = window(own("Lead", "Proposal", "Qualified"))
    id_ = own_id(visit, "Deal 0")
    visit.page.wait_for_selector("#state.live")
    db.update_deal(id_, amount=77)
    card(visit, "77.00").wait_for()
    # twice in a row: what the page itself has saved is no conflict
    for stage in ("Proposal", "Qualified"):
        card(visit, "Deal 0").drag_to(column(visit, stage))
        saved(visit)
        column(visit, stage).locator(".card", has_text="Deal 0").wait_for()
        assert deal_of(db, id_)["stage"] == stage


@pytest.mark.parametrize("answer", ["theirs", "mine"])
def test_a_conflict_of_two_pages_is_told_with_both_ways_out(
    window: Window, own: Own, db: DealDatabase, answer: str
) -> None:
    path = own("Lead", "Proposal", "Qualified")
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
    assert "Proposal" in dialog.inner_text()
    dialog.locator(f"[value={answer}]").click()
    visit.page.wait_for_selector("#conflict", state="hidden")
    visit.page.wait_for_selector("#said:not(:empty)")
    wanted = {"theirs": "Proposal", "mine": "Qualified"}[answer]
    column(visit, wanted).locator(".card", has_text="Deal 0").wait_for()
    assert deal_of(db, id_)["stage"] == wanted


def test_the_feed_shows_what_others_save(window: Window, db: DealDatabase) -> None:
    visit = window("/feed")
    visit.page.wait_for_selector("#state.live")
    for n in range(6):
        db.save_deal({"id": f"seen {n}", "name": f"Seen {n}", "amount": n})
    for n in range(6):
        visit.page.locator("#commits > li", has_text=f"Seen {n}").wait_for()
    assert visit.page.locator("#commits > li", has_text="Seen").count() == 6
