"""The board in another application, under a path of that, which knows who asks."""

from __future__ import annotations

import threading

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from boards import Browser
from dealdb import DealDatabase
from dealdb.board import app


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
