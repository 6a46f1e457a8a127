"""The deals of a moment, of partitions that are read one after the other while others commit."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from dealdb import DealDatabase, Kind, Pipeline
from dealdb.store.history.last_commit import last_until
from dealdb.store.partitions.layout import partition_of
from servers import Server

P = 4
STAGES = ("Lead", "Demo", "Won", "Lost")
# one of each partition
IDS = [next(f"n{n}" for n in range(99) if partition_of(f"n{n}", P) == p) for p in range(P)]


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(server.url, partitions=P) as db:
        yield db


@pytest.mark.parametrize("read", range(P))
def test_a_deal_that_is_saved_meanwhile_is_there_as_a_whole(
    db: DealDatabase, server: Server, monkeypatch: pytest.MonkeyPatch, read: int
) -> None:
    for deal in IDS:
        db.save_deal({"id": deal, "stage": "Lead"})
    reads = count()

    def last(*given: Any) -> int:
        if next(reads) == read:
            for deal in IDS:
                other.save_deal({"id": deal, "stage": "Sold", "color": "red"})
        return last_until(*given)

    monkeypatch.setattr("dealdb.store.history.as_of.last_until", last)
    with DealDatabase.from_url(server.url) as other:
        found = db.as_of("2999-12-31")
    assert next(reads) == P
    sold = [deal for deal in map(found.get_deal, IDS) if deal and deal["stage"] == "Sold"]
    assert sold
    assert {deal.get("color") for deal in sold} == {"red"}
    assert found.pipeline.names(Kind.WON) == ["Sold"]


@pytest.mark.parametrize("partitions", [None, P])
def test_stages_that_nobody_has_defined_are_those_that_occur_anywhere(
    server: Server, partitions: int | None
) -> None:
    with DealDatabase.from_url(server.url, partitions=partitions) as db:
        for deal, stage in zip(IDS, STAGES, strict=True):
            db.save_deal({"id": deal, "stage": stage})
        db.set_pipeline(Pipeline(), force=True)
        now = db._store.snapshot()
        assert now.position
        for found in (now, db.as_of("2999-12-31"), db._store.after(now.position)):
            assert {stage.name for stage in found.pipeline} == set(STAGES)
            assert found.pipeline.names(Kind.WON) == ["Won"]
