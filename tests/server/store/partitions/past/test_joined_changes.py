"""The table of all changes is that of one piece, with the partition and in the order of time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import polars as pl
import pytest

from clocks import clock_of, commit_at
from dealdb import DealDatabase
from dealdb.database import LiveDeals
from dealdb.store.log.entry import Position
from dealdb.store.partitions.layout import partition_of
from dealdb.store.partitions.partitioned import PartitionedStore
from dealdb.store.partitions.vector import positions_of, vector_of
from servers import Server

P = 4
IDS = [f"d{n}" for n in range(8)]


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(server.url, partitions=P) as db:
        yield db


def changes(db: DealDatabase) -> pl.DataFrame:
    return LiveDeals(db).changes(db._store.newest())


def partitions_of(db: DealDatabase) -> PartitionedStore:
    store = db._opened_store()
    assert isinstance(store, PartitionedStore)
    return store


def test_rows_are_those_of_the_histories_of_the_deals(db: DealDatabase) -> None:
    for n, deal in enumerate([*IDS, *IDS]):
        db.save_deal({"id": deal, "amount": n})
    db.delete_deal(IDS[0])
    found = changes(db)
    columns = ["seq", "partition", "when", "who", "id", "change", "field", "before", "after"]
    assert found.columns == [*columns, "at", "source"]
    for deal in IDS:
        own = found.filter(id=deal)
        assert own["partition"].unique().to_list() == [partition_of(deal, P)]
        assert own.drop("id", "partition").equals(db.deal_history(deal))
    ordered = found.select("when", "partition", "seq").rows()
    assert ordered == sorted(ordered)


def test_each_partition_has_an_end_of_its_own(db: DealDatabase) -> None:
    for n, deal in enumerate([*IDS, *IDS]):
        db.save_deal({"id": deal, "amount": n})
    whole, ends = changes(db), positions_of(db._store.newest(), P)
    for number in range(P):
        until = [end if n == number else Position() for n, end in enumerate(ends)]
        found = LiveDeals(db).changes(vector_of(until))
        assert found.equals(whole.filter(partition=number))
    assert LiveDeals(db).changes(Position()).equals(whole.clear())


def test_a_clock_that_was_set_back_keeps_the_order_of_its_partition(db: DealDatabase) -> None:
    for deal in IDS:
        db.save_deal({"id": deal, "amount": 1})
    store = partitions_of(db)
    part = store._of(IDS[0])
    now = clock_of(store.link)
    commit_at(store.link, now - 60_000, 2, IDS[0], part.keys)
    found = changes(db)
    own = found.filter(id=IDS[0], field="amount")
    assert own["after"].to_list() == ["1", "2"]
    # all that it has done before counts from then on
    assert found["partition"][0] == partition_of(IDS[0], P)
    assert found.filter(partition=found["partition"][0])["seq"].is_sorted()


def test_what_was_told_later_stands_at_its_moment(db: DealDatabase) -> None:
    for deal in IDS:
        db.save_deal({"id": deal, "stage": "Lead"})
    told = datetime(2026, 1, 5, tzinfo=UTC)
    db.save_deal({"id": IDS[3], "stage": "Won"}, at=told)
    rows = [{"id": IDS[1], "at": "2026-01-03", "field": "stage", "value": "Demo"}]
    db.history.load(rows, source="crm", rejects=False)
    found = changes(db)
    assert found["id"].head(3).to_list() == [IDS[1], IDS[3], IDS[3]]
    assert found["source"].head(2).to_list() == ["crm", None]
    ordered = found.select("at", "partition").rows()
    assert ordered == sorted(ordered)
    sql = "SELECT id, partition FROM history WHERE \"at\" < TIMESTAMP '2026-01-04'"
    assert db.query.sql(sql).rows() == [(IDS[1], partition_of(IDS[1], P))]
