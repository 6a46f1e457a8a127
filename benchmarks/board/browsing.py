"""Real pages: when they show something, and when a commit is in what they show."""

from __future__ import annotations

import importlib.util
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.board.started import Started

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
# the page notes it by itself: what drives it would find it later
_SHOWN = """(() => {
  const look = () => {
    if (document.querySelector(%r)) window.shownAt = performance.now(); else requestAnimationFrame(look);
  };
  look();
})()"""
# when what the page shows first named a commit, in ms since 1970; also after it has reloaded itself
_WATCH = """(() => {
  window.seen = {};
  const look = () => { const number = %s; if (number) window.seen[number] ??= Date.now(); };
  document.addEventListener("DOMContentLoaded", () => {
    new MutationObserver(look).observe(
      document.body, { attributes: true, childList: true, characterData: true, subtree: true });
    look();
  });
})()"""
_WAIT_S = 120


@dataclass(frozen=True, slots=True)
class Look:
    """
    How a page is read.

    Attributes
    ----------
    content
        Selector of what a reader waits for.
    commit
        Expression for the number of the commit that the page shows.
    """

    content: str
    commit: str = "null"


@dataclass(frozen=True, slots=True)
class Opening:
    """Seconds until a new window shows anything, and until it shows what its reader waits for."""

    paint_s: float
    content_s: float


def can_browse() -> bool:
    """Whether there is a browser, and what drives it."""
    return _program() is not None and importlib.util.find_spec("playwright") is not None


def _program() -> str | None:
    return shutil.which("chromium") or shutil.which("google-chrome")


@contextmanager
def browsing() -> Iterator[Browser]:
    """Chromium of this system."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_program(), args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def window(browser: Browser, at: Started) -> Iterator[Page]:
    """An empty window, signed in, with nothing in its cache."""
    context = browser.new_context(viewport={"width": 1360, "height": 800}, locale="en-US")
    if at.cookie:
        name, _, value = at.cookie.partition("=")
        context.add_cookies([{"name": name, "value": value, "url": at.address}])
    context.set_default_timeout(1e3 * _WAIT_S)
    yield context.new_page()
    context.close()


def opening(browser: Browser, at: Started, path: str, look: Look) -> Opening:
    """How soon a window that is new shows a page."""
    with window(browser, at) as page:
        page.add_init_script(_SHOWN % look.content)
        page.goto(at.address + path)
        paint, content = _value(page, _PAINT), _value(page, "window.shownAt ?? null")
        return Opening(float(paint) / 1e3, float(content) / 1e3)


def watch(page: Page, at: Started, look: Look) -> None:
    """Open a board, and let the page note when it shows which commit."""
    page.add_init_script(_WATCH % look.commit)
    page.goto(at.address + "/")
    page.wait_for_selector(look.content)
    # its stream or socket, too
    page.wait_for_timeout(1_000)


def wait_for(page: Page, seq: int) -> None:
    """Until a page that is watched shows a commit, or a later one."""
    _value(page, f"Object.keys(window.seen).find((each) => each >= {seq}) ?? null")


def _value(page: Page, expression: str) -> Any:
    """The value of an expression, once it has one; asked for from outside, as the page's policy forbids it to ask."""
    end = time.monotonic() + _WAIT_S
    while (found := page.evaluate(expression)) is None:
        if time.monotonic() > end:
            raise TimeoutError(f"{page.url}: no {expression}")
        page.wait_for_timeout(20)
    return found


def seen_after(page: Page, commits: dict[int, float]) -> Iterable[float]:
    """
    Seconds from each commit until the page showed it or a later one.

    Parameters
    ----------
    commits
        When each was made, by its number: seconds since 1970, on the clock of this machine.
    """
    wait_for(page, max(commits))
    seen = {int(number): ms / 1e3 for number, ms in page.evaluate("window.seen").items()}
    return [
        min(when for number, when in seen.items() if number >= seq) - begun
        for seq, begun in commits.items()
    ]
