"""Checkpoints that are damaged, outrun or left unfinished by a process that is killed: the rows are always right."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from connected import eventually
from dealdb import DealDatabase
from dealdb.store.archive.manifest import read_manifest
from dealdb.store.checkpoint.write import write_checkpoint
from faults.proxy import Kind as FaultKind
from faults.proxy import Proxy
from servers import Server

# queries until it is due, and waits for it
_CHECKPOINT = """
import sys
from dealdb import DealDatabase
with DealDatabase(port=int(sys.argv[1])) as db:
    db.query.frame()
"""


def truth(server: Server) -> dict[str, int]:
    """What the hashes say, read without dealdb."""
    with server.client() as client:
        keys = list(client.scan_iter("deal:*", 10_000))
        pipe = client.pipeline(transaction=False)
        for key in keys:
            pipe.hget(key, "n")
        return {key.decode()[5:]: int(n) for key, n in zip(keys, pipe.execute(), strict=True)}


def rows(db: DealDatabase) -> dict[str, int]:
    return dict(db.query.frame().select("id", "n").rows())


def fresh_rows(server: Server) -> dict[str, int]:
    with DealDatabase(port=server.port) as fresh:
        return rows(fresh)


def load(server: Server, n: int, value: int = 0) -> None:
    with DealDatabase(port=server.port) as db:
        db.loader.load([{"id": each, "n": each + value} for each in range(n)], rejects=False)


def stored(server: Server) -> tuple[set[str], set[str]]:
    """Chunks, segments and indexes that there are, and those that the manifest names."""
    with server.client() as client:
        keys = {
            key.decode()
            for kind in ("chunk", "history", "index")
            for key in client.keys(f"deals:{kind}:*")
        }
        manifest = client.get("deals:checkpoint").decode()
    return keys, {key for key in keys if key.rpartition(":")[2] in manifest}


DAMAGE: dict[str, Callable[[Any, list[str]], object]] = {
    "a bit": lambda client, keys: client.setrange(keys[0], 30, b"\xff"),
    "cut off": lambda client, keys: client.set(keys[0], client.get(keys[0])[:-1]),
    "empty": lambda client, keys: client.set(keys[1], b""),
    "swapped": lambda client, keys: client.mset(
        dict(zip(keys[:2], client.mget(keys[1::-1]), strict=True))
    ),
    "one gone": lambda client, keys: client.delete(keys[-1]),
    "all gone": lambda client, keys: client.delete(*keys),
    "no manifest": lambda client, _: client.delete("deals:checkpoint"),
    "cut manifest": lambda client, _: client.set(
        "deals:checkpoint", client.get("deals:checkpoint")[:-9]
    ),
    "another schema": lambda client, _: client.set(
        "deals:checkpoint",
        client.get("deals:checkpoint").replace(b'"n"', b'"m"').replace(b"integer", b"text"),
    ),
}


def test_a_checkpoint_that_is_damaged_shows_no_wrong_row(new_server: Callable[..., Server]) -> None:
    server = new_server()
    load(server, 12_000)
    with DealDatabase(port=server.port) as old, server.client() as client:
        old.save_deal({"id": 7, "n": -7})
        expected = truth(server)
        assert rows(old) == fresh_rows(server) == expected
        keys = sorted(key.decode() for key in client.keys("deals:chunk:*"))
        whole = {key: client.get(key) for key in [*keys, "deals:checkpoint"]}
        assert len(keys) > 1
        for what, damage in DAMAGE.items():
            damage(client, keys)
            assert {key: client.get(key) for key in whole} != whole, what
            assert fresh_rows(server) == expected, what
            assert rows(old) == expected, what
            client.mset(whole)


def test_a_reader_that_was_outrun_reads_the_checkpoint(new_server: Callable[..., Server]) -> None:
    server = new_server()
    load(server, 1_000)
    with DealDatabase(port=server.port) as old, server.client() as client:
        assert rows(old) == truth(server)
        seen = int(client.hget("deals:meta", "seq"))
        for value in range(1, 4):
            load(server, 9_000, value)
        assert int(client.xinfo_stream("deals:log")["first-entry"][0].partition(b"-")[0]) > seen
        client.config_resetstat()
        shown = rows(old)
        asked = {name.removeprefix("cmdstat_") for name in client.info("commandstats")}
        assert not asked & {"scan", "hgetall"}
        assert shown == truth(server)


@pytest.mark.parametrize(
    "where",
    [b"XTRIM", *(pytest.param(each, marks=pytest.mark.slow) for each in (b"SADD", b"SMEMBERS"))],
)
def test_a_process_that_is_killed_in_the_middle_of_a_checkpoint(
    new_server: Callable[..., Server], where: bytes
) -> None:
    """Among the chunks, between them and the manifest, and before the chunks that nobody needs any more go."""
    server = new_server()
    load(server, 5_000)
    for first in (0, 2_300):
        with DealDatabase(port=server.port) as db:
            changed = [{"id": n, "n": -n} for n in range(first, first + 2_300)]
            db.loader.load(changed, rejects=False)
    with Proxy(server.port) as proxy, server.client() as client:
        before, expected = client.get("deals:checkpoint"), truth(server)
        # it stays on its way until its sender is dead
        proxy.fault("delay", matching=where, seconds=60)
        with subprocess.Popen([sys.executable, "-c", _CHECKPOINT, str(proxy.port)]) as child:
            assert eventually(lambda: proxy.counts["delay"] == 1)
            child.kill()
        assert (client.get("deals:checkpoint") == before) is (where != b"SMEMBERS")
        assert json.loads(client.get("deals:checkpoint"))
        assert fresh_rows(server) == expected
        there, named = stored(server)
        assert there > named or where != b"XTRIM"
        # as after a minute: the dead process has it
        assert 0 < client.pttl("deals:lease") <= 120_000
        client.delete("deals:lease")
        load(server, 5_000, 6)
        there, named = stored(server)
        assert there == named
        assert {key.decode() for key in client.smembers("deals:chunks")} == named
        assert fresh_rows(server) == truth(server) != expected
        with DealDatabase(port=server.port) as db:
            assert db.check().ok
            assert db.deal_history(3)["after"].to_list()[-1] == "9"


@pytest.mark.parametrize("kind", ["swallow", "lose_reply"])
def test_a_checkpoint_survives_a_cut_at_any_exchange(
    proxy: Proxy, durable: Server, kind: FaultKind
) -> None:
    """On a link that breaks all the time no other would ever be published, and the log would grow without end."""
    with (
        DealDatabase(port=durable.port) as direct,
        DealDatabase(port=proxy.port, retry_deadline_s=5) as db,
    ):
        store = db._store
        for at in itertools.count():
            direct.save_deal({"id": at, "n": at})
            store.snapshot()
            proxy.fault(kind, after=at)
            seq = store._live._replica.position.seq
            assert write_checkpoint(store.link, store.keys, store._live._replica)
            manifest = read_manifest(direct._store.link, store.keys)
            assert manifest
            assert manifest.generations[0].position.seq == seq
            met = proxy.is_idle()
            proxy.heal()
            if not met:
                break
        assert at > 6
        assert direct.check().ok
        with DealDatabase(port=durable.port) as fresh:
            assert fresh.query.count() == at + 1
            assert len(fresh.deal_history(0)) == 1
