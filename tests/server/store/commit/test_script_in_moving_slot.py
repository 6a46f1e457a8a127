"""The commit script on a node of a cluster whose slot is being moved: it asks for rights without touching any key."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import msgpack
import pytest
import redis

from connected import eventually
from servers import Server

SCRIPT = files("dealdb.store.commit").joinpath("commit.lua").read_text()
SCHEMA = '{"version":1,"fields":[["id","text",0],["name","text",0]]}'
# all in one slot, as a collection of a cluster would have them
META, LOG, WRITERS, DEAL = "deals:{a}:meta", "deals:{a}:log", "deals:{a}:writers", "deal:{a}:1"


@pytest.fixture
def nodes(new_server: Callable[..., Server], flavor: str) -> tuple[Any, Any]:
    """Two nodes; the first has all slots."""
    if flavor == "redis62":
        pytest.skip("this server can't tell rights without a trial")
    first, second = (new_server("--cluster-enabled", "yes") for _ in range(2))
    here: Any = first.client()
    there: Any = second.client()
    here.execute_command("CLUSTER", "MEET", "127.0.0.1", second.port)
    here.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    assert eventually(
        lambda: b"cluster_state:ok" in _info(here) and b"cluster_known_nodes:2" in _info(here)
    )
    return here, there


def _info(client: Any) -> bytes:
    return bytes(client.execute_command("CLUSTER", "INFO", NEVER_DECODE=True))


class Writer:
    def __init__(self, client: Any) -> None:
        self.client = client
        self.counter = 0

    def commit(
        self, kind: str, payload: str | bytes, *deals: str, version: str = ""
    ) -> list[bytes]:
        self.counter += 1
        keys = [META, LOG, WRITERS, *deals]
        about = ["0123456789abcdef", self.counter, f"{self.counter:016x}", 0, kind, version, "", ""]
        reply: list[bytes] = self.client.eval(SCRIPT, len(keys), *keys, *about, payload)
        return reply


def test_changes_of_what_is_there_go_on_while_the_slot_is_moved(
    nodes: tuple[Any, Any],
) -> None:
    here, there = nodes
    writer = Writer(here)
    assert writer.commit("schema", SCHEMA)[0] == b"ok"
    version = here.hget(META, "schema_version")
    assert version

    def named(name: str) -> bytes:
        return bytes(msgpack.packb([["1"], ["name"], [[name]]]))

    assert writer.commit("set", named("a"), DEAL, version=version.decode())[0] == b"ok"
    slot = int(here.execute_command("CLUSTER", "KEYSLOT", META))
    ids = [str(node.execute_command("CLUSTER", "MYID").decode()) for node in nodes]
    here.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
    there.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
    # a key that is not here would be asked for there
    with pytest.raises(redis.exceptions.AskError):
        here.delete("deals:{a}:none")
    assert writer.commit("set", named("b"), DEAL, version=version.decode())[0] == b"ok"
    assert (
        writer.commit(
            "set", msgpack.packb([["1"], ["name"], [[None]]]), DEAL, version=version.decode()
        )[0]
        == b"ok"
    )
    assert (
        writer.commit("delete", msgpack.packb([["1"]]), DEAL, version=version.decode())[0] == b"ok"
    )
    assert here.xlen(LOG) == 5


def test_a_first_commit_of_a_writer_too(nodes: tuple[Any, Any]) -> None:
    here, _ = nodes
    assert Writer(here).commit("schema", SCHEMA)[0] == b"ok"
    slot = int(here.execute_command("CLUSTER", "KEYSLOT", META))
    ids = [str(node.execute_command("CLUSTER", "MYID").decode()) for node in nodes]
    here.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
    other = Writer(here)
    keys = [META, LOG, WRITERS]
    version = (here.hget(META, "schema_version") or b"").decode()
    changed = SCHEMA.replace('"version":1', '"version":2')
    about = ["fedcba9876543210", 1, f"{1:016x}", 0, "schema", version, "", "", changed]
    assert other.client.eval(SCRIPT, len(keys), *keys, *about)[0] == b"ok"
