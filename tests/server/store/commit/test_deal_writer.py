"""A deal that only another program's hash has, and what becomes of it when it is deleted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connected import connected
from dealdb.connection import Link
from dealdb.store import Store
from dealdb.store.upkeep.adopter import Adopter
from servers import Server


@pytest.fixture
def link(server: Server) -> Iterator[Link]:
    with connected(server) as connection:
        yield connection.link()


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
