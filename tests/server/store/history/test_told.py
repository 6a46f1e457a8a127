"""Rows of a history whose changes were recorded later than they happened."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clocks import clock_of, commit_at
from dealdb import DealDatabase
from dealdb.store.history.changes import history_of
from servers import Server


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        yield db


def test_what_was_recorded_later_stands_where_it_happened(db: DealDatabase) -> None:
    db.save_deal({"id": 1, "owner": "Ann"})
    db.save_deal({"id": 1, "owner": "Bob"}, at="2026-02-01T12:00Z")
    plain = db.deal_history(1).select("when", "at")
    assert [when == at for when, at in plain.rows()] == [False, True]
    facts = [
        {"id": 1, "at": "2026-01-05", "field": "owner", "value": "Ann"},
        {"id": 1, "at": "2026-01-06", "field": "owner", "value": "Ann"},
        {"id": 1, "at": "2026-01-07", "field": "owner", "value": "Cy"},
        {"id": 1, "at": "2026-01-07", "field": "owner", "value": "Cy", "op": "retract"},
        {"id": 2, "at": "2026-01-07", "field": None, "op": "delete"},
    ]
    db.history.load(facts, source="crm")
    told = db.deal_history(1)
    assert told.select("change", "before", "after", "source").rows() == [
        ("updated", None, "Ann", "crm"),
        ("updated", "Ann", "Cy", "crm"),
        ("retracted", None, "Cy", "crm"),
        ("updated", "Ann", "Bob", None),
        ("inserted", None, "Ann", None),
    ]
    assert [f"{at:%m-%d}" for at in told["at"][:4]] == ["01-05", "01-07", "01-07", "02-01"]
    # the commit of the facts, for all of them
    assert told["seq"].n_unique() == 3
    assert db.deal_history(2)["change"].to_list() == ["deleted"]
    rows = db.query.sql("SELECT \"at\", history.source FROM history WHERE id = '1'")
    assert rows.rows() == told.select("at", "source").rows()


def test_what_is_told_of_another_deal_changes_no_order(db: DealDatabase) -> None:
    """Commits are in their order, whatever the server's clock was; a read of the whole history sees all deals."""
    link, keys = db._store.link, db._store.keys
    db.save_deal({"id": "x", "amount": 1})
    for amount, hours in ((2, 2), (3, 1)):
        commit_at(link, clock_of(link) + hours * 3_600_000, amount)
    db.save_deal({"id": "other", "owner": "Ann"}, at="2026-02-01T12:00Z")
    whole = history_of(link, keys, "x")
    assert whole["after"].to_list() == ["1", "2", "3"]
    assert db.deal_history("x").equals(whole)
