"""What a finger can do on a phone: all that a mouse can."""

from __future__ import annotations

import io
from collections import Counter
from typing import Literal

import pytest

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


# of 256: what an eye sees without looking for it, also among dark colours
LEAST_SHADE = 15
_EDGES = """each => {
  const box = each.getBoundingClientRect();
  return [box.left + each.clientLeft, box.top + each.clientTop, each.clientWidth, each.clientHeight];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_wider_than_a_phone_is_shaded_where_it_goes_on(
    window: Window, scheme: Literal["light", "dark"]
) -> None:
    visit = window(color_scheme=scheme, **PHONE)
    for path, what in (
        ("/figures/leaderboard", ".figures-table .wide"),
        ("/changes?since=this-quarter", "#waterfall figure"),
    ):
        page = visit.open(path).page
        wide = page.locator(what).first
        wide.scroll_into_view_if_needed()
        assert wide.evaluate("each => each.scrollWidth > each.clientWidth + 50"), path
        found = []
        for to in ("0", "each.scrollWidth"):
            wide.evaluate(f"each => {{ each.scrollLeft = {to}; }}")
            found.append(_shades(page.screenshot(), wide.evaluate(_EDGES)))
        (left, right), (left_after, right_after) = found
        # nothing is left of it at first, nothing right of it at last
        assert left == right_after, path
        assert min(left - right, right_after - left_after) > LEAST_SHADE, path
        page.emulate_media(media="print")
        assert "gradient" not in wide.evaluate("each => getComputedStyle(each).backgroundImage")
        page.emulate_media(media="screen")


def _shades(picture: bytes, box: list[float]) -> tuple[int, int]:
    """How light most of the left edge is, and most of the right one: from 0 to 255."""
    from PIL import Image

    image = Image.open(io.BytesIO(picture)).convert("L")
    x, y, width, height = box
    rows = range(int(max(y, 0)) + 60, min(int(y + height), image.height) - 2)
    lightness: list[int] = [
        Counter(image.getpixel((at, row)) for row in rows).most_common(1)[0][0]  # type: ignore[misc]  # one number each
        for at in (int(x) + 1, int(x + width) - 2)
    ]
    return lightness[0], lightness[1]
