"""The index of words in the folder of the cache: whose texts it is used for, and what befalls its file."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from connected import Open, checkpoint, in_threads
from damage import cut_short, empty, flip_a_bit
from dealdb import DealDatabase
from dealdb.query import QueryEngine
from dealdb.query.index import kept_index
from search_cases import QUESTIONS, deal, kept_of, made
from servers import Server


@pytest.fixture
def deals(start: Open) -> DealDatabase:
    """Deals in a checkpoint; what has loaded them."""
    db, draw = start(cache=False), random.Random(1)
    db.loader.load([deal(draw, n) for n in range(40)], bar=False)
    checkpoint(db)
    return db


Answers = dict[str, list[tuple[object, ...]]]


def answers_of(query: QueryEngine) -> Answers:
    return {question: query.search(question).rows() for question in QUESTIONS}


def scanned(db: DealDatabase) -> Answers:
    """What a scan finds."""
    return answers_of(QueryEngine.over(db.query.frame()))


def assert_right(db: DealDatabase) -> None:
    """Searches find what a scan finds."""
    assert answers_of(db.query) == scanned(db)


def keep(db: DealDatabase) -> None:
    """Search until the index is made and kept."""
    for _ in range(3):
        db.query.search("acme")
        made()


def begins_with_index(db: DealDatabase) -> bool:
    """Whether the first search has one."""
    db.query.search("acme")
    return kept_of(db)._made is not None


def kept_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.made"))


@pytest.mark.usefixtures("deals")
def test_the_next_process_begins_with_it(start: Open, folder: Path) -> None:
    first = start()
    assert not begins_with_index(first)
    assert not kept_files(folder)
    keep(first)
    (file,) = kept_files(folder)
    assert file.stat().st_mode & 0o777 == 0o600
    second = start()
    assert begins_with_index(second)
    assert_right(second)
    assert not begins_with_index(start(cache=False))


@pytest.mark.usefixtures("deals")
def test_a_search_alone_makes_none(start: Open, folder: Path) -> None:
    for _ in range(3):
        start().query.search("acme")
        made()
    assert not kept_files(folder)


def test_what_was_saved_since_the_checkpoint_is_in_no_file(
    start: Open, deals: DealDatabase
) -> None:
    early, late = start(), start()
    before = early.query._source.snapshot()
    deals.save_deal({"id": 1, "name": "quux"})
    deals.save_deal({"id": "new", "name": "quux"})
    deals.delete_deal(2)
    keep(late)
    # one that has not seen these commits yet
    found = kept_index.index_for(before, ["name"], None)
    assert found is not None
    assert len(found.found(["quux"], typos=False)) == 0
    assert_right(early)
    third = start()
    assert begins_with_index(third)
    assert third.query.search("quux")["id"].to_list() == ["1", "new"]
    assert_right(third)


@pytest.mark.parametrize(
    ("seed", "n_rounds"),
    [(0, 3), *(pytest.param(seed, 12, marks=pytest.mark.slow) for seed in range(4))],
)
def test_it_is_used_for_the_texts_that_it_was_made_of_alone(
    start: Open, deals: DealDatabase, seed: int, n_rounds: int
) -> None:
    draw, with_index, amounts = random.Random(seed), 0, count(1_000)
    for _ in range(n_rounds):
        match draw.randrange(6):
            case 0:
                deals.delete_deal(draw.randrange(40))
            case 1:
                deals.save_deal({"id": draw.randrange(20), "amount": draw.randrange(100)})
            case 2:
                deals.loader.load([deal(draw, draw.randrange(80)) for _ in range(9)], bar=False)
            case 3 if "note" in deals.schema:
                deals.rename_field("note", "remark")
            case _:
                deals.save_deal(deal(draw, draw.randrange(40)))
        if draw.random() < 0.5:
            deals.save_deal({"id": 0, "amount": next(amounts)})
            checkpoint(deals)
        expected = scanned(deals)
        for _ in range(2):
            db = start()
            with_index += begins_with_index(db)
            assert answers_of(db.query) == expected
            keep(db)
            assert answers_of(db.query) == expected
    assert with_index >= n_rounds


def test_another_history_or_collection_has_another(
    start: Open, server: Server, deals: DealDatabase, folder: Path
) -> None:
    keep(start())
    with start(cache=False, collection="other") as other:
        draw = random.Random(2)
        other.loader.load([deal(draw, n) for n in range(40)], bar=False)
        checkpoint(other)
    other = start(collection="other")
    assert not begins_with_index(other)
    assert_right(other)
    with server.client() as client:
        client.flushdb()
    deals.loader.load([deal(draw, n) for n in range(40)], bar=False)
    checkpoint(deals)
    again = start()
    assert not begins_with_index(again)
    assert_right(again)
    keep(again)
    assert len(kept_files(folder)) == 3


def put_another(path: Path) -> None:
    """One that is good in itself, of other texts."""
    (other,) = set(kept_files(path.parent)) - {path}
    path.write_bytes(other.read_bytes())


@pytest.mark.parametrize("damage", [Path.unlink, empty, cut_short, flip_a_bit, put_another])
def test_what_is_not_whole_is_made_again(
    damage: Callable[[Path], None], start: Open, deals: DealDatabase, folder: Path
) -> None:
    keep(start())
    deals.save_deal({"id": 3, "name": "globex"})
    checkpoint(deals)
    before = kept_files(folder)
    keep(start())
    (file,) = set(kept_files(folder)) - set(before)
    whole = file.read_bytes()
    damage(file)
    db = start()
    assert not begins_with_index(db)
    assert_right(db)
    keep(db)
    assert file.read_bytes() == whole


@pytest.mark.usefixtures("deals")
def test_one_of_another_form_is_not_looked_at(
    start: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keep(start())
    with monkeypatch.context() as patch:
        patch.setattr(kept_index, "_FORM", "words 2")
        assert not begins_with_index(start())
    assert begins_with_index(start())
    # whole, but not what it says: as a later version may have left it
    (state,) = start().query._source.snapshot().text_states
    place = state.log.made
    assert place is not None
    for blob in (b"", b"words", b"\1" + bytes(7) + b"\2" + bytes(7) + b"{}"):
        place.keep(kept_index._FORM, blob)
        db = start()
        assert not begins_with_index(db)
        assert_right(db)
    assert "no index of words from the cache" in caplog.text


@pytest.mark.usefixtures("deals")
def test_what_can_not_be_written_is_not_kept(start: Open, folder: Path) -> None:
    keep(start())
    (file,) = kept_files(folder)
    file.unlink()
    file.mkdir()
    keep(start())
    assert file.is_dir()
    folder.chmod(0o755)
    assert not begins_with_index(start())
    # nobody may make a folder there
    db = start(cache=Path("/proc/dealdb"))
    keep(db)
    assert_right(db)


@pytest.mark.usefixtures("deals")
def test_it_counts_for_the_bound_of_the_cache(start: Open, folder: Path) -> None:
    db = start()
    assert db.cache is not None
    keep(db)
    (file,) = kept_files(folder)
    n_bytes = file.stat().st_size
    assert db.cache.size() == sum(path.stat().st_size for path in folder.iterdir())
    file.unlink()
    # half of the room is for chunks
    for room, n_files in ((2 * n_bytes - 100, 0), (2 * n_bytes, 1)):
        db = start()
        assert db.cache is not None
        db.cache.max_bytes = room
        keep(db)
        assert len(kept_files(folder)) == n_files
        assert db.cache.size() <= room


@pytest.mark.usefixtures("deals")
def test_processes_that_make_it_at_once(start: Open, folder: Path) -> None:
    begin = threading.Barrier(4)

    def ask(_: int) -> None:
        db = start()
        begin.wait()
        for _ in range(5):
            db.query.search("acme")

    assert in_threads(4, ask) == []
    made()
    assert len(kept_files(folder)) == 1
    assert not list(folder.glob("*.unfinished"))
    db = start()
    assert begins_with_index(db)
    assert_right(db)
