"""The feed on a real socket."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from boards import Browser
from changed_deals import MARKUP
from dealdb import DealDatabase


def test_the_feed_goes_on_after_a_token(
    changed: tuple[DealDatabase, str], changed_board: Browser
) -> None:
    page = changed_board.data("/feed.json")
    assert [each["seq"] for each in page["commits"]] == sorted(
        (each["seq"] for each in page["commits"]), reverse=True
    )
    assert page["commits"][0]["ids"] == "N1"
    assert changed_board.data(f"/feed.json?since={page['token']}")["commits"] == []
    text = changed_board.ask("/feed")[1]
    assert "&lt;img src=x" in text
    assert f'data-token="{page["token"]}"' in text
    assert not MARKUP.search(text)
    assert changed_board.ask("/feed?since=99999-0123456789abcdef")[0] in (400, 503)


@pytest.mark.parametrize("since", ["²", "9" * 5_000, "9" * 30, "-1", "0-", "x"])
def test_a_number_that_is_none_is_said(changed_board: Browser, since: str) -> None:
    for path in (f"/feed.json?since={quote(since)}", f"/feed?since={quote(since)}"):
        status, text, _ = changed_board.ask(path)
        assert status in (400, 503), (path, text)
        assert "Internal" not in text
