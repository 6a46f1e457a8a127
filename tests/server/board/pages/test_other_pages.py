"""Changes, feed, health and the question box on a real socket; and all pages for a user with the least rights."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from boards import Browser
from dealdb import DealDatabase
from dealdb.board.figures.catalogue import ENTRIES
from dealdb.board.pages.all import PAGES
from servers import Server

HOSTILE = ["<img src=x onerror=alert(1)>", "</script><b>", '"onload="x', "\u202eabc", "y" * 10_000]
MARKUP = re.compile(r"<img|</script><b>|<[^>]* onload=|style=")
TODAY = datetime.now(UTC).date()
LATER = TODAY + timedelta(days=30)


@pytest.fixture(scope="module")
def db(shared_server: Server) -> Iterator[DealDatabase]:
    with shared_server.client() as client:
        client.flushall()
    with DealDatabase.from_url(f"unix://{shared_server.socket}", actor="ann") as db:
        for n in range(8):
            day = TODAY - timedelta(days=40 + n)
            db.save_deal(
                {"id": f"D{n}", "name": HOSTILE[n % 5], "owner": HOSTILE[0], "stage": "Lead", "amount": 100 + n,
                 "currency": ["EUR", "USD"][n % 2], "created": day, "expected_close": TODAY},
                at=datetime(day.year, day.month, day.day, tzinfo=UTC),
            )  # fmt: skip
        db.begin = db.changes().token  # type: ignore[attr-defined]  # where the changes of this test begin
        db.update_deal("D0", stage="Won")
        db.update_deal("D1", stage="Lost", loss_reason=HOSTILE[1])
        db.update_deal("D2", stage="Demo", expected_close=LATER)
        db.update_deal("D3", amount=200)
        db.update_deal("D4", amount=50)
        db.delete_deal("D5")
        db.save_deal(
            {"id": "N1", "name": "New", "stage": "Lead", "amount": "9.99", "currency": "EUR"}
        )
        yield db


@pytest.fixture(scope="module")
def board(db: DealDatabase, open_board: Callable[..., Browser]) -> Browser:
    return open_board(db, read_only=True)


def lists(page: dict[str, Any]) -> dict[str, tuple[int, list[Any]]]:
    return {
        each["name"]: (each["n"], [deal["id"] for deal in each["deals"]]) for each in page["lists"]
    }


EXPECTED = {
    "new": (1, ["N1"]), "won": (1, ["D0"]), "lost": (1, ["D1"]), "moved": (1, ["D2"]), "raised": (1, ["D3"]),
    "lowered": (1, ["D4"]), "pushed": (1, ["D2"]), "deleted": (1, ["D5"]),
}  # fmt: skip


def test_what_changed_since_a_day_and_since_a_commit(db: DealDatabase, board: Browser) -> None:
    for since in ("today", str(TODAY), db.begin):  # type: ignore[attr-defined]
        page = board.data(f"/changes.json?since={since}")
        assert lists(page) == EXPECTED, since
    raised = next(each for each in page["lists"] if each["name"] == "raised")
    assert raised["sums"] == [{"currency": "USD", "value": 97}]
    assert (
        board.data(f"/changes.json?since={datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}")["lists"] == []
    )


def test_the_lists_agree_with_the_waterfall(db: DealDatabase, board: Browser) -> None:
    found = lists(board.data("/changes.json?since=today"))
    steps = {row["bucket"]: row["n"] for row in db.analytics.waterfall(since=TODAY) if row["n"]}
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
                for row in db.analytics.waterfall(since=TODAY)
                if row["bucket"] == theirs
            )
        )


def test_changes_of_a_filter(board: Browser) -> None:
    found = lists(board.data("/changes.json?since=today&where=stage+%3D+'Demo'"))
    assert found == {"moved": (1, ["D2"]), "pushed": (1, ["D2"])}


def test_windows_that_are_none_are_refused(board: Browser) -> None:
    for since in ("soon", "2999-01-01", "99999-0123456789abcdef", "12-34", "<b>"):
        status, text, _ = board.ask(f"/changes?{urlencode({'since': since})}")
        assert (status, MARKUP.search(text)) == (400, None), since


def test_the_feed_goes_on_after_a_token(db: DealDatabase, board: Browser) -> None:
    page = board.data("/feed.json")
    assert [each["seq"] for each in page["commits"]] == sorted(
        (each["seq"] for each in page["commits"]), reverse=True
    )
    assert page["commits"][0]["ids"] == "N1"
    assert board.data(f"/feed.json?since={page['token']}")["commits"] == []
    text = board.ask("/feed?fragment=1")[1]
    assert "&lt;img src=x" in text
    assert "<header" not in text
    assert not MARKUP.search(text)
    assert board.ask("/feed?since=99999-0123456789abcdef")[0] in (400, 503)


def test_health_is_that_of_doctor_and_checks_on_demand(db: DealDatabase, board: Browser) -> None:
    page = board.data("/health.json")
    assert page["health"]["deals"] == len(db)
    assert [each["check"] for each in page["findings"]] == [each.check for each in db.examine()]
    status, told = board.change("/check", {})
    assert (status, told["ok"], told["deals"], told["differences"]) == (200, True, len(db), 0)
    assert board.ask("/check")[0] == 405


def test_a_question_has_a_table_and_a_chart(board: Browser) -> None:
    asked = urlencode({"q": "SELECT name, sum(amount) AS total FROM deals GROUP BY name"})
    status, text, _ = board.ask(f"/sql?{asked}")
    assert (status, "<svg" in text, MARKUP.search(text)) == (200, True, None)
    counted = urlencode({"q": "SELECT count(*) AS n FROM deals"})
    assert board.data(f"/sql.json?{counted}") == {"rows": [{"n": 8}], "total": 1}
    assert board.ask(f"/sql.csv?{counted}")[1] == "n\n8\n"
    formula = urlencode({"q": "SELECT '=1+1' AS x"})
    assert board.ask(f"/sql.csv?{formula}")[1].splitlines()[1] == "'=1+1"


def test_a_question_reaches_nothing_else(board: Browser) -> None:
    for statement in (
        "SELECT * FROM read_csv('/etc/passwd')",
        "DELETE FROM deals",
        "SELECT 1; SELECT 2",
        "SELECT stag FROM deals",
        "ATTACH '/tmp/x.db'",
    ):
        status, text, _ = board.ask(f"/sql?{urlencode({'q': statement})}")
        assert (status, "root:" in text, 'role="alert"' in text) == (400, False, True), statement
        assert board.ask(f"/sql.json?{urlencode({'q': statement})}")[0] == 400
    text = board.ask(f"/sql?{urlencode({'q': 'SELECT stag FROM deals'})}")[1]
    assert "<mark>stag</mark>" in text


def acl_rule() -> list[str]:
    text = (Path(__file__).parents[4] / "docs" / "operations.md").read_text()
    return text.partition("```acl\n")[2].partition("```")[0].split()


def test_the_least_rights_show_all_pages(
    db: DealDatabase, open_board: Callable[..., Browser], shared_server: Server
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


def test_every_metric_is_on_the_page_of_figures(board: Browser) -> None:
    assert len(board.data("/figures.json")["figures"]) == len(ENTRIES)
