"""
Pictures of the pages: ``make screenshots`` writes those of docs/board.md, each page in four forms.

A second run gives the same pictures: the sample deals are those of a fixed day, which is that of the server (by
libfaketime) and of the board (by ``fixed_day``), and what a page measures is replaced. Letters are those of this
machine.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from browser.carried import carried_board
from browser.chromium import chromium
from browser.conftest import enter
from browser.visit import visiting
from dealdb import DealDatabase
from dealdb.sample import deals
from servers import BINARIES, EVERY_SECOND, Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# a picture stays in the repository for ever
MOST_BYTES = 150_000
COLOURS = 64
TODAY = date(2026, 11, 27)
LIBRARY = "*/faketime/libfaketime.so.1"
WIDE = {"viewport": {"width": 1360, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}
FORMS: Mapping[str, Mapping[str, Any]] = {
    "light": WIDE,
    "dark": WIDE | {"color_scheme": "dark"},
    "phone": PHONE,
    "print": {"viewport": {"width": 794, "height": 1123}},
}
PAGES = {
    "board": "/",
    "lanes": "/?by=owner",
    "deals": "/deals?where=amount+%3E+20000&sort=-amount",
    "deal": "/deals/D0042",
    "figures": "/figures",
    "figure": "/figures/win-rate?by=owner",
    "changes": "/changes?since=2026-11-23",
    "feed": "/feed",
    "question": "/sql?q=SELECT+owner%2C+sum%28amount%29+AS+won+FROM+deals+GROUP+BY+owner+ORDER+BY+won+DESC",
    "health": "/health",
}
# milliseconds and megabytes are other ones each time
_STEADY = """() => {
  const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode;
    text.data = text.data.replace(/[\\d.]+ ms/g, "0.10 ms").replace(/[\\d.]+ MB/g, "1.5 MB");
  }
}"""
# parts that are loaded once they are near, and are not there yet
_LOADING = """() => [...document.querySelectorAll("[data-load]")].filter((place) =>
  place.querySelector(".waiting") && place.getBoundingClientRect().top < innerHeight + 300).length"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("pages", nargs="*", help=f"of {', '.join(PAGES)}; all by default")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    pages = {name: PAGES[name] for name in options.pages or PAGES}
    with (
        chromium() as browser,
        tempfile.TemporaryDirectory(prefix="dealdb") as folder,
    ):
        binary = BINARIES["valkey9"]() or Path("none")
        server = Server(binary, Path(folder), *EVERY_SECOND, env=clock()).start()
        try:
            _fill(server)
            with carried_board(server.url, program=("browser.fixed_day", str(TODAY))) as board:
                cookies = enter(browser, board)
                for name, path in pages.items():
                    for form in FORMS:
                        to = options.folder / f"{name}{'' if form == 'light' else f'-{form}'}.png"
                        _take(browser, board.address + path, form, to, cookies)
        finally:
            server.stop()


def clock() -> dict[str, str]:
    """What lets the server begin at ten o'clock of the fixed day."""
    found = next(Path("/usr/lib").glob(LIBRARY), None)
    if found is None:
        raise SystemExit("the pictures need libfaketime: apt-get install faketime")
    # a clock that only tells how long something took goes on
    steady = dict.fromkeys(("DONT_FAKE_MONOTONIC", "FAKETIME_DONT_FAKE_MONOTONIC"), "1")
    return {"LD_PRELOAD": str(found), "FAKETIME": f"@{TODAY} 10:00:00", "TZ": "UTC", **steady}


def _fill(server: Server) -> None:
    """The sample deals, and what a team does with some of them."""
    with DealDatabase.from_url(server.url, actor="import") as db:
        db.loader.load(deals(today=TODAY), bar=False)
        with db.acting_as("grace"):
            db.update_deal("D0042", owner="Grace Kim")
        with db.acting_as("dev"):
            db.update_deal("D0042", amount="18250.00")
        with db.acting_as("ann"):
            db.query.save("large and open", "amount > 50000 AND closed IS NULL")


def _take(browser: Browser, address: str, form: str, to: Path, cookies: Any) -> None:
    place = address.index("/", len("http://"))
    with visiting(
        browser, address[:place], cookies=cookies, reduced_motion="reduce", **FORMS[form]
    ) as visit:
        visit.page.set_default_timeout(60_000)
        page = visit.open(address[place:]).page
        page.emulate_media(media="print" if form == "print" else "screen")
        _settle(page)
        page.screenshot(path=str(to))
    _shrink(to)
    print(f"{to}: {to.stat().st_size:,} bytes")


def _settle(page: Page) -> None:
    """Wait until the page is whole, and take what differs from run to run out of it."""
    page.wait_for_selector("#state.live", state="attached", timeout=60_000)
    deadline = time.monotonic() + 60
    while page.evaluate(_LOADING) and time.monotonic() < deadline:
        time.sleep(0.1)
    if page.url.endswith("/health"):
        page.evaluate(_STEADY)


def _shrink(picture: Path) -> None:
    """Few colours do for flat pages."""
    from PIL import Image

    with Image.open(picture) as whole:
        whole.convert("RGB").quantize(COLOURS).save(picture, optimize=True)
    if picture.stat().st_size > MOST_BYTES:
        raise ValueError(f"{picture} has {picture.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
