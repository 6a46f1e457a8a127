"""Partitions have the fields and stages of the head: each gets them when it needs them, and never before the head."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from connected import in_threads
from dealdb import DealDatabase, Kind, Pipeline, SchemaError, Stage, StoreDamaged
from dealdb.connection import round_trips
from dealdb.model.schema import Field, FieldType, Schema
from dealdb.store.keys import Keys
from dealdb.store.partitions.layout import partition_of, tag_of
from dealdb.store.partitions.partition import Partition
from dealdb.store.partitions.partitioned import PartitionedStore
from servers import Server

P = 4
METAS = [Keys("deal", tag_of(number, P)).meta for number in range(P)]
# an id in each partition
IDS = [next(n for n in range(100) if partition_of(str(n), P) == number) for number in range(P)]


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(server.url, partitions=P) as db:
        yield db


@pytest.fixture
def other(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(server.url) as db:
        yield db


@pytest.fixture
def client(server: Server) -> Any:
    with server.client() as client:
        yield client


def store_of(db: DealDatabase) -> PartitionedStore:
    store = db._opened_store()
    assert isinstance(store, PartitionedStore)
    return store


def versions(client: Any, field: str = "schema_version") -> list[bytes | None]:
    return [client.hget(meta, field) for meta in METAS]


def test_a_declaration_that_died_behind_the_head_heals(
    db: DealDatabase, other: DealDatabase, client: Any
) -> None:
    for deal_id in IDS:
        db.save_deal({"id": deal_id, "name": "a"})
    assert len({*versions(client)}) == 1
    # as far as it came
    store_of(db).declare([Field("seats", FieldType.INT)])
    assert len({*versions(client)}) == 2
    assert db.schema["seats"].type is FieldType.INT
    # a partition that lacks a column has nothing in it
    assert other.query.count("seats IS NULL") == P
    # texts are read as the head says
    assert other.save_deal({"id": IDS[2], "seats": "5"}).outcome == "updated"
    assert other.query.find("seats = 5")["id"].to_list() == [str(IDS[2])]
    head, *others = versions(client)
    assert others[1] == head != others[0]
    db.save_deal({"id": IDS[1], "seats": 6})
    assert db.query.sql("SELECT sum(seats) FROM deals").item() == 11


def test_reads_give_a_partition_nothing(db: DealDatabase, other: DealDatabase, client: Any) -> None:
    for deal_id in IDS:
        db.save_deal({"id": deal_id, "name": "a"})
    store_of(db).declare([Field("seats", FieldType.INT)])
    logs = [Keys("deal", tag_of(number, P)).log for number in range(P)]
    before = versions(client), [client.xlen(log) for log in logs]
    for each in (db, other):
        each.as_of(date(2100, 1, 1)).query.find("seats IS NULL")
        each.get_deals(IDS)
        each.query.find("seats IS NULL")
        each.deal_history(IDS[1])
        each.health()
    assert (versions(client), [client.xlen(log) for log in logs]) == before


def test_a_narrower_column_gets_wider_in_what_is_read(
    db: DealDatabase, other: DealDatabase
) -> None:
    for deal_id in IDS:
        db.save_deal({"id": deal_id, "seats": 5})
    other.save_deal({"id": IDS[1], "seats": Decimal("2.5")})
    for each in (db, other):
        assert each.query.find(sort="seats")["seats"].to_list() == [Decimal("2.5")] + [5] * 3
        found = each.get_deal(IDS[2])
        assert found is not None
        assert isinstance(found["seats"], Decimal)
    with pytest.raises(SchemaError):
        db.save_deal({"id": IDS[3], "seats": "many"})


def test_the_stages_are_those_of_the_head_before_a_deal_is_closed(
    db: DealDatabase, other: DealDatabase, client: Any
) -> None:
    for deal_id in IDS:
        db.save_deal({"id": deal_id, "stage": "Talks"})
    stages = Pipeline((Stage("Talks", Kind.OPEN), Stage("Signed", Kind.WON)))
    other.set_pipeline(stages, force=True)
    assert len({*versions(client, "pipeline_version")}) == 1
    for each, deal_id in ((db, IDS[1]), (other, IDS[2])):
        each.save_deal({"id": deal_id, "stage": "Signed"})
        found = each.get_deal(deal_id)
        assert found is not None
        assert "closed" in found


def test_stages_whose_setting_died_behind_the_head_close_deals(
    db: DealDatabase, other: DealDatabase
) -> None:
    for deal_id in IDS:
        db.save_deal({"id": deal_id, "stage": "Talks"})
    stages = Pipeline((Stage("Talks", Kind.OPEN), Stage("Signed", Kind.WON)))
    # as far as it came
    store_of(db)._partitions[0].set_pipeline(stages)
    for each, deal_id in ((db, IDS[1]), (other, IDS[2])):
        each.save_deal({"id": deal_id, "stage": "Signed"})
        found = each.get_deal(deal_id)
        assert found is not None
        assert "closed" in found


def test_a_partition_is_asked_what_it_has_before_the_head(db: DealDatabase, client: Any) -> None:
    for deal_id in IDS:
        db.save_deal({"id": deal_id, "name": "a"})
    client.config_set("slowlog-log-slower-than", 0)
    client.slowlog_reset()
    store_of(db)._partitions[2].follow()
    client.config_set("slowlog-log-slower-than", 10_000)
    asked = [
        each["command"].split()[1] for each in client.slowlog_get() if b"HMGET" in each["command"]
    ]
    # the newest is first
    assert asked[::-1] == [METAS[2].encode(), METAS[0].encode()]


def test_a_field_that_comes_while_partitions_are_read_is_there(
    db: DealDatabase, other: DealDatabase
) -> None:
    for deal_id in IDS:
        db.save_deal({"id": deal_id, "name": "a"})
    db.query.find()
    other.save_deal({"id": IDS[2], "name": "b"})
    store = store_of(db)
    newest = store._positions()
    other.save_deal({"id": IDS[2], "seats": 5})
    rows = store._joined.snapshot(newest).rows
    assert rows.filter(pl.col("id") == str(IDS[2]))["seats"].to_list() == [5]


def test_stages_that_are_set_back_are_set_back_in_all_partitions(
    db: DealDatabase, other: DealDatabase, client: Any
) -> None:
    first, second = (
        Pipeline((Stage("Talks", Kind.OPEN), Stage("Signed", kind)))
        for kind in (Kind.WON, Kind.LOST)
    )
    db.set_pipeline(first)
    for deal_id in IDS:
        db.save_deal({"id": deal_id, "stage": "Talks"})
    other.set_pipeline(second)
    # as this process last saw it
    db.set_pipeline(first)
    assert len({*versions(client, "pipeline_version")}) == 1


def test_a_new_stage_is_in_the_partition_before_the_deal(db: DealDatabase, client: Any) -> None:
    db.save_deal({"id": IDS[0], "stage": "Talks"})
    db.save_deal({"id": IDS[3], "stage": "Closed won"})
    found = db.get_deal(IDS[3])
    assert found is not None
    assert "closed" in found
    head, *_, last = versions(client, "pipeline_version")
    assert head == last is not None


def test_a_partition_that_is_ahead_of_the_head_is_damage(db: DealDatabase, client: Any) -> None:
    for deal_id in IDS:
        db.save_deal({"id": deal_id, "name": "a"})
    before = client.hgetall(METAS[0]), client.dump(Keys("deal", tag_of(0, P)).log)
    db.save_deal({"id": IDS[1], "seats": 5})
    log = Keys("deal", tag_of(0, P)).log
    # the head alone is set back
    client.delete(METAS[0], log)
    client.hset(METAS[0], mapping=before[0])
    client.restore(log, 0, before[1])
    with DealDatabase.from_url(f"redis://127.0.0.1:{client.info()['tcp_port']}") as late:
        with pytest.raises(StoreDamaged, match="the first one has not"):
            late.query.find()
        with pytest.raises(StoreDamaged, match="first partition of the collection has not"):
            late.save_deal({"id": IDS[1], "name": "b"})


def test_the_schema_says_how_many_partitions_there_are(db: DealDatabase, client: Any) -> None:
    db.save_deal({"id": 1, "seats": 5})
    assert Schema.from_json(client.hget(METAS[0], "schema")).partitions == P
    assert db.schema.partitions == P


def test_a_history_of_the_same_length_is_another_one(
    db: DealDatabase, other: DealDatabase, client: Any
) -> None:
    for deal_id in IDS:
        db.save_deal({"id": deal_id, "name": "before"})
    assert db.query.count("name = 'before'") == P
    client.flushall()
    with DealDatabase.from_url(db.connection.settings.where, partitions=P) as late:
        for deal_id in IDS:
            late.save_deal({"id": deal_id, "name": "after"})
    assert db.query.count("name = 'after'") == P
    assert other.query.count("name = 'after'") == P


def test_more_news_than_one_page(db: DealDatabase, other: DealDatabase) -> None:
    db.save_deal({"id": IDS[0], "n": -1})
    assert other.query.sql("SELECT sum(n) FROM deals").item() == -1
    for n in range(250):
        db.save_deal({"id": IDS[n % 2], "n": n})
    assert other.query.sql("SELECT sum(n) FROM deals").item() == 248 + 249


def trips(act: Any) -> int:
    before = round_trips()
    act()
    return round_trips() - before


def test_round_trips(db: DealDatabase) -> None:
    for deal_id in IDS:
        db.save_deal({"id": deal_id, "name": "a", "stage": "Talks"})
    assert trips(lambda: db.save_deal({"id": IDS[1], "name": "b", "stage": "Talks"})) == 1
    assert trips(lambda: db.save_deal({"id": 77, "name": "b"})) == 1
    assert trips(lambda: db.get_deal(IDS[1])) == 1
    assert trips(lambda: db.get_deals(IDS)) == 1
    assert trips(lambda: len(db)) == 1
    assert trips(lambda: IDS[1] in db) == 1
    db.query.find()
    assert trips(lambda: db.query.find()) == 1
    assert trips(lambda: db.query.count("name = 'a'")) == 1
    for deal_id in IDS:
        db.save_deal({"id": deal_id, "name": "c"})
    assert trips(lambda: db.query.find()) == 2


def test_threads_that_save_and_query_at_once(db: DealDatabase, other: DealDatabase) -> None:
    db.save_deal({"id": 0, "amount": 0})

    def work(number: int) -> None:
        each = (db, other)[number % 2]
        for n in range(40):
            deal = number * 1_000 + n
            each.save_deal({"id": deal, "amount": 1, f"own{number}": n})
            # what was acknowledged is there
            assert each.query.count(f"own{number} >= 0") == n + 1
            if n % 3 == 0:
                frame = each.query.find(columns=["id", "amount"])
                assert frame["id"].n_unique() == frame.height

    assert in_threads(6, work) == []
    for each in (db, other):
        assert each.query.sql("SELECT sum(amount), count(*) FROM deals").rows() == [(240, 240)]
        assert len(each) == 240


def test_who_was_shown_stages_saves_by_them(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the process that changed them died before all partitions had them."""
    stages = (Stage("Demo", Kind.OPEN), Stage("Signed", Kind.OPEN))
    with (
        DealDatabase.from_url(server.url, partitions=4) as db,
        DealDatabase.from_url(server.url, partitions=4) as other,
    ):
        db.set_pipeline(Pipeline(stages))
        for n in range(12):
            other.save_deal({"id": n, "stage": "Demo"})
        with monkeypatch.context() as patched:
            # as far as the head's commit
            patched.setattr(Partition, "follow", lambda _: None)
            db.set_pipeline(Pipeline((stages[0], Stage("Signed", Kind.WON))))
        other.query.count("stage = 'Demo'")
        for n in range(12):
            other.save_deal({"id": n, "stage": "Signed"})
        assert other.query.find("closed IS NOT NULL").height == 12
        assert other.check().ok
