"""The columns that a process keeps of a collection."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dealdb import DealDatabase
from servers import Server


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        yield db


def test_memory_of_the_columns_is_told(db: DealDatabase) -> None:
    assert db.health().columns_bytes is None
    db.loader.load(
        [{"id": n, "name": f"a name of some length {n}", "amount": n} for n in range(5_000)]
    )
    bare = db.query.frame().estimated_size()
    told = db.health().columns_bytes
    assert told is not None
    assert bare <= told < 1.1 * bare
