"""Since when deals stand in their stages: what the whole history says, whatever was committed in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from dealdb import DealDatabase, Kind, Pipeline, Stage
from dealdb.database import LiveDeals
from dealdb.store.facts.following.follower import FactsLog
from dealdb.store.facts.following.stage_entries import _last_entries
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


@pytest.mark.parametrize("seed", range(4))
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
