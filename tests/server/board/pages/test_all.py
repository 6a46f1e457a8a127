"""All pages for users with the least rights on the server, and with none."""

from __future__ import annotations

from collections.abc import Callable
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
