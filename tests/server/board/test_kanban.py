"""The kanban page: its figures are those of the metric, and each leads to exactly its deals."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest

from dealdb import DealDatabase, Kind, Pipeline, Stage
from dealdb.board.html import rendered
from dealdb.board.kanban.board_view import BoardColumn, board_view
from dealdb.board.page_request import PageRequest
from dealdb.board.pages.board import show
from dealdb.errors import QueryError
from dealdb.formats.locale import Locale
from dealdb.sample import deals
from servers import Server

ATTACKS = ("<img src=x onerror=alert(1)>", "</script><b>", '"onload="', "\u202eevil", "x" * 10_000)
STAGES = Pipeline(
    (
        Stage("Lead", Kind.OPEN, Decimal("0.2"), rot_days=20),
        Stage("Demo, live", Kind.OPEN, Decimal("0.5"), rot_days=200),
        Stage("Won", Kind.WON),
        Stage("Lost", Kind.LOST),
    ),
    zone="Pacific/Auckland",
)


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        yield db


def asking(db: DealDatabase, *options: tuple[str, str]) -> PageRequest:
    return PageRequest(db=db, names={}, options=options)


def deals_behind(db: DealDatabase, link: str) -> int:
    where = parse_qs(urlsplit(link).query)["where"][0]
    return db.query.count(where)


def save_odd_deals(db: DealDatabase) -> None:
    db.set_pipeline(STAGES)
    today = datetime.now(UTC).date()
    for n in range(60):
        currency = (None, "EUR", "USD")[n % 3]
        stage = (None, "Lead", "Demo, live", "Won", "Lost", "(none)")[n % 6]
        db.save_deal(
            {
                "id": f"d{n}",
                "stage": stage,
                "owner": ("Ann", None, "(none)", "O'Neil")[n % 4],
                "amount": None if n % 7 == 0 else Decimal(n) * 10_000_000_000 + Decimal("0.01"),
                "currency": currency,
                "created": today - timedelta(days=n * 5),
                "expected_close": today + timedelta(days=30 - n * 2),
                **({"closed": today - timedelta(days=n)} if stage in ("Won", "Lost") else {}),
            }
        )


def figures_by_cell(columns: list[BoardColumn]) -> dict[tuple[object, ...], tuple[object, ...]]:
    return {
        (each.figures.stage, money.currency): (money.value, money.weighted)
        for each in columns
        for money in each.figures.sums
    }


def test_sums_are_those_of_the_metric_a_line_for_each_currency(db: DealDatabase) -> None:
    save_odd_deals(db)
    view = board_view(asking(db, ("closed", "all")))
    found = figures_by_cell([*view.columns, *view.closed])
    for row in db.analytics.pipeline().to_dicts():
        if row["n"] == row["blank"]:
            continue
        # here a deal may have this word as its stage
        stage = None if row["stage"] == "(no stage)" else row["stage"]
        currency = None if row["currency"] == "(none)" else row["currency"]
        assert found.pop((stage, currency)) == (row["value"], row["weighted"])
    assert not found
    assert [each.label for each in view.columns] == ["Lead", "Demo, live", "(none)", "No stage"]
    assert [each.label for each in view.closed] == ["Won", "Lost"]


@pytest.mark.parametrize(
    "options",
    [
        (),
        (("closed", "all"),),
        (("where", "amount > 5 OR owner IS NULL -- all of these"),),
        (("by", "owner"), ("show", "Won"), ("closed", "40")),
    ],
)
def test_each_number_leads_to_exactly_its_deals(
    db: DealDatabase, options: tuple[tuple[str, str], ...]
) -> None:
    save_odd_deals(db)
    view = board_view(asking(db, *options))
    columns = [*view.columns, *view.closed]
    columns += [part for lane in view.lanes for part in lane.columns]
    for column in columns:
        assert deals_behind(db, column.link) == column.figures.n
        if column.rotting_link:
            assert deals_behind(db, column.rotting_link) == column.figures.rotting
        if column.overdue_link:
            assert deals_behind(db, column.overdue_link) == column.figures.overdue
    for lane in view.lanes:
        assert lane.n == sum(part.figures.n for part in lane.columns)
    assert any(column.overdue_link for column in columns)


def test_cards_are_the_first_deals_of_their_column(db: DealDatabase) -> None:
    db.loader.load(deals(600))
    view = board_view(asking(db, ("sort", "expected_close,-amount"), ("show", "Won")))
    assert [each.figures.stage for each in view.closed] == ["Lost"]
    for column in view.columns:
        where = parse_qs(urlsplit(column.link).query)["where"][0]
        first = db.query.find(where, sort=["expected_close", "-amount"], limit=30)
        assert [card.id for card in column.cards] == first["id"].to_list()
    late = {card.id for each in view.columns for card in each.cards if card.warnings}
    today = datetime.now(UTC).date()
    overdue = db.query.find(f"expected_close < '{today}'", columns=["id"])["id"].to_list()
    assert late & set(overdue) == late
    assert late


def test_nothing_of_a_deal_becomes_markup(db: DealDatabase) -> None:
    for n, text in enumerate(ATTACKS):
        names = ("name", "company", "owner", "stage", "currency", "source")
        db.save_deal({"id": f"<i>{n}", **dict.fromkeys(names, text), "amount": 5})
    asked = asking(db, ("by", "owner"), ("fields", "company,owner,amount,source,stage"))
    shown = show(asked).for_template
    frame = dict.fromkeys(("menu", "teams"), ()) | dict.fromkeys(
        ("team", "root", "login", "filter_error", "title")
    )
    text = rendered("board.html", asked, frame | dict(shown))
    for odd in ("<img src=x", "</script><b>", "<i>", '""onload'):
        assert odd not in text
    assert "&lt;img src=x" in text


@pytest.mark.parametrize(
    ("name", "value"),
    [("sort", "-amonut"), ("fields", "ownr"), ("by", "amount"), ("by", "ownr"), ("closed", "x")],
)
def test_options_that_mean_nothing_are_refused(db: DealDatabase, name: str, value: str) -> None:
    db.save_deal({"id": "1", "stage": "Lead", "amount": 5, "owner": "Ann"})
    with pytest.raises(QueryError, match=value.strip("-")):
        board_view(asking(db, (name, value)))


def test_a_reader_has_his_own_numbers_and_days(db: DealDatabase) -> None:
    db.save_deal({"id": "1", "stage": "Lead", "amount": "1234.50", "expected_close": "2999-12-31"})
    asked = PageRequest(db=db, names={}, locale=Locale("de-DE"))
    lines = board_view(asked).columns[0].cards[0].lines[:2]
    assert [line.text for line in lines] == ["1.234,50", "closes 31.12.2999"]


def test_days_in_the_stage_are_those_of_the_metric(
    db: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.loader.load(deals(300))
    first = board_view(asking(db)).columns[0].cards[0].id
    db.update_deal(first, stage="Proposal")
    since = {
        row["id"]: datetime.fromisoformat(row["from"]).date()
        for row in db.analytics.ageing(deals=True).to_dicts()
    }
    cards = [card for each in board_view(asking(db)).columns for card in each.cards]
    told = {card.id: line.text for card in cards for line in card.lines if line.name == "days"}
    assert told[first] == "0 days here"
    today = datetime.now(UTC).date()
    assert {deal: int(text.split()[0]) for deal, text in told.items()} == {
        card.id: (today - since[card.id]).days for card in cards
    }
    # where the history is long, they are shown when they are asked for
    monkeypatch.setattr("dealdb.board.kanban.options.DEALS_WITH_DAYS", 299)
    assert "days" not in board_view(asking(db)).options.fields
    assert "days" in board_view(asking(db, ("fields", "days"))).options.fields


def test_an_empty_collection_has_no_columns(db: DealDatabase) -> None:
    view = board_view(asking(db))
    assert (view.columns, view.closed, view.deals) == ([], [], 0)


def test_a_card_says_no_more_of_its_last_change_than_is_known(db: DealDatabase) -> None:
    db.set_pipeline(STAGES)
    day = datetime.now(UTC) - timedelta(days=106)
    for name in ("known", "unknown"):
        db.save_deal({"id": name, "stage": "Lead", "created": day.date()}, at=day)
    db.update_deal("unknown", updated=None)
    db.update_deal("known", updated=day)
    columns = board_view(asking(db)).columns
    found = {
        card.id: re.sub(r"\d+", "N", card.warnings[0])
        for column in columns
        for card in column.cards
    }
    assert found == {
        "known": "unchanged for N days",
        "unknown": "created N days ago, no change known",
    }
    assert (
        "deals without updated that are rotting by created; the metric rotting goes by their history: 1"
        in db.analytics.pipeline().basis.warnings
    )
