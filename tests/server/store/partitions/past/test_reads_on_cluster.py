"""The past of a collection on a real cluster is that of one server."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from clusters import Cluster
from dealdb import DealDatabase
from dealdb.connection import round_trips
from dealdb.database import LiveDeals
from dealdb.store.partitions.partitioned import PartitionedStore
from every_metric import PAST
from servers import Server

AS_OF = date(2026, 4, 30)
NODES = 3


def act(db: DealDatabase, draw: random.Random) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=draw.randrange(2000))
    deal: dict[str, Any] = {
        "id": f"d{draw.randrange(40)}",
        "stage": draw.choice(["Lead", "Won", "Lost"]),
    }
    deal |= {"amount": draw.randrange(100), "currency": draw.choice(["EUR", "USD"])}
    told = {"id": f"d{draw.randrange(44)}", "at": moment, "field": "stage", "value": "Demo"}
    match draw.randrange(6):
        case 0:
            db.delete_deal(deal["id"])
        case 1:
            db.history.load([told], rejects=False)
        case 2:
            rows = [{"id": f"d{n}", "owner": draw.choice("ab")} for n in range(0, 40, 7)]
            db.loader.load(rows, bar=False)
        case _:
            db.save_deal(deal, at=moment)


def answers(db: DealDatabase) -> dict[str, Any]:
    found = {}
    # a season takes two years
    for name, asked in [each for each in PAST.items() if each[0] != "seasonality"]:
        result = getattr(db.analytics, name)(**asked.options[0], by=asked.groups[0], as_of=AS_OF)
        found[name] = result.frame.drop("bulk", strict=False).rows()
    past = db.as_of("2026-02-15", time="event").query.find(sort="id").drop("updated")
    changed = "SELECT id, change, field, after FROM history WHERE field <> 'updated' ORDER BY ALL"
    return found | {
        "past": past.rows(),
        "ids": sorted(db.pinned().query.find()["id"]),
        "changes": db.query.sql(changed).rows(),
        "known": db.history.span().filter(field="stage")["n"].to_list(),
    }


@pytest.mark.parametrize("partitions", [1, 16])
def test_it_answers_as_one_server_does(cluster: Cluster, server: Server, partitions: int) -> None:
    name = f"past{partitions}"
    with (
        DealDatabase.from_url(cluster.url, collection=name, partitions=partitions) as there,
        DealDatabase.from_url(server.url, collection=name) as here,
        DealDatabase.from_url(cluster.url, collection=name) as reader,
    ):
        for seed in range(30):
            for db in (there, here):
                act(db, random.Random(seed))
            if seed % 15 == 14:
                assert answers(there) == answers(here)
        assert (there.repair(facts=True).facts or 0) > 20
        assert answers(reader) == answers(here)
        live = LiveDeals(reader)
        position = live.snapshot().position
        assert position is not None
        there.save_deal({"id": "later", "stage": "Won"})
        assert "later" not in live.after(position).frame["id"]


def test_it_costs_two_round_trips_however_many_nodes_there_are(cluster: Cluster) -> None:
    with DealDatabase.from_url(cluster.url, collection="trip", partitions=64) as db:
        for n in range(64):
            db.save_deal({"id": n, "stage": "Lead"})
        store = db._opened_store()
        assert isinstance(store, PartitionedStore)
        store.event_facts()
        before = round_trips()
        store.event_facts()
        # all nodes at once, and then that of the head
        assert round_trips() - before == 2
