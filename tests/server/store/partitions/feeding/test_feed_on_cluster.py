"""A feed of a real cluster goes on while its nodes fail and its slots move: each commit once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import pytest

from clusters import PATIENT, Cluster, say
from connected import eventually, replicated
from dealdb import Commit, DealDatabase
from dealdb.store.partitions.layout import slot_of, tag_of
from followed import Collector, mirrored, present, told
from servers import Server


def assert_whole(commits: list[Commit]) -> None:
    for partition in {commit.partition for commit in commits}:
        numbers = [commit.seq for commit in commits if commit.partition == partition]
        assert numbers == list(range(1, len(numbers) + 1))


def sockets_of(cluster: Cluster) -> int:
    """How many the nodes have of all clients, without those that ask."""
    return sum(
        len(say(node, "CLIENT", "LIST", "TYPE", "NORMAL").splitlines())
        for node in cluster.primaries
    )


@pytest.mark.parametrize("fault", ["kill", "move"])
def test_it_goes_on_while_a_node_is_killed_or_slots_move(
    new_server: Callable[..., Server], fault: str
) -> None:
    cluster = Cluster(new_server, has_replicas=fault == "kill")
    stop, n_written = threading.Event(), [0, 0, 0]
    with (
        DealDatabase.from_url(cluster.url, partitions=4, **PATIENT) as db,
        DealDatabase.from_url(cluster.url, **PATIENT) as other,
    ):
        for n in range(40):
            db.save_deal({"id": n, "amount": n})
        collector = Collector(other.changes(0))
        assert eventually(lambda: collector.has_told("39"))

        def write(who: int) -> None:
            n = 0
            while not stop.is_set():
                n += 1
                db.save_deal({"id": f"{who}-{n % 20}", "amount": n})
                n_written[who] = n

        slots = [slot_of(tag_of(number, 4)) for number in range(4)]
        old = cluster.owner(slots[0])
        if fault == "kill":
            # what no replica has would be lost, and the feed reset for it
            for node in cluster.primaries:
                assert replicated(node)
            old.kill()
        writers = [threading.Thread(target=write, args=(who,)) for who in range(3)]
        for writer in writers:
            writer.start()
        if fault == "kill":
            cluster.wait_for_another(slots[0], old)
        else:
            for slot in slots:
                cluster.move(slot, cluster.other(slot), lasts_s=0.1)
        before = [*n_written]
        # all of their deals, which are of all partitions
        assert eventually(lambda: all(n >= m + 20 for n, m in zip(n_written, before, strict=True)))
        stop.set()
        for writer in writers:
            writer.join(30)
        db.save_deal({"id": "last"})
        assert eventually(lambda: collector.has_told("last"))
        # in another partition something may come after it
        assert eventually(lambda: mirrored(collector.seen) == present(db))
        collector.stop()
        assert_whole(collector.seen)
        again = told(db)
        assert_whole(again)
        assert {commit.token for commit in again}
        assert sorted((c.partition, c.seq) for c in again) == sorted(
            (c.partition, c.seq) for c in collector.seen
        )


def test_many_partitions_and_feeds_beside_a_small_pool(cluster: Cluster) -> None:
    with DealDatabase.from_url(cluster.url, max_connections=3) as db:
        for n in range(30):
            db.save_deal({"id": n})
        followers = [Collector(db.changes(0)) for _ in range(2)]
        middle = told(db)[20].token
        for n in range(30, 60):
            db.save_deal({"id": n})
        for each in followers:
            assert eventually(partial(each.has_told, "59"))
        assert eventually(
            lambda: {mirrored(each.seen) == present(db) for each in followers} == {True}
        )
        assert db.connection.pool_stats().open <= 3
        assert len(told(db, middle)) == len(followers[0].seen) - 21
        # a socket of each node at most, and none when it is closed
        before = sockets_of(cluster)
        for each in followers:
            each.stop()
            assert_whole(each.seen)
        assert eventually(lambda: sockets_of(cluster) == before - 6)
