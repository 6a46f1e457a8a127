"""Chunks in memory: as many as there is room for, before those that a cache has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import pytest

from dealdb.store.archive.lookup.recent_chunks import SHELF, RecentChunks, Shelf


class Folder:
    """A cache that notes what it is asked for."""

    def __init__(self) -> None:
        self.chunks: dict[str, bytes] = {}
        self.asked: list[str] = []

    def find(self, digests: Iterable[str]) -> dict[str, bytes]:
        wanted = list(digests)
        self.asked += wanted
        return {each: self.chunks[each] for each in wanted if each in self.chunks}

    def keep(self, chunks: Mapping[str, bytes]) -> None:
        self.chunks |= chunks


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    SHELF.renew()
    yield
    SHELF.renew()


def test_the_one_that_was_not_used_for_longest_goes_first() -> None:
    shelf = Shelf(max_bytes=30)
    shelf.put({name: bytes(10) for name in "abc"})
    assert [*shelf.get("a")] == ["a"]
    shelf.put({"d": bytes(10)})
    assert [*shelf.get("abcd")] == ["a", "c", "d"]
    # what is there already takes no more room, and what is larger than all of it has none
    shelf.put({"d": bytes(10)})
    assert [*shelf.get("abcd")] == ["a", "c", "d"]
    shelf.put({"e": bytes(31)})
    assert shelf.get("abcde") == {}
    shelf.put({"a": bytes(30)})
    assert [*shelf.get("a")] == ["a"]


def test_a_cache_is_asked_for_the_others_once() -> None:
    folder = Folder()
    recent = RecentChunks(folder)
    assert recent.find(["a", "b"]) == {}
    recent.keep({"a": b"1"})
    folder.chunks["b"] = b"2"
    folder.asked.clear()
    for _ in range(2):
        assert recent.find(["a", "b"]) == {"a": b"1", "b": b"2"}
    assert folder.asked == ["b"]
    assert folder.chunks == {"a": b"1", "b": b"2"}
    # another collection of the process has them without a cache
    assert RecentChunks(None).find(["a", "c"]) == {"a": b"1"}
