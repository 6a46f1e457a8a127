"""What others commit while the partitions are read for a query."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dealdb import DealDatabase, Kind
from dealdb.store.partitions.layout import partition_of
from dealdb.store.partitions.partitioned import PartitionedStore
from servers import Server

P = 4
# one of each partition
IDS = [next(f"n{n}" for n in range(99) if partition_of(f"n{n}", P) == p) for p in range(P)]


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(server.url, partitions=P) as db:
        for deal in IDS:
            db.save_deal({"id": deal, "stage": "Lead"})
        yield db


@pytest.fixture
def other(db: DealDatabase, server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(server.url) as other:
        yield other


def store_of(db: DealDatabase) -> PartitionedStore:
    store = db._opened_store()
    assert isinstance(store, PartitionedStore)
    return store


def after(first: Callable[[], object], then: Callable[..., Any]) -> Callable[..., Any]:
    """A function, before which something else is done."""

    def both(*given: Any) -> Any:
        first()
        return then(*given)

    return both


def assert_sold_is_won(db: DealDatabase) -> None:
    found = store_of(db).snapshot()
    assert "Sold" in found.frame["stage"].to_list()
    assert found.pipeline.names(Kind.WON) == ["Sold"]


def test_a_stage_that_comes_with_the_news_of_a_partition_means_what_it_does(
    db: DealDatabase, other: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = store_of(db)._joined
    store_of(db).snapshot()
    other.save_deal({"id": IDS[3], "amount": 5})
    sell = lambda: other.save_deal({"id": IDS[3], "stage": "Sold"})  # noqa: E731  # it is shorter so
    monkeypatch.setattr(columns, "_news", after(sell, columns._news))
    assert_sold_is_won(db)


@pytest.mark.parametrize("number", range(P))
def test_a_stage_that_comes_between_two_partitions_means_what_it_does(
    db: DealDatabase, other: DealDatabase, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def sell() -> None:
        for deal in IDS:
            other.save_deal({"id": deal, "stage": "Sold"})

    part = store_of(db)._partitions[number]
    monkeypatch.setattr(part, "snapshot_of", after(sell, part.snapshot_of))
    assert_sold_is_won(db)
