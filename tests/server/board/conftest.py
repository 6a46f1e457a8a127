"""A board on a real socket, on a real server, and who is signed in there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import uvicorn

from boards import Browser
from dealdb import DealDatabase
from dealdb.board.app import app
from dealdb.board.guard import Guard, Sessions
from servers import Server


@contextmanager
def carried(application: Guard) -> Iterator[int]:
    """The port on which an application listens."""
    server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


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
