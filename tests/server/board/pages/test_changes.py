"""What changed, on a real socket: since a day, a commit or a moment, and of a filter."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from boards import Browser
from changed_deals import MARKUP, TODAY
from dealdb import DealDatabase


def lists(page: dict[str, Any]) -> dict[str, tuple[int, list[Any]]]:
    return {
        each["name"]: (each["n"], [deal["id"] for deal in each["deals"]]) for each in page["lists"]
    }


EXPECTED = {
    "new": (1, ["N1"]), "won": (1, ["D0"]), "lost": (1, ["D1"]), "moved": (1, ["D2"]), "raised": (1, ["D3"]),
    "lowered": (1, ["D4"]), "pushed": (1, ["D2"]), "deleted": (1, ["D5"]),
}  # fmt: skip


def test_what_changed_since_a_day_and_since_a_commit(
    changed: tuple[DealDatabase, str], changed_board: Browser
) -> None:
    for since in ("today", str(TODAY), changed[1]):
        page = changed_board.data(f"/changes.json?since={since}")
        assert lists(page) == EXPECTED, since
    raised = next(each for each in page["lists"] if each["name"] == "raised")
    assert raised["sums"] == [{"currency": "USD", "value": 97}]
    assert (
        changed_board.data(f"/changes.json?since={datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}")[
            "lists"
        ]
        == []
    )


def test_the_lists_agree_with_the_waterfall(
    changed: tuple[DealDatabase, str], changed_board: Browser
) -> None:
    found = lists(changed_board.data("/changes.json?since=today"))
    steps = {
        row["bucket"]: row["n"] for row in changed[0].analytics.waterfall(since=TODAY) if row["n"]
    }
    for mine, theirs in (
        ("new", "created"),
        ("won", "won"),
        ("lost", "lost"),
        ("deleted", "deleted"),
    ):
        assert (
            found[mine][0]
            == steps.get(theirs, 0)
            == sum(
                row["n"] or 0
                for row in changed[0].analytics.waterfall(since=TODAY)
                if row["bucket"] == theirs
            )
        )


def test_changes_of_a_filter(changed_board: Browser) -> None:
    found = lists(changed_board.data("/changes.json?since=today&where=stage+%3D+'Demo'"))
    assert found == {"moved": (1, ["D2"]), "pushed": (1, ["D2"])}


def test_windows_that_are_none_are_refused(changed_board: Browser) -> None:
    for since in ("soon", "2999-01-01", "99999-0123456789abcdef", "12-34", "<b>"):
        status, text, _ = changed_board.ask(f"/changes?{urlencode({'since': since})}")
        assert (status, MARKUP.search(text)) == (400, None), since
