"""What a finger can do on a phone: all that a mouse can."""

from __future__ import annotations

from browser.conftest import Window

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def test_the_menu_shows_the_page_that_one_is_on(window: Window) -> None:
    visit = window(**PHONE)
    for path in ("/", "/feed", "/sql", "/health"):
        page = visit.open(path).page
        box = page.locator(".menu [aria-current]").bounding_box()
        assert box is not None
        assert box["x"] >= 0, path
        assert box["x"] + box["width"] <= 390, path


def test_a_table_is_sorted_by_touch(window: Window) -> None:
    visit = window("/deals", **PHONE)
    page = visit.page
    # the heads are not there on a phone
    assert not page.locator("#deals thead").is_visible()
    page.locator("summary", has_text="Sort").tap()
    page.get_by_role("link", name="amount").tap()
    page.wait_for_url("**sort=-amount*")
    amounts = page.locator("#deals td.number.extra").all_inner_texts()[:10]
    numbers = [float(each.split()[0].replace(",", "")) for each in amounts]
    assert numbers == sorted(numbers, reverse=True)
    page.locator("summary", has_text="Sort").tap()
    assert "descending" in page.locator(".sorts [aria-current]").inner_text()
    page.locator(".sorts [aria-current]").tap()
    page.wait_for_url("**sort=amount*")


def test_a_folded_part_says_that_it_opens(window: Window) -> None:
    page = window("/deals", **PHONE).page
    mark = page.locator(".facets > summary").evaluate(
        "(each) => getComputedStyle(each, '::after').content"
    )
    assert "▾" in mark


def test_a_page_that_asks_for_values_shows_no_deals_that_could_be_out_of_date(
    window: Window,
) -> None:
    visit = window("/deals?where=amount+%3E+:least")
    visit.page.wait_for_timeout(1500)
    assert "not up to date" not in visit.page.inner_text("header")


def test_charts_that_the_server_has_drawn_can_be_read(window: Window) -> None:
    visit = window(**PHONE)
    visit.page.set_default_timeout(60_000)
    for path in ("/figures?all=1", "/changes?since=this-quarter"):
        page = visit.open(path).page
        scales = page.eval_on_selector_all(
            ".drawing svg.chart",
            "charts => charts.map((each) => each.getBoundingClientRect().width / each.viewBox.baseVal.width)",
        )
        assert scales, path
        # its smallest letters have 11 pixels
        assert min(scales) > 0.8, path
        assert visit.sideways() == 0
