"""A board on a real socket, on a real server, and who is signed in there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from boards import Browser, carried
from changed_deals import change_deals
from dealdb import DealDatabase
from dealdb.board.app import app
from dealdb.board.sessions import Sessions
from figures import fill
from servers import Server


@pytest.fixture
def sessions() -> Sessions:
    return Sessions("a token of some length")


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}", actor="ann") as db:
        yield db


@pytest.fixture
def board(db: DealDatabase, sessions: Sessions) -> Iterator[Browser]:
    db.save_deal({"id": "7", "name": "<b>Bolts</b>", "amount": "12.50", "stage": "Lead"})
    with carried(app(db, sessions=sessions, hosts=["127.0.0.1"])) as port:
        yield Browser(port)


def let_in(browser: Browser, sessions: Sessions) -> Browser:
    """The browser with a session."""
    _, _, headers = browser.ask(f"/deals?token={sessions.new_link()}")
    cookie = headers["set-cookie"].partition(";")[0]
    return Browser(browser.port, {**browser.headers, "cookie": cookie})


@pytest.fixture
def signed_in(board: Browser, sessions: Sessions) -> Browser:
    return let_in(board, sessions)


@pytest.fixture
def carry(sessions: Sessions) -> Iterator[Callable[..., Browser]]:
    """Opens a board with options of its own, and signs in there."""
    with ExitStack() as opened:

        def start(db: Any, **options: Any) -> Browser:
            application = app(db, sessions=sessions, **options)
            return let_in(Browser(opened.enter_context(carried(application))), sessions)

        yield start


@pytest.fixture(scope="module")
def open_board() -> Iterator[Callable[..., Browser]]:
    """Opens a board that lets everyone in, for the tests of a module."""
    with ExitStack() as opened:
        yield lambda db, **options: Browser(opened.enter_context(carried(app(db, **options))))


@pytest.fixture(scope="module")
def full(shared_server: Server) -> Iterator[DealDatabase]:
    """Deals of which each metric has something to say."""
    with shared_server.client() as client:
        client.flushall()
    with DealDatabase.from_url(f"unix://{shared_server.socket}", actor="ann") as db:
        fill(db)
        yield db


@pytest.fixture(scope="module")
def full_board(full: DealDatabase, open_board: Callable[..., Browser]) -> Browser:
    """A read-only board of these."""
    return open_board(full, read_only=True)


@pytest.fixture(scope="module")
def changed(shared_server: Server) -> Iterator[tuple[DealDatabase, str]]:
    """Deals that were changed in every way, and the token from where that begins."""
    with shared_server.client() as client:
        client.flushall()
    with DealDatabase.from_url(f"unix://{shared_server.socket}", actor="ann") as db:
        yield db, change_deals(db)


@pytest.fixture(scope="module")
def changed_board(changed: tuple[DealDatabase, str], open_board: Callable[..., Browser]) -> Browser:
    """A read-only board of these."""
    return open_board(changed[0], read_only=True)
