"""Real pages: when they show something, and when a commit is in what they show."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks.board.started import Started

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
# when the header first named a commit, in ms since 1970
_WATCH = """() => {
  window.seen = {};
  const state = document.getElementById("state");
  new MutationObserver(() => {
    const number = state.textContent.replace(/[^0-9·]/g, "").split("·")[0];
    window.seen[number] ??= performance.timeOrigin + performance.now();
  }).observe(state, { childList: true, characterData: true, subtree: true });
}"""


@contextmanager
def browsing() -> Iterator[Browser]:
    """Chromium of this system."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def window(browser: Browser, at: Started) -> Iterator[Page]:
    """An empty window, signed in, with nothing in its cache."""
    context = browser.new_context(viewport={"width": 1360, "height": 800}, locale="en-US")
    if at.cookie:
        name, _, value = at.cookie.partition("=")
        context.add_cookies([{"name": name, "value": value, "url": at.address}])
    yield context.new_page()
    context.close()


def first_paint_s(browser: Browser, at: Started, path: str) -> float:
    """Seconds until a window that is new shows something of a page."""
    with window(browser, at) as page:
        page.goto(at.address + path)
        for _ in range(200):
            if (found := page.evaluate(_PAINT)) is not None:
                return float(found) / 1e3
            time.sleep(0.02)
    raise TimeoutError(f"{path} shows nothing")


def seen_after_s(
    browser: Browser, board: Started, save: Callable[[], int], n: int, pause_s: float
) -> Sequence[float]:
    """Seconds from each of so many saves until a page shows its number."""
    with window(browser, board) as page:
        page.goto(board.address + "/")
        page.wait_for_selector("#state.live")
        page.evaluate(_WATCH)
        saved = {}
        for _ in range(n):
            begun = time.time()
            saved[save()] = begun
            time.sleep(pause_s)
        page.wait_for_timeout(2_000)
        seen = {int(k): v / 1e3 for k, v in page.evaluate("window.seen").items() if k}
    return [
        min(when for number, when in seen.items() if number >= seq) - begun
        for seq, begun in saved.items()
    ]
