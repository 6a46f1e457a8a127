"""Fields and repairs of collections on a real cluster: the same as on one server, also while slots move."""

from __future__ import annotations

import threading
from contextlib import suppress
from decimal import Decimal
from typing import Any

from clusters import Cluster, say
from dealdb import DealDatabase, Problem, SchemaError
from dealdb.connection.cluster.cluster_link import slot_of as slot_of_key
from dealdb.store.keys import Keys
from dealdb.store.partitions.layout import partition_of, slot_of, tag_of
from servers import Server

P = 16


def key_of(collection: str, deal: str, shift: int = 0) -> str:
    number = (partition_of(deal, P) + shift) % P
    return Keys(collection, tag_of(number, P)).deal(deal)


def ask(cluster: Cluster, key: str, command: str, *more: Any) -> Any:
    """What another program does to a key."""
    return say(cluster.owner(slot_of_key(key)), command, key, *more)


def test_columns_change_beside_a_writer_while_a_slot_moves(cluster: Cluster) -> None:
    given: dict[str, Any] = {"collection": "shape", "partitions": P}
    with (
        DealDatabase.from_url(cluster.url, **given) as db,
        DealDatabase.from_url(cluster.url, collection="shape") as writer,
    ):
        for n in range(300):
            db.save_deal({"id": n, "seats": "08", "region": "EMEA", "worth": f" {n}.50"})
        over = threading.Event()

        def write() -> None:
            n = 0
            while not over.is_set():
                n += 1
                with suppress(SchemaError):
                    writer.save_deal({"id": n % 300, "name": f"n{n}", "region": "EMEA"})
                writer.save_deal({"id": n % 300, "name": f"m{n}"})

        thread = threading.Thread(target=write)
        thread.start()
        slot = slot_of(tag_of(5, P))
        there = cluster.other(slot)
        try:
            cluster.begin_move(slot, there)
            cluster.move_keys(slot, there, 5)
            mover = threading.Timer(0.3, lambda: finish_move(cluster, slot, there))
            mover.start()
            db.rename_field("seats", "licences")
            mover.join()
            db.retype_field("worth", "decimal")
            db.drop_field("region")
        finally:
            over.set()
            thread.join()
        for each in (db, writer):
            assert each.query.sql("SELECT count(licences), sum(worth) FROM deals").rows() == [
                (300, sum(Decimal(n) + Decimal("0.5") for n in range(300)))
            ]
        assert "seats" not in db.schema
        assert not db.schema.leaving
        if "region" in db.schema:
            # the writer has begun it anew
            db.drop_field("region")
        assert db.check().differences == ()


def finish_move(cluster: Cluster, slot: int, there: Server) -> None:
    cluster.move_keys(slot, there)
    cluster.end_move(slot, there)


def test_a_check_scans_each_node_once(cluster: Cluster) -> None:
    with DealDatabase.from_url(cluster.url, collection="scan", partitions=P) as db:
        db.loader.load([{"id": n, "name": "acme"} for n in range(500)], bar=False)
        for node in cluster.primaries:
            say(node, "CONFIG", "RESETSTAT")
        assert db.check().ok
        for node in cluster.primaries:
            with node.client() as client:
                assert client.info("commandstats")["cmdstat_scan"]["calls"] <= 4


def test_a_repair_brings_deals_from_one_node_to_another(cluster: Cluster) -> None:
    name = "mend"
    with DealDatabase.from_url(cluster.url, collection=name, partitions=P) as db:
        for n in range(50):
            db.save_deal({"id": n, "name": f"n{n}"})
        wrong = key_of(name, "new", P // 2)
        ask(cluster, wrong, "HSET", "name", "brought", "region", "EMEA")
        ask(cluster, f"{name}:bare", "HSET", "name", "brought")
        ask(cluster, key_of(name, "1", P // 2), "HSET", "name", "another")
        ask(cluster, key_of(name, "2"), "HSET", "name", "theirs")
        ask(cluster, key_of(name, "3"), "DEL")
        report = db.repair()
        assert (report.adopted, report.removed, report.moved) == (3, 1, 2)
        assert [each.problem for each in report.remaining] == [Problem.FOREIGN]
        assert db.query.count("name = 'brought'") == 2
        assert not ask(cluster, wrong, "EXISTS")
        ask(cluster, key_of(name, "1", P // 2), "DEL")
        ask(cluster, key_of(name, "2"), "HSET", "name", "not theirs")
        assert db.repair(from_history=True).restored == 1
        assert db.check().ok
