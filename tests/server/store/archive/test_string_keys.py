"""Keys of checkpoints that another program has made something else of: queries, saves and checkpoints go on."""

from __future__ import annotations

import pytest

from dealdb.connection import Link
from dealdb.errors import StoreDamaged
from dealdb.store import Store
from dealdb.store.archive.manifest import read_manifest
from dealdb.store.checkpoint.write import write_checkpoint


def checkpoint(store: Store) -> bool:
    store.snapshot()
    return write_checkpoint(store.link, store.keys, store._live._replica)


@pytest.fixture
def store(link: Link) -> Store:
    """A store with two checkpoints behind it, and something in the log."""
    store = Store(link)
    for n in range(3):
        store.save({"id": n, "amount": n})
        assert n == 2 or checkpoint(store)
    return store


def make_list(link: Link, *keys: str) -> None:
    for key in keys:
        link.calls([("DEL", key), ("RPUSH", key, "x")])


def is_right(link: Link, *, n: int = 3) -> bool:
    store = Store(link)
    deals = dict(store.snapshot().frame.select("id", "amount").rows())
    return {key: int(amount) for key, amount in deals.items()} == {str(i): i for i in range(n)}


def goes_on(store: Store, link: Link) -> bool:
    """Whether the next checkpoint makes all good."""
    store.save({"id": 3, "amount": 3})
    return checkpoint(store) and is_right(link, n=4)


def chunks_of(link: Link, generation: int, names: list[str]) -> list[str]:
    manifest = read_manifest(link, Store(link).keys)
    assert manifest
    columns = manifest.generations[generation].columns
    assert columns
    return columns.part(names, 0, 0).keys(Store(link).keys)


def test_a_chunk_of_the_newest_generation(store: Store, link: Link) -> None:
    newest = set(chunks_of(link, 0, ["id"])) - set(chunks_of(link, 1, ["id"]))
    assert newest
    make_list(link, *newest)
    assert is_right(link)
    assert goes_on(store, link)


@pytest.mark.parametrize("names", [["id"], ["amount"], ["id", "amount"]])
def test_a_chunk_of_each_generation(store: Store, link: Link, names: list[str]) -> None:
    make_list(link, *chunks_of(link, 0, names), *chunks_of(link, 1, names))
    assert is_right(link)
    assert Store(link).snapshot(["amount"]).rows["amount"].to_list() == [0, 1, 2]
    assert goes_on(store, link)


def test_a_chunk_of_a_column_that_waits(link: Link, store: Store) -> None:
    reader = Store(link)
    reader.snapshot(["stage"])
    make_list(link, *chunks_of(link, 0, ["amount"]), *chunks_of(link, 1, ["amount"]))
    assert sorted(map(int, reader.snapshot().frame["amount"])) == [0, 1, 2]


@pytest.mark.parametrize("key", ["deals:checkpoint", "deals:chunks", "deals:lease"])
def test_a_key_of_its_own(store: Store, link: Link, key: str) -> None:
    make_list(link, key)
    assert is_right(link)
    assert goes_on(store, link)
    assert link.call("TYPE", key) != b"list"
    if key != "deals:checkpoint":
        # else what the manifest told of the history is gone with it
        assert store.history("0")["after"].to_list() == ["0"]


def test_names_that_were_lost_are_noted_again(store: Store, link: Link) -> None:
    """What is removed as an orphan is looked up there."""
    make_list(link, "deals:chunks")
    assert goes_on(store, link)
    manifest = read_manifest(link, store.keys)
    assert manifest
    assert {key.decode() for key in link.call("SMEMBERS", "deals:chunks")} == manifest.keys(
        store.keys
    )


def test_a_segment(store: Store, link: Link) -> None:
    manifest = read_manifest(link, store.keys)
    assert manifest
    make_list(link, manifest.history[0].key)
    assert is_right(link)
    with pytest.raises(StoreDamaged, match="incomplete"):
        store.history("0")
    store.save({"id": 3, "amount": 3})
    assert checkpoint(store)
    assert is_right(link, n=4)
