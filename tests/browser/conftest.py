"""One browser and one board with sample deals for all tests, and windows that are signed in."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import date
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from browser.carried import CarriedBoard, carried_board
from browser.chromium import chromium
from browser.visit import Visit, visiting
from dealdb import DealDatabase
from dealdb.sample import deals
from servers import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

N_DEALS = 1_600
Window = Callable[..., Visit]
Own = Callable[..., str]
_numbers = count(1)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def sample_server(browser: Browser, binary: Path) -> Iterator[Server]:
    """A server with the sample deals, which no other test empties; none is started where no browser is."""
    with tempfile.TemporaryDirectory(prefix="dealdb") as folder:
        server = Server(binary, Path(folder)).start()
        with DealDatabase.from_url(server.url, actor="loader") as db:
            db.loader.load(deals(N_DEALS), bar=False)
        yield server
        server.stop()


@pytest.fixture
def db(sample_server: Server) -> Iterator[DealDatabase]:
    """The sample deals, by another program than the board; tests change deals of their own only."""
    with DealDatabase.from_url(sample_server.url, actor="ann") as db:
        yield db


@pytest.fixture(scope="session")
def board(sample_server: Server) -> Iterator[CarriedBoard]:
    with carried_board(sample_server.url) as found:
        yield found


@pytest.fixture(scope="session")
def cookies(browser: Browser, board: CarriedBoard) -> Any:
    """Those of who has used the address that the board printed."""
    return enter(browser, board)


def enter(browser: Browser, board: CarriedBoard) -> Any:
    """Use the address that lets one in once."""
    with visiting(browser, board.address) as visit:
        visit.open(board.entry)
        visit.page.wait_for_url(lambda url: "token" not in url)
        visit.page.wait_for_selector("main")
        return visit.page.context.cookies()


@pytest.fixture
def window(browser: Browser, board: CarriedBoard, cookies: Any) -> Iterator[Window]:
    """Opens windows at the board that are signed in, with options of Playwright's contexts."""
    with ExitStack() as opened:

        def new(path: str | None = None, **options: Any) -> Visit:
            visit = opened.enter_context(
                visiting(browser, board.address, cookies=cookies, **options)
            )
            return visit.open(path) if path else visit

        yield new


@pytest.fixture
def today() -> date:
    from datetime import UTC, datetime

    return datetime.now(UTC).date()


@pytest.fixture
def own(db: DealDatabase) -> Own:
    """Saves deals of this test alone, and gives the address of a board of just these."""
    name = f"browser {next(_numbers)}"

    def save(*stages: str, amount: str = "1000.10", owners: Sequence[str] = ("Ann Lee",)) -> str:
        for number, stage in enumerate(stages):
            deal = {"id": f"{name}-{number}", "name": f"Deal {number}", "source": name}
            owner = owners[number % len(owners)]
            db.save_deal({**deal, "stage": stage, "amount": amount, "owner": owner})
        return f"/?where=source+%3D+%27{name.replace(' ', '+')}%27"

    return save
