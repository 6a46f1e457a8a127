"""Swimlanes: a card in another lane is a deal of that lane, by mouse, keys and menu; lanes come, go and count live."""

from __future__ import annotations

import pytest

from browser.cards import card, column, deaf, deal_of, own_id, saved
from browser.conftest import Own, Window
from browser.places import serious_faults
from dealdb import DealDatabase

OWNERS = ("Ann Lee", "Ben Okafor")


def test_a_card_dropped_in_another_lane_has_its_owner_and_stage(
    window: Window, own: Own, db: DealDatabase
) -> None:
    visit = window(own("Lead", "Lead", owners=OWNERS) + "&by=owner")
    id_ = own_id(visit, "Deal 0")
    card(visit, "Deal 0").drag_to(column(visit, "Proposal", "Ben Okafor"))
    told = saved(visit)
    assert told == "Deal 0 is in Proposal now and has the owner Ben Okafor now (was Ann Lee)."
    deal = deal_of(db, id_)
    assert (deal["stage"], deal["owner"]) == ("Proposal", "Ben Okafor")
    # the lane that was left has no deals any more, and goes
    visit.page.wait_for_selector(".lane[data-lane='=Ann Lee']", state="detached")
    assert column(visit, "Proposal", "Ben Okafor").locator(".card").count() == 1
    # by one commit, and nothing else of it was changed
    last = db.deal_history(id_).filter(seq=deal.rev)
    assert set(last["field"]) - {"updated"} == {"stage", "owner"}


def test_keys_and_menu_move_a_card_to_another_lane(
    window: Window, own: Own, db: DealDatabase
) -> None:
    visit = window(own("Lead", "Lead", "Lead", owners=(*OWNERS, "Cleo")) + "&by=owner")
    page, id_ = visit.page, own_id(visit, "Deal 0")
    lanes = page.eval_on_selector_all(".lane", "each => each.map((one) => one.dataset.lane)")
    assert lanes == ["=Ann Lee", "=Ben Okafor", "=Cleo"]
    card(visit, "Deal 0").locator("a").focus()
    page.keyboard.press("Alt+ArrowDown")
    assert saved(visit) == "Deal 0 has the owner Ben Okafor now (was Ann Lee)."
    assert deal_of(db, id_)["owner"] == "Ben Okafor"
    assert page.evaluate("document.activeElement.closest('.card').dataset.id") == id_
    # the lanes come in another order now, and a button that goes from under the mouse is not clicked
    page.wait_for_selector(".lane:first-of-type[data-lane='=Ben Okafor']")
    card(visit, "Deal 0").locator(".move").click()
    assert serious_faults(visit) == []
    # the end of a scroll that was under way: nothing has moved since the menu opened
    page.evaluate("document.querySelector('[data-cards]').dispatchEvent(new Event('scroll'))")
    page.get_by_role("menuitem", name="owner: Cleo").click()
    page.wait_for_selector("#said:has-text('Cleo')")
    assert (deal_of(db, id_)["stage"], deal_of(db, id_)["owner"]) == ("Lead", "Cleo")


def test_a_conflict_in_a_lane_saves_nothing_until_one_insists(
    window: Window, own: Own, db: DealDatabase
) -> None:
    path = own("Lead", "Lead", owners=OWNERS) + "&by=owner"
    visit = window()
    deaf(visit)
    visit.expected = {409}
    visit.open(path)
    id_ = own_id(visit, "Deal 0")
    db.update_deal(id_, owner="Zoe New")
    card(visit, "Deal 0").drag_to(column(visit, "Lead", "Ben Okafor"))
    dialog = visit.page.locator("#conflict[open]")
    assert "Zoe New" in dialog.inner_text()
    assert "Ben Okafor" in dialog.inner_text()
    assert deal_of(db, id_)["owner"] == "Zoe New"
    dialog.locator("[value=mine]").click()
    visit.page.wait_for_selector("#said:has-text('Ben Okafor')")
    assert deal_of(db, id_)["owner"] == "Ben Okafor"


@pytest.mark.parametrize("by", ["name", "currency"])
def test_a_lane_that_can_not_be_moved_to_takes_no_card(
    window: Window, own: Own, db: DealDatabase, by: str
) -> None:
    path = own("Lead", "Lead")
    visit = window(path)
    ids = [own_id(visit, f"Deal {n}") for n in (0, 1)]
    for id_, currency in zip(ids, ("EUR", "USD"), strict=True):
        db.update_deal(id_, currency=currency)
    visit.open(f"{path}&by={by}")
    lane = {"name": "Deal 1", "currency": "USD"}[by]
    card(visit, "Deal 0").drag_to(column(visit, "Proposal", lane))
    card(visit, "Deal 0").locator(".move").click()
    assert visit.page.locator("#lanes-to").is_hidden()
    visit.page.click("#move-menu [data-to=Qualified]")
    saved(visit)
    deal = deal_of(db, ids[0])
    assert (deal["stage"], deal["currency"], deal["name"]) == ("Qualified", "EUR", "Deal 0")


def test_lanes_and_their_numbers_follow_what_others_save(
    window: Window, own: Own, db: DealDatabase
) -> None:
    visit = window(own("Lead", "Lead", "Lead", owners=OWNERS) + "&by=owner")
    page = visit.page
    page.wait_for_selector("#state.live")
    ids = [own_id(visit, f"Deal {n}") for n in range(3)]
    assert "2 deals" in page.inner_text(".lane[data-lane='=Ann Lee'] h2")
    # an order of lanes that stays
    db.update_deal(ids[1], stage="Proposal")
    db.delete_deal(ids[0])
    page.wait_for_selector(".lane[data-lane='=Ann Lee'] h2:has-text('1 deal')")
    again = {"id": ids[0], "name": "Deal 0", "stage": "Lead"}
    db.save_deal(again | {"source": deal_of(db, ids[1])["source"]})
    page.wait_for_selector(".lane[data-lane='-'] .card")
    assert page.inner_text(".lane[data-lane='-'] h2").startswith("No owner")
    db.update_deal(ids[0], owner="")
    page.wait_for_selector(".lane[data-lane='='] .card")
    page.wait_for_selector(".lane[data-lane='-']", state="detached")
