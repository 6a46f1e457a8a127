"""The kanban page: its figures are those of the metric, and each leads to exactly its deals."""

from __future__ import annotations

import gzip
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pytest

from dealdb import DealDatabase, Kind, Pipeline, Stage
from dealdb.board.html import rendered
from dealdb.board.kanban.board_view import BoardView, board_view
from dealdb.board.kanban.making import BoardColumn
from dealdb.board.kept import Kept
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
    db.loader.load(deals(1200))
    view = board_view(asking(db, ("sort", "expected_close,-amount"), ("show", "Won")))
    assert min(column.figures.n for column in view.columns) > 30
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


def page_of(asked: PageRequest) -> str:
    frame = dict.fromkeys(("menu", "teams"), ()) | dict.fromkeys(
        ("team", "root", "login", "filter_error", "title")
    )
    return rendered("board.html", asked, frame | dict(show(asked).for_template))


def test_nothing_of_a_deal_becomes_markup(db: DealDatabase) -> None:
    for n, text in enumerate(ATTACKS):
        names = ("name", "company", "owner", "stage", "currency", "source")
        db.save_deal({"id": f"<i>{n}", **dict.fromkeys(names, text), "amount": 5})
    asked = asking(db, ("by", "owner"), ("fields", "company,owner,amount,source,stage"))
    text = page_of(asked)
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
    lines = board_view(asked).columns[0].cards[0].lines
    assert [line.text for line in lines] == ["1.234,50", "0 days here", "closes 31.12.2999"]


def test_what_to_know_is_in_words(db: DealDatabase) -> None:
    db.save_deal({"id": "1", "stage": "Lead", "amount": 5})
    asked = PageRequest(db=db, names={}, locale=Locale("de-DE"))
    assert "not in mean age, days: 1" in page_of(asked)


def test_days_in_the_stage_are_those_of_the_metric(db: DealDatabase) -> None:
    db.loader.load(deals(300))
    first, second = (card.id for card in board_view(asking(db)).columns[0].cards[:2])
    db.update_deal(first, stage="Proposal")
    db.update_deal(second, amount="99999999")
    assert told_days(db)[first] == "0 days here"
    assert told_days(db) == days_of_metric(db)
    # what is told of the past is so at the next look
    past = datetime.now(UTC) - timedelta(days=9)
    stage = board_view(asking(db)).columns[0].figures.stage
    of_second = {"id": second, "field": "stage"}
    db.history.load(
        [
            {**of_second, "at": past - timedelta(days=4), "value": "Demo"},
            {**of_second, "at": past, "value": stage},
        ]
    )
    db.update_deal(first, stage="Negotiation", at=past)
    db.delete_deal(card_ids(db)[-1])
    assert told_days(db) == days_of_metric(db)
    assert told_days(db)[second] == "9 days here"


def card_ids(db: DealDatabase) -> list[str]:
    return [card.id for each in board_view(asking(db)).columns for card in each.cards]


def told_days(db: DealDatabase) -> dict[str, str]:
    cards = [card for each in board_view(asking(db)).columns for card in each.cards]
    return {card.id: line.text for card in cards for line in card.lines if line.name == "days"}


def days_of_metric(db: DealDatabase) -> dict[str, str]:
    """Of the deals with cards that stand, by their history, where they are shown."""
    today = datetime.now(UTC).date()
    shown = {
        (card.id, each.figures.stage)
        for each in board_view(asking(db)).columns
        for card in each.cards
    }
    rows = db.analytics.ageing(by="stage", deals=True).to_dicts()
    found = {
        row["id"]: (today - datetime.fromisoformat(row["from"]).date()).days
        for row in rows
        if row["from"] and (row["id"], row["stage"]) in shown
    }
    return {deal: f"{n} {'day' if n == 1 else 'days'} here" for deal, n in found.items()}


