"""What happened when, as told by saves, imports and both, on a real server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

import h1
from dealdb import DealDatabase
from dealdb.errors import QueryError, SchemaError
from dealdb.store.facts.state import state_before
from servers import Server

DAY = 86_400_000
SHOWN = ["id", "stage", "amount", "owner", "expected_close", "closed", "loss_reason"]


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        yield db


def fact(
    deal: object, at: str, field: str | None, value: object = None, **more: object
) -> dict[str, Any]:
    return {"id": deal, "at": at, "field": field, "value": value, **more}


def stage(db: DealDatabase, when: str, deal: object = 1, **more: Any) -> object:
    found = db.as_of(when, time="event", **more).get_deal(deal)  # type: ignore[arg-type]
    return found and found.get("stage")


def amount_of(db: DealDatabase, day: str) -> object:
    deal = db.as_of(day, time="event").get_deal(2)
    return deal and deal.get("amount")


def test_a_fact_is_taken_back_and_told_anew(db: DealDatabase) -> None:
    db.save_deal({"id": 1, "name": "x"})
    db.history.load([fact(1, "2026-01-05", "stage", "Lead"), fact(1, "2026-02-10", "stage", "Won")])
    with_won = datetime.now(UTC)
    db.history.load(
        [
            fact(1, "2026-02-10", "stage", "Won", op="retract"),
            fact(1, "2026-02-12", "stage", "Won"),
        ]
    )
    assert stage(db, "2026-02-10", known=with_won) == "Won"
    assert stage(db, "2026-02-10") == "Lead"
    assert [stage(db, "2026-02-12", known=k) for k in (with_won, None)] == ["Won", "Won"]
    # of one fact that was taken back the history still tells
    told = db.deal_history(1).filter(field="stage")["change"].to_list()
    assert told.count("retracted") == 1
    # nothing of it is in the present
    assert db.get_deal(1) == {"id": "1", "name": "x"}
    assert not db.check().differences


def test_what_an_export_says_is_taken_to_have_been_so(db: DealDatabase) -> None:
    db.set_pipeline(h1.PIPELINE)
    db.loader.load(
        [
            {
                "id": 1,
                "stage": "Won",
                "amount": "100.00",
                "created": "2026-01-05",
                "closed": "2026-02-10",
            },
            {"id": 2, "stage": "Lead", "amount": "50.00", "created": "2026-01-10"},
        ]
    )
    db.history.load(
        [fact(2, "2026-01-10", "amount", "60.00"), fact(2, "2026-02-01", "amount", "80.00")]
    )
    then = db.as_of("2026-01-20", time="event")
    assert {k: v for k, v in dict(then.get_deal(1) or {}).items() if k != "currency"} == {
        "id": "1",
        "amount": Decimal("100.00"),
        "created": date(2026, 1, 5),
    }
    assert stage(db, "2026-02-09") is None
    assert stage(db, "2026-02-10") == "Won"
    amounts = [
        amount_of(db, day) for day in ("2026-01-09", "2026-01-20", "2026-02-05", "2999-01-01")
    ]
    assert amounts == [None, Decimal(60), Decimal(80), Decimal(50)]
    moves = db.analytics.waterfall(since="2026-01-01", until="2026-03-01", where="id = '1'").frame
    assert moves.filter(pl.col("n") > 0).select("bucket", "value").rows() == [
        ("created", Decimal("100.00")),
        ("won", Decimal("100.00")),
    ]
    today = db.analytics.waterfall(since="2026-02-05", where="id = '2'").frame
    assert dict(today.select("bucket", "value").rows())["down"] == Decimal("30.00")
    facts = db._store.event_facts()
    assert facts.n_assumed == 2
    assert db._store.event_facts(assume="none").n_assumed == 0
    with pytest.raises(QueryError, match="2026-01-05"):
        db.as_of("2026-01-04", time="event")
    with pytest.raises(QueryError, match="known"):
        db.as_of("2026-01-04", known="2026-01-05")


def test_values_are_not_assumed_before_the_first_fact_of_a_deal(db: DealDatabase) -> None:
    db.loader.load([{"id": 1, "stage": "Offer", "owner": "Ann", "created": "2026-01-05"}])
    db.history.load([fact(1, "2026-01-05T12:00Z", "stage", "Lead")])
    facts = db._store.event_facts()
    noon = h1.moment("2026-01-05", 12)
    assert facts.lives["begin"].to_list() == [noon]
    assert facts.of("owner")["at"].to_list() == [noon]


def test_a_deal_that_was_deleted_is_not_brought_back_by_an_export(db: DealDatabase) -> None:
    db.loader.load([{"id": "H", "stage": "Lead", "owner": "Ann", "created": "2026-01-20"}])
    db.history.load(
        [
            fact("H", "2026-02-25", None, op="delete"),
            fact("Z", "2026-02-01", "stage", "Lead"),
            fact("Y", "2026-02-01", "stage", "Lead"),
            fact("Y", "2026-02-20", None, "H", op="merge"),
        ]
    )
    facts = db._store.event_facts()
    assert facts.lives.select("id", "end", "survivor").rows() == [
        ("H", h1.moment("2026-02-25"), None),
        ("Y", h1.moment("2026-02-20"), "H"),
    ]
    assert facts.n_ghosts == 1
    assert "H" in db
    db.update_deal("H", stage="Demo")
    # a change by hand is later than the deletion: the deal begins anew, with that field alone
    again = state_before(db._store.event_facts(), 1 << 60).select(SHOWN).rows()
    assert again == [("H", "Demo", None, None, None, None, None)]


def test_a_save_may_say_since_when(db: DealDatabase) -> None:
    db.save_deal({"id": 1, "stage": "Lead"}, at="2026-01-05T12:00Z")
    # of two commits of one millisecond the later value counts alone in what was recorded
    time.sleep(0.002)
    db.save_deal({"id": 1, "stage": "Won"}, at=datetime(2026, 2, 10, 12, tzinfo=UTC))
    assert [stage(db, day) for day in ("2026-02-09", "2026-02-10")] == ["Lead", "Won"]
    time.sleep(0.002)
    # what is so by now has been so for longer
    assert db.update_deal(1, stage="Won", at="2026-02-03T12:00Z").outcome == "updated"
    assert [stage(db, day) for day in ("2026-01-05", "2026-02-02", "2026-02-03")] == [
        "Lead",
        "Lead",
        "Won",
    ]
    assert db.query.frame()["closed"].to_list()[0] == date(2026, 2, 10)
    assert db._store.facts().of("stage")["value"].to_list() == ["Lead", "Won"]
    with pytest.raises(SchemaError, match="at"):
        db.save_deal({"id": 1, "stage": "Lost"}, at=datetime.now(UTC) + timedelta(minutes=6))
    db.save_deal({"id": 2, "stage": "Lost"}, at=datetime.now(UTC) + timedelta(minutes=4))
    for wrong in ("soon", datetime(1960, 1, 1, tzinfo=UTC), 7):
        with pytest.raises(QueryError, match="at"):
            db.save_deal({"id": 1}, at=wrong)  # type: ignore[arg-type]


def test_facts_change_nothing_of_the_present(db: DealDatabase) -> None:
    db.save_deal({"id": 1, "stage": "Lead", "amount": 5})
    rev = db.get_deal(1).rev  # type: ignore[union-attr]
    before = db.query.frame()
    db.history.load([fact(1, "2026-01-05", "stage", "Won"), fact(7, "2026-01-05", "stage", "Won")])
    assert db.query.frame().equals(before, null_equal=True)
    assert db.get_deal(1).rev == rev  # type: ignore[union-attr]
    assert not db.check().differences
    assert len(db) == 1
    with db.changes(since=0, timeout_s=0) as feed:
        assert [c.kind for c in feed][-1] == "facts"
