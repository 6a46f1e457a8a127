"""Deals and schemas that only another program wrote, and what becomes of them when they are changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress

import pytest

from dealdb import DealDatabase, DealDBError
from dealdb.connection import Link
from dealdb.store import Store
from dealdb.store.upkeep.adopter import Adopter
from servers import Server


@pytest.fixture
def store(link: Link) -> Store:
    """One that has looked for strays already, and a hash that came afterwards."""
    store = Store(link)
    store.save({"id": 1, "name": "a"})
    assert store.count() == 1
    link.call("HSET", "deal:2", "name", "b")
    return store


@pytest.mark.parametrize("expect_rev", [None, 0])
def test_another_programs_hash_is_deleted(store: Store, expect_rev: int | None) -> None:
    assert store.delete("2", expect_rev=expect_rev)
    assert not store.contains("2")
    assert store.check().ok


@pytest.mark.parametrize("expect_rev", [None, 0])
def test_somebody_else_deletes_it_just_after_it_was_adopted(
    store: Store, link: Link, expect_rev: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    adopt = Adopter.one

    def and_delete(adopter: Adopter, deal: str) -> int:
        n = adopt(adopter, deal)
        assert Store(link).delete("2")
        return n

    monkeypatch.setattr(Adopter, "one", and_delete)
    assert not store.delete("2", expect_rev=expect_rev)
    assert store.check().ok


def test_a_schema_that_counts_its_versions_from_0_is_one(server: Server) -> None:
    with DealDatabase.from_url(server.url) as db, server.client() as client:
        db.save_deal({"id": 1, "amount": 5})
        schema = json.loads(client.hget("deals:meta", "schema")) | {"version": 0}
        client.hset("deals:meta", "schema", json.dumps(schema, separators=(",", ":")))
    with DealDatabase.from_url(server.url) as db:
        changes: list[Callable[[], object]] = [
            lambda: db.save_deal({"id": 1, "amount": 7}),
            lambda: db.save_deal({"id": 2, "note": "new"}),
            lambda: db.delete_deal(1),
        ]
        for change in changes:
            # it may be refused, and it ends
            with suppress(DealDBError):
                change()
