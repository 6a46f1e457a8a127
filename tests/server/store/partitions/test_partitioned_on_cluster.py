"""Collections on a real cluster: the same answers as on one server, also while nodes fail and slots move."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from clusters import PATIENT, Cluster, say
from connected import eventually, replicated
from dealdb import DealDatabase
from dealdb.store.partitions.layout import slot_of, tag_of
from failovers import Savers, lost
from servers import Server


def answers(db: DealDatabase) -> dict[str, Any]:
    """What can be asked, in an order that does not depend on rows."""
    frame = db.query.frame().drop("updated", strict=False).sort("id")
    known = ["name", "stage", "amount"]
    return {
        "deals": frame.select("id", *(name for name in known if name in frame.columns)).rows(),
        "len": len(db),
        "one": [deal and str(deal["amount"]) for deal in map(db.get_deal, ("d1", "d7", "x"))],
        "found": db.query.find("amount > 40", sort=["-amount", "id"], limit=5)["id"].to_list(),
        "searched": sorted(db.query.search("acme")["id"].to_list()),
        "by_stage": db.query.sql(
            "SELECT stage, count(*) n, sum(amount) s FROM deals GROUP BY stage ORDER BY stage NULLS LAST"
        ).rows(),
        "winrate": db.analytics.win_rate().frame.rows() if len(db) else None,
    }


@pytest.mark.parametrize("partitions", [1, 4, 64])
def test_it_answers_as_one_server_does(cluster: Cluster, server: Server, partitions: int) -> None:
    draw = random.Random(partitions)
    name = f"p{partitions}"
    with (
        DealDatabase.from_url(cluster.url, collection=name, partitions=partitions) as there,
        DealDatabase.from_url(server.url, collection=name) as here,
        # one that has only been told where the cluster is
        DealDatabase.from_url(cluster.url, collection=name) as reader,
    ):
        for _ in range(8):
            match draw.randrange(3):
                case 0:
                    deal = {"id": f"d{draw.randrange(60)}", "amount": draw.randrange(100)}
                    deal |= {"stage": draw.choice(["Lead", "Won", "Lost"]), "name": "acme"}
                    assert there.save_deal(deal).outcome == here.save_deal(deal).outcome
                case 1:
                    rows = pl.DataFrame(
                        {
                            "id": [f"d{n}" for n in draw.sample(range(400), 150)],
                            "amount": [draw.randrange(100) for _ in range(150)],
                            "stage": [draw.choice(["Lead", "Won"]) for _ in range(150)],
                        }
                    )
                    reports = [
                        db.loader.load(rows, bar=False, rejects=False) for db in (there, here)
                    ]
                    counts = [(r.inserted, r.updated, r.unchanged) for r in reports]
                    assert counts[0] == counts[1]
                case _:
                    deal_id = f"d{draw.randrange(60)}"
                    assert there.delete_deal(deal_id) == here.delete_deal(deal_id)
            assert answers(reader) == answers(here)
        assert reader._store.partitions == partitions


def test_who_has_seen_an_empty_collection_takes_the_partitions_that_it_gets(
    cluster: Cluster,
) -> None:
    with (
        DealDatabase.from_url(cluster.url, collection="late") as reader,
        DealDatabase.from_url(cluster.url, collection="late", partitions=4) as writer,
    ):
        assert (len(reader), reader.get_deal("1"), reader.query.count()) == (0, None, 0)
        writer.save_deal({"id": "1"})
        assert (len(reader), reader.query.count()) == (1, 1)
        assert reader.save_deal({"id": "2"}).outcome == "inserted"
        assert writer.query.count() == 2
        assert reader.place_of("1").partitions == 4


@pytest.mark.parametrize("fault", ["kill", "freeze", "move"])
def test_saves_go_on_while_a_node_fails_or_slots_move(
    new_server: Callable[..., Server], fault: str
) -> None:
    cluster = Cluster(new_server, has_replicas=fault != "move")
    with DealDatabase.from_url(cluster.url, partitions=4) as db:
        db.save_deal({"id": "first", "amount": 0})
    slots = [slot_of(tag_of(number, 4)) for number in range(4)]
    with Savers(cluster.url, **PATIENT) as savers:
        assert savers.have_saved_each(1)
        old, copied_at, gone_at = cluster.owner(slots[0]), time.monotonic(), 0.0
        if fault == "move":
            for slot in slots:
                cluster.move(slot, cluster.other(slot), lasts_s=0.1)
        else:
            assert replicated(old)
            old.kill() if fault == "kill" else old.freeze()
            gone_at = time.monotonic()
            cluster.wait_for_another(slots[0], old)
            if fault == "freeze":
                old.thaw()
                assert eventually(lambda: say(old, "ROLE")[0] == b"slave")
        assert savers.go_on()
        assert savers.have_saved_each(2)
    gone = lost(savers.saves, cluster.url)
    if fault != "kill":
        assert gone == []
    # a killed node takes with it what no replica had
    assert all(each.told > copied_at and each.begun < gone_at for each in gone), (copied_at, gone)
