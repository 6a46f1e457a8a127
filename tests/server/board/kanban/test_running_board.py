"""A board that follows the commits is the one that is made from all deals; property-tested over random commits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import polars as pl
import pytest

from dealdb import DealDatabase, Kind, Pipeline, Stage
from dealdb.board.kanban import running_board
from dealdb.board.kanban.board_view import BoardView, MadeBoard, board_view
from dealdb.board.kanban.changed_deals import Steps
from dealdb.board.kanban.making import BoardColumn, Making
from dealdb.board.kanban.running_board import RunningBoard
from dealdb.board.live.live_view import shown_columns
from dealdb.board.live.recent import RecentCommits
from dealdb.board.page_request import PageRequest
from dealdb.database import LiveDeals
from dealdb.formats.locale import Locale
from servers import Server

STAGES = Pipeline(
    (
        Stage("Lead", Kind.OPEN, Decimal("0.2"), rot_days=20),
        Stage("Demo, live", Kind.OPEN, Decimal("0.555"), rot_days=200),
        Stage("Won", Kind.WON),
        Stage("Lost", Kind.LOST),
    ),
    zone="Pacific/Auckland",
)
FULL = 200
OPTIONS = {
    "all": [],
    "filter": [("where", "amount > 50 OR owner = 'Ann'")],
    "filter of the day": [("where", "expected_close < today()")],
    "filter of the last hour": [("where", "updated > now() - 1h OR amount < 20")],
    "closes first": [("sort", "expected_close,-amount"), ("show", "Won"), ("closed", "all")],
    "by name": [("sort", "name")],
    "changed last": [("sort", "-updated"), ("closed", "365")],
    "lanes": [("by", "owner")],
}


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        yield db


def a_deal(draw: Random, n: int) -> dict[str, Any]:
    today = datetime.now(UTC).date()
    stage = draw.choices(
        ["Lead", "Demo, live", "Won", "Lost", None, "(none)"], [40, 30, 9, 9, 1, 1]
    )[0]
    # the usual currency, mostly
    currency = draw.choices(["EUR", "USD", None], [30, 5, 1])[0]
    amount = draw.choice([None, Decimal(0), *(Decimal(draw.randrange(-100, 100_000)) / 100,) * 20])
    return {
        "id": f"d{n}",
        "name": draw.choice(["Ä", "a", "B", None, ""]),
        "stage": stage,
        "owner": draw.choice(["Ann", "Bo", None]),
        "amount": amount,
        "currency": currency,
        "probability": draw.choice([None, None, Decimal("0.25"), Decimal("0.125")]),
        "created": draw.choice([None, today - timedelta(days=draw.randrange(-5, 400))]),
        "expected_close": draw.choice([None, today + timedelta(days=draw.randrange(-20, 60))]),
        "closed": draw.choice([None, today - timedelta(days=draw.randrange(60))]),
    }


def change(db: DealDatabase, draw: Random) -> None:
    n = draw.randrange(FULL + 20)
    what = draw.random()
    deal = a_deal(draw, n)
    if what < 0.1:
        db.delete_deal(f"d{n}")
    elif what < 0.5:
        # a part of it
        names = draw.sample(sorted(deal.keys() - {"id"}), 2)
        db.save_deal({"id": f"d{n}", **{name: deal[name] for name in names}})
    elif what < 0.9:
        db.save_deal(deal)
    else:
        db.loader.load([a_deal(draw, draw.randrange(FULL + 20)) for _ in range(5)], bar=False)


def commits(reader: DealDatabase) -> int:
    """How many there are; asked of another process, as it were: a look at newer deals is the end of older ones."""
    return LiveDeals(reader).snapshot(["id"]).seq


def as_told(view: BoardView, asked: PageRequest) -> dict[str, Any]:
    """All that pages are told of a board."""
    return {
        "columns": shown_columns(view, asked, {}),
        "numbers": (view.seq, view.today, view.deals, view.kept, view.left_out),
        "figures": [each.figures for each in [*view.columns, *view.closed]],
    }


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 5))]
)
def test_it_is_the_board_of_all_deals_after_any_commits(
    db: DealDatabase,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    options: list[tuple[str, str]],
    seed: int,
) -> None:
    draw = Random(seed)
    # without it, stages come from the deals
    if seed != 1:
        db.set_pipeline(STAGES)
    db.loader.load([a_deal(draw, n) for n in range(FULL)], bar=False)
    made = []

    def counted(*of: Any) -> MadeBoard:
        made.append(of)
        return board_view(*of)

    monkeypatch.setattr(running_board, "board_view", counted)
    with db.changes() as feed, DealDatabase.from_url(f"unix://{server.socket}") as reader:
        recent = RecentCommits(feed.token)
        asked = PageRequest(db=db, names={}, options=options, locale=Locale("de-DE"))
        running, steps = RunningBoard(asked), Steps(db)
        running.view(steps.step(recent.token, recent.rows_between))
        rounds = 15 if seed else 9
        read = commits(reader)
        for _ in range(rounds):
            for _ in range(draw.choice([1, 1, 1, 3])):
                change(db, draw)
            # the feed is at times a commit behind
            until = commits(reader) - draw.choice([0, 0, 0, 0, 1])
            for _ in range(until - read):
                recent.add(next(feed))
            read = max(read, until)
            followed = running.view(steps.step(recent.token, recent.rows_between))
            fresh = PageRequest(db=db, names={}, options=options, locale=Locale("de-DE"))
            assert as_told(followed, fresh) == as_told(board_view(fresh), fresh)
    # else this would compare a thing with itself
    follows = "by" not in dict(options) and "now" not in dict(options).get("where", "")
    assert (len(made) < rounds * 0.8) == follows


@pytest.mark.parametrize(
    ("deals", "step"),
    [
        pytest.param(
            [("a", "Lead", 7, "EUR"), ("b", "Lead", 5, "USD"), ("c", "Demo, live", 0, "USD")],
            {"id": "b", "amount": 0},
            id="the last money of a currency",
        ),
        pytest.param(
            [("a", "Lead", 7, "EUR"), ("b", "Odd", None, None)],
            {"id": "b", "stage": "Lead"},
            id="the last deal of a stage that the pipeline has not",
        ),
        pytest.param(
            [("a", "Lead", 1, "EUR"), *((f"{n}", "Lead", 100, "EUR") for n in range(40))],
            {"id": "a", "amount": 100},
            id="as much as the last card, and saved before it",
        ),
        pytest.param(
            [("a", "Lead", None, "EUR"), *((f"{n}", "Lead", None, "EUR") for n in range(40))],
            {"id": "39", "amount": 1},
            id="the first amount of all",
        ),
        pytest.param(
            [("a", "Lead", 7, "EUR"), ("b", "Lead", 8, "EUR")],
            {"id": "c", "stage": "New", "amount": 1},
            id="a stage that no deal had",
        ),
        pytest.param(
            [("a", "Lead", 10**30, "EUR"), ("b", "Lead", Decimal("0.01"), "EUR")],
            {"id": "b", "amount": Decimal("0.02")},
            id="more digits than a float has",
        ),
    ],
)
def test_other_lines_than_before(
    db: DealDatabase, deals: list[tuple[object, ...]], step: dict[str, Any]
) -> None:
    db.loader.load(
        [dict(zip(("id", "stage", "amount", "currency"), deal, strict=True)) for deal in deals],
        bar=False,
    )
    # only now, or the load would add its stages to them
    db.set_pipeline(STAGES, force=True)
    with db.changes() as feed:
        recent = RecentCommits(feed.token)
        running, steps = RunningBoard(asking := PageRequest(db=db, names={})), Steps(db)
        running.view(steps.step(recent.token, recent.rows_between))
        db.save_deal(step)
        recent.add(next(feed))
        followed = running.view(steps.step(recent.token, recent.rows_between))
    fresh = PageRequest(db=db, names={})
    assert as_told(followed, asking) == as_told(board_view(fresh), fresh)


def of_one_stage(amounts: list[int | None], **more: Any) -> list[dict[str, Any]]:
    """Deals in the order of first saving."""
    deals = [{"id": f"{n}", "stage": "Lead", "amount": each} for n, each in enumerate(amounts)]
    return [deal | more | {"name": f"{n:03}"} for n, deal in enumerate(deals)]


@pytest.mark.parametrize(
    ("deals", "sort", "steps", "looks"),
    [
        pytest.param(
            of_one_stage([*range(40)]),
            "-amount",
            [{"id": "20", "amount": 90}],
            0,
            id="a card rises",
        ),
        pytest.param(
            of_one_stage([*range(40)]), "-amount", [{"id": "3", "amount": 90}], 0, id="one comes"
        ),
        pytest.param(
            of_one_stage([*range(40)]),
            "-amount",
            [{"id": "20", "stage": "Won"}, {"id": "3", "amount": 90}],
            0,
            id="one comes for one that goes",
        ),
        pytest.param(
            of_one_stage([*range(40)]), "-amount", [{"id": "20", "stage": "Won"}], 1, id="one goes"
        ),
        pytest.param(
            of_one_stage([*range(40)]),
            "-amount",
            [{"id": "3", "amount": 39}],
            0,
            id="as much as a card, and saved before it",
        ),
        pytest.param(
            of_one_stage([*range(40)]),
            "-amount",
            [{"id": "20", "amount": 90}, {"id": "new", "stage": "Demo, live", "amount": 5}],
            0,
            id="with a new deal of another stage",
        ),
        pytest.param(
            of_one_stage([*range(40)]),
            "-amount",
            [{"id": "20", "amount": 5}],
            1,
            id="a card falls behind those without one",
        ),
        pytest.param(
            of_one_stage([*range(29)]),
            "-amount",
            [{"id": "20", "amount": -5}],
            0,
            id="all have cards",
        ),
        pytest.param(
            of_one_stage([*range(29)]),
            "-amount",
            [
                {"id": "new", "stage": "Lead", "amount": 5},
                {"id": "2", "stage": "Lead", "amount": -5},
            ],
            0,
            id="as many as there can be",
        ),
        pytest.param(
            of_one_stage([*[7] * 39, 9]),
            "-amount",
            [{"id": "39", "amount": 7}],
            1,
            id="as much as the last card, and saved after those without one",
        ),
        pytest.param(
            of_one_stage([8, *[None] * 38, 9]),
            "-amount",
            [{"id": "39", "amount": None}],
            1,
            id="as the last card without an amount",
        ),
        pytest.param(
            of_one_stage([*range(40)]), "amount", [{"id": "20", "amount": -1}], 0, id="ascending"
        ),
        pytest.param(
            of_one_stage([*range(40)]),
            "amount",
            [{"id": "20", "amount": 90}],
            1,
            id="ascending, behind those without a card",
        ),
        pytest.param(
            of_one_stage([*range(40)]), "name", [{"id": "39", "name": "0"}], 0, id="a text comes"
        ),
        pytest.param(
            of_one_stage([*range(40)]), "name", [{"id": "3", "name": "0"}], 1, id="a text rises"
        ),
    ],
)
def test_the_deals_of_a_column_are_looked_through_only_if_any_may_have_a_card(
    db: DealDatabase,
    monkeypatch: pytest.MonkeyPatch,
    deals: list[dict[str, Any]],
    sort: str,
    steps: list[dict[str, Any]],
    looks: int,
) -> None:
    db.set_pipeline(STAGES)
    db.loader.load([*deals, {"id": "won", "stage": "Won", "amount": 1}], bar=False)
    options = [("sort", sort), ("closed", "all")]
    rows_of, looked = Making.rows_of, []

    def seen(making: Making, columns: Sequence[BoardColumn]) -> pl.DataFrame:
        looked.append(columns)
        return rows_of(making, columns)

    monkeypatch.setattr(Making, "rows_of", seen)
    with db.changes() as feed:
        recent = RecentCommits(feed.token)
        asked = PageRequest(db=db, names={}, options=options)
        running, following = RunningBoard(asked), Steps(db)
        running.view(following.step(recent.token, recent.rows_between))
        for step in steps:
            db.save_deal(step)
            recent.add(next(feed))
        followed = running.view(following.step(recent.token, recent.rows_between))
    fresh = PageRequest(db=db, names={}, options=options)
    assert as_told(followed, asked) == as_told(board_view(fresh), fresh)
    assert len(looked) == looks
