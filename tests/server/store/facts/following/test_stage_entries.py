"""Since when deals stand in their stages: what the whole history says, whatever was committed in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random

import polars as pl
import pytest

from clocks import clock_of, commit_at
from dealdb import DealDatabase, Kind, Pipeline, Stage
from dealdb.database import LiveDeals
from dealdb.model.moments import epoch_ms
from dealdb.model.schema import Schema
from dealdb.store.commit.batch import Batch
from dealdb.store.facts.fold import folded
from dealdb.store.facts.following.follower import FactsLog
from dealdb.store.facts.following.stage_entries import _MOST_KEPT, _last_entries
from servers import Server

IDS = [f"d{n}" for n in range(12)]
STAGES = ("Lead", "Demo", "Won")


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        db.loader.load(
            [{"id": deal, "stage": STAGES[n % 3], "amount": n} for n, deal in enumerate(IDS)]
        )
        yield db


def all_entries(db: DealDatabase) -> dict[str, tuple[str, int]]:
    """Of all deals, by a look at the whole history."""
    store = db._store
    facts = FactsLog(store.link, store.keys).event().with_present_names()
    return _last_entries(facts)[0]


def a_moment(random: Random) -> datetime:
    return datetime.now(UTC) - timedelta(days=random.randrange(1, 40))


def change(db: DealDatabase, random: Random) -> None:
    deal = random.choice(IDS)
    stage = random.choice([*STAGES, None])
    told = {"id": deal, "field": "stage", "value": random.choice(STAGES), "at": a_moment(random)}
    changes: list[Callable[[], object]] = [
        lambda: db.save_deal({"id": deal, "stage": stage}),
        lambda: db.save_deal({"id": deal, "amount": random.randrange(99)}),
        lambda: db.save_deal({"id": deal, "stage": stage}, at=a_moment(random)),
        lambda: db.loader.load([{"id": each, "stage": stage} for each in random.sample(IDS, 3)]),
        lambda: db.history.load([told]),
        lambda: db.history.load([{"id": deal, "op": "delete", "at": a_moment(random)}]),
        lambda: deal in db and db.delete_deal(deal),
    ]
    random.choice(changes)()


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))]
)
def test_entries_are_those_of_the_whole_history(db: DealDatabase, seed: int) -> None:
    random = Random(seed)
    deals = LiveDeals(db)
    for _ in range(15):
        for _ in range(random.randrange(1, 3)):
            change(db, random)
        some = random.sample(IDS, random.randrange(1, len(IDS)))
        expected = all_entries(db)
        assert deals.stage_entries(some) == {d: expected[d] for d in some if d in expected}


def test_a_stage_with_another_name_is_the_same_visit(db: DealDatabase) -> None:
    deals = LiveDeals(db)
    before = deals.stage_entries(["d0"])["d0"]
    stages = (Stage("Prospect", Kind.OPEN), Stage("Demo", Kind.OPEN), Stage("Won", Kind.WON))
    db.set_pipeline(Pipeline(stages, renamed={"Lead": "Prospect"}), force=True)
    assert deals.stage_entries(["d0"])["d0"] == ("Prospect", before[1])


def test_a_history_that_was_emptied_is_not_remembered(server: Server, db: DealDatabase) -> None:
    deals = LiveDeals(db)
    assert deals.stage_entries(IDS)
    with server.client() as client:
        client.flushall()
    db.save_deal({"id": "d0", "stage": "Demo"})
    found = deals.stage_entries(IDS)
    assert {deal: stage for deal, (stage, _) in found.items()} == {"d0": "Demo"}


def test_what_is_told_of_a_moment_to_come_is_not_kept() -> None:
    soon = epoch_ms(datetime.now(UTC) + timedelta(hours=1))
    told = [
        {"id": deal, "at": 5, "field": "stage", "value": "Lead", "op": "set"}
        for deal in ("a", "b", "c", "d")
    ]
    told.append({"id": "b", "at": soon, "field": "stage", "value": "Won", "op": "set"})
    told += [{"id": deal, "at": at, "op": "delete"} for deal, at in (("c", soon), ("d", 9))]
    facts = folded(pl.DataFrame(told), Schema.standard(), Pipeline())
    found, later = _last_entries(facts)
    assert found == dict.fromkeys(("a", "b", "c"), ("Lead", 5))
    assert later == {"b", "c"}


def test_a_deal_that_is_loaded_after_it_was_asked_for(db: DealDatabase) -> None:
    deals, store = LiveDeals(db), db._store
    assert deals.stage_entries(["new"]) == {}
    store.add(store.schema(), [Batch.of(["new", "other"], {"stage": ["Lead", "Demo"]})])
    assert deals.stage_entries(["new"]) == {"new": ("Lead", all_entries(db)["new"][1])}


def test_a_deal_begins_with_what_is_told_of_it(db: DealDatabase) -> None:
    deals, created, told = LiveDeals(db), "2026-01-05", datetime(2026, 2, 5, 12, tzinfo=UTC)
    db.loader.load([{"id": "new", "stage": "Lead", "created": created}], bar=False)
    begun = epoch_ms(datetime.fromisoformat(created).replace(tzinfo=UTC))
    assert deals.stage_entries(["new"]) == {"new": ("Lead", begun)}
    # what it was before the first thing that is known of it is not assumed any more
    db.save_deal({"id": "new", "amount": 5}, at=told)
    assert deals.stage_entries(["new"]) == {"new": ("Lead", epoch_ms(told))}


def test_a_deal_whose_stage_was_cleared_stands_in_none(db: DealDatabase) -> None:
    deals = LiveDeals(db)
    assert "d0" in deals.stage_entries(IDS)
    db.save_deal({"id": "d0", "stage": None})
    assert deals.stage_entries(IDS).keys() == {*IDS} - {"d0"}


def test_another_field_becomes_the_stage(db: DealDatabase) -> None:
    deals = LiveDeals(db)
    db.loader.load(
        [{"id": "new", "phase": "Lead"}], mapping={"id": "id", "phase": "phase"}, bar=False
    )
    assert deals.stage_entries(["new"]) == {}
    for deal in IDS:
        db.delete_deal(deal)
    db.rename_field("phase", "stage")
    assert deals.stage_entries(["new"])["new"][0] == "Lead"


def test_what_another_program_has_mixed_up(server: Server, db: DealDatabase) -> None:
    deals = LiveDeals(db)
    assert deals.stage_entries(IDS)
    with server.client() as client:
        client.copy("deal:d1", "deal:e1")
        client.hset("deal:e1", "stage", "Won")
        client.copy("deal:d2", "deal:d0", replace=True)
        client.rename("deal:d4", "deal:e4")
    db.repair()
    expected = all_entries(db)
    assert deals.stage_entries([*IDS, "e1", "e4"]) == expected
    assert (expected["e1"][0], expected["d0"][0], expected["e4"][0]) == ("Won", "Won", "Demo")
    assert "d4" not in expected


def test_a_deal_whose_hash_another_program_removed_begins_anew(
    server: Server, db: DealDatabase
) -> None:
    deals = LiveDeals(db)
    assert {"d0", "d1"} <= deals.stage_entries(IDS).keys()
    with server.client() as client:
        client.delete("deal:d0")
        client.copy("deal:d2", "deal:d1", replace=True)
    # nothing is said of a stage
    db.save_deal({"id": "d0", "amount": 5})
    db.save_deal({"id": "d1", "amount": 5})
    expected = all_entries(db)
    assert {"d0", "d1"}.isdisjoint(expected)
    assert deals.stage_entries(IDS) == expected


def test_a_deal_that_was_imported_before_it_was_saved(db: DealDatabase) -> None:
    deals = LiveDeals(db)
    at = datetime(2026, 2, 5, tzinfo=UTC)
    db.history.load([{"id": "old", "at": at, "field": "stage", "value": "Lead"}])
    assert deals.stage_entries(["old"]) == {}
    db.save_deal({"id": "old", "amount": 5})
    assert deals.stage_entries(["old"]) == {"old": ("Lead", epoch_ms(at))}


def test_a_clock_that_was_set_back_moves_what_was_before(db: DealDatabase) -> None:
    deals, link = LiveDeals(db), db._store.link
    assert deals.stage_entries(IDS).keys() == {*IDS}
    earlier = clock_of(link) - 86_400_000
    for later in (0, 5, -5):
        commit_at(link, earlier + later, amount=later, deal="d0")
        expected = all_entries(db)
        assert {at for _, at in expected.values()} == {min(earlier, earlier + later)}
        assert deals.stage_entries(IDS) == expected


def test_more_deals_than_are_kept(db: DealDatabase) -> None:
    deals = LiveDeals(db)
    many = [f"m{n}" for n in range(_MOST_KEPT)]
    db.loader.load(pl.DataFrame({"id": many, "stage": "Lead"}), bar=False)
    asked = [*IDS, *many]
    assert deals.stage_entries(asked[:-1]).keys() == {*asked[:-1]}
    assert deals.stage_entries(asked).keys() == {*asked}


def test_a_stage_to_come_is_asked_for_again(db: DealDatabase) -> None:
    deals, log = LiveDeals(db), db._store._facts
    soon = datetime.now(UTC) + timedelta(hours=1)
    db.history.load([{"id": "d0", "at": soon, "field": "stage", "value": "Won"}])
    assert deals.stage_entries(["d0", "d1"])["d0"][0] == "Lead"
    assert log._entries.missing(["d0", "d1"]) == ["d0"]


def test_what_is_recorded_is_past_whatever_the_clock_says() -> None:
    soon = epoch_ms(datetime.now(UTC) + timedelta(hours=1))
    told = {"id": ["a"], "at": [soon], "seq": [1], "field": ["stage"], "value": ["Lead"]}
    commits = {"seq": [1], "at": [soon], "who": ["ann"], "kind": ["set"]}
    facts = folded(
        pl.DataFrame(told),
        Schema.standard(),
        Pipeline(),
        commits=pl.DataFrame(commits).cast({"seq": pl.UInt32}),
    )
    assert _last_entries(facts) == ({"a": ("Lead", soon)}, set())
