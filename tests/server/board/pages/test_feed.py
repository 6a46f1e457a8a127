"""The feed on a real socket."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from boards import Browser
from changed_deals import MARKUP
from dealdb import DealDatabase
from dealdb.board.parts.commits import MOST_COMMITS
from dealdb.store.history.feed_commits import Commit, commit_of


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


def test_of_many_commits_only_those_that_are_shown_are_read(
    signed_in: Browser, db: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = signed_in.data("/feed.json")
    moment = first["commits"][0]["when"]
    for n in range(MOST_COMMITS + 20):
        db.save_deal({"id": "many", "amount": n + 1})
    last = signed_in.data("/feed.json")["commits"][0]["seq"]
    expected = [*range(last, last - MOST_COMMITS, -1)]
    read: list[Commit] = []

    def noted(*given: Any) -> Commit:
        read.append(commit_of(*given))
        return read[-1]

    monkeypatch.setattr("dealdb.store.history.course.commit_of", noted)
    for since in ("1", first["token"], moment):
        read.clear()
        found = signed_in.data(f"/feed.json?since={since}")
        assert [each["seq"] for each in found["commits"]] == expected, since
        assert len(read) == MOST_COMMITS, since
    other = first["token"].partition("-")[0] + "-0123456789abcdef"
    assert signed_in.ask(f"/feed?since={other}")[0] == 503
