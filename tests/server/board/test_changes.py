"""Changes that pages send, over a real socket: one commit each, in the right name, and never over another's."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from boards import Browser
from dealdb import DealDatabase


def rev_of(db: DealDatabase, deal: str = "7") -> int:
    found = db.get_deal(deal)
    assert found is not None
    return found.rev


def test_a_change_is_one_commit_of_who_is_signed_in(signed_in: Browser, db: DealDatabase) -> None:
    rev = rev_of(db)
    status, told = signed_in.change(
        "/deals/7",
        {"expect_rev": rev, "changes": {"stage": "Won", "amount": "20.25", "name": None}},
    )
    assert (status, told) == (200, {"id": "7", "rev": rev_of(db), "outcome": "updated"})
    found = db.get_deal("7")
    assert found is not None
    assert (found["amount"], found.get("name")) == (Decimal("20.25"), None)
    history = db.deal_history("7")
    assert set(history.filter(history["seq"] > rev)["who"]) == {"board"}


def test_a_conflict_tells_who_did_what_and_saves_nothing(
    signed_in: Browser, db: DealDatabase
) -> None:
    rev = rev_of(db)
    with db.acting_as("zoe"):
        db.update_deal("7", amount="99", owner="Zoe")
    status, told = signed_in.change(
        "/deals/7", {"expect_rev": rev, "changes": {"amount": "5", "stage": "Won"}}
    )
    assert (status, told["code"], told["rev"]) == (409, "conflict", rev_of(db))
    assert told["message"] == "7 was changed meanwhile by zoe: owner, amount; nothing was saved"
    assert {each["name"]: (each["now"], each["yours"]) for each in told["fields"]} == {
        "owner": ("Zoe", None),
        "stage": ("Lead", "Won"),
        "amount": ("99.00", "5"),
    }
    assert db.get_deal("7")["amount"] == 99  # type: ignore[index]
    # mine over it
    again = {"expect_rev": told["rev"], "changes": {"amount": "5"}}
    assert signed_in.change("/deals/7", again)[0] == 200


def test_who_says_what_another_has_just_said_is_no_conflict(
    signed_in: Browser, db: DealDatabase
) -> None:
    rev = rev_of(db)
    with db.acting_as("zoe"):
        theirs = db.update_deal("7", amount="99", owner="Zoe", stage="Won").rev
    changes = {"amount": "99.00", "stage": "Won", "name": "Deal 7"}
    db.update_deal("7", name="Deal 7")
    now = rev_of(db)
    assert now > theirs
    status, told = signed_in.change("/deals/7", {"expect_rev": rev, "changes": changes})
    assert (status, told) == (200, {"id": "7", "rev": now, "outcome": "unchanged"})
    # one value that is another one makes it a conflict
    other = {"expect_rev": rev, "changes": changes | {"amount": "98"}}
    assert signed_in.change("/deals/7", other)[0] == 409
    # to clear what is not there, too
    cleared = {"expect_rev": rev, "changes": {"source": None}}
    assert signed_in.change("/deals/7", cleared)[0] == 200
    assert rev_of(db) == now


def test_a_deal_deleted_meanwhile_is_a_conflict(signed_in: Browser, db: DealDatabase) -> None:
    rev = rev_of(db)
    db.delete_deal("7")
    status, told = signed_in.change("/deals/7", {"expect_rev": rev, "changes": {"stage": "Won"}})
    assert (status, told["rev"]) == (409, None)
    assert "deleted meanwhile by ann" in told["message"]
    assert "7" not in db


def test_deleting_goes_by_the_revision(signed_in: Browser, db: DealDatabase) -> None:
    rev = rev_of(db)
    db.update_deal("7", stage="Won")
    assert signed_in.change("/deals/7/delete", {"expect_rev": rev})[0] == 409
    assert signed_in.change("/deals/7/delete", {"expect_rev": rev_of(db)})[0] == 200
    assert "7" not in db


def test_a_new_deal_never_overwrites_one(signed_in: Browser, db: DealDatabase) -> None:
    new = {"changes": {"id": "8/9", "stage": "Lead", "amount": "1.5"}}
    status, told = signed_in.change("/deals/new", new)
    assert (status, told["outcome"], told["path"]) == (200, "inserted", "/deals/by-id?id=8%2F9")
    status, told = signed_in.change("/deals/new", new)
    assert (status, told["field"]) == (409, "id")
    assert signed_in.change("/deals/new", {"changes": {"stage": "Lead"}})[0] == 400


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"changes": {"stage": "Won"}}, "expect_rev"),
        ({"expect_rev": True, "changes": {"stage": "Won"}}, "expect_rev"),
        ({"expect_rev": 0, "changes": {"stage": "Won"}}, "expect_rev"),
        ({"expect_rev": 1}, "changes"),
        ({"expect_rev": 1, "changes": {"stag": "Won"}}, "did you mean 'stage'"),
        ({"expect_rev": 1, "changes": {"id": "8"}}, "no field 'id'"),
        ({"expect_rev": 1, "changes": {"amount": "1.234,50"}}, "expected"),
        ({"expect_rev": 1, "changes": {"amount": "a lot"}}, "expected a decimal number"),
        ({"expect_rev": 1, "changes": {"closed": "31.1.2026"}}, "a date such as 2026-01-31"),
        ([], "a JSON object"),
    ],
)
def test_what_is_no_change_is_refused(
    signed_in: Browser, db: DealDatabase, body: object, told: str
) -> None:
    before, fields = db.get_deal("7"), list(db.schema)
    status, answer = signed_in.change("/deals/7", body)
    assert status == 400
    assert told in answer["message"]
    assert (db.get_deal("7"), list(db.schema)) == (before, fields)


def test_a_number_with_two_readings_is_refused(
    board: Browser, signed_in: Browser, db: DealDatabase
) -> None:
    german = Browser(board.port, {**signed_in.headers, "accept-language": "de-DE"})
    for text, status in (("1.234", 400), ("1.234.567", 400), ("1234.5", 200), ("0.125", 200)):
        body = {"expect_rev": rev_of(db), "changes": {"amount": text}}
        assert german.change("/deals/7", body)[0] == status, text


def test_a_read_only_board_changes_nothing(carry: Callable[..., Browser], db: DealDatabase) -> None:
    db.save_deal({"id": "7", "stage": "Lead"})
    browser, rev = carry(db, read_only=True), rev_of(db)
    for path, body in (
        ("/deals/7", {"expect_rev": rev, "changes": {"stage": "Won"}}),
        ("/deals/7/delete", {"expect_rev": rev}),
        ("/deals/new", {"changes": {"id": "8"}}),
        ("/saved", {"name": "hot", "where": "amount > 5"}),
        ("/saved/forget", {"name": "hot"}),
    ):
        status, told = browser.change(path, body)
        assert (status, told["code"]) == (403, "access-denied"), path
    assert (rev_of(db), len(db), db.query.saved()) == (rev, 1, {})


def test_a_body_has_its_bounds(signed_in: Browser) -> None:
    own = {
        "origin": f"http://127.0.0.1:{signed_in.port}",
        "x_dealdb": "1",
        "content_type": "application/json",
    }
    assert signed_in.post("/deals/7", b" " * 70_000, **own)[0] == 413
    assert signed_in.post("/deals/7", b"[" * 60_000, **own)[0] == 400


@pytest.mark.parametrize(
    "body",
    [
        {"name": "hot", "where": 5},
        {"name": "hot", "where": ["a"]},
        {"name": "hot", "where": {"a": 1}},
        {"name": "hot", "sort": 5},
        {"name": "hot", "sort": [5]},
        {"name": "hot", "sort": {"a": 1}},
        {"name": "hot", "columns": 5},
        {"name": "hot", "columns": [5]},
        {"name": "hot", "columns": "id"},
        {"name": 5, "where": "amount > 5"},
        {"name": None},
        {"name": ["hot"]},
    ],
)
def test_a_query_that_is_none_is_not_saved(
    signed_in: Browser, db: DealDatabase, body: object
) -> None:
    status, told = signed_in.change("/saved", body)
    assert status == 400, told
    assert db.query.saved() == {}


def test_a_move_to_what_is_no_reason_is_refused(signed_in: Browser, db: DealDatabase) -> None:
    db.save_deal({"id": "8", "stage": "Lead", "loss_reason": "Price"})
    body = {"stage": "Lead", "expect_rev": rev_of(db), "loss_reason": ["a"]}
    status, told = signed_in.change("/deals/7/move", body)
    assert (status, told["message"]) == (400, "loss_reason is a text")
    assert "loss_reason" not in (db.get_deal("7") or {})


def test_a_deal_that_never_was_is_not_found(signed_in: Browser) -> None:
    for path, body in (
        ("/deals/nowhere", {"expect_rev": 7, "changes": {"stage": "Won"}}),
        ("/deals/nowhere/delete", {"expect_rev": 7}),
        ("/deals/nowhere/move", {"expect_rev": 7, "stage": "Lead"}),
    ):
        status, told = signed_in.change(path, body)
        assert (status, told["code"]) == (404, "not-found"), path


def test_only_who_deleted_a_deal_is_said_to_have_done_so(
    signed_in: Browser, db: DealDatabase
) -> None:
    rev = rev_of(db)
    with db.acting_as("ben"):
        db.update_deal("7", amount=5)
    with db.acting_as("zoe"):
        db.delete_deal("7")
    status, told = signed_in.change("/deals/7", {"expect_rev": rev, "changes": {"stage": "Won"}})
    assert status == 409
    assert told["message"] == "7 was deleted meanwhile by zoe; nothing was saved"
