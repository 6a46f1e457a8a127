"""Cards of the board as a test finds them in a window."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from browser.visit import Visit
    from dealdb import DealDatabase
    from dealdb.store.deal import Deal


def card(visit: Visit, name: str) -> Locator:
    return visit.page.locator(f".column .card:has-text('{name}')")


def column(visit: Visit, stage: str, lane: str | None = None) -> Locator:
    within = "" if lane is None else f".lane[data-lane='={lane}'] "
    return visit.page.locator(f"{within}.column[data-stage='{stage}']")


def own_id(visit: Visit, name: str) -> str:
    return str(card(visit, name).get_attribute("data-id"))


def saved(visit: Visit) -> str:
    """Wait until what was moved is saved; what is said of it."""
    visit.page.wait_for_selector(".card.moving", state="detached")
    visit.page.wait_for_selector("#said:not(:empty)")
    return str(visit.page.inner_text("#said"))


def deal_of(db: DealDatabase, id_: str) -> Deal:
    deal = db.get_deal(id_)
    assert deal is not None
    return deal


def deaf(visit: Visit) -> None:
    """Let the window hear nothing of what others do, as one whose link was cut."""
    visit.page.route("**/live?*", lambda route: route.fulfill(status=204))
