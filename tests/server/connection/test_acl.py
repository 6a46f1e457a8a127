"""The access rule of docs/operations.md is enough for everything, and lets nothing else through."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

import dealdb
from clusters import Cluster, say
from connected import connected, documented_rule
from dealdb import AccessDenied, DealDatabase, Progress
from dealdb.connection.cluster.cluster_link import slot_of
from dealdb.store.commit.idle_writers import UNUSED_S, forget_idle_writers
from dealdb.store.keys import Keys
from servers import Server
from writer_records import age

# deals that are loaded before a checkpoint is written
ENOUGH = 4_200


@pytest.fixture
def limited(server: Server) -> Iterator[redis.Redis]:
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "ann", "on", ">pw", *documented_rule())
        with redis.Redis(
            "127.0.0.1", server.port, username="ann", password="pw", protocol=2
        ) as ann:
            yield ann
        client.acl_deluser("ann")


def test_rule_is_enough(server: Server, limited: redis.Redis) -> None:
    with DealDatabase("127.0.0.1", server.port, username="ann", password="pw", db=0) as db:
        db.save_deal({"id": 1, "name": "Acme", "stage": "won", "amount": "10.50"})
        db.update_deal(1, amount="11.00")
        db.save_deal({"id": 2, "stage": "open"})
        assert db.delete_deal(2)
        assert (len(db), 1 in db, 2 in db) == (1, True, False)
        assert len(db.get_deals([1, 2])) == 2
        assert db.analytics.win_rate() is not None
        db.set_pipeline(db.pipeline)
        assert db.deal_history(1).height > 0
        assert len(list(db.changes(0, timeout_s=0.01))) > 5
        with server.client() as client:
            client.hset("deal:77", "stage", "open")
        assert db.repair().adopted == 1
        assert db.check().ok
        health = db.health()
        assert (health.reachable, health.deals, health.version) == (True, 2, None)


ON_CLUSTERS = ("+cluster|slots", "+asking")


def test_rule_and_two_more_are_enough_on_a_cluster(pair: Cluster) -> None:
    page = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    assert all(f"`{right}`" in page for right in ON_CLUSTERS)
    for node in pair.nodes:
        say(node, "ACL", "SETUSER", "ann", "on", ">pw", *documented_rule())
    url = pair.url.replace("://", "://ann:pw@")
    with DealDatabase.from_url(url, partitions=4) as db:
        # at once: a right does not come by waiting
        with pytest.raises(AccessDenied, match=r"cluster\|slots|'cluster'") as refused:
            db.save_deal({"id": 1})
        assert "pw" not in str(refused.value)
    for node in pair.nodes:
        say(node, "ACL", "SETUSER", "ann", *ON_CLUSTERS)
    with DealDatabase.from_url(url, partitions=4) as db:
        db.loader.load([{"id": n} for n in range(20)], rejects=False)
        slot = slot_of(db.place_of(1).key)
        to = pair.other(slot)
        pair.begin_move(slot, to)
        pair.move_keys(slot, to)
        assert db.get_deal(1) is not None
        pair.end_move(slot, to)
        assert db.save_deal({"id": 1, "name": "Acme"}).outcome == "updated"
        assert db.check().ok
        assert db.query.find().height == 20
    with (
        pytest.raises(AccessDenied),
        DealDatabase.from_url(pair.url.replace("://", "://ann:wrong@")) as db,
    ):
        db.get_deal(1)


def test_rule_is_enough_for_backups(server: Server, limited: redis.Redis, tmp_path: Path) -> None:
    with DealDatabase("127.0.0.1", server.port, username="ann", password="pw") as db:
        db.save_deal({"id": 1, "stage": "won"})
        db.backup(tmp_path / "b")
        with server.client() as client:
            client.flushall()

            def watch(progress: Progress) -> None:
                if progress.phase == "writing deals":
                    raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                db.restore(tmp_path / "b", progress=watch)
            assert client.keys("*") == []
        assert db.restore(tmp_path / "b").deals == 1
        assert db.check().ok


def test_a_restore_that_lacks_a_right_leaves_nothing(
    server: Server, limited: redis.Redis, tmp_path: Path
) -> None:
    with DealDatabase("127.0.0.1", server.port, username="ann", password="pw") as db:
        db.save_deal({"id": 1, "stage": "won"})
        db.backup(tmp_path / "b")
        with server.client() as client:
            client.flushall()
            client.execute_command("ACL", "SETUSER", "ann", "-xadd")
            with pytest.raises(AccessDenied, match="XADD"):
                db.restore(tmp_path / "b")
            assert client.keys("*") == []


def test_rule_is_enough_for_checkpoints(server: Server, limited: redis.Redis) -> None:
    for amount in ("1.00", "2.00"):
        with DealDatabase("127.0.0.1", server.port, username="ann", password="pw") as db:
            db.loader.load([{"id": number, "amount": amount} for number in range(ENOUGH)])
            assert db.query.count(f"amount = {amount}") == ENOUGH
        with server.client() as client:
            assert client.exists("deals:checkpoint", "deals:chunks") == 2
    with DealDatabase("127.0.0.1", server.port, username="ann", password="pw") as db:
        assert db.query.count("amount = 2") == ENOUGH


def test_rule_is_enough_for_upkeep(server: Server, limited: redis.Redis) -> None:
    with DealDatabase("127.0.0.1", server.port, username="ann", password="pw") as db:
        db.save_deal({"id": 1, "n": 1})
        with connected(server) as admin:
            age(admin.link(), 2 * UNUSED_S)
        with server.client() as client:
            before = client.hgetall("deals:meta"), client.dump("deal:1")
        assert forget_idle_writers(db.connection.link(), Keys("deal")) == 1
        db.save_deal({"id": 1, "n": 2})
        with server.client() as client:
            # the log's entry is all that is left of that commit
            client.hset("deals:meta", mapping=before[0])
            client.restore("deal:1", 0, before[1], replace=True)
    with DealDatabase("127.0.0.1", server.port, username="ann", password="pw") as db:
        db.repair()
        assert db.save_deal({"id": 1, "n": 3}).outcome == "updated"
        assert db.check().ok


def test_scripts_call_nothing_that_the_rule_leaves_out() -> None:
    sources = Path(dealdb.__file__).parent
    called = {
        name.lower()
        for path in (*sources.rglob("*.py"), *sources.rglob("*.lua"))
        for name in re.findall(r"redis\.p?call\('([A-Z]+)'", path.read_text())
    }
    assert "xadd" in called
    assert called <= {word.removeprefix("+") for word in documented_rule()}


@pytest.mark.parametrize(
    "command",
    [
        ("FLUSHALL",), ("KEYS", "*"), ("CONFIG", "SET", "maxmemory", "1"), ("SWAPDB", 0, 1), ("GET", "other"),
        ("SET", "dealsecret", "x"), ("EVAL", "return redis.call('GET', 'other')", 0), ("SHUTDOWN",), ("INFO",),
    ],
)  # fmt: skip
def test_rule_lets_nothing_else_through(
    limited: redis.Redis, command: tuple[str | int, ...]
) -> None:
    with pytest.raises(redis.ResponseError, match=r"(?i)permission|can't access"):
        limited.execute_command(*command)  # type: ignore[no-untyped-call]
