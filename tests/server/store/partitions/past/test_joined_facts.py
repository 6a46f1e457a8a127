"""The history of partitions is that of one piece, however it was read: at once, followed, or from checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clocks import clock_of, commit_at
from dealdb import DealDatabase, Kind, Pipeline, Stage, StoreDamaged
from dealdb.connection import round_trips
from dealdb.model.moments import from_epoch_ms
from dealdb.store.checkpoint.write import write_checkpoint
from dealdb.store.facts.assumed import Assume
from dealdb.store.facts.event import event_facts
from dealdb.store.facts.from_log import recorded_facts
from dealdb.store.log.reader import read_since
from dealdb.store.partitions.layout import partition_of
from dealdb.store.partitions.partition import Partition
from dealdb.store.partitions.partitioned import PartitionedStore
from dealdb.store.partitions.past.joined_facts import JoinedFacts
from dealdb.store.partitions.past.kept_tables import generations_of
from examples import few_by_default
from servers import Server
from twins import assert_same, twin_of

P = 4
IDS = [f"d{n}" for n in range(24)]
STAGES = ("Lead", "Demo", "Won", "Lost")
ASSUME: tuple[Assume, ...] = ("birth", "backfill", "none")


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(server.url, partitions=P) as db:
        yield db


def store_of(db: DealDatabase) -> PartitionedStore:
    store = db._opened_store()
    assert isinstance(store, PartitionedStore)
    return store


def anew(db: DealDatabase) -> JoinedFacts:
    store = store_of(db)
    return JoinedFacts(store._partitions, store._positions)


def a_moment(random: Random) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=random.randrange(24 * 90))


def fact(random: Random) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": random.choice([*IDS, "old1", "old2", "old3"]), "at": a_moment(random)
    }  # fmt: skip
    match random.randrange(8):
        case 0:
            return told | {"op": "delete"}
        case 1:
            # into a deal of any partition, and never in a circle
            return told | {"id": "old1", "op": "merge", "value": random.choice(IDS)}
        case 2:
            return told | {"op": "retract", "field": "stage"}
        case _:
            field, value = random.choice(
                [("stage", random.choice(STAGES)), ("owner", "Eve"), ("amount", "7.5")]
            )
            return told | {"field": field, "value": value}


def pipeline(random: Random) -> Pipeline:
    kinds = {"Won": Kind.WON, "Lost": Kind.LOST}
    stages = [Stage(name, kinds.get(name, Kind.OPEN)) for name in STAGES]
    return Pipeline(tuple(stages), zone=random.choice(["UTC", "Asia/Tokyo", "America/New_York"]))


def change(db: DealDatabase, random: Random) -> None:
    deal = random.choice(IDS)
    some = {
        "stage": random.choice([*STAGES, None]),
        "amount": random.randrange(99),
        "currency": random.choice(["EUR", "EUR", "USD"]),
        "created": date(2026, 1, 1) + timedelta(days=random.randrange(40)),
        "owner": random.choice(["Ann", "Bob"]),
        f"own{random.randrange(3)}": random.choice(["x", "y"]),
    }
    named = random.sample(sorted(some), 2)
    actions: list[Callable[[], object]] = [
        *[lambda: db.save_deal({"id": deal, **{name: some[name] for name in named}})] * 6,
        *[lambda: db.save_deal({"id": deal, "stage": some["stage"]}, at=a_moment(random))] * 3,
        *[lambda: db.delete_deal(deal)] * 2,
        lambda: db.loader.load(
            [{"id": i, "amount": n} for n, i in enumerate(random.sample(IDS, 9))], bar=False
        ),
        lambda: db.history.load([fact(random) for _ in range(6)], rejects=False),
        lambda: db.set_pipeline(pipeline(random), force=True),
        lambda: checkpoint(random.choice(store_of(db)._partitions)),
    ]
    random.choice(actions)()


def checkpoint(part: Partition) -> None:
    if part.newest().seq:
        write_checkpoint(part.link, part.keys, part._live.replica())


@settings(max_examples=few_by_default(4))
@given(seed=st.integers(0, 2**32))
def test_it_is_the_history_of_one_piece(shared_server: Server, seed: int) -> None:
    with shared_server.client() as client:
        client.flushall()
    random = Random(seed)
    # one that follows, and one that looks now and then
    with (
        DealDatabase.from_url(shared_server.url, partitions=P) as db,
        DealDatabase.from_url(shared_server.url, partitions=P) as other,
    ):
        moments = [datetime.now(UTC)]
        for step in range(18):
            change(random.choice([db, other]), random)
            if random.random() < 0.2:
                moments.append(datetime.now(UTC))
            if step % 6 == 5:
                compare(random.choice([db, other]), random.choice(moments), random.choice(ASSUME))


def compare(db: DealDatabase, known: datetime, assume: Assume = "birth") -> None:
    store, new = store_of(db), anew(db)
    twin = twin_of(store._partitions)
    until = twin.until(int(known.timestamp() * 1000))
    assert_same(store.facts(), recorded_facts(twin))
    assert_same(new.recorded(), recorded_facts(twin))
    for facts in (store.event_facts(assume=assume), new.event(assume=assume)):
        assert_same(facts, event_facts(twin, None, assume))
    for facts in (store.event_facts(known, assume), new.event(known, assume)):
        assert_same(facts, event_facts(twin, until, assume))
    recorded, ids = store.known_facts()
    assert recorded.height == twin.imported.table().height
    assert sorted(ids) == sorted(twin.ids.table()["id"].unique())


def fill(db: DealDatabase) -> None:
    rows = [{"id": each, "stage": STAGES[n % 4], "amount": n} for n, each in enumerate(IDS)]
    db.loader.load(rows, bar=False)


def trips(act: Callable[[], object]) -> int:
    before = round_trips()
    act()
    return round_trips() - before


@pytest.mark.parametrize("partitions", [4, 64])
def test_it_costs_round_trips_as_one_partition_does(server: Server, partitions: int) -> None:
    with DealDatabase.from_url(server.url, partitions=partitions) as db:
        fill(db)
        facts = anew(db)
        assert trips(facts.event) == 3
        assert trips(facts.event) == 1
        fill(db)
        db.save_deal({"id": "new", "stage": "Lead"})
        assert trips(facts.event) == 2
        for part in store_of(db)._partitions:
            checkpoint(part)
        db.save_deal({"id": "new", "stage": "Won"})
        facts = anew(db)
        # the positions, the checkpoints, the logs, and what all fields begin with; then each field
        assert trips(facts.event) == 4
        read = facts.event()
        assert [trips(partial(read.of, name)) for name in ("amount", "owner", "amount")] == [
            1,
            0,
            0,
        ]
        assert_same(facts.event(), event_facts(twin_of(store_of(db)._partitions)))


def test_nothing_is_known_of_an_empty_collection(db: DealDatabase) -> None:
    facts = anew(db)
    assert (facts.event().lives.height, facts.recorded().lives.height) == (0, 0)
    assert trips(facts.event) == 1
    db.save_deal({"id": "d1", "stage": "Lead"})
    assert facts.event().lives["id"].to_list() == ["d1"]


def test_a_partition_that_begins_or_is_removed_is_seen(db: DealDatabase, server: Server) -> None:
    fill(db)
    facts, gone = anew(db), store_of(db)._partitions[2]
    assert facts.event().lives.height == len(IDS)
    with server.client() as client:
        client.delete(*client.keys("*{2.1}*"))
    mine = [deal for deal in IDS if partition_of(deal, P) == 2]
    assert facts.event().lives.height == len(IDS) - len(mine)
    db.save_deal({"id": mine[0], "stage": "Won"})
    assert facts.event().lives.height == len(IDS) - len(mine) + 1
    assert gone.newest().seq
    compare(db, datetime.now(UTC))


def test_a_history_of_the_same_length_is_another_one(db: DealDatabase, server: Server) -> None:
    fill(db)
    facts = anew(db)
    facts.event()
    before = store_of(db)._positions()
    with server.client() as client:
        client.flushall()
    with DealDatabase.from_url(server.url, partitions=P) as late:
        fill(late)
        positions = store_of(late)._positions()
        assert [each.seq for each in positions] == [each.seq for each in before]
        assert_same(facts.event(), event_facts(twin_of(store_of(late)._partitions)))


def test_a_history_that_a_checkpoint_has_taken_from_the_log_is_followed(db: DealDatabase) -> None:
    fill(db)
    facts = anew(db)
    facts.event()
    for _ in range(3):
        fill(db)
        for deal in IDS:
            db.save_deal({"id": deal, "amount": 1})
        for part in store_of(db)._partitions:
            checkpoint(part)
    part = store_of(db)._partitions[1]
    assert part.link.call("XLEN", part.keys.log) < part.newest().seq
    assert_same(facts.event(), event_facts(twin_of(store_of(db)._partitions)))


def test_what_is_missing_of_the_tables_of_one_partition_is_read_from_its_log(
    db: DealDatabase, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    fill(db)
    for part in store_of(db)._partitions:
        checkpoint(part)
    part = store_of(db)._partitions[3]
    generation = generations_of(part.link, [part.keys])[0][0]
    assert generation.facts
    with server.client() as client:
        client.delete(part.keys.chunk(generation.facts.tables["cells:stage"][0].digest))
        # of another type
        client.delete(store_of(db)._partitions[1].keys.checkpoint)
        client.lpush(store_of(db)._partitions[1].keys.checkpoint, "x")
    compare(db, datetime.now(UTC))
    assert "facts of 'deal' are read from the log" in caplog.text
    assert db.repair(facts=True).facts == len(IDS)


def test_a_clock_that_was_set_back_keeps_the_order_of_its_partition(db: DealDatabase) -> None:
    fill(db)
    store, facts = store_of(db), anew(db)
    now = clock_of(store.link)
    for part in store._partitions[:2]:
        checkpoint(part)
    compare(db, datetime.now(UTC))
    for amount, (partition, before) in enumerate([(1, 60_000), (3, 90_000), (1, 30_000)], 500):
        deal = next(each for each in IDS if partition_of(each, P) == partition)
        commit_at(store.link, now - before, amount, deal, store._partitions[partition].keys)
        assert_same(facts.event(), event_facts(twin_of(store._partitions)))
        compare(db, datetime.now(UTC) - timedelta(seconds=45))
        compare(db, datetime.now(UTC) - timedelta(seconds=75))


def test_a_node_whose_clock_is_behind_adds_to_what_was_known_at_a_moment(db: DealDatabase) -> None:
    fill(db)
    store = store_of(db)
    now = clock_of(store.link)
    late, ahead, last = (next(d for d in IDS if partition_of(d, P) == n) for n in (1, 2, 3))
    for seconds, deal, known in (
        (10, ahead, 8),
        (90, ahead, 60),
        (30, late, 60),
        # as many commits as once counted at another moment
        (40, late, 20),
        (5, last, 7),
    ):
        part = store._of(deal)
        commit_at(store.link, now + seconds * 1000, seconds, deal, part.keys)
        compare(db, from_epoch_ms(now + known * 1000))


def test_a_head_that_was_set_back_is_named(db: DealDatabase, server: Server) -> None:
    db.save_deal({"id": "d1", "stage": "Lead"})
    head = store_of(db)._partitions[0].keys
    with server.client() as client:
        before = {key: client.dump(key) for key in (head.meta, head.log)}
        for deal in IDS:
            db.save_deal({"id": deal, "color": "red"})
        for key, dump in before.items():
            client.restore(key, 0, dump, replace=True)
    with (
        DealDatabase.from_url(server.url) as other,
        pytest.raises(StoreDamaged, match="fields that the first one has not"),
    ):
        other.analytics.time_in_stage()


@pytest.mark.parametrize("is_known", [True, False])
def test_a_stage_that_comes_while_logs_are_read_means_what_it_does(
    db: DealDatabase, server: Server, monkeypatch: pytest.MonkeyPatch, *, is_known: bool
) -> None:
    fill(db)
    late = next(deal for deal in IDS if partition_of(deal, P) == 3)
    facts = anew(db)
    if is_known:
        facts.recorded()
    # more than is asked for with the logs of all others
    for amount in range(500, 620):
        db.save_deal({"id": late, "amount": amount})

    def read(*given: Any) -> Any:
        monkeypatch.undo()
        other.save_deal({"id": late, "stage": "Sold"})
        return read_since(*given)

    with DealDatabase.from_url(server.url) as other:
        monkeypatch.setattr("dealdb.store.partitions.past.joined_facts.read_since", read)
        found = facts.recorded()
    assert "Sold" in found.of("stage")["value"].to_list()
    assert "Sold" in found.pipeline.names(Kind.WON)
    compare(db, datetime.now(UTC))
