"""The board in another application, under a path of that, which knows who asks."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from boards import Browser, carried
from dealdb import DealDatabase
from dealdb.board import app
from dealdb.board.kanban import board_view
from servers import Server


def test_it_can_be_mounted_below_a_path(db: DealDatabase) -> None:
    db.save_deal({"id": "a/b", "stage": "Lead"})
    board = app(db)

    async def of_zoe(scope: Scope, receive: Receive, send: Send) -> None:
        await board({**scope, "dealdb.actor": "zoe"}, receive, send)

    server = uvicorn.Server(
        uvicorn.Config(Starlette(routes=[Mount("/my deals", of_zoe)]), port=0, log_level="error")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
    browser = Browser(server.servers[0].sockets[0].getsockname()[1])
    text = browser.ask("/my%20deals/deals")[1]
    assert 'href="/my%20deals/deals/by-id?id=a%2Fb"' in text
    for place in text.split('href="')[1:]:
        address = place.partition('"')[0]
        assert address.startswith(("/my%20deals", "#", "data:")), address
    style = text.partition('rel="stylesheet" href="')[2].partition('"')[0]
    assert browser.ask(style)[0] == 200
    rev = db.get_deal("a/b").rev  # type: ignore[union-attr]
    body = {"expect_rev": rev, "changes": {"stage": "Won"}}
    status, told = browser.change("/my%20deals/deals/by-id?id=a%2Fb", body)
    assert (status, told["outcome"]) == (200, "updated")
    assert db.deal_history("a/b")["who"].to_list()[-1] == "zoe"
    assert browser.ask("/my%20deals/login")[0] == 404
    server.should_exit = True
    thread.join()


def test_warming_up_makes_the_page_that_is_then_asked_for(
    db: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.save_deal({"id": "7", "name": "Bolts", "stage": "Lead"})
    made: list[Any] = []

    def making(*given: Any) -> Any:
        made.append(given)
        return real(*given)

    real = board_view._made
    monkeypatch.setattr(board_view, "_made", making)
    board = app(db)
    board.warm_up()
    with carried(board) as port:
        assert "Bolts" in Browser(port, {"accept-language": "en-US"}).ask("/")[1]
        assert len(made) == 1
        db.save_deal({"id": "8", "name": "Nuts", "stage": "Lead"})
        assert "Nuts" in Browser(port, {"accept-language": "en-US"}).ask("/")[1]
    assert len(made) == 2


def test_a_server_that_is_away_is_said_by_the_page_alone(tmp_path: Path, server: Server) -> None:
    own = Server(server.binary, tmp_path / "own").start()
    with DealDatabase.from_url(f"unix://{own.socket}", retry_deadline_s=0.1) as db:
        db.save_deal({"id": "7"})
        own.stop()
        board = app(db)
        board.warm_up()
        with carried(board) as port:
            assert Browser(port).ask("/")[0] == 503
