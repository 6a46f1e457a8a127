"""A page that reads nothing more, on a real socket: it costs the others nothing, and is told to reload at its end."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from boards import Browser
from dealdb import DealDatabase
from dealdb.board.live import client, hub
from servers import Server


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}", actor="ann") as db:
        # in other languages each letter is six bytes of an event
        words = "\N{KATAKANA LETTER DE}" * 100
        new = {"name": words, "company": words, "owner": words, "source": words}
        db.loader.load([{**new, "id": f"d{n}", "stage": "Lead", "amount": n} for n in range(30)])
        yield db


def stalled_page(browser: Browser) -> socket.socket:
    page = socket.socket()
    page.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    page.settimeout(20)
    page.connect(("127.0.0.1", browser.port))
    address = "/live?path=/&fields=company,owner,source,amount"
    page.sendall(f"GET {address} HTTP/1.1\r\nhost: 127.0.0.1:{browser.port}\r\n\r\n".encode())
    return page


def test_a_page_that_stalls_is_dropped_and_told_to_reload(
    db: DealDatabase,
    open_board: Callable[..., Browser],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "MOST_WAITING", 3)
    for name in ("JOIN_S", "TICK_S"):
        monkeypatch.setattr(hub, name, 0.0)
    dropped: list[client.LiveClient] = []

    class _Watched(client.LiveClient):
        def add(self, event: bytes) -> None:
            super().add(event)
            if self._ended:
                dropped.append(self)

    monkeypatch.setattr("dealdb.board.live.stream.LiveClient", _Watched)
    with stalled_page(open_board(db)) as page:
        for n in range(2_000):
            if dropped:
                break
            # all cards change, and with them 90 kB of an event
            rows = db.query.find(columns=["id"])["id"]
            db.loader.load([{"id": each, "amount": n * 100 + k} for k, each in enumerate(rows)])
        assert dropped
        read = b""
        while not read.endswith(b"0\r\n\r\n"):
            more = page.recv(1 << 20)
            assert more, read[-200:]
            read += more
    assert b"event: reload\ndata: {}\n\n\r\n0\r\n\r\n" in read
