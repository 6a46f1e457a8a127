"""The board on a real socket: who comes in, what is refused, and how pages are had as data."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest
import uvicorn

from dealdb import DealDatabase
from dealdb.board.app import app
from dealdb.board.guard import COOKIE, Sessions
from servers import Server


@dataclass
class Browser:
    """What a browser sends, without one."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
        return self.send("GET", path, None, headers)

    def post(self, path: str, body: bytes, **headers: str) -> tuple[int, str, dict[str, str]]:
        return self.send("POST", path, body, headers)

    def send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, str, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, self.headers | given)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text, {name.lower(): value for name, value in answer.getheaders()}


@pytest.fixture
def sessions() -> Sessions:
    return Sessions("a token of some length")


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        yield db


@pytest.fixture
def board(db: DealDatabase, sessions: Sessions) -> Iterator[Browser]:
    db.save_deal({"id": "7", "name": "<b>Bolts</b>", "amount": "12.50", "stage": "Lead"})
    guarded = app(db, sessions=sessions, hosts=["127.0.0.1"])
    server = uvicorn.Server(uvicorn.Config(guarded, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Browser(port)
    server.should_exit = True
    thread.join()


@pytest.fixture
def signed_in(board: Browser, sessions: Sessions) -> Browser:
    _, _, headers = board.ask(f"/deals?token={sessions.new_link()}")
    return Browser(board.port, {"cookie": headers["set-cookie"].partition(";")[0]})


def test_an_address_works_once_and_leaves_a_cookie(board: Browser, sessions: Sessions) -> None:
    link = f"/deals?where=amount+%3E+1&token={sessions.new_link()}"
    status, text, headers = board.ask(link)
    assert status == 200
    assert 'content="0;url=/deals?where=amount+%3E+1"' in text
    assert headers["set-cookie"].startswith(f"{COOKIE}=")
    assert "HttpOnly" in headers["set-cookie"]
    assert "SameSite=Strict" in headers["set-cookie"]
    assert board.ask(link)[0] == 403


def test_nobody_comes_in_without_a_session(board: Browser) -> None:
    for headers in ({}, {"cookie": f"{COOKIE}=x"}, {"cookie": "\x7f;;;=="}):
        status, text, _ = board.ask("/deals.json", **headers)
        assert status == 401
        assert "12.50" not in text
    assert "/login?next=%2Fdeals" in board.ask("/deals", accept="text/html")[1]


def test_a_page_is_html_json_and_csv(signed_in: Browser) -> None:
    status, text, headers = signed_in.ask("/deals")
    assert status == 200
    assert "&lt;b&gt;Bolts&lt;/b&gt;" in text
    assert "<b>" not in text
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert '"amount": 12.50' in signed_in.ask("/deals.json")[1]
    assert signed_in.ask("/deals.csv?columns=id,amount")[1] == "id,amount\n7,12.50\n"


def test_errors_are_pages_with_the_place(signed_in: Browser) -> None:
    status, text, _ = signed_in.ask("/deals?where=stag+%3D+1")
    assert status == 400
    assert "did you mean &#39;stage&#39;" in text
    status, text, _ = signed_in.ask("/deals.json?where=stag+%3D+1")
    assert (status, '"code":"query"' in text) == (400, True)


def test_other_names_of_this_machine_are_refused(signed_in: Browser) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "", "[::1", "localhost:80@evil"):
        assert signed_in.ask("/deals", host=host)[0] == 403


def test_changes_have_to_come_from_a_page_of_the_board(signed_in: Browser) -> None:
    own = {"origin": f"http://127.0.0.1:{signed_in.port}", "x_dealdb": "1"}
    for odd in (
        {},
        {"x_dealdb": "1"},
        {"origin": own["origin"]},
        own | {"origin": "http://evil.example"},
        own | {"origin": "null"},
        {"sec_fetch_site": "cross-site", "x_dealdb": "1"},
    ):
        assert signed_in.post("/deals", b"{}", **odd)[0] == 403
    assert signed_in.post("/deals", b"{}", **own)[0] == 405


def test_assets_are_kept_for_ever_and_nothing_else_is_read(signed_in: Browser) -> None:
    text = signed_in.ask("/deals")[1]
    path = text.partition('href="/static/')[2].partition('"')[0]
    status, _, headers = signed_in.ask(f"/static/{path}")
    assert (status, "immutable" in headers["cache-control"]) == (200, True)
    for odd in ("board.css", "..%2fapp.py", "%2e%2e/app.py", path + "x"):
        assert signed_in.ask(f"/static/{odd}")[0] == 404
