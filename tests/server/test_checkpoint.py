"""Checkpoints: who may publish one, what they leave in the log, and what a damaged one costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dealdb.connection import Link, RedisConnection
from dealdb.errors import AccessDenied
from dealdb.store import Store
from dealdb.store.checkpoint import write_checkpoint
from dealdb.store.past import read_history
from servers import Server


@pytest.fixture
def link(server: Server) -> Iterator[Link]:
    connection = RedisConnection()
    connection.connect(unix_socket=server.socket)
    yield connection.link()
    connection.close()


class WatchedLink:
    """A link that tells a test of each command before it is sent."""

    def __init__(self, link: Link, before: Callable[[tuple[Any, ...]], None]) -> None:
        self._link = link
        self._before = before
        self.settings = link.settings

    def call(self, *command: Any, retry: bool = False) -> Any:
        self._before(command)
        return self._link.call(*command, retry=retry)

    def calls(self, commands: Any, *, retry: bool = False) -> Any:
        return self._link.calls(commands, retry=retry)


def checkpoint(store: Store, *, fresh: bool = True, link: Link | None = None) -> bool:
    """Have a store write a checkpoint; of what it has already where it is not to be fresh."""
    if fresh:
        store.snapshot()
    return write_checkpoint(link or store.link, store.keys, store._live._replica)


def save(store: Store, n: int) -> None:
    store.save({"id": n, "amount": n})


def amounts(store: Store) -> list[int]:
    return sorted(map(int, store.snapshot().frame["amount"]))


def test_a_process_that_lags_behind_does_not_go_back(link: Link) -> None:
    ahead, behind = Store(link), Store(link)
    save(ahead, 1)
    assert checkpoint(ahead)
    save(ahead, 2)
    behind.snapshot()
    save(ahead, 3)
    assert checkpoint(ahead)
    assert not checkpoint(behind, fresh=False)
    assert not checkpoint(ahead, fresh=False)
    save(ahead, 4)
    assert checkpoint(ahead)
    assert ahead.history("1")["after"].to_list() == ["1"]


@pytest.mark.parametrize(
    "text", ["garbage", "[]", '{"format":1,"generations":[],"history":[]}', b"\xff\x00"]
)
def test_a_damaged_manifest_is_replaced_by_the_next(link: Link, text: str | bytes) -> None:
    store = Store(link)
    save(store, 1)
    link.call("SET", "deals:checkpoint", text)
    assert amounts(Store(link)) == [1]
    assert checkpoint(store)
    assert amounts(Store(link)) == [1]
    assert store.history("1").height == 1


def test_the_log_reaches_back_to_the_older_checkpoint(link: Link) -> None:
    """With the newest damaged, a new process needs no look at the hashes, which others may have changed."""
    store = Store(link)
    for n in range(3):
        save(store, n)
        assert checkpoint(store)
    newest = max(link.call("KEYS", "deals:chunk:*"), key=lambda key: int(key[12:].split(b"-")[0]))
    link.call("SETRANGE", newest, 100, "damage")
    link.call("HSET", "deal:0", "amount", 99)
    assert amounts(Store(link)) == [0, 1, 2]
    link.call("DEL", newest)
    assert amounts(Store(link)) == [0, 1, 2]


def test_a_manifest_is_not_published_without_its_chunks(link: Link) -> None:
    """Another process took the writer for dead, and removed what it had written."""
    store = Store(link)
    save(store, 1)
    assert checkpoint(store)
    save(store, 2)

    def remove_orphans(command: tuple[Any, ...]) -> None:
        if command[0] == "EVAL" and "deals:checkpoint" in command:
            link.call("DEL", *(key for key in command if str(key).startswith("deals:history:")))

    assert not checkpoint(store, link=WatchedLink(link, remove_orphans))  # type: ignore[arg-type]
    assert checkpoint(store)
    save(store, 3)
    assert checkpoint(store)
    assert store.history("2")["after"].to_list() == ["2"]


def test_history_is_read_on_while_checkpoints_trim_the_log(link: Link) -> None:
    store = Store(link)
    save(store, 1)
    assert checkpoint(store)
    for n in range(2, 6):
        save(store, n)
    todo = list(range(6, 9))

    def trim(command: tuple[Any, ...]) -> None:
        if command[0] == "XRANGE":
            while todo:
                assert checkpoint(store)
                save(store, todo.pop(0))

    watched = WatchedLink(link, trim)
    seqs = [entry.position.seq for entry in read_history(watched, store.keys)]  # type: ignore[arg-type]
    assert seqs == list(range(1, seqs[-1] + 1))
    assert not todo


def test_who_may_not_write_a_checkpoint_reads_all_the_same(
    link: Link, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dealdb.store.live._MIN_CHANGES", 1)
    store = Store(link)
    for n in range(5):
        save(store, n)
    rights = "on >pw ~deal:* ~deals:* resetchannels -@all +@read +@connection"
    link.call("ACL", "SETUSER", "reader", "reset", *rights.split())
    connection = RedisConnection()
    connection.connect(unix_socket=server.socket, username="reader", password="pw")
    reader = Store(connection.link())
    assert amounts(reader) == list(range(5))
    assert reader.check().ok
    with pytest.raises(AccessDenied):
        reader.save({"id": 9})
    connection.close()
    link.call("ACL", "DELUSER", "reader")
    assert not link.call("EXISTS", "deals:checkpoint")
