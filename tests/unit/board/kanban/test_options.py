"""What an address says of the board: the usual where it says nothing, and refused where it means nothing."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, cast

import pytest

from dealdb.board.kanban.options import BoardOptions, options_of
from dealdb.board.page_request import PageRequest
from dealdb.errors import QueryError
from dealdb.formats.locale import PLAIN, Locale
from dealdb.model.pipeline import Kind, Pipeline, Stage
from dealdb.query import QueryEngine

if TYPE_CHECKING:
    from dealdb import DealDatabase

TODAY = date(2026, 3, 31)
PIPELINE = Pipeline(
    (Stage("Lead", Kind.OPEN), Stage("Won, paid", Kind.WON), Stage("Lost", Kind.LOST))
)
ROW = {
    "id": "1", "name": "a", "stage": "Lead", "owner": "Ann", "amount": Decimal(5), "seats": 7,
    "expected_close": TODAY, "tags": ["x"], "Region, state": "North",
}  # fmt: skip
SCHEMA = QueryEngine.over([ROW]).select().schema
BARE = QueryEngine.over([{"id": "1"}]).select().schema


def options(*given: tuple[str, str], schema: object = SCHEMA) -> BoardOptions:
    asked = PageRequest(db=cast("DealDatabase", None), names={}, options=given)
    return options_of(asked, schema, PIPELINE, TODAY)  # type: ignore[arg-type]


def test_what_is_not_said_is_the_usual() -> None:
    found = options()
    assert found.sort == ("-amount",)
    assert found.fields == ("owner", "amount", "days", "expected_close")
    assert (found.by, found.opened, found.since) == (None, frozenset(), date(2026, 3, 2))


def test_deals_without_the_usual_fields_have_a_board_too() -> None:
    found = options(schema=BARE)
    assert (found.sort, found.fields) == ((), ("days",))


@pytest.mark.parametrize("empty", ["", "  ", ","])
def test_options_that_are_empty_are_not_said(empty: str) -> None:
    given = [(name, empty) for name in ("sort", "fields")]
    assert options(*given) == options()
    assert options(("by", ""), ("closed", " ")) == options()


def test_several_values_stand_in_their_order_with_commas_or_without() -> None:
    found = options(("fields", "days,seats"), ("fields", "owner"), ("sort", "owner, -amount"))
    assert found.fields == ("days", "seats", "owner")
    assert found.sort == ("owner", "-amount")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("sort", "-amonut", "did you mean 'amount'"),
        ("sort", "--amount", "no column '-amount'"),
        ("fields", "ownr", "did you mean 'owner'"),
        # every card has it as its title
        ("fields", "name", "no field 'name'"),
        ("by", "amount", "lanes are by a column of texts"),
        ("by", "tags", "lanes are by a column of texts"),
        ("by", "days", "no column 'days'"),
        ("by", "id", "lanes are by a column of texts"),
        ("by", "stage", "lanes are by a column of texts"),
        ("closed", "soon", "not 'soon'"),
        ("closed", "9" * 400, "closed is a number of days"),
        ("closed", "0", "from 1 up, or all, not '0'"),
        ("closed", "1e3", "not '1e3'"),
    ],
)
def test_what_means_nothing_is_refused_and_named(name: str, value: str, told: str) -> None:
    with pytest.raises(QueryError, match=told):
        options((name, value))


def test_lanes_by_a_column_of_any_spelling() -> None:
    assert options(("by", "OWNER")).by == "owner"
    assert options(("by", "Region, state")).by == "Region, state"


@pytest.mark.parametrize(("by", "is_saved"), [("owner", True), ("name", False), (None, False)])
def test_which_lanes_a_moved_card_comes_to_belong_to(by: str | None, is_saved: bool) -> None:
    assert options(*([("by", by)] if by else [])).by_is_saved == is_saved


def test_stages_with_cards_are_those_that_there_are() -> None:
    found = options(("show", "Won, paid"), ("show", "none such"), ("show", "Won"))
    assert found.opened == {"Won, paid"}


@pytest.mark.parametrize(
    ("closed", "since", "said"),
    [
        ("all", None, "Closed at any time"),
        # today is one of them
        ("1", TODAY, "Closed since 2026-03-31"),
        ("30", date(2026, 3, 2), "Closed since 2026-03-02"),
        # the last of several counts, as in all options
        ("90", date(2026, 1, 1), "Closed since 2026-01-01"),
    ],
)
def test_since_when_closed_deals_count(closed: str, since: date | None, said: str) -> None:
    found = options(("closed", "7"), ("closed", closed))
    assert (found.since, found.closed_said(PLAIN)) == (since, said)


def test_days_are_said_in_the_language_of_the_reader() -> None:
    assert options(("closed", "2")).closed_said(Locale("de-DE")) == "Closed since 30.3.2026"
