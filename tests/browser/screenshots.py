"""Pictures of the pages: ``make screenshots`` writes those of docs/board.md, ``--all`` every page in every form."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from browser.carried import carried_board
from browser.chromium import chromium
from browser.conftest import enter
from browser.places import paths
from browser.visit import visiting
from dealdb import DealDatabase
from dealdb.sample import deals
from servers import BINARIES, EVERY_SECOND, Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# small files: 150 kB are enough for any of them
MOST_BYTES = 150_000
TODAY = date(2026, 11, 27)
WIDE = {"viewport": {"width": 1360, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}
FORMS: Mapping[str, Mapping[str, Any]] = {
    "light": WIDE,
    "dark": WIDE | {"color_scheme": "dark"},
    "phone": PHONE,
    "print": {"viewport": {"width": 794, "height": 1123}},
}
# those that docs/board.md shows: page and form
SHOWN = {
    "board": ("/", "light"),
    "board-dark": ("/", "dark"),
    "board-phone": ("/", "phone"),
    "deals": ("/deals?where=amount+%3E+20000&sort=-amount", "light"),
    "deal": ("/deals/D0042", "light"),
    "figures": ("/figures", "light"),
    "changes": ("/changes", "light"),
    "health": ("/health", "light"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true", help="every page in every form")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with (
        chromium() as browser,
        tempfile.TemporaryDirectory(prefix="dealdb") as folder,
    ):
        server = Server(BINARIES["valkey9"]() or Path("none"), Path(folder), *EVERY_SECOND).start()
        try:
            _fill(server)
            _take(browser, server, options.folder, _wanted(every=options.all))
        finally:
            server.stop()


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


def _wanted(*, every: bool) -> dict[str, tuple[str, str]]:
    known = paths("D0042")
    if not every:
        bare = {path.partition("?")[0] for path in known}
        return {name: each for name, each in SHOWN.items() if each[0].partition("?")[0] in bare}
    return {
        f"{number:02}{path.partition('?')[0].replace('/', '-')}-{form}": (path, form)
        for number, path in enumerate(known)
        for form in FORMS
    }


def _take(
    browser: Browser, server: Server, folder: Path, wanted: Mapping[str, tuple[str, str]]
) -> None:
    with carried_board(server.url) as board:
        cookies = enter(browser, board)
        for name, (path, form) in wanted.items():
            with visiting(
                browser, board.address, cookies=cookies, reduced_motion="reduce", **FORMS[form]
            ) as visit:
                page = visit.open(path).page
                page.emulate_media(media="print" if form == "print" else "screen")
                page.wait_for_timeout(400)
                to = folder / f"{name}.png"
                page.screenshot(path=str(to))
                _shrink(to)
                print(f"{to}: {to.stat().st_size:,} bytes")


def _shrink(picture: Path) -> None:
    """Few colours do for flat pages, and a picture stays in the repository for ever."""
    from PIL import Image

    with Image.open(picture) as whole:
        whole.convert("RGB").quantize(256).save(picture, optimize=True)
    if picture.stat().st_size > MOST_BYTES:
        raise ValueError(f"{picture} has {picture.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
