"""What the doctor finds of the sealed history: each kind of damage, and none in what is merged while it looks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dealdb import DealDatabase
from dealdb.connection import Link
from dealdb.store import Store
from dealdb.store.archive.manifest import read_manifest
from dealdb.store.archive.segments import Segment
from dealdb.store.archive.string_keys import read_string
from dealdb.store.checkpoint.write import write_checkpoint
from dealdb.store.history.damage import sealed_damage
from servers import Server


@pytest.fixture
def sealed(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Twelve segments, of which the third, which is looked at, has its deals in chunks."""
    monkeypatch.setattr("dealdb.store.archive.merging.FAN_OUT", 1_000)
    with DealDatabase("127.0.0.1", server.port) as db:
        for n in range(12):
            if n == 2:
                db.loader.load(
                    [{"id": f"D{each}", "name": "Acme"} for each in range(60)], bar=False
                )
            db.save_deal({"id": "1", "amount": n})
            seal(db._store)
        yield db._store


def seal(store: Store) -> None:
    store.snapshot()
    assert write_checkpoint(store.link, store.keys, store._live._replica)


def segments(store: Store) -> list[Segment]:
    manifest = read_manifest(store.link, store.keys)
    assert manifest
    return list(manifest.history)


def test_of_many_segments_some_are_looked_at(sealed: Store) -> None:
    history = segments(sealed)
    whole = f"sealed up to commit {history[-1].last}, 7 of 12 segments whole"
    assert sealed_damage(sealed.link, sealed.keys) == (None, whole)
    # at both ends whatever they are
    for segment in (history[0], history[-1]):
        blob = sealed.link.call("GET", segment.key)
        commits = f"commits {segment.first} to {segment.last}"
        sealed.link.call("SETRANGE", segment.key, 9, "damage")
        assert sealed_damage(sealed.link, sealed.keys) == (f"{commits} are not what was sealed", "")
        sealed.link.call("DEL", segment.key)
        assert sealed_damage(sealed.link, sealed.keys) == (f"{commits} are missing", "")
        sealed.link.call("SET", segment.key, blob)


def test_a_segment_whose_deals_are_gone_is_not_whole(sealed: Store) -> None:
    [segment] = [each for each in segments(sealed) if each.columns]
    assert segment.columns
    sealed.link.call("DEL", segment.columns.keys(sealed.keys)[0])
    named = f"commits {segment.first} to {segment.last} lack a chunk that has their deals"
    assert sealed_damage(sealed.link, sealed.keys) == (named, "")


def test_what_is_merged_meanwhile_is_no_damage(
    sealed: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def merged(link: Link, key: str) -> bytes | None:
        monkeypatch.undo()
        sealed.save({"id": "2"})
        seal(sealed)
        return read_string(link, key)

    history = segments(sealed)
    monkeypatch.setattr("dealdb.store.history.damage.read_string", merged)
    damage, _ = sealed_damage(sealed.link, sealed.keys)
    assert (damage, len(segments(sealed))) == (None, 1)
    assert not any(sealed.link.call("EXISTS", each.key) for each in history)
