"""All pages for users with the least rights on the server, and with none."""

from __future__ import annotations

import html
import http.client
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from boards import Browser
from dealdb import DealDatabase
from dealdb.board.pages.all import PAGES
from servers import Server


def acl_rule() -> list[str]:
    text = (Path(__file__).parents[4] / "docs" / "operations.md").read_text()
    return text.partition("```acl\n")[2].partition("```")[0].split()


@pytest.mark.usefixtures("changed")
def test_the_least_rights_show_all_pages(
    open_board: Callable[..., Browser], shared_server: Server
) -> None:
    with shared_server.client() as client:
        client.execute_command("ACL", "SETUSER", "least", "reset", "on", ">pw", *acl_rule())
        client.execute_command("ACL", "SETUSER", "none", "reset", "on", ">pw")
    try:
        url = f"unix://least:pw@{shared_server.socket}"
        with DealDatabase.from_url(url) as least:
            board = open_board(least, read_only=True)
            paths = [page.path for page in PAGES if "{" not in page.path]
            for path in [*paths, "/deals/D1", "/figures/waterfall", "/sql?q=SELECT+1+AS+x"]:
                assert board.ask(path)[0] == 200, path
        with DealDatabase.from_url(f"unix://none:pw@{shared_server.socket}") as none:
            board = open_board(none, read_only=True)
            for path in ("/deals", "/figures", "/changes", "/feed", "/sql?q=SELECT+id+FROM+deals"):
                status, text, _ = board.ask(path)
                assert (status, "D1" in text) == (403, False), path
    finally:
        with shared_server.client() as client:
            client.execute_command("ACL", "DELUSER", "least", "none")


def frame_leaks(text: str) -> list[str]:
    """Links and forms of a page below its header that lead out of the frame."""
    body = text.partition("</header>")[2]
    links = [html.unescape(each) for each in re.findall(r'<a [^>]*href="([^"#]+)"', body)]
    leaks = [
        each
        for each in links
        if "embed=1" not in each.partition("?")[2].split("&")
        and not each.partition("?")[0].endswith((".csv", ".json"))
    ]
    forms = re.findall(r"<form [^>]*action=.*?</form>", body, re.DOTALL)
    return leaks + [each[:60] for each in forms if 'name="embed"' not in each]


def test_pages_of_a_frame_lead_to_what_may_stand_in_it(
    changed: tuple[DealDatabase, str], open_board: Callable[..., Browser]
) -> None:
    db = changed[0]
    db.save_deal({"id": "2026/7", "name": "By id", "stage": "Lead", "owner": "Ann"})
    db.query.save("mine", where="stage = 'Lead'")
    board = open_board(db)
    todo = [
        *(page.path for page in PAGES if "{" not in page.path),
        "/?by=owner", "/?show=Won", "/deals?where=stage+%3D+%27nothing%27", "/deals?where=amount+%3E+:least",
        "/deals/D1", "/deals/d1", "/deals/none", "/deals/D1?as_of=2026-01-31", "/deals/by-id?id=2026%2F7",
        "/changes?since=2000-01-01", "/sql?q=SELECT+1+AS+x", "/figures/waterfall",
    ]  # fmt: skip
    found = {}
    for path in todo:
        status, text, _ = board.ask(f"{path}{'&' if '?' in path else '?'}embed=1")
        assert status in (200, 404), path
        if leaks := frame_leaks(text):
            found[path] = leaks
    assert found == {}


def test_news_of_a_frame_lead_to_what_may_stand_in_it(
    changed: tuple[DealDatabase, str], open_board: Callable[..., Browser]
) -> None:
    db = changed[0]
    board = open_board(db)
    for path in ("/", "/feed"):
        begin = db.changes().token
        with closing(http.client.HTTPConnection("127.0.0.1", board.port, timeout=20)) as connection:
            connection.request("GET", f"/live?path={path}&last={begin}&embed=1")
            answer = connection.getresponse()
            # the first event says what is there
            while not answer.readline().startswith(b"data:"):
                pass
            db.save_deal({"id": "news", "stage": "Lead", "amount": len(path)})
            news = b""
            while b"/deals/news" not in news:
                news = answer.readline()
                assert news, path
            answer.close()
        assert b"/deals/news?embed=1" in news, path
