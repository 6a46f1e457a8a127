"""Open pages of a collection of partitions: what they are told, and that a move made meanwhile is a conflict."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import pytest

from boards import Browser, carried
from clusters import Cluster
from connected import eventually
from dealdb import DealDatabase
from dealdb.board.app import app
from dealdb.board.live.recent import MOST_COMMITS
from dealdb.board.parts.at_once import AtOnce
from dealdb.errors import NotOnPartitions
from dealdb.formats.cells import to_json
from followed import told
from servers import Server
from streams import LiveEvent, Stream

Opened = Callable[..., Stream]
STAGES = ("Lead", "Demo", "Won")


@pytest.fixture(params=[4, 64])
def db(server: Server, request: pytest.FixtureRequest) -> Iterator[DealDatabase]:
    url = f"unix://{server.socket}"
    with DealDatabase.from_url(url, actor="ann", partitions=request.param) as db:
        db.loader.load([{"id": f"d{n}", "stage": STAGES[n % 3], "amount": n} for n in range(90)])
        yield db


@pytest.fixture
def browser(db: DealDatabase) -> Iterator[Browser]:
    with carried(app(db)) as port:
        yield Browser(port)


@pytest.fixture
def opened(browser: Browser) -> Iterator[Opened]:
    with ExitStack() as stack:

        def listen(path: str = "/", last: str | None = None, *, token: str = "") -> Stream:
            begin = f"&last={token}" if token else ""
            stream = Stream(browser, f"/live?path={path}{begin}", last)
            stack.callback(stream.close)
            return stream

        yield listen


def token_of(browser: Browser, path: str = "/") -> str:
    """What a page says that it shows."""
    found = re.search(r'data-token="([^"]+)"', browser.ask(path)[1])
    assert found
    return found[1]


def cards_of(found: LiveEvent) -> set[str]:
    return {each for part in found.data["columns"] for each in part.get("cards", ())}


def head_of(found: LiveEvent, stage: str) -> str:
    [part] = [each for each in found.data["columns"] if each["stage"] == stage]
    return str(part["head"])


def test_a_page_is_told_what_has_changed_since_it_was_made(
    db: DealDatabase, browser: Browser, opened: Opened
) -> None:
    # the first one has the board follow the commits
    opened().next("reload")
    token = token_of(browser)
    for n in range(5):
        db.save_deal({"id": f"d{n * 3}", "amount": 1000 + n})
    stream = opened(token=token)
    first = stream.next("board")
    assert first.data["whole"]
    # a page that is new is told all columns, and of their cards those that have changed
    assert cards_of(first) == {f"d{n * 3}" for n in range(5)}
    db.save_deal({"id": "d4", "stage": "Lead", "amount": 5000})
    second = stream.next("board")
    while "d4" not in cards_of(second):
        second = stream.next("board")
    assert not second.data["whole"]
    assert cards_of(second) == {"d4"}
    assert "31" in head_of(second, "Lead")
    assert second.data["state"] == f"{AtOnce(db).seq} commits · 90 deals"
    # which commits its cards are of
    assert second.data["token"].startswith("p")


def test_a_page_whose_link_was_cut_has_what_it_missed(db: DealDatabase, opened: Opened) -> None:
    stream = opened()
    stream.next("reload")
    db.save_deal({"id": "d0", "amount": 700})
    seen = stream.next("board").token
    stream.close()
    db.save_deal({"id": "d1", "amount": 800})
    db.save_deal({"id": "d7", "amount": 900})
    again = opened(last=seen)
    found = cards_of(again.next("board"))
    assert {"d1", "d7"} <= found
    assert "d0" not in found


@pytest.mark.parametrize("token", ["", "7-0123456789abcdef", "p2:" + "A" * 43, "p4:x", "nonsense"])
def test_a_page_of_another_history_is_made_anew(opened: Opened, token: str) -> None:
    assert opened(token=token).next("reload").data["seq"] > 0


def test_a_page_that_missed_too_much_makes_itself_anew(
    db: DealDatabase, browser: Browser, opened: Opened
) -> None:
    token = token_of(browser)
    stream = opened(token=token)
    stream.next("board")
    for n in range(MOST_COMMITS + 20):
        db.save_deal({"id": "d1", "amount": n})
    assert eventually(lambda: opened(token=token).next().kind == "reload")
    # and one of now is not
    assert opened(token=token_of(browser)).next().kind == "board"


def test_no_page_is_made_anew_again_and_again_while_others_write(
    db: DealDatabase, browser: Browser, opened: Opened
) -> None:
    stop = threading.Event()

    def write() -> None:
        n = 0
        # not so many that a page has missed too much before it listens
        while not stop.wait(0.003):
            n += 1
            db.save_deal({"id": f"d{n % 90}", "amount": n})

    opened().next("reload")
    writer = threading.Thread(target=write)
    writer.start()
    try:
        # the feed may not have had what they show
        for _ in range(12):
            assert opened(token=token_of(browser)).next().kind == "board"
    finally:
        stop.set()
        writer.join()


def test_sums_are_right_at_their_commits_while_many_write(
    db: DealDatabase, browser: Browser, opened: Opened
) -> None:
    stream = opened()
    stream.next("reload")

    def write(who: int) -> None:
        for n in range(25):
            db.save_deal({"id": f"d{3 * (n % 10) + 30 * who}", "amount": n + who})

    writers = [threading.Thread(target=write, args=(who,)) for who in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    db.save_deal({"id": "last", "stage": "Lead", "amount": 12_345})
    total = db.query.frame().filter(stage="Lead")["amount"].sum()
    assert isinstance(total, Decimal)
    told = stream.next("board")
    while "last" not in cards_of(told):
        told = stream.next("board")
    assert f"{total:,.0f}" in head_of(told, "Lead")


def test_a_table_is_told_which_deals_changed(
    db: DealDatabase, browser: Browser, opened: Opened
) -> None:
    stream = opened("/deals", token=token_of(browser, "/deals"))
    assert stream.next("view").data["changed"] == []
    db.save_deal({"id": "d3", "amount": 1})
    assert stream.next("view").data["changed"] == ["d3"]
    db.delete_deal("d3")
    db.delete_deal("d5")
    changed: set[str] = set()
    while changed != {"d3", "d5"}:
        changed |= set(stream.next("view").data["changed"])


# the feed ----------------------------------------------------------------------------------------------


def last_times(db: DealDatabase, n: int) -> list[str]:
    """When the last commits were made, the newest first; several may have been in the same millisecond."""
    times = sorted(commit.when for commit in told(db) if not commit.only_follows)
    return [json.loads(to_json(each)) for each in times[: -n - 1 : -1]]


def test_the_feed_shows_the_last_commits_by_their_times(db: DealDatabase, browser: Browser) -> None:
    for n in range(30):
        db.save_deal({"id": f"d{n}", "amount": n + 1000})
    page = browser.data("/feed.json")
    times = [each["when"] for each in page["commits"]]
    assert times == last_times(db, len(times))
    assert len(times) >= 30
    # that partitions follow the first one's fields is no news to anybody
    assert [each["kind"] for each in page["commits"]].count("schema") <= 2
    assert browser.data(f"/feed.json?since={page['token']}")["commits"] == []
    db.save_deal({"id": "d7", "amount": 70})
    [commit] = browser.data(f"/feed.json?since={page['token']}")["commits"]
    assert commit["ids"] == "d7"
    status, text, _ = browser.ask("/feed?since=7")
    assert status == 400
    assert "give the token of a commit" in text


def test_the_feed_after_more_commits_than_a_page_has(db: DealDatabase, browser: Browser) -> None:
    token = browser.data("/feed.json")["token"]
    for n in range(130):
        db.save_deal({"id": f"d{n % 90}", "amount": n + 1000})
    commits = browser.data(f"/feed.json?since={token}")["commits"]
    assert [each["when"] for each in commits] == last_times(db, 100)


def test_the_page_of_the_feed_is_told_each_commit_once(
    db: DealDatabase, browser: Browser, opened: Opened
) -> None:
    opened().next("reload")
    token = token_of(browser, "/feed")
    ids: list[str] = []
    stream = opened("/feed", token=token)
    for n in range(40):
        db.save_deal({"id": f"new {n}", "amount": n})
    while len(ids) < 40:
        found = stream.next()
        assert found.kind == "feed", found
        ids += re.findall(r"new (\d+)</bdi>", found.data["commits"])[::-1]
        if n and len(ids) > 20:
            # a link that was cut: the next one begins after what was told
            stream.close()
            stream, n = opened("/feed", last=found.token), 0
    assert sorted(map(int, ids)) == list(range(40))


# saving ------------------------------------------------------------------------------------------------


def shown(db: DealDatabase) -> dict[str, Any]:
    now = AtOnce(db)
    return {"seq": now.seq, "token": now.token}


def test_a_move_of_what_was_changed_meanwhile_is_a_conflict(
    db: DealDatabase, browser: Browser
) -> None:
    with db.acting_as("eve"):
        # so that all partitions together have many more commits than any
        for n in range(60):
            db.save_deal({"id": f"d{n}", "owner": "Bob"})
    body = shown(db) | {"stage": "Won"}
    with db.acting_as("eve"):
        db.save_deal({"id": "d9", "owner": "Eve"})
    status, answer = browser.change("/deals/d9/move", body)
    assert (status, answer["who"]) == (409, ["eve"])
    assert [each["name"] for each in answer["fields"] if each["changed"]] == ["owner"]
    deal = db.get_deal("d9")
    assert deal is not None
    assert deal["stage"] == "Lead"
    # who insists names the revision
    status, answer = browser.change("/deals/d9/move", {"stage": "Won", "expect_rev": answer["rev"]})
    assert (status, answer["outcome"]) == (200, "updated")
    # what was not changed goes on, whatever else was
    status, answer = browser.change("/deals/d12/move", body)
    assert (status, answer["outcome"]) == (200, "updated")
    db.delete_deal("d15")
    assert browser.change("/deals/d15/move", body)[0] == 409


def test_a_move_by_the_number_of_a_commit_is_refused(db: DealDatabase, browser: Browser) -> None:
    for body in (
        {"stage": "Won", "seq": 5_000},
        {"stage": "Won", "seq": 5_000, "token": "7-0123456789abcdef"},
        {"stage": "Won", "seq": 5_000, "token": "p2:" + "A" * 43},
        {"stage": "Won", "seq": 5_000, "token": 7},
    ):
        status, answer = browser.change("/deals/d0/move", body)
        assert (status, answer["code"]) == (400, "query")
        assert "in token" in answer["message"]
    deal = db.get_deal("d0")
    assert deal is not None
    assert deal["stage"] == "Lead"


def test_deals_are_saved_created_and_deleted(db: DealDatabase, browser: Browser) -> None:
    deal = db.get_deal("d3")
    assert deal is not None
    body = {"expect_rev": deal.rev, "changes": {"amount": 5}}
    status, answer = browser.change("/deals/d3", body)
    assert (status, answer["outcome"]) == (200, "updated")
    status, answer = browser.change("/deals/d3", body | {"changes": {"amount": 6}})
    assert (status, answer["code"]) == (409, "conflict")
    new = {"changes": {"id": "n1", "stage": "Lead"}}
    assert browser.change("/deals/new", new)[0] == 200
    assert browser.change("/deals/new", new)[0] == 409
    now = db.get_deal("n1")
    assert now is not None
    assert browser.change("/deals/n1/delete", {"expect_rev": now.rev})[0] == 200
    assert db.get_deal("n1") is None


def test_what_partitions_can_not_do_is_said_and_is_no_fault_of_the_server(
    db: DealDatabase, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        msg = "that can't be had of a collection of several partitions yet"
        raise NotOnPartitions(msg)

    # what it is changes from version to version
    monkeypatch.setattr(DealDatabase, "place_of", refuse)
    status, answer = browser.change("/deals/d0/move", shown(db) | {"stage": "Won"})
    assert (status, answer["code"]) == (501, "not-on-partitions")


# a cluster ---------------------------------------------------------------------------------------------


def test_the_board_of_a_cluster_is_live_and_saves(cluster: Cluster) -> None:
    with ExitStack() as stack:
        # as many sockets as a board has by default, and what two programs save
        board, db = (
            stack.enter_context(DealDatabase.from_url(cluster.url, actor=who, partitions=16))
            for who in ("board", "ann")
        )
        db.loader.load([{"id": f"d{n}", "stage": STAGES[n % 3], "amount": n} for n in range(90)])
        browser = Browser(stack.enter_context(carried(app(board))))

        def listen(path: str, token: str) -> Stream:
            stream = Stream(browser, f"/live?path={path}&last={token}", None)
            stack.callback(stream.close)
            return stream

        listen("/", "").next("reload")
        boards = listen("/", token_of(browser))
        boards.next("board")
        feeds = listen("/feed", token_of(browser, "/feed"))
        for n in range(20):
            db.save_deal({"id": f"d{n}", "amount": 1000 + n})
        seen: set[str] = set()
        while len(seen) < 20:
            seen |= set(re.findall(r"(d\d+)</bdi>", feeds.next("feed").data["commits"]))
        assert seen == {f"d{n}" for n in range(20)}
        changed: set[str] = set()
        while not {f"d{n}" for n in range(0, 20, 3)} <= changed:
            changed |= cards_of(boards.next("board"))
        body = shown(board) | {"stage": "Won"}
        db.save_deal({"id": "d0", "owner": "Eve"})
        assert browser.change("/deals/d0/move", body)[0] == 409
        assert browser.change("/deals/d3/move", body)[0] == 200
        deal = db.get_deal("d3")
        assert deal is not None
        assert deal["stage"] == "Won"
        status, text, _ = browser.ask("/health")
        assert status == 200
        for node in cluster.primaries:
            assert f"node 127.0.0.1:{node.port}" in text
