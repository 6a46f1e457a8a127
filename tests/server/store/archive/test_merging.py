"""Segments of the sealed history are merged: their number stays small, and what they tell stays the same."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from dealdb.connection import Link
from dealdb.errors import StoreDamaged
from dealdb.store import Store
from dealdb.store.archive.manifest import Manifest, read_manifest
from dealdb.store.archive.merging import FAN_OUT, MERGED_BYTES, plan
from dealdb.store.archive.segments import Extent, Segment
from dealdb.store.checkpoint.write import write_checkpoint
from dealdb.store.commit.batch import Batch
from dealdb.store.history.reading import read_history
from dealdb.store.log.entry import Entry
from dealdb.store.log.reader import read_from


@pytest.fixture
def store(link: Link) -> Store:
    return Store(link)


class Witness:
    """Keeps each commit as the log had it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.seen: list[Entry] = []

    def look(self) -> None:
        for page in read_from(self.store.link, self.store.keys.log, len(self.seen) + 1):
            self.seen += page

    def agrees(self) -> bool:
        found = list(read_history(self.store.link, self.store.keys))
        assert [told(entry) for entry in found] == [told(entry) for entry in self.seen]
        return True


def told(entry: Entry) -> tuple[Any, ...]:
    """All that an entry says, for comparison: the same deals can be packed in other bytes."""
    plain = entry._replace(data=b"") if entry.kind == "add" else entry
    return (*plain, entry.added.to_dicts() if entry.kind == "add" else None, entry.rows)


def manifest_of(store: Store) -> Manifest:
    manifest = read_manifest(store.link, store.keys)
    assert manifest
    return manifest


def seal(store: Store, witness: Witness) -> int:
    """Write a checkpoint; how many segments there are now."""
    witness.look()
    store.snapshot()
    assert write_checkpoint(store.link, store.keys, store._live._replica)
    return len(manifest_of(store).history)


def bulk(store: Store, first: int, n: int) -> None:
    amounts = [str(amount) for amount in range(first, first + n)]
    store.add(store.schema(), [Batch.of([f"b{a}" for a in amounts], {"amount": amounts})])


# so many of a level are merged into one of the next: half of what it is, so that few checkpoints make three levels
FEW = FAN_OUT // 2


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dealdb.store.archive.merging.FAN_OUT", FEW)


@pytest.mark.usefixtures("few")
def test_few_segments_are_left_of_many_checkpoints(store: Store) -> None:
    witness = Witness(store)
    most = 0
    for n in range(45):
        store.save({"id": n % 7, "amount": n, "stage": "Won" if n % 3 else "Lost"})
        if n % 10 == 0:
            store.delete(str(n % 7))
        if n == 20:
            store.save({"id": "x", "colour": "red"})
        most = max(most, seal(store, witness))
    # up to 3 of each of the levels 0, 1 and 2, and the fourth before it is merged
    assert most <= 3 * FEW
    assert witness.agrees()
    with_merges = manifest_of(store).history
    assert max(segment.extent.level for segment in with_merges if segment.extent) == 2
    assert store.history("x")["after"].to_list() == ["red"]
    names = {key.decode() for key in store.link.call("SMEMBERS", "deals:chunks")}
    assert names == manifest_of(store).keys(store.keys)
    assert len(store.link.call("KEYS", "deals:history:*")) == len(with_merges)


@pytest.mark.usefixtures("few")
def test_loads_are_merged_without_a_second_copy(store: Store) -> None:
    """Deals that a load added are in the chunks of the checkpoint still, unless they were changed."""
    witness = Witness(store)
    draw = random.Random(3)
    most = 0
    for n in range(15):
        bulk(store, n * 100, 50)
        bulk(store, n * 100 + 50, 50)
        if n % 4 == 0:
            store.save({"id": f"b{draw.randrange(n * 100 + 1)}", "amount": -n})
        most = max(most, seal(store, witness))
    assert most <= 2 * FEW + 2
    assert witness.agrees()
    sealed = [segment for segment in manifest_of(store).history if segment.columns]
    assert sealed
    assert store.history("b0")["after"][0] == "0"
    blobs = [store.link.call("STRLEN", segment.key) for segment in manifest_of(store).history]
    # 1,500 deals would take far more
    assert sum(blobs) < 30_000


@pytest.mark.usefixtures("few")
def test_a_damaged_segment_stays_and_the_others_are_merged_around_it(store: Store) -> None:
    witness = Witness(store)
    for n in range(3):
        store.save({"id": n, "amount": n})
        seal(store, witness)
    damaged = manifest_of(store).history[1]
    store.link.call("SETRANGE", damaged.key, 10, "damage")
    for n in range(20):
        store.save({"id": n % 5, "amount": -1 - n})
        most = seal(store, witness)
    history = manifest_of(store).history
    assert damaged in history
    assert most <= 2 * FEW + 2
    with pytest.raises(StoreDamaged, match=f"after commit {damaged.first - 1}:"):
        list(read_history(store.link, store.keys))
    # what comes after it is there
    since = witness.seen[damaged.last - 1].position
    found = list(read_history(store.link, store.keys, since=since))
    assert [told(e) for e in found] == [told(e) for e in witness.seen[damaged.last :]]


def test_a_segment_whose_chunk_is_lost_stays(store: Store) -> None:
    witness = Witness(store)
    bulk(store, 0, 50)
    seal(store, witness)
    [segment] = manifest_of(store).history
    assert segment.columns
    ids = [f"b{n}" for n in range(50)]
    store.write(store.schema(), Batch.of(ids, {"amount": ["-1"] * 50}))
    for n in range(12):
        store.save({"id": n, "amount": n})
        seal(store, witness)
        if n == 2:
            store.link.call("DEL", *segment.columns.keys(store.keys))
    assert segment in manifest_of(store).history
    assert len(manifest_of(store).history) < 12


