"""Signing in over a real socket, and the collections that one may switch between."""

from __future__ import annotations

import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import IO
from urllib.parse import urlencode, urlsplit

from boards import Browser, carried
from dealdb import DealDatabase
from dealdb.board.app import app
from dealdb.board.sessions import Sessions
from servers import Server

TOKEN = "a token of some length"


def fill_in(browser: Browser, **fields: str) -> tuple[int, str, dict[str, str]]:
    own = {"origin": f"http://127.0.0.1:{browser.port}"}
    return browser.post("/login", urlencode(fields).encode(), **own)


def cookie_of(headers: dict[str, str]) -> dict[str, str]:
    return {"cookie": headers["set-cookie"].partition(";")[0]}


def test_token_and_name_sign_in_and_the_name_is_the_actor(board: Browser, db: DealDatabase) -> None:
    status, text, headers = fill_in(board, token=TOKEN, name=" Ann  Lee ", next="/deals?where=a%3Eb")  # fmt: skip
    assert status == 200
    assert 'content="0;url=/deals?where=a%3Eb"' in text
    ann = Browser(board.port, cookie_of(headers))
    rev = db.get_deal("7").rev  # type: ignore[union-attr]
    assert ann.change("/deals/7", {"expect_rev": rev, "changes": {"stage": "Won"}})[0] == 200
    assert db.deal_history("7")["who"].to_list()[-1] == "Ann Lee"
    assert "Ann Lee" in ann.ask("/deals")[1]
    # another name, by who is signed in
    status, _, headers = fill_in(ann, name="Zoe")
    assert status == 200
    assert "Zoe" in Browser(board.port, cookie_of(headers)).ask("/deals")[1]


def test_a_session_by_the_token_outlives_the_board_and_not_the_token(
    board: Browser, db: DealDatabase, sessions: Sessions
) -> None:
    _, _, headers = fill_in(board, token=TOKEN, name="Ann Läe")
    cookie = cookie_of(headers)["cookie"]
    value = cookie.partition("=")[2]
    _, _, by_link = board.ask(f"/?token={sessions.new_link()}")
    link = by_link["set-cookie"].partition(";")[0].partition("=")[2]
    forged = urlsafe_b64encode(b"Zoe").decode()
    twisted = [
        value[:-1],
        value + "0",
        f"{value[:4]}.{forged}.{value[-64:]}",
        f"..{value[-64:]}",
        "é",
        ".",
    ]
    for token, known in ((TOKEN, [value]), ("another token, as long", [])):
        with carried(app(db, sessions=Sessions(token))) as port:
            for each in [value, link, *twisted]:
                headers = {"cookie": f"dealdb-{port}={each}".encode().decode("latin-1")}
                status, text, _ = Browser(port, headers).ask("/deals")
                assert (status == 200) == (each in known), (token, each)
                assert ("Ann Läe" in text) == (each in known), (token, each)


def test_what_does_not_sign_in(board: Browser) -> None:
    for fields in (
        {"token": "wrong", "name": "Ann"},
        {"token": TOKEN},
        {"token": TOKEN, "name": " "},
        {"name": "Ann"},
    ):
        status, text, headers = fill_in(board, **fields)
        assert status == 403
        assert "set-cookie" not in headers
        assert TOKEN not in text
    evil = {"origin": "http://evil.example"}
    body = urlencode({"token": TOKEN, "name": "Ann"}).encode()
    assert board.post("/login", body, **evil)[0] == 403


def test_signing_in_leads_nowhere_else(board: Browser) -> None:
    for target in (
        "//evil.example",
        "//[",
        "https://evil.example/x",
        "/\\evil.example",
        'x"><script>',
        "javascript:alert(1)",
    ):
        _, text, _ = fill_in(board, token=TOKEN, name="Ann", next=target)
        address = text.partition("url=")[2].partition('">')[0]
        assert address.startswith("/")
        assert not address.startswith(("//", "/\\"))
        assert "<script" not in text


def test_names_are_escaped_and_short(board: Browser) -> None:
    name = "<script>alert(1)</script>" + "x" * 500
    _, _, headers = fill_in(board, token=TOKEN, name=name)
    text = Browser(board.port, cookie_of(headers)).ask("/deals")[1]
    assert "<script>alert" not in text
    assert "x" * 100 not in text


def test_several_collections_each_have_their_deals(
    carry: Callable[..., Browser], db: DealDatabase, server: Server
) -> None:
    url = f"unix://{server.socket}"
    db.save_deal({"id": "1", "name": "First"})
    with DealDatabase.from_url(url, collection="west") as other:
        other.save_deal({"id": "2", "name": "Second"})
        browser = carry({"EU west": db, "US": other})
        assert [each["id"] for each in browser.data("/US/deals.json")["items"]] == ["2"]
        assert "url=/EU%20west/" in browser.ask("/")[1]
        text = browser.ask("/EU%20west/deals")[1]
        assert '<a href="/US/"' in text
        assert '<a href="/EU%20west/" aria-current="true"' in text
        assert '<a href="/EU%20west/deals/1">' in text
        assert browser.ask("/EU%20west/deals/1")[0] == 200


def test_a_used_address_says_what_to_do_and_the_terminal_shows_another(server: Server) -> None:
    command = [
        sys.executable,
        "-m",
        "dealdb",
        "--url",
        f"unix://{server.socket}",
        "board",
        "--port",
        "0",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        first = urlsplit(_printed(process.stdout))
        browser, html = Browser(first.port or 0), {"accept": "text/html"}
        # nobody is offered an address while the last one can still be used
        assert "Each address works once" in browser.ask("/login", **html)[1]
        assert "set-cookie" in browser.ask(f"/?{first.query}", **html)[2]
        status, text, headers = browser.ask(f"/deals?sort=id&{first.query}", **html)
        assert "set-cookie" not in headers
        assert 'content="0;url=/login?used=1&amp;next=%2Fdeals%3Fsort%3Did"' in text
        status, text, _ = browser.ask("/login?used=1&next=%2Fdeals", **html)
        assert (status, "This address has been used" in text) == (403, True)
        second = urlsplit(_printed(process.stdout))
        assert (second.port, second.query != first.query) == (first.port, True)
        # and no more than one
        browser.ask("/login", **html)
        assert "set-cookie" in browser.ask(f"/?{second.query}", **html)[2]
        browser.ask("/login", **html)
        assert urlsplit(_printed(process.stdout)).query not in (first.query, second.query)
    finally:
        process.terminate()
        process.communicate()


def _printed(lines: IO[str]) -> str:
    """The next address that a board prints."""
    return next(line for line in lines if line.startswith("Open")).removeprefix("Open").strip()
