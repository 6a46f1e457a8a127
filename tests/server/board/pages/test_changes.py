"""What changed, on a real socket: since a day, a commit or a moment, and of a filter."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

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


def counts_of(page: str) -> dict[str, tuple[int, str]]:
    """Number and address of each tile."""
    found = re.findall(
        r'<p class="label">([^<]*)</p><p class="value"><a href="([^"]*)">([^<]*)</a>', page
    )
    return {label: (int(n), html.unescape(address)) for label, address, n in found}


@pytest.mark.parametrize(
    ("since", "where"), [("today", ""), ("token", "stage <> 'Lost'"), ("moment", "")]
)
def test_each_count_is_a_link_to_exactly_its_deals(
    changed: tuple[DealDatabase, str], changed_board: Browser, since: str, where: str
) -> None:
    db, token = changed
    begin = {
        "today": "today",
        "token": token,
        "moment": next(db.changes(token, timeout_s=0)).when - timedelta(milliseconds=1),
    }[since]
    asked = urlencode({"since": begin, "where": where})
    page = changed_board.data(f"/changes.json?{asked}")
    _, text, _ = changed_board.ask(f"/changes?{asked}")
    counts = counts_of(text)
    assert len(counts) == len(page["lists"]) > 5
    for (title, (n, address)), each in zip(counts.items(), page["lists"], strict=True):
        path, _, query = address.partition("?")
        behind = changed_board.data(f"{path}.json?{query}")
        ids = {row["id"] for row in behind.get("items", behind.get("lines"))}
        assert ids == {deal["id"] for deal in each["deals"]}, title
        assert n == each["n"] == behind["total"]
        status, shown, _ = changed_board.ask(address)
        assert (status, MARKUP.search(shown)) == (200, None)
        assert f"<strong>{title} {n}</strong>" in shown
        # a second link leads to the same deals
        assert text.count(html.escape(address)) >= 2


def test_a_list_that_has_nothing_any_more_and_one_that_there_is_none(
    changed_board: Browser,
) -> None:
    found = changed_board.data("/deals.json?change=reopened&since=today")
    assert (found["total"], found["items"]) == (0, [])
    assert changed_board.ask("/deals?change=vanished&since=today")[0] == 400


def test_windows_that_are_none_are_refused(changed_board: Browser) -> None:
    for since in ("soon", "2999-01-01", "99999-0123456789abcdef", "12-34", "<b>"):
        status, text, _ = changed_board.ask(f"/changes?{urlencode({'since': since})}")
        assert (status, MARKUP.search(text)) == (400, None), since


def test_the_last_visit_is_known_to_the_browser_alone(changed_board: Browser) -> None:
    name = f"dealdb-visits-{changed_board.port}"
    assert changed_board.ask("/changes?since=my-last-visit")[0] == 400
    status, text, headers = changed_board.ask("/changes")
    kept = headers["set-cookie"]
    assert (status, "my last visit" in text, kept.partition("=")[0]) == (200, False, name)
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= {each.strip() for each in kept.split(";")}
    # the visit before ended an hour ago, and a page that is looked at again is of the same visit
    hour_ago = int(datetime.now(UTC).timestamp() * 1000) - 3_600_000
    cookie = f"{name}=.{hour_ago}"
    for _ in range(2):
        status, text, headers = changed_board.ask("/changes?since=my-last-visit", cookie=cookie)
        assert (status, "since your last visit" in text, "my last visit" in text) == (
            200,
            True,
            True,
        )
        cookie = headers["set-cookie"].partition(";")[0]
        assert cookie.startswith(f"{name}={hour_ago}.")
    browser = Browser(changed_board.port, {"cookie": cookie})
    page = browser.data("/changes.json?since=my-last-visit")
    assert page["since"].startswith(
        datetime.fromtimestamp(hour_ago / 1000, UTC).strftime("%Y-%m-%dT%H:%M")
    )
    for bad in ("x", "1e9.1", "9" * 40, ".", "-1.-1"):
        assert changed_board.ask("/changes", cookie=f"{name}={bad}")[0] == 200


def test_a_filter_with_parameters_asks_for_their_values(changed_board: Browser) -> None:
    for path in ("/deals", "/", "/figures/win-rate", "/changes"):
        status, text, _ = changed_board.ask(f"{path}?where=amount+%3E+:least&sort=id")
        assert (status, 'name="p.least"' in text, MARKUP.search(text)) == (200, True, None), path
        assert 'name="sort" value="id"' in text
    assert changed_board.ask("/deals.json?where=amount+%3E+:least")[0] == 400
    asked = urlencode(
        {"where": "amount > :least AND stage IN :in", "p.least": "50", "p.in": "Lead, O'Hara"}
    )
    page = changed_board.data(f"/deals.json?{asked}")
    expected = urlencode({"where": "amount > 50 AND stage IN ('Lead', 'O''Hara')"})
    assert page["items"] == changed_board.data(f"/deals.json?{expected}")["items"] != []
    # what leads on from there has the values in their places
    assert html.escape(expected, quote=True) in changed_board.ask(f"/deals?{asked}")[1]


def test_the_day_and_the_moment_are_those_that_were_asked_for(changed_board: Browser) -> None:
    assert changed_board.data("/changes.json?since=today")["since"] == str(TODAY)
    moment = f"{TODAY}T00:00:00.250Z"
    address = f"/changes{{}}?since={moment}"
    assert changed_board.data(address.format(".json"))["since"].startswith(f"{TODAY}T00:00:00.25")
    assert f"since {TODAY} 00:00 UTC" in changed_board.ask(address.format(""))[1]
