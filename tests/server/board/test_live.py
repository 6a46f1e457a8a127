"""Open pages on real sockets: what they are told, in which order, and that it is never wrong."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from starlette.requests import ClientDisconnect

from boards import Browser, carried
from connected import eventually, waiting_feeds
from dealdb import DealDatabase, Kind, Pipeline, Stage
from dealdb.board.app import app
from dealdb.board.kanban.board_view import MOST_LANES
from dealdb.board.live import hub
from dealdb.board.live.recent import MOST_COMMITS
from dealdb.board.parts.at_once import AtOnce
from dealdb.store.history.feed_commits import Commit, commit_of
from servers import Server
from streams import LiveEvent, Stream

Opened = Callable[..., "Stream"]
STAGES = ("Lead", "Demo", "Won")


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}", actor="ann") as db:
        db.loader.load([{"id": f"d{n}", "stage": STAGES[n % 3], "amount": n} for n in range(90)])
        yield db


@pytest.fixture
def opened(db: DealDatabase) -> Iterator[Opened]:
    with ExitStack() as stack:
        browser = Browser(stack.enter_context(carried(app(db))))

        def listen(path: str = "/", last: str | None = None) -> Stream:
            stream = Stream(browser, f"/live?path={path}&seq={_seq(db)}", last)
            stack.callback(stream.close)
            return stream

        yield listen


def _seq(db: DealDatabase) -> int:
    return AtOnce(db).seq


def part_of(found: LiveEvent, stage: str) -> Any:
    return next(each for each in found.data["columns"] if each["stage"] == stage)


def settled(stream: Stream) -> LiveEvent:
    """The first event, which says what is there."""
    return stream.next()


def test_a_commit_is_told_to_all_pages_with_the_same_bytes(
    db: DealDatabase, opened: Opened
) -> None:
    first, second = opened(), opened()
    assert first.kind == "text/event-stream; charset=utf-8"
    settled(first), settled(second)
    db.update_deal("d0", amount="1234567.89", name="<img src=x onerror=alert(1)>\n\ndata: x")
    found, other = first.next("board"), second.next("board")
    assert found.raw == other.raw
    part = part_of(found, "Lead")
    assert part["order"][0] == "d0"
    assert list(part["cards"]) == ["d0"]
    assert "&lt;img src=x" in part["cards"]["d0"]
    assert "<img" not in part["cards"]["d0"]
    assert "1,235,872.89" in part["head"]
    # what has not changed is not sent
    assert [each["stage"] for each in found.data["columns"]] == ["Lead"]


def test_a_deal_that_moves_leaves_one_column_for_another(db: DealDatabase, opened: Opened) -> None:
    page = opened()
    settled(page)
    db.update_deal("d0", stage="Demo", amount=999)
    found = page.next("board")
    assert "d0" not in part_of(found, "Lead")["order"]
    assert part_of(found, "Demo")["order"][0] == "d0"


def test_a_table_is_told_how_many_and_which_deals_changed(db: DealDatabase, opened: Opened) -> None:
    page = opened("/deals&where=amount+%3E+80")
    settled(page)
    db.update_deal("d0", amount=1)
    db.update_deal("d1", amount=100)
    found = page.next("view")
    while not found.data["changed"]:
        found = page.next("view")
    assert found.data["changed"] == ["d1"]
    assert found.data["kept"] == "10 deals"


def test_a_page_whose_link_was_cut_has_what_it_missed(db: DealDatabase, opened: Opened) -> None:
    page = opened()
    settled(page)
    db.update_deal("d0", amount=500)
    token = page.next("board").token
    page.close()
    db.update_deal("d3", amount=600)
    db.update_deal("d1", amount=700)
    again, cards = opened(last=token), set[str]()
    # the feed may be behind the deals for a moment: what it says later comes later
    while cards != {"d3", "d1"}:
        found = again.next()
        assert found.kind == "board"
        cards |= {each for part in found.data["columns"] for each in part["cards"]}
        assert cards <= {"d3", "d1"}
    assert opened(last="5-0000000000000bad").next().kind == "reload"


def test_a_page_that_missed_too_much_makes_itself_anew(db: DealDatabase, opened: Opened) -> None:
    assert MOST_COMMITS == 500
    page = opened()
    token = settled(page).token
    page.close()
    watching = opened()
    settled(watching)
    for n in range(MOST_COMMITS + 1):
        db.update_deal("d0", amount=1000 + n)
    while f"{1000 + MOST_COMMITS:,}" not in watching.next("board").raw.decode():
        pass
    assert opened(last=token).next().kind == "reload"


def test_more_cards_than_fit_an_event_are_asked_for_anew(db: DealDatabase, opened: Opened) -> None:
    db.save_deal({"id": "3", "stage": "Third"})
    page = opened()
    settled(page)
    new = {"stage": "Lead", "company": "of a load"}
    db.loader.load(
        [{**new, "id": f"n{n}", "amount": 5000 + n, "stage": STAGES[n % 2]} for n in range(90)]
        + [{**new, "id": f"m{n}", "amount": 5000 + n, "stage": "Third"} for n in range(90)]
    )
    parts: list[Any] = []
    while not any(each.get("reload") for each in parts):
        parts = page.next("board").data["columns"]
    assert sum(len(each.get("cards", ())) for each in parts) <= 60


class _Folded:
    """The deals as the feed tells them: what the board should say, by another way."""

    def __init__(self, db: DealDatabase) -> None:
        self.sums: dict[int, dict[str, tuple[int, Decimal]]] = {}
        deals: dict[str, dict[str, Any]] = {}
        for commit in db.changes(since=0, timeout_s=0):
            for change in commit.deals:
                deals.setdefault(change.id, {}).update(change.values)
            found: dict[str, tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
            for deal in deals.values():
                n, total = found[deal["stage"]]
                found[deal["stage"]] = n + 1, total + deal["amount"]
            self.sums[commit.seq] = found


def test_sums_are_right_at_their_commit_while_many_write(db: DealDatabase, opened: Opened) -> None:
    page = opened("/&show=Won&closed=all")
    settled(page)
    end = threading.Event()

    def write(place: int) -> None:
        n = 0
        while not end.is_set():
            n += 1
            deal = f"d{place + 4 * (n % 10)}"
            db.update_deal(deal, amount=Decimal(n * 100 + place) / 100, stage=STAGES[n % 3])
            time.sleep(0.06)

    writers = [threading.Thread(target=write, args=(place,)) for place in range(4)]
    for each in writers:
        each.start()
    events: list[LiveEvent] = []
    began = time.monotonic()
    # a machine that has much else to do tells less often
    while time.monotonic() < began + 2 or len(events) < 10:
        events.append(page.next("board"))
    end.set()
    for each in writers:
        each.join()
    expected = _Folded(db).sums
    checked = 0
    for found in events:
        for part in found.data["columns"]:
            head = re.sub(r"<[^>]*>", " ", part["head"])
            n, total = expected[found.data["seq"]][part["stage"]]
            said = [word.replace(",", "") for word in head.split()]
            assert f"{n}" in said, (found.data["seq"], part["stage"], head)
            assert f"{total:.2f}" in said
            checked += 1
    assert checked > 20
    assert len(events) <= 25
    last = {row["stage"]: (row["n"], row["value"]) for row in db.analytics.pipeline().to_dicts()}
    assert last == dict(expected[max(expected)])


def test_a_view_that_can_not_be_shown_does_not_end_the_others(
    db: DealDatabase, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.update_deal("d0", seats=7)
    good, bad = opened(), opened("/&where=seats+%3E+5")
    settled(good), settled(bad)
    db.drop_field("seats")
    assert "seats" in bad.next("problem").data["message"]
    # a fault of our own, too
    monkeypatch.setattr("dealdb.board.live.live_view._parts", lambda *_: 1 / 0)
    db.update_deal("d0", amount=77)
    assert good.next("problem").data["code"] == "internal"
    monkeypatch.undo()
    db.update_deal("d0", amount=78)
    assert "d0" in part_of(good.next("board"), "Lead")["cards"]


def test_a_history_that_was_emptied_is_told(
    server: Server, db: DealDatabase, opened: Opened
) -> None:
    page = opened()
    settled(page)
    with server.client() as client:
        client.flushall()
    assert page.next("away").data == {}
    db.save_deal({"id": "new", "stage": "Lead", "amount": 5})
    while not page.next().data.get("state", "").endswith(" · 1 deal"):
        pass


def test_a_server_that_restarts_is_followed_on(server: Server, tmp_path: Path) -> None:
    own = Server(server.binary, tmp_path / "own", "--appendonly", "yes").start()
    try:
        with DealDatabase.from_url(f"unix://{own.socket}", retry_deadline_s=0.3) as db:
            db.save_deal({"id": "1", "stage": "Lead", "amount": 5})
            with carried(app(db)) as port:
                page = Stream(Browser(port), f"/live?path=/&seq={_seq(db)}", None)
                settled(page)
                own.stop()
                assert page.next("away").data == {}
                own.start()
                db.update_deal("1", amount=7)
                assert "7.00" in part_of(page.next("board"), "Lead")["cards"]["1"]
                page.close()
    finally:
        own.stop()


def test_a_server_that_is_back_is_told_though_nothing_was_saved(
    server: Server, tmp_path: Path
) -> None:
    own = Server(server.binary, tmp_path / "own", "--appendonly", "yes").start()
    try:
        with DealDatabase.from_url(f"unix://{own.socket}", retry_deadline_s=0.3) as db:
            db.save_deal({"id": "1", "stage": "Lead", "amount": 5})
            with carried(app(db)) as port, ExitStack() as stack:
                pages = [
                    Stream(Browser(port), f"/live?path={path}&seq={_seq(db)}{last}", None)
                    for path, last in (
                        ("/", ""),
                        ("/deals", ""),
                        ("/feed", f"&last={db.changes().token}"),
                    )
                ]
                shown = []
                for page in pages:
                    stack.callback(page.close)
                    shown.append(settled(page).data["state"])
                own.stop()
                for page in pages:
                    page.next("away")
                own.start()
                for page, state in zip(pages, shown, strict=True):
                    while page.next().data.get("state") != state:
                        pass
    finally:
        own.stop()


class _Clock(datetime):
    """The clock of this process, set to another time by a test."""

    ahead = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) + cls.ahead

    @classmethod
    def set(cls, moment: datetime) -> None:
        cls.ahead = moment - datetime.now(moment.tzinfo)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> type[_Clock]:
    for module in ("analytics.options", "board.live.hub"):
        monkeypatch.setattr(f"dealdb.{module}.datetime", _Clock)
    monkeypatch.setattr(hub, "LOOK_S", 0.02)
    monkeypatch.setattr(_Clock, "ahead", timedelta())
    return _Clock


def test_midnight_of_the_pipeline_brings_new_figures_without_a_commit(
    db: DealDatabase, opened: Opened, clock: type[_Clock]
) -> None:
    # half past ten in the evening of the day before, for UTC
    midnight = datetime(2031, 5, 9, tzinfo=ZoneInfo("Pacific/Auckland"))
    clock.set(midnight - timedelta(minutes=1))
    stages = [Stage(name, Kind.WON if name == "Won" else Kind.OPEN) for name in STAGES]
    db.set_pipeline(Pipeline(tuple(stages), zone="Pacific/Auckland"))
    db.update_deal("d0", amount=500, expected_close=date(2031, 5, 8))
    db.update_deal("d2", closed=date(2031, 4, 9))
    page = opened("/&day=2031-05-08")
    first = settled(page)
    assert first.kind == "board"
    assert (first.data["day"], first.data["closed"]) == ("2031-05-08", "Closed since 2031-04-09")
    assert "overdue" not in part_of(first, "Lead")["head"]
    assert ">1<" in part_of(first, "Won")["head"]
    clock.set(midnight + timedelta(minutes=1))
    found = page.next("board")
    assert (found.data["day"], found.data["closed"]) == ("2031-05-09", "Closed since 2031-04-10")
    assert found.data["seq"] == first.data["seq"]
    assert "1 overdue" in part_of(found, "Lead")["head"]
    assert "1 day overdue" in part_of(found, "Lead")["cards"]["d0"]
    assert ">0<" in part_of(found, "Won")["head"]
    # a page of yesterday whose link was cut meanwhile can't know what is overdue
    assert opened("/&day=2031-05-08", last=found.token).next().kind == "reload"
    assert opened("/&day=2031-05-09", last=found.token).next().kind == "board"


def test_midnight_of_another_zone_than_the_page_was_opened_in(
    db: DealDatabase, opened: Opened, clock: type[_Clock]
) -> None:
    midnight = datetime(2031, 5, 9, tzinfo=ZoneInfo("Pacific/Auckland"))
    clock.set(midnight - timedelta(minutes=1))
    page = opened()
    first = settled(page)
    db.set_pipeline(replace(db.pipeline, zone="Pacific/Auckland"))
    seq = page.next("reload").data["seq"]
    clock.set(midnight + timedelta(minutes=1))
    found = page.next("board")
    assert (found.data["day"], found.data["seq"]) == ("2031-05-09", seq)
    assert first.data["day"] == "2031-05-08"


def test_midnight_brings_a_table_other_deals_though_as_many_as_before(
    db: DealDatabase, opened: Opened, clock: type[_Clock], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dealdb.query.filters.where.datetime", clock)
    midnight = datetime(2031, 5, 9, tzinfo=UTC)
    clock.set(midnight - timedelta(minutes=1))
    db.update_deal("d0", expected_close=date(2031, 5, 8))
    db.update_deal("d1", expected_close=date(2031, 5, 9))
    page = opened("/deals&where=expected_close+%3D+today()")
    assert settled(page).data["kept"] == "1 deal"
    clock.set(midnight + timedelta(minutes=1))
    found = page.next("view")
    assert (found.data["kept"], found.data["changed"]) == ("1 deal", None)
    # and one of yesterday whose link was cut meanwhile
    path = "/deals&where=expected_close+%3D+today()&day="
    told = [opened(f"{path}2031-05-0{n}", last=found.token).next().data["changed"] for n in (8, 9)]
    assert told == [None, []]


def test_imported_history_says_since_when_a_card_is_where_it_is(
    db: DealDatabase, opened: Opened
) -> None:
    page = opened()
    settled(page)
    entered = datetime.now(UTC) - timedelta(days=9)
    db.history.load([{"id": "d0", "field": "stage", "at": entered, "value": "Lead"}])
    # no deal is changed by it
    assert page.next().kind == "reload"
    db.update_deal("d0", amount=500)
    found = page.next("board")
    assert "9 days here" in part_of(found, "Lead")["cards"]["d0"]
    assert found.data["whole"] is False


@pytest.fixture
def clock_of_filters(clock: type[_Clock], monkeypatch: pytest.MonkeyPatch) -> type[_Clock]:
    monkeypatch.setattr("dealdb.query.filters.where.datetime", _Clock)
    return clock


LATELY = "where=updated+%3E+now+-+1h"


def test_a_board_of_the_last_hour_loses_what_is_older_without_a_commit(
    db: DealDatabase, opened: Opened, clock_of_filters: type[_Clock]
) -> None:
    db.update_deal("d0", amount=5)
    page = opened(f"/&{LATELY}")
    first = settled(page)
    assert first.data["kept"] == "1 deal"
    clock_of_filters.set(datetime.now(UTC) + timedelta(hours=2))
    found = page.next("board")
    assert (found.data["kept"], found.data["seq"]) == ("0 deals", first.data["seq"])
    assert part_of(found, "Lead")["order"] == []


def test_a_board_of_the_last_hour_is_made_anew_when_it_is_asked_for(
    db: DealDatabase, clock_of_filters: type[_Clock]
) -> None:
    db.update_deal("d0", amount=5)
    with carried(app(db)) as port:
        browser = Browser(port)
        assert browser.data(f"/board.json?{LATELY}")["kept"] == 1
        clock_of_filters.set(datetime.now(UTC) + timedelta(hours=2))
        assert browser.data(f"/board.json?{LATELY}")["kept"] == 0


def test_a_table_of_the_last_hour_says_that_it_has_changed_without_a_commit(
    db: DealDatabase, opened: Opened, clock_of_filters: type[_Clock]
) -> None:
    db.update_deal("d0", amount=5)
    page = opened(f"/deals&{LATELY}")
    assert settled(page).data["kept"] == "1 deal"
    clock_of_filters.set(datetime.now(UTC) + timedelta(hours=2))
    found = page.next("view")
    # which ones it would be is no deal's change: all are shown anew
    assert (found.data["kept"], found.data["changed"]) == ("0 deals", None)


def test_a_look_at_the_clock_forgets_no_news(
    db: DealDatabase, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "LOOK_S", 0.0)
    page = opened()
    settled(page)
    for n in range(20):
        # at any moment between two looks
        time.sleep(n % 10 / 100)
        db.update_deal("d0", amount=1000 + n)
        assert f"{1000 + n:,}" in part_of(page.next("board"), "Lead")["cards"]["d0"]


def test_a_table_is_told_of_deals_that_leave_it(db: DealDatabase, opened: Opened) -> None:
    page = opened("/deals&where=amount+%3E+80")
    settled(page)
    db.update_deal("d85", amount=1)
    found = page.next("view")
    assert (found.data["kept"], found.data["changed"]) == ("8 deals", ["d85"])
    db.delete_deal("d86")
    found = page.next("view")
    assert (found.data["kept"], found.data["changed"]) == ("7 deals", ["d86"])


def test_a_table_whose_link_was_cut_is_told_of_deals_that_have_left_it(
    db: DealDatabase, opened: Opened
) -> None:
    path = "/deals&where=amount+%3E+80"
    page = opened(path)
    token = settled(page).token
    page.close()
    db.update_deal("d85", amount=1)
    again = opened(path, last=token)
    # the feed may be behind the deals for a moment: what it says later comes later
    told = [settled(again).data["changed"]]
    while not told[-1]:
        told.append(again.next("view").data["changed"])
    assert told[-1] == ["d85"]


@pytest.mark.parametrize("where", ["", "amount > 10"])
def test_the_table_of_a_number_is_told_of_its_own_deals_alone(
    db: DealDatabase, opened: Opened, where: str
) -> None:
    page = opened(f"/deals&{urlencode({'figure': 'summary', 'count': 'won', 'where': where})}")
    assert settled(page).data["changed"] == []
    # d3 is a lead, and stays one
    db.update_deal("d3", amount=7)
    db.update_deal("d30", amount=700)
    db.update_deal("d32", amount=1000)
    assert page.next("view").data["changed"] == ["d32"]
    # one that comes to count, and one that does not any more
    db.update_deal("d42", stage="Won")
    assert page.next("view").data["changed"] == ["d42"]
    db.update_deal("d35", stage="Lead")
    assert page.next("view").data["changed"] == ["d35"]


def test_the_table_of_a_list_of_changes_is_told_of_its_own_deals_alone(
    db: DealDatabase, opened: Opened
) -> None:
    begin = db.changes().token
    db.update_deal("d3", stage="Won")
    page = opened(f"/deals&{urlencode({'change': 'won', 'since': begin})}")
    assert settled(page).data["changed"] == []
    db.update_deal("d4", amount=7)
    db.update_deal("d3", amount=8)
    assert page.next("view").data["changed"] == ["d3"]


def test_the_table_of_a_number_that_is_opened_later_has_deals_of_its_own(
    db: DealDatabase, opened: Opened
) -> None:
    path = f"/deals&{urlencode({'change': 'won', 'since': db.changes().token})}"
    db.update_deal("d3", stage="Won")
    first = opened(path)
    settled(first)
    db.update_deal("d6", stage="Won")
    second = opened(path)
    settled(second)
    db.update_deal("d6", amount=8)
    while (found := second.next("view")).data["seq"] < _seq(db):
        pass
    assert found.data["changed"] == ["d6"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_pages_that_nobody_tells_any_more_do_not_seem_to_be_live(
    db: DealDatabase, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened()
    settled(page)
    # the next wait of the thread that tells fails
    monkeypatch.setattr(hub, "JOIN_S", "soon")
    db.update_deal("d0", amount=500)
    assert page.ends()
    assert opened().status == 503


def test_so_many_pages_and_no_more(
    db: DealDatabase, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hub.MOST_CLIENTS == 200
    monkeypatch.setattr(hub, "MOST_CLIENTS", 20)
    pages = [opened() for _ in range(20)]
    for each in pages:
        settled(each)
    assert opened().status == 503
    db.update_deal("d0", amount=77)
    assert len({each.next("board").raw for each in pages}) == 1
    pages[0].close()
    deadline = time.monotonic() + 5
    while (status := opened().status) == 503 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert status == 200


def test_a_page_that_is_gone_before_its_stream_begins_has_no_place(
    db: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "MOST_CLIENTS", 1)
    board, began = app(db), list[int]()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "method": "GET",
        "path": "/live",
        "root_path": "",
        "query_string": b"path=/",
        "headers": [(b"host", b"127.0.0.1")],
    }

    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        began.append(message["status"])
        # what a server of ASGI 2.4 says of a browser that has gone
        raise BrokenPipeError

    for _ in range(3):
        with suppress(OSError, ClientDisconnect):
            asyncio.run(board(dict(scope), gone, send))
    board.close()
    assert began == [200, 200, 200]


def test_closing_ends_every_stream(db: DealDatabase) -> None:
    application = app(db)
    with carried(application) as port:
        page = Stream(Browser(port), "/live?path=/", None)
        settled(page)
        began = time.monotonic()
        application.close()
        page.rest()
        assert time.monotonic() - began < 1
        page.close()
        late = Stream(Browser(port), "/live?path=/", None)
        assert late.status == 503
        late.close()


def test_the_end_of_the_database_ends_streams_and_threads(server: Server) -> None:
    before = {each.ident for each in threading.enumerate()}

    def of_hubs() -> list[str]:
        alive = (each for each in threading.enumerate() if each.ident not in before)
        return [
            each.name for each in alive if each.name in ("dealdb-board_follow", "dealdb-board_tell")
        ]

    db = DealDatabase.from_url(f"unix://{server.socket}")
    db.save_deal({"id": "1", "stage": "Lead"})
    with carried(app(db)) as port:
        pages = [Stream(Browser(port), f"/live?path={path}", None) for path in ("/", "/deals")]
        for page in pages:
            settled(page)
        assert len(of_hubs()) == 2
        db.close()
        assert [page.ends() for page in pages] == [True, True]
        for page in pages:
            page.close()
        assert eventually(lambda: not of_hubs())
        assert waiting_feeds(server) == []


def test_a_page_of_another_history_is_told_so_whatever_its_number(
    db: DealDatabase, opened: Opened, server: Server
) -> None:
    pages = {path: opened(path) for path in ("/", "/deals?where=amount+%3E+1")}
    for page in pages.values():
        settled(page)
    port = pages["/"]._connection.port
    shown = {path: Browser(port).ask(path)[1] for path in pages}
    with server.client() as client:
        client.flushall()
    # by one who reads everything: as soon as the feed has noticed it, too
    pages["/"].next("reload")
    with DealDatabase.from_url(f"unix://{server.socket}", actor="bob") as other:
        while _seq(other) < _seq_in(shown["/"]) + 1:
            other.save_deal({"id": "d1", "stage": "Lead", "amount": _seq(other)})
    for path, text in shown.items():
        given = re.search(r'data-token="([^"]+)"', text)
        last = f"&last={given[1]}" if given else ""
        seq, bare = _seq_in(text), path.partition("?")
        address = f"/live?path={bare[0]}&seq={seq}{last}&{bare[2]}"
        page = Stream(Browser(port), address, None)
        told = settled(page)
        page.close()
        assert told.kind == "reload" or told.data["changed"] is None, (path, told)


def _seq_in(text: str) -> int:
    found = re.search(r'data-seq="(\d+)"', text)
    assert found
    return int(found[1])


def test_a_page_is_told_of_the_very_commit_that_it_shows(db: DealDatabase, opened: Opened) -> None:
    settled(opened())
    for n in range(3):
        db.update_deal("d0", amount=n)
        last = AtOnce(db).token
        told = settled(opened("/", last))
        # as it shows it already: no cards
        assert told.kind == "board"
        assert not any(each["cards"] for each in told.data["columns"])


def test_what_to_know_of_the_figures_is_told_with_them(db: DealDatabase, opened: Opened) -> None:
    for n in range(MOST_LANES):
        db.save_deal({"id": f"o{n}", "stage": "Lead", "amount": 1, "owner": f"Owner {n}"})
    plain, lanes = opened("/"), opened("/&by=owner")
    assert "without an amount" not in settled(plain).data["notes"]
    assert "1 further lane with 60 deals is not shown" in settled(lanes).data["notes"]
    db.save_deal({"id": "new", "stage": "Lead", "owner": "Somebody else"})
    found = lanes.next("board").data["notes"]
    assert "2 further lanes with 61 deals are not shown" in found
    assert "open deals without an amount: 1" in found
    assert f"as of commit {_seq(db)}" in found


def test_a_page_of_the_feed_that_missed_much_has_nothing_read_for_it(
    db: DealDatabase, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_ago = db.changes().token
    for n in range(20):
        db.update_deal("d0", amount=n)
    first = opened("/feed", last=db.changes().token)
    token = settled(first).token
    db.update_deal("d0", amount=77)
    first.next("feed")
    read: list[Commit] = []

    def noted(*given: Any) -> Commit:
        read.append(commit_of(*given))
        return read[-1]

    monkeypatch.setattr("dealdb.store.history.course.commit_of", noted)
    assert settled(opened("/feed", last=long_ago)).kind == "reload"
    assert "77" in settled(opened("/feed", last=token)).data["commits"]
    assert read == []


def test_the_feed_is_told_each_commit_once_whatever_becomes_of_its_link(
    db: DealDatabase, opened: Opened
) -> None:
    token, begin = db.changes().token, _seq(db)
    settled(opened("/feed", last=token))
    seen: list[int] = []
    writer = threading.Thread(
        target=lambda: [db.update_deal("d0", amount=1000 + n) for n in range(60)]
    )
    writer.start()
    while len(seen) < 60:
        page = opened("/feed", last=token)
        for _ in range(2):
            found = page.next("feed")
            fresh = [int(seq) for seq in re.findall(r'data-seq="(\d+)"', found.data["commits"])]
            assert fresh == sorted(fresh, reverse=True)
            seen += fresh[::-1]
            # what was received before the link was cut
            token = found.token or token
            if len(seen) >= 60:
                break
        page.close()
    writer.join()
    assert seen == list(range(begin + 1, begin + 61))


def test_a_feed_of_another_history_is_made_anew(db: DealDatabase, opened: Opened) -> None:
    assert opened("/feed", last="5-0000000000000bad").next().kind == "reload"
    page = opened("/feed", last=db.changes().token)
    assert page.next("feed").data["commits"] == ""
    db.save_deal({"id": "evil", "name": "<img src=x onerror=alert(1)>"})
    told = page.next("feed")
    assert "&lt;img src=x" in told.data["commits"]
    assert "<img" not in told.data["commits"]
