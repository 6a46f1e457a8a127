"""What is written to several partitions: by a mark or by revisions to one at a time, and to none that may lose it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl
import pytest

from dealdb import DealDatabase, NotDurable
from dealdb.store.commit.batch import Batch
from dealdb.store.commit.change import Mark
from dealdb.store.partitions.layout import partition_of
from dealdb.store.partitions.partitioned import PartitionedStore
from servers import Server

P = 4
# one of each partition
IDS = [next(f"n{n}" for n in range(99) if partition_of(f"n{n}", P) == p) for p in range(P)]
# others of these
NEW = [next(f"m{n}" for n in range(99) if partition_of(f"m{n}", P) == p) for p in range(P)]
MARK = Mark("load", "here")


@pytest.fixture
def store(server: Server) -> Iterator[PartitionedStore]:
    with DealDatabase.from_url(server.url, partitions=P) as db:
        for deal in IDS:
            db.save_deal({"id": deal, "owner": "Ann"})
        yield store_of(db)


def store_of(db: DealDatabase) -> PartitionedStore:
    store = db._opened_store()
    assert isinstance(store, PartitionedStore)
    return store


def batch(ids: list[str]) -> Batch:
    return Batch.of(ids, {"owner": ["Bob"] * len(ids)})


def test_a_mark_or_a_revision_is_of_one_partition(store: PartitionedStore) -> None:
    schema, before = store.schema(), store.newest()
    writes: list[Callable[[], object]] = [
        lambda: store.write(schema, batch(IDS), max_rev=9),
        lambda: store.write(schema, batch(IDS), mark=MARK),
        lambda: store.delete_many(IDS, max_rev=9),
        lambda: store.delete_many(IDS, mark=MARK),
        lambda: store.add(schema, [batch(NEW)]),
    ]
    for write in writes:
        with pytest.raises(ValueError, match="of one partition"):
            write()
    assert store.newest() == before


def test_of_new_deals_none_is_added_behind_one_that_is_known(store: PartitionedStore) -> None:
    schema = store.schema()
    batches = [batch([deal]) for deal in (NEW[0], IDS[1], NEW[2])]
    assert store.add(schema, batches) == 1
    assert [store.contains(deal) for deal in (NEW[0], NEW[2])] == [True, False]


def test_each_partition_keeps_the_mark_of_its_own_batch(store: PartitionedStore) -> None:
    marks = [Mark("load", str(number)) for number in range(P)]
    assert store.add(store.schema(), [batch([deal]) for deal in NEW], marks) == P
    found = [part.take_over("load") for part in store.pieces]
    assert [each and each.note for each in found] == ["0", "1", "2", "3"]


def test_a_server_that_removes_deals_is_written_to_by_nothing(
    new_server: Callable[..., Server],
) -> None:
    server = new_server()
    with DealDatabase.from_url(server.url, partitions=P) as db:
        for deal in IDS:
            db.save_deal({"id": deal, "owner": "Ann"}, at="2026-01-01")
        db.history.load(
            [{"id": IDS[1], "at": "2026-01-02", "field": "owner", "value": "Eve"}], rejects=False
        )
        facts, _ = store_of(db).known_facts()
    with server.client() as client:
        client.config_set("maxmemory", "64mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
    writes: list[Callable[[PartitionedStore], object]] = [
        lambda store: store.save({"id": IDS[1], "owner": "Bob"}),
        lambda store: store.delete(IDS[1]),
        lambda store: store.delete_many([IDS[1]]),
        lambda store: store.write(store.schema(), batch([IDS[1]])),
        lambda store: store.add(store.schema(), [batch([NEW[1]])]),
        lambda store: store.record(facts.with_columns(pl.col("at") + 1), [], []),
    ]
    assert facts.height == 1
    for write in writes:
        # none that has asked already
        with DealDatabase.from_url(server.url) as late:
            store = store_of(late)
            before = store.newest()
            with pytest.raises(NotDurable, match="nothing was written"):
                write(store)
            assert store.newest() == before
