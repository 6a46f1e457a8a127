"""A process that follows a history has the same facts as one that reads it anew, whatever is committed meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from connected import pause
from dealdb import DealDatabase, Kind, Pipeline, Stage
from dealdb.store.commit.batch import Batch
from dealdb.store.facts.following.follower import FactsLog
from servers import Server
from store_commits import assert_equal

# so many that a commit of one of them is not one of many
IDS = [f"d{n}" for n in range(60)]
STAGES = ("Lead", "Demo", "Won")


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        rows = [
            {"id": deal, "stage": STAGES[n % 3], "amount": n, "currency": "EUR", "tags": ["a"]}
            for n, deal in enumerate(IDS)
        ]
        db.loader.load(rows, bar=False)
        yield db


def a_moment(random: Random) -> datetime:
    return datetime.now(UTC) - timedelta(days=random.randrange(1, 40))


def change(db: DealDatabase, random: Random) -> None:
    deal, stage = random.choice(IDS), random.choice([*STAGES, None])
    told = {"id": f"old{random.randrange(3)}", "field": "stage", "value": "Demo"}
    stages = tuple(Stage(name, Kind.WON if name == "Won" else Kind.OPEN) for name in STAGES)
    plain: list[Callable[[], object]] = [
        lambda: db.save_deal({"id": deal, "stage": stage}),
        lambda: db.save_deal({"id": deal, "amount": random.randrange(99), "tags": ["a", "b"]}),
        lambda: db.save_deal({"id": deal, "stage": stage}, at=a_moment(random)),
        lambda: db.save_deal({"id": f"new{random.randrange(9)}", "currency": "EUR"}),
        lambda: deal in db and db.delete_deal(deal),
    ]
    others: list[Callable[[], object]] = [
        lambda: db.save_deal({"id": deal, "currency": "USD"}),
        lambda: db.history.load([{**told, "at": a_moment(random)}]),
        lambda: db.history.load([{"id": told["id"], "op": "delete", "at": a_moment(random)}]),
        lambda: db.set_pipeline(Pipeline(stages, zone=random.choice(["UTC", "Asia/Tokyo"]))),
    ]
    random.choice(plain if random.random() < 0.8 else others)()


@pytest.mark.parametrize(
    ("seed", "n_rounds"),
    [(0, 8), *(pytest.param(seed, 20, marks=pytest.mark.slow) for seed in range(2))],
)
def test_facts_that_are_followed_are_those_of_the_whole_history(
    db: DealDatabase, seed: int, n_rounds: int
) -> None:
    random, store = Random(seed), db._store
    known = datetime.now(UTC)
    for _ in range(n_rounds):
        for _ in range(random.randrange(1, 3)):
            change(db, random)
        anew = FactsLog(store.link, store.keys)
        assert_equal(store.event_facts(), anew.event())
        assert_equal(store.event_facts(assume="none"), anew.event(assume="none"))
        assert_equal(store.event_facts(known), anew.event(known))


def test_an_earlier_view_has_the_stages_that_their_names_propose_now(server: Server) -> None:
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        store = db._store

        def add(deal: str, stage: str) -> datetime:
            # as other programs do that say nothing of what stages mean
            store.add(store.schema(), [Batch.of([deal], {"stage": [stage]})])
            return pause()

        known = add("a", "Lead")
        add("b", "Demo")
        assert not store.event_facts(known).pipeline.names(Kind.WON)
        add("c", "Won")
        assert store.event_facts(known).pipeline.names(Kind.WON) == ["Won"]
