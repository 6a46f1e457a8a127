"""Moving a card over HTTP: saved once, refused where the deal has changed, and what is told then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from dealdb import DealDatabase
from dealdb.board.changes import move
from dealdb.board.kanban.board_view import board_view
from dealdb.board.page_request import PageRequest
from dealdb.errors import AccessDenied, DealNotFound, QueryError
from servers import Server


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}", actor="service") as db:
        for stage in ("Lead", "Won", "Lost"):
            db.save_deal({"id": stage, "stage": stage, "owner": "Ann", "loss_reason": "none"})
        yield db


def asking(db: DealDatabase, deal: str = "Lead", *, read_only: bool = False) -> PageRequest:
    return PageRequest(db=db, names={"id": deal}, actor="ann", read_only=read_only)


def page_seq(db: DealDatabase) -> int:
    return board_view(PageRequest(db=db, names={})).seq


def told(answer: tuple[int, dict[str, Any]]) -> dict[str, Any]:
    # as it goes over the wire
    found: dict[str, Any] = json.loads(json.dumps(answer[1]))
    return found


def test_a_move_is_one_save_in_the_name_of_who_made_it(db: DealDatabase) -> None:
    status, body = move(
        asking(db), {"stage": "Lost", "seq": page_seq(db), "loss_reason": " too dear "}
    )
    deal = db.get_deal("Lead")
    assert deal is not None
    assert (status, body["rev"]) == (200, deal.rev)
    assert (deal["stage"], deal["loss_reason"]) == ("Lost", "too dear")
    last = db.deal_history("Lead").row(-1, named=True)
    assert (last["who"], last["seq"]) == ("ann", deal.rev)


@pytest.mark.parametrize("lane", ["Ben", "", None, "Ann"])
def test_a_move_to_a_lane_changes_what_lanes_are_by(db: DealDatabase, lane: str | None) -> None:
    body = {"stage": "Won", "by": "owner", "lane": lane, "seq": page_seq(db)}
    assert move(asking(db), body)[0] == 200
    deal = db.get_deal("Lead")
    assert deal is not None
    assert (deal["stage"], deal.get("owner")) == ("Won", lane)
    assert "closed" in deal
    # to a lane alone: what was closed stays closed since that day
    db.update_deal("Lead", closed="2020-01-31")
    assert move(asking(db), {"by": "owner", "lane": "Zoe", "seq": page_seq(db)})[0] == 200
    deal = db.get_deal("Lead")
    assert deal is not None
    assert (deal["stage"], deal["owner"], str(deal["closed"])) == ("Won", "Zoe", "2020-01-31")


def test_a_move_to_a_lane_of_a_deal_that_was_changed_saves_nothing(db: DealDatabase) -> None:
    seq = page_seq(db)
    db.update_deal("Lead", owner="Zoe")
    status, body = move(asking(db), {"by": "owner", "lane": "Ben", "seq": seq})
    fields = {each["name"]: (each["now"], each["yours"]) for each in body["fields"]}
    assert (status, fields) == (409, {"owner": ("Zoe", "Ben")})
    assert move(asking(db), {"by": "owner", "lane": "Ben", "expect_rev": body["rev"]})[0] == 200


def test_changes_of_other_deals_are_no_conflict(db: DealDatabase) -> None:
    seq = page_seq(db)
    db.update_deal("Won", owner="Zoe")
    assert move(asking(db), {"stage": "Won", "seq": seq})[0] == 200


def test_a_conflict_says_who_and_what_and_how_to_save_over_it(db: DealDatabase) -> None:
    seq = page_seq(db)
    with db.acting_as("ben"):
        theirs = db.update_deal("Lead", owner="Zoe")
    answer = move(asking(db), {"stage": "Won", "seq": seq})
    body = told(answer)
    assert answer[0] == 409
    assert (body["who"], body["rev"]) == (["ben"], theirs.rev)
    assert "ben: owner" in body["message"]
    fields = {each["name"]: (each["now"], each["yours"]) for each in body["fields"]}
    assert fields == {"owner": ("Zoe", None), "stage": ("Lead", "Won")}
    deal = db.get_deal("Lead")
    assert deal is not None
    assert deal["stage"] == "Lead"
    assert move(asking(db), {"stage": "Won", "expect_rev": body["rev"]})[0] == 200
    deal = db.get_deal("Lead")
    assert deal is not None
    assert (deal["stage"], deal["owner"]) == ("Won", "Zoe")


def test_a_deal_that_was_deleted_meanwhile_is_a_conflict_without_a_way_over(
    db: DealDatabase,
) -> None:
    seq = page_seq(db)
    db.delete_deal("Lead")
    status, body = move(asking(db), {"stage": "Won", "seq": seq})
    assert (status, body["rev"]) == (409, None)
    assert "was deleted meanwhile" in body["message"]


@pytest.mark.parametrize(
    "body",
    [
        {"stage": "Wno", "seq": 3},
        {"stage": None, "seq": 3},
        {"stage": ["Won"], "seq": 3},
        {"stage": "Won"},
        {"stage": "Won", "seq": True},
        {"stage": "Won", "seq": "3"},
        {"stage": "Won", "expect_rev": 0},
        {"seq": 3},
        {"stage": "Won", "by": "owner", "lane": 5, "seq": 3},
        # no column of texts, none that there is, and those that no lane changes
        *(
            {"by": by, "lane": "x", "seq": 3}
            for by in ("amount", "ownr", "days", "id", "stage", "updated", None)
        ),
        *({"stage": "Won", "by": by, "lane": "x", "seq": 3} for by in ("name", "currency")),
    ],
)
def test_what_a_move_can_not_mean_is_refused(db: DealDatabase, body: dict[str, Any]) -> None:
    before = db.get_deal("Lead")
    with pytest.raises(QueryError):
        move(asking(db), body)
    assert db.get_deal("Lead") == before


def test_nothing_moves_on_a_board_that_is_read_only_or_a_deal_that_never_was(
    db: DealDatabase,
) -> None:
    with pytest.raises(AccessDenied):
        move(asking(db, read_only=True), {"stage": "Won", "seq": 9})
    with pytest.raises(DealNotFound):
        move(asking(db, "nobody"), {"stage": "Won", "seq": 9})
