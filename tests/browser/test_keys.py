"""The board without a mouse: filter, move, say why, insist, open, save and delete, each by keys alone."""

from __future__ import annotations

from browser.cards import column, deaf, deal_of, saved
from browser.conftest import Own, Window
from browser.visit import Visit
from dealdb import DealDatabase


def tab_to(visit: Visit, selector: str, most: int = 80) -> None:
    """Press Tab until the focus is on what a selector means."""
    for _ in range(most):
        if visit.page.evaluate("s => document.activeElement?.matches(s)", selector):
            return
        visit.page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not come to {selector}")


def test_a_filter_a_move_and_a_loss(window: Window, own: Own, db: DealDatabase) -> None:
    where = own("Lead", "Lead").removeprefix("/?where=source+%3D+%27").removesuffix("%27")
    source = where.replace("+", " ")
    db.save_deal({"id": f"{source} lost", "stage": "Lost", "loss_reason": "Too dear, again"})
    visit = window("/?sort=name")
    keys = visit.page.keyboard
    tab_to(visit, "#where")
    keys.type(f"source = '{source}'")
    with visit.page.expect_navigation():
        keys.press("Enter")
    tab_to(visit, f".card[data-id='{source}-0'] > a")
    keys.press("Alt+ArrowRight")
    saved(visit)
    assert deal_of(db, f"{source}-0")["stage"] == "Qualified"
    # the menu of the same card, to its last item
    keys.press("Tab")
    keys.press("Enter")
    visit.page.wait_for_selector("#move-menu:not([hidden])")
    keys.press("End")
    keys.press("Enter")
    visit.page.wait_for_selector("#why[open]")
    offered = visit.page.eval_on_selector_all(
        "#why-reasons option", "each => each.map((one) => one.value)"
    )
    # the reasons of the deals so far, the usual ones first
    assert offered[:2] == ["Price", "No decision"]
    assert "Too dear, again" in offered
    keys.type("nobody asked before")
    keys.press("Enter")
    visit.page.wait_for_selector("#said:has-text('Lost')")
    deal = deal_of(db, f"{source}-0")
    assert (deal["stage"], deal["loss_reason"]) == ("Lost", "nobody asked before")


def test_a_conflict_is_decided(window: Window, own: Own, db: DealDatabase) -> None:
    path = own("Lead")
    visit = window()
    deaf(visit)
    visit.expected = {409}
    visit.open(path)
    tab_to(visit, ".card > a")
    id_ = visit.page.evaluate("document.activeElement.closest('.card').dataset.id")
    db.update_deal(id_, amount=7)
    keys = visit.page.keyboard
    for button, stage in (("Take theirs", "Lead"), ("Save mine over it", "Qualified")):
        keys.press("Alt+ArrowRight")
        visit.page.wait_for_selector("#conflict[open]")
        tab_to(visit, f"#conflict button[value={'theirs' if 'theirs' in button else 'mine'}]")
        assert visit.page.evaluate("document.activeElement.textContent") == button
        keys.press("Enter")
        visit.page.wait_for_selector("#conflict", state="hidden")
        column(visit, stage).locator(".card:not(.moving)").wait_for()
        visit.page.wait_for_selector("#said:not(:empty)")
        assert deal_of(db, id_)["stage"] == stage
        # the focus stays on the card, whoever was right
        assert visit.page.evaluate("document.activeElement.closest('.card')?.dataset.id") == id_
        db.update_deal(id_, amount=8)


def test_a_deal_is_opened_saved_and_deleted(window: Window, own: Own, db: DealDatabase) -> None:
    visit = window(own("Lead"))
    keys = visit.page.keyboard
    tab_to(visit, ".card > a")
    id_ = visit.page.evaluate("document.activeElement.closest('.card').dataset.id")
    with visit.page.expect_navigation():
        keys.press("Enter")
    tab_to(visit, "[name=owner]")
    keys.press("Control+A")
    keys.type("Grace Kim")
    tab_to(visit, "#save")
    with visit.page.expect_navigation():
        keys.press("Enter")
    assert deal_of(db, id_)["owner"] == "Grace Kim"
    tab_to(visit, "#delete")
    keys.press("Enter")
    visit.page.wait_for_selector("#sure[open]")
    # the first button of the question keeps the deal
    assert visit.page.evaluate("document.activeElement.value") == "no"
    tab_to(visit, "#sure [value=yes]")
    with visit.page.expect_navigation():
        keys.press("Enter")
    assert db.get_deal(id_) is None
