"""Every form of chart in a browser: what lies where is known to it alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools import chart_sheet

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FAULTS = """
() => {
  const found = [];
  for (const box of document.querySelectorAll("div[data-name]")) {
    const picture = box.querySelector("svg").getBoundingClientRect();
    const texts = [...box.querySelectorAll("svg text")].map((text) => [
      [...text.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data).join(""),
      text.getBoundingClientRect(),
    ]).filter(([words]) => words.trim());
    texts.forEach(([words, at], number) => {
      if (at.left < picture.left - 1 || at.right > picture.right + 1 || at.bottom > picture.bottom + 1)
        found.push(`${box.dataset.name}: "${words}" leaves the picture`);
      for (const [other, there] of texts.slice(number + 1)) {
        const wide = Math.min(at.right, there.right) - Math.max(at.left, there.left);
        const high = Math.min(at.bottom, there.bottom) - Math.max(at.top, there.top);
        if (wide > 1 && high > 4) found.push(`${box.dataset.name}: "${words}" lies over "${other}"`);
      }
    });
  }
  return found;
}
"""


def faults(browser: Browser, page: str) -> list[str]:
    """What is wrong with a page of charts, a line each."""
    window = browser.new_page()
    window.set_content(page)
    found: list[str] = window.evaluate(FAULTS)
    window.close()
    return found


def test_no_text_leaves_its_picture_or_lies_over_another(browser: Browser) -> None:
    assert faults(browser, chart_sheet.page_to_check()) == []
    twice = "<text y='9'>one</text><text y='9'>two</text>"
    assert faults(browser, f"<div data-name='x'><svg>{twice}</svg></div>") == [
        'x: "one" lies over "two"'
    ]
