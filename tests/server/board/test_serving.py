"""The board on a real socket: who comes in, what is refused, and how pages are had as data."""

from __future__ import annotations

import gzip
import http.client

from boards import Browser
from dealdb.board.guard import cookie_name
from dealdb.board.sessions import Sessions


def test_an_address_works_once_and_leaves_a_cookie(board: Browser, sessions: Sessions) -> None:
    link = f"/deals?where=amount+%3E+1&token={sessions.new_link()}"
    status, text, headers = board.ask(link)
    assert status == 200
    assert 'content="0;url=/deals?where=amount+%3E+1"' in text
    assert headers["set-cookie"].startswith(f"{cookie_name(f'127.0.0.1:{board.port}')}=")
    assert "HttpOnly" in headers["set-cookie"]
    assert "SameSite=Strict" in headers["set-cookie"]
    assert board.ask(link)[0] == 403


def test_nobody_comes_in_without_a_session(board: Browser) -> None:
    for headers in ({}, {"cookie": f"dealdb-{board.port}=x"}, {"cookie": "\x7f;;;=="}):
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


def test_a_page_that_is_not_there_is_one(signed_in: Browser) -> None:
    status, text, _ = signed_in.ask("/nowhere/<b>")
    assert (status, "There is no such page" in text) == (404, True)
    assert "<b>" not in text


def test_pages_are_sent_packed(signed_in: Browser) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", signed_in.port, timeout=20)
    connection.request("GET", "/deals", headers=signed_in.headers | {"accept-encoding": "gzip"})
    answer = connection.getresponse()
    assert answer.getheader("content-encoding") == "gzip"
    assert b"12.50" in gzip.decompress(answer.read())
    connection.close()


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


def test_an_address_keeps_options_that_are_given_twice(board: Browser, sessions: Sessions) -> None:
    link = f"/deals?facets=stage&token={sessions.new_link()}&facets=owner&where="
    assert 'content="0;url=/deals?facets=stage&amp;facets=owner&amp;where="' in board.ask(link)[1]