def test_a_process_that_dies_leaves_the_old_segments(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = Witness(store)
    for n in range(FAN_OUT - 1):
        store.save({"id": n})
        seal(store, witness)
    before = manifest_of(store).history
    store.save({"id": 99})
    store.snapshot()
    witness.look()

    class Death(BaseException):
        pass

    def die(*_: object) -> bool:
        raise Death

    monkeypatch.setattr("dealdb.store.checkpoint.write._Checkpointer._publish", die)
    with pytest.raises(Death):
        write_checkpoint(store.link, store.keys, store._live._replica)
    monkeypatch.undo()
    assert manifest_of(store).history == before
    # the seven, the new one, and the merged one that nobody knows of
    assert len(store.link.call("KEYS", "deals:history:*")) == FAN_OUT + 1
    assert witness.agrees()
    assert seal(store, witness) == 1
    assert len(store.link.call("KEYS", "deals:history:*")) == 1
    assert witness.agrees()


def test_what_an_older_version_sealed_is_merged_too(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = Witness(store)
    monkeypatch.setattr("dealdb.store.archive.merging.FAN_OUT", 1_000)
    for n in range(12):
        store.save({"id": n % 3, "amount": n})
        if n % 2:
            bulk(store, n * 100, 20)
        seal(store, witness)
    document = json.loads(store.link.call("GET", "deals:checkpoint"))
    assert len(document["history"]) == 12
    document["history"] = [segment[:5] for segment in document["history"]]
    store.link.call("SET", "deals:checkpoint", json.dumps(document))
    monkeypatch.undo()
    store.save({"id": "new"})
    assert seal(store, witness) == 1
    assert witness.agrees()


@pytest.mark.usefixtures("few")
def test_a_reader_on_its_way_is_not_disturbed(store: Store) -> None:
    """Segments that it was about to read are merged and removed, time and again."""
    witness = Witness(store)
    for n in range(10):
        store.save({"id": n % 3, "amount": n})
        seal(store, witness)
    found = []
    for n, entry in enumerate(read_history(store.link, store.keys)):
        found.append(entry)
        if n < 20:
            store.save({"id": n % 3, "amount": 100 + n})
            seal(store, witness)
    assert [told(e) for e in found] == [told(e) for e in witness.seen[: len(found)]]
    assert len(found) >= 10


def segments(*sizes: tuple[int, int]) -> list[Segment]:
    return [
        Segment(
            key=str(n), digest="", first=n, last=n, columns=None, extent=Extent(0, 0, size, level)
        )
        for n, (size, level) in enumerate(sizes)
    ]


def keys(some: Any) -> list[int]:
    return [int(segment.key) for segment in some]


def test_what_is_merged_next() -> None:
    large = MERGED_BYTES // 2
    assert keys(plan(segments(*[(1, 0)] * 7))) == []
    assert keys(plan(segments(*[(1, 0)] * 8))) == list(range(8))
    assert keys(plan(segments((1, 1), *[(1, 0)] * 8))) == list(range(1, 9))
    # nothing comes before a large one any more
    assert keys(plan(segments((1, 2), (1, 0), (large, 0), (1, 0)))) == [0, 1]
    assert keys(plan(segments((1, 2), (large, 0), (1, 0)))) == []
    # as many as make a large one
    assert keys(plan(segments(*[(large // 3, 1)] * 8))) == list(range(6))
    assert len(plan(segments(*[(1, 0)] * 500))) == 64
    assert keys(plan(segments(*[(1, 0)] * 12), unreadable={"2"})) == [0, 1]
    # whoever is in haste leaves large ones to others, but not for ever
    few, many = segments(*[(1_000_000, 1)] * 8), segments(*[(1_000_000, 1)] * 128)
    assert keys(plan(few, max_bytes=1_000_000)) == []
    assert keys(plan(few, max_bytes=4_000_000)) == [0, 1, 2, 3]
    assert keys(plan(many, max_bytes=1_000_000)) == list(range(33))
    gap = segments(*[(1, 0)] * 9)
    del gap[4]
    assert keys(plan(gap)) == [0, 1, 2, 3]


@pytest.mark.parametrize("n_bytes", [400_000, 60_000])
def test_a_year_makes_few_segments(n_bytes: int) -> None:
    """A tenth of a year of 1,000,000 saves a day, with a checkpoint for each 2,048 of them."""
    history: list[Segment] = []
    n_large = 0
    most = 0
    for n in range(488 * 36):
        history.append(
            Segment(
                key=str(n),
                digest="",
                first=n,
                last=n,
                columns=None,
                extent=Extent(0, 0, n_bytes, 0),
            )
        )
        some = plan(history)
        if some:
            place = history.index(some[0])
            sizes = [segment.extent for segment in some if segment.extent]
            extent = Extent(0, 0, sum(e.n_bytes for e in sizes), max(e.level for e in sizes) + 1)
            merged = Segment(
                key=some[0].key, digest="", first=some[0].first, last=some[-1].last,
                columns=None, extent=extent,
            )  # fmt: skip
            history[place : place + len(some)] = [merged]
        # those are never looked at again
        while history and history[0].extent and history[0].extent.n_bytes >= MERGED_BYTES // 2:
            del history[0]
            n_large += 1
        most = max(most, len(history))
    assert most <= 4 * FAN_OUT
    assert n_large <= 488 * 36 * n_bytes / (MERGED_BYTES // 2)