def test_what_no_commit_has_changed_is_not_made_again(db: DealDatabase) -> None:
    db.loader.load(deals(100))
    kept = Kept()

    def view(**options: str) -> BoardView:
        return board_view(PageRequest(db=db, names={}, options=list(options.items()), kept=kept))

    first = view()
    assert view() is first
    assert view(by="owner") is not first
    assert view(where="amount > 5") is not first
    deal = first.columns[0].cards[0].id
    db.update_deal(deal, amount="123456789.01")
    second = view()
    assert second.seq == first.seq + 1
    assert "123,456,789.01" in str(second.columns[0].cards[0].html)
    # the cards of all other deals are the same ones
    before = {card.id: card for each in first.columns for card in each.cards}
    others = [card for each in second.columns for card in each.cards if card.id != deal]
    assert all(card is before[card.id] for card in others if card.id in before)


def test_a_value_that_has_got_another_type_is_written_anew(db: DealDatabase) -> None:
    db.save_deal({"id": "1", "stage": "Lead", "seats": 7})
    asked = ("fields", "seats")
    assert board_view(asking(db, asked)).columns[0].cards[0].lines[0].text == "7"
    db.retype_field("seats", "decimal")
    assert board_view(asking(db, asked)).columns[0].cards[0].lines[0].text == "7.00"


def test_a_board_of_many_cards_is_small(db: DealDatabase) -> None:
    """30 cards in each of 6 columns: less than 70 kB, and less than 12 packed."""
    rows = deals(1200)
    stages = [
        f"{n} - {word}" for n, word in enumerate(("Lead", "Call", "Demo", "Offer", "Terms", "Sign"))
    ]
    db.loader.load([{**row, "stage": stages[n % 6], "closed": None} for n, row in enumerate(rows)])
    asked = PageRequest(db=db, names={}, locale=Locale("en-US"))
    text = page_of(asked)
    assert text.count("data-id=") == 180
    assert len(text.encode()) < 70_000
    assert len(gzip.compress(text.encode(), 4)) < 12_000


@pytest.mark.slow
def test_a_million_deals_have_30_cards_a_column_and_exact_figures(db: DealDatabase) -> None:
    n = 1_000_000
    number = pl.int_range(n, eager=True)
    cents = number * 7_919 % 10_000_019
    stages = ("Lead", "Demo", "Offer", "Talks")
    deals = pl.DataFrame(
        {
            "id": pl.Series(number, dtype=pl.String),
            "stage": pl.Series(stages).gather(number % 4),
            "amount": [Decimal(each).scaleb(-2) for each in cents],
            "currency": "EUR",
        }
    )
    db.loader.load(deals, bar=False)
    view = board_view(asking(db))
    assert (view.kept, sum(column.figures.n for column in view.columns)) == (n, n)
    for column in view.columns:
        place = stages.index(str(column.figures.stage))
        exact = Decimal(int(cents.filter(number % 4 == place).sum())) / 100
        assert [(each.currency, each.value) for each in column.figures.sums] == [("EUR", exact)]
        assert len(column.cards) == 30
    assert len(page_of(asking(db)).encode()) < 70_000


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
        "rotting deals whose last change is not known, by their day of creation; the metric rotting goes by their "
        "history: 1" in db.analytics.pipeline().basis.warnings
    )


@pytest.mark.parametrize("moment", ["NOW ()"])
def test_a_view_is_kept_no_longer_than_the_moment_in_its_filter(
    db: DealDatabase, moment: str
) -> None:
    db.save_deal({"id": "1", "stage": "Lead"})
    kept = Kept()

    def shown(where: str) -> int:
        asked = PageRequest(db=db, names={}, options=[("where", where)], kept=kept)
        return board_view(asked).kept

    assert shown(f"stage = 'Lead' AND {moment} > '2026-01-01'") == 1
    end = datetime.now(UTC) + timedelta(seconds=3)
    where = f"stage = 'Lead' AND {moment} < '{end.replace(tzinfo=None).isoformat()}'"
    assert shown(where) == 1
    while datetime.now(UTC) <= end:
        time.sleep(0.05)
    assert shown(where) == 0


@pytest.mark.parametrize("closed", ["-5", "²", "1e3", "soon", "9999999", "9" * 5_000])
def test_a_period_is_a_number_of_days(db: DealDatabase, closed: str) -> None:
    with pytest.raises(QueryError, match="closed is a number of days from 1 up, or all"):
        board_view(asking(db, ("closed", closed)))
