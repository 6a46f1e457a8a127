"""What is asked of the past gives the same with partitions as without."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import h1
from dealdb import DealDatabase, Kind, Pipeline, Stage
from dealdb.analytics import Analytics, MetricResult
from dealdb.database import LiveDeals
from dealdb.errors import DealDBError, QueryError
from dealdb.store.partitions.layout import partition_of
from dealdb.store.partitions.partitioned import PartitionedStore
from every_metric import OF_THE_PRESENT, PAST, metrics
from examples import few_by_default
from servers import Server

P = 4
IDS = [f"d{n}" for n in range(16)]
STAGES = ("Lead", "Demo", "Won", "Lost")
# what happened since is of the clock, which two collections don't share
AS_OF = date(2026, 4, 30)
# the only figure that tells how many commits there were
OF_COMMITS = {"bulk"}


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(server.url, partitions=P) as db:
        yield db


@contextmanager
def pair_on(server: Server) -> Iterator[tuple[DealDatabase, DealDatabase]]:
    with server.client() as client:
        client.flushall()
    with (
        DealDatabase.from_url(server.url, collection="single") as single,
        DealDatabase.from_url(server.url, collection="parted", partitions=P) as parted,
    ):
        yield single, parted


def a_moment(random: Random) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=random.randrange(24 * 100))


def a_day(random: Random) -> date:
    return a_moment(random).date()


def pipeline(random: Random) -> Pipeline:
    kinds = {"Won": Kind.WON, "Lost": Kind.LOST}
    names = random.choice([STAGES, ("Lead", "Show", "Won", "Lost")])
    stages = [Stage(name, kinds.get(name, Kind.OPEN)) for name in names]
    renamed = {"Demo": "Show"} if "Show" in names else {}
    zone = random.choice(["UTC", "Asia/Tokyo"])
    return Pipeline(tuple(stages), zone=zone, renamed=renamed)


def deal(random: Random) -> dict[str, Any]:
    some = {
        "stage": random.choice(STAGES),
        "amount": random.choice([0, 10, "12.50", None]),
        "currency": random.choice(["EUR", "EUR", "USD"]),
        "owner": random.choice(["Ann", "Bob", "Zoe", None]),
        "created": a_day(random),
        "expected_close": a_day(random),
        "loss_reason": random.choice(["Price", "Time", None]),
        "seats": random.choice([5, "2.5", "x"]),
    }
    chosen = random.sample(sorted(some), random.randrange(1, 5))
    return {"id": random.choice(IDS), **{name: some[name] for name in chosen}}


def fact(random: Random) -> dict[str, Any]:
    told: dict[str, Any] = {"id": random.choice([*IDS, "old"]), "at": a_moment(random)}
    match random.randrange(6):
        case 0:
            return told | {"op": "delete"}
        case 1:
            return told | {"id": "old", "op": "merge", "value": random.choice(IDS)}
        case _:
            return told | {"field": "stage", "value": random.choice(STAGES)}


def action(random: Random) -> Callable[[DealDatabase], object]:
    one, at, gone = deal(random), a_moment(random), random.choice(IDS)
    facts, stages = [fact(random) for _ in range(5)], pipeline(random)
    rows = [{**deal(random), "id": each} for each in random.sample(IDS, 10)]
    return random.choice(
        [
            *[lambda db: db.save_deal(one, at=at).outcome] * 8,
            lambda db: db.save_deal(one).outcome,
            lambda db: db.delete_deal(gone),
            lambda db: db.history.load(facts, rejects=False),
            lambda db: db.history.load(facts, rejects=False),
            lambda db: db.loader.load(rows, bar=False).read,
            lambda db: db.set_pipeline(stages, force=True),
        ]
    )


def outcome(act: Callable[[DealDatabase], object], db: DealDatabase) -> object:
    try:
        found = act(db)
    except DealDBError as problem:
        return type(problem), problem.code, str(problem).replace("parted", "single")
    return found


def asked_of(random: Random) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, asked in PAST.items():
        options = {**random.choice(asked.options), "by": random.choice(asked.groups)}
        assume = random.choice(["birth", "none"])
        told = random.choice([{"assume": assume}, {"assume": assume}, {"time": "recorded"}])
        deals = {"deals": True} if random.random() < 0.3 else {}
        yield name, {**options, **told, **deals, "as_of": AS_OF}
    for name in OF_THE_PRESENT:
        yield name, {}


def answer(analytics: Analytics, name: str, options: dict[str, Any]) -> object:
    try:
        found = getattr(analytics, name)(**options)
    except (QueryError, TypeError) as problem:
        return type(problem), str(problem)
    assert isinstance(found, MetricResult)
    left = [column for column in OF_COMMITS if column in found.frame.columns]
    basis = found.basis
    return found.frame.drop(left).rows(), basis.n, basis.currency, basis.warnings


@settings(max_examples=few_by_default(4))
@given(seed=st.integers(0, 2**32))
def test_metrics_are_those_of_one_piece(shared_server: Server, seed: int) -> None:
    random = Random(seed)
    with pair_on(shared_server) as (single, parted):
        for step in range(20):
            act = action(random)
            assert outcome(act, parted) == outcome(act, single)
            if step % 10 == 9:
                for name, options in asked_of(random):
                    theirs = answer(single.analytics, name, options)
                    assert answer(parted.analytics, name, options) == theirs, (name, options)
                compare_pasts(single, parted, random)


def compare_pasts(single: DealDatabase, parted: DealDatabase, random: Random) -> None:
    moment = a_moment(random)
    for ask in (
        lambda db: plain(db.as_of(moment, time="event").snapshot.frame),
        lambda db: plain(db.pinned().snapshot.frame),
        lambda db: plain(db.pinned(moment).snapshot.frame),
        # the stamp of a save is of the clock, and of whole seconds
        lambda db: (
            db.history.span().filter(pl.col("last") < AS_OF, pl.col("field") != "updated").rows()
        ),
        lambda db: history_of(db),
    ):
        assert outcome(ask, parted) == outcome(ask, single)


def plain(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    return frame.drop("updated", strict=False).sort("id").rows()


def history_of(db: DealDatabase) -> list[tuple[Any, ...]]:
    """The table of changes without what the clock says."""
    table = db.query.sql("SELECT * FROM history")
    if "partition" in table.columns:
        ordered = table.select("at", "partition", "seq").rows()
        assert ordered == sorted(ordered)
        numbers = [partition_of(deal, P) for deal in table["id"]]
        assert table["partition"].to_list() == numbers
        table = table.drop("partition")
    early = pl.col("at") < AS_OF
    told = table.with_columns(pl.when(early).then("at"), early=early)
    return (
        told.drop("seq", "when")
        .filter(pl.col("field").ne_missing("updated"))
        .sort(pl.all(), nulls_last=True)
        .rows()
    )


def test_all_metrics_are_asked() -> None:
    assert {*PAST, *OF_THE_PRESENT} == metrics()


def test_the_figures_of_the_example_are_those_that_were_computed_by_hand(db: DealDatabase) -> None:
    assert h1.load_into(db)
    found = db.analytics.time_in_stage(as_of="2026-03-31").frame
    assert found["n"].to_list() == [6, 3, 1]
    assert found["mean_days"].to_list() == [26.5, 24.666666666666668, 15.0]
    reached = db.analytics.funnel(since="2026-01-01", until="2026-04-01", as_of="2026-03-31")
    assert reached.frame["n"].to_list() == [7, 5, 5, 2]


# views -------------------------------------------------------------------------------------------


def one_in_each() -> list[str]:
    return [next(f"n{n}" for n in range(99) if partition_of(f"n{n}", P) == p) for p in range(P)]


@pytest.mark.parametrize("partitions", [None, P])
def test_a_pinned_view_counts_no_later_commit(server: Server, partitions: int | None) -> None:
    with DealDatabase.from_url(server.url, partitions=partitions) as db:
        for deal_id in one_in_each():
            db.save_deal({"id": deal_id, "stage": "Lead", "amount": 5})
        view = db.pinned()
        before = figures(view.analytics)
        for deal_id in one_in_each():
            db.save_deal({"id": f"{deal_id}b", "stage": "Lead"})
            db.save_deal({"id": deal_id, "amount": 7})
            assert figures(view.analytics) == before
        assert len(view) == P
        assert figures(db.pinned().analytics) != before


def figures(analytics: Analytics) -> list[object]:
    options: list[dict[str, Any]] = [
        *[{}, {"time": "recorded"}, {"assume": "none"}, {"assume": "backfill"}],
        *[{"time": "recorded", "assume": "none"}],
    ]
    metrics = (analytics.ageing, analytics.funnel)
    return [metric(**each).frame.rows() for metric in metrics for each in options]


def test_a_view_is_pinned_while_others_save(db: DealDatabase, server: Server) -> None:
    db.save_deal({"id": "d1", "stage": "Lead"})
    done = threading.Event()

    def save() -> None:
        with DealDatabase.from_url(server.url) as other:
            number = 0
            while not done.is_set():
                other.save_deal({"id": f"x{number % 50}", "stage": "Lead"})
                number += 1

    thread = threading.Thread(target=save)
    thread.start()
    try:
        for _ in range(5):
            view = db.pinned()
            assert view.analytics.ageing().frame["n"].sum() == len(view)
    finally:
        done.set()
        thread.join()


def store_of(db: DealDatabase) -> PartitionedStore:
    store = db._opened_store()
    assert isinstance(store, PartitionedStore)
    return store


def test_a_deal_stands_in_the_stage_of_now_though_its_partition_has_not_got_it(
    db: DealDatabase, server: Server
) -> None:
    ids = one_in_each()
    for deal_id in ids:
        db.save_deal({"id": deal_id, "stage": "Demo"})
    since = LiveDeals(db).stage_entries(ids)
    # a stage that is merely new is none of the others
    db.save_deal({"id": ids[0], "stage": "Later"})
    assert LiveDeals(db).stage_entries(ids[1:]) == {i: since[i] for i in ids[1:]}
    assert store_of(db)._lazy_facts is None
    db.save_deal({"id": ids[0], "stage": "Demo"})
    since |= LiveDeals(db).stage_entries(ids[:1])
    store = store_of(db)
    # as a process leaves it that died in the middle
    store._head.set_pipeline(Pipeline((Stage("Show", Kind.OPEN),), renamed={"Demo": "Show"}))
    expected = {deal_id: ("Show", at) for deal_id, (_, at) in since.items()}
    with DealDatabase.from_url(server.url) as other:
        for live in (LiveDeals(db), LiveDeals(other)):
            assert live.stage_entries([*ids, "none"]) == expected
            assert live.stage_entries(ids[:1]) == {ids[0]: expected[ids[0]]}
    db.set_pipeline(Pipeline((Stage("Open", Kind.OPEN),), renamed={"Demo": "Open"}), force=True)
    assert {stage for stage, _ in LiveDeals(db).stage_entries(ids).values()} == {"Open"}
    assert LiveDeals(db).stage_entries(["none"]) == {}


def test_the_deals_after_a_commit_and_the_changes_until_then(db: DealDatabase) -> None:
    live = LiveDeals(db)
    for number, deal_id in enumerate([*one_in_each(), *one_in_each()]):
        db.save_deal({"id": deal_id, "amount": number})
    position = live.snapshot().position
    assert position is not None
    before = plain(live.snapshot().frame)
    changes = live.changes(position)
    for deal_id in one_in_each():
        db.delete_deal(deal_id)
    assert plain(live.after(position).frame) == before
    assert live.changes(position).equals(changes)
    assert set(changes["change"]) == {"inserted", "updated"}
    now = live.snapshot().position
    assert now is not None
    assert live.changes(now).height == changes.height + P
