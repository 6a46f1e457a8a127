"""``Visit``: a window at a board, which notes everything that no page may do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from browser.chromium import TIMEOUT_MS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request

# Chromium writes it for every answer that is an error, and a test that provokes one knows
_STATUS = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")


class Visit:
    """
    A window with a page of the board.

    Attributes
    ----------
    faults
        What no page may do: a dialog, an error or a warning in the console, a request to another host, an answer
        with a status that was not expected. ``visiting`` has none left at the end.
    expected
        Statuses of errors that the test provokes.
    """

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.faults: list[str] = []
        self.expected: set[int] = set()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("dialog", self._dialog)
        page.on("request", self._request)

    def open(self, path: str) -> Visit:
        """Go to a path of the board."""
        self.page.goto(self.address + path)
        return self

    @property
    def path(self) -> str:
        """The path and the options of where the window is."""
        return str(self.page.url).removeprefix(self.address)

    def sideways(self) -> int:
        """How far the whole page can be scrolled sideways, in pixels."""
        return int(self.page.evaluate("() => { scrollTo(100_000, 0); return scrollX; }"))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        status = _STATUS.search(message.text)
        if status is None or int(status[1]) not in self.expected:
            self.faults.append(f"console: {message.text} ({message.location['url']})")

    def _dialog(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and not request.url.startswith(self.address + "/"):
            self.faults.append(f"request to elsewhere: {request.url}")


@contextmanager
def visiting(
    browser: Browser, address: str, *, cookies: Any = (), **options: Any
) -> Iterator[Visit]:
    """A window with cookies and options of its own, which has done nothing wrong at the end."""
    context = browser.new_context(**{"locale": "en-GB", "timezone_id": "UTC"} | options)
    context.set_default_timeout(TIMEOUT_MS)
    context.add_cookies(list(cookies))
    visit = Visit(context.new_page(), address)
    try:
        yield visit
    finally:
        context.close()
    assert visit.faults == [], visit.faults
