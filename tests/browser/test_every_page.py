"""What holds of every page: nothing from elsewhere, no fault of access, no scrolling sideways, no attack by names."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from browser.carried import CarriedBoard, carried_board
from browser.conftest import Window, enter
from browser.places import ERRORS, paths, serious_faults
from browser.visit import visiting
from dealdb import DealDatabase
from servers import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
ATTACKS = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    '"onload=alert(3) onfocus=alert(3) autofocus x="',
    "' onmouseover='alert(4)",
    "javascript:alert(5)",
    "{{ 7 * 7 }}{% raw %}",
    "</textarea></select></title><svg onload=alert(6)>",
    '=HYPERLINK("http://evil.example")',
    "\u202eevil\u2066 \u200fmarks",
    "x" * 10_000,
    "long words " * 200,
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(window: Window, scheme: str) -> None:
    visit = window(color_scheme=scheme)
    visit.expected = set(ERRORS.values())
    found = [
        fault for path in [*paths("D0001"), *ERRORS] for fault in serious_faults(visit.open(path))
    ]
    assert found == []


def test_axe_finds_nothing_serious_on_a_phone(window: Window) -> None:
    visit = window(**PHONE)
    assert [f for path in paths("D0001") for f in serious_faults(visit.open(path))] == []


def test_no_page_scrolls_sideways_on_a_phone(window: Window) -> None:
    visit = window(**PHONE)
    visit.expected = set(ERRORS.values())
    for path in [*paths("D0001"), *ERRORS]:
        assert visit.open(path).sideways() == 0, path


def test_nothing_moves_for_those_who_want_no_motion(window: Window) -> None:
    visit = window(reduced_motion="reduce")
    for path in paths("D0001"):
        moving = visit.open(path).page.evaluate(
            """[...document.querySelectorAll("*")].filter((each) => {
              const style = getComputedStyle(each);
              const times = `${style.transitionDuration},${style.animationDuration}`.split(",");
              return times.some((time) => parseFloat(time) > 0.001);
            }).map((each) => each.outerHTML.slice(0, 80))"""
        )
        assert moving == [], path


@pytest.fixture(scope="module")
def hostile(browser: Browser, binary: Path) -> Iterator[CarriedBoard]:
    """A board of deals whose every text attacks."""
    with tempfile.TemporaryDirectory(prefix="dealdb") as folder:
        server = Server(binary, Path(folder)).start()
        with DealDatabase.from_url(server.url) as db:
            for number, text in enumerate(ATTACKS):
                db.save_deal(hostile_deal(str(number), text))
                db.save_deal({"id": str(number), "amount": 7, "owner": text[::-1]})
            # an id may be an attack as well
            db.save_deal(hostile_deal("<b>/../?a=1&b#c\"'", ATTACKS[0]))
            db.query.save("hot", "name = '</script><script>alert(8)</script>'")
        with carried_board(server.url) as board:
            yield board
        server.stop()


def hostile_deal(id_: str, text: str) -> dict[str, Any]:
    who = {"owner": text, "company": text, "source": text, "loss_reason": text}
    return {"id": id_, "name": text, "amount": "12.50", "currency": "EUR", "stage": "Lead", **who}


@pytest.fixture(scope="module")
def hostile_cookies(browser: Browser, hostile: CarriedBoard) -> Any:
    return enter(browser, hostile)


def test_no_name_of_a_deal_does_anything(
    browser: Browser, hostile: CarriedBoard, hostile_cookies: Any
) -> None:
    evil_id = "%3Cb%3E%2F..%2F%3Fa%3D1%26b%23c%22%27"
    every = [path for number in range(len(ATTACKS)) for path in (f"/deals/{number}",)]
    for options in ({}, PHONE):
        with visiting(browser, hostile.address, cookies=hostile_cookies, **options) as visit:
            visit.expected = {404}
            for path in dict.fromkeys([*paths("0"), *every, f"/deals/{evil_id}"]):
                page = visit.open(path).page
                assert page.locator("img[src=x], svg[onload], [onerror], [onload]").count() == 0
                assert visit.sideways() == 0, path
                # nothing has to be executed for it to be seen
                page.mouse.move(200, 200)
            assert serious_faults(visit.open("/deals")) == []


def test_links_of_the_table_lead_to_their_deals_whatever_they_are_called(
    browser: Browser, hostile: CarriedBoard, hostile_cookies: Any
) -> None:
    with visiting(browser, hostile.address, cookies=hostile_cookies) as visit:
        page = visit.open("/deals?columns=id,name").page
        links = page.eval_on_selector_all(
            "#deals tbody tr",
            "rows => rows.map((row) => [row.cells[0].innerText, row.querySelector('a').href])",
        )
        assert len(links) == len(ATTACKS) + 1
        for id_, address in links:
            page.goto(address)
            assert page.inner_text(".head .sub").strip() == id_.strip()
