"""The index that a database of several partitions keeps: it finds what a scan finds, whatever was saved since."""

from __future__ import annotations

import operator
from collections.abc import Iterator

import pytest

from dealdb import DealDatabase
from dealdb.query import QueryEngine
from dealdb.query.index import kept_index
from dealdb.store.replica import row_log
from search_cases import kept_of, made, uses_index
from servers import Server

pytestmark = pytest.mark.usefixtures("few_changes")


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(server.url, partitions=4) as found:
        yield found


def by_scan(db: DealDatabase, question: str, where: str | None = None) -> list[tuple[object, ...]]:
    return QueryEngine.over(db.query.frame()).search(question, where=where).rows()


def indexed(db: DealDatabase) -> None:
    """Have an index of all deals that there are."""
    for _ in range(2):
        db.query.search("acme")
        made()
    assert uses_index(db)


def test_deals_that_are_added_to_any_partition_are_found_in_their_place(db: DealDatabase) -> None:
    db.loader.load([{"id": f"a{i}", "name": f"acme {i}"} for i in range(100)], bar=False)
    indexed(db)
    for number in range(20):
        db.save_deal({"id": f"b{number}", "name": f"acme globex {number}"})
        db.save_deal({"id": f"a{number}", "name": f"robot {number}"})
        assert uses_index(db)
        for question in ("acme", "globex", "robot", f"acme {number + 1}", f"globex {number}"):
            for where in (None, f"id <= 'a{number + 50}'"):
                found = db.query.search(question, where=where)
                assert found.rows() == by_scan(db, question, where), question
    assert uses_index(db)


def test_a_snapshot_of_before_a_change_does_not_see_later_texts(db: DealDatabase) -> None:
    db.loader.load([{"id": i, "name": "acme"} for i in range(40)], bar=False)
    indexed(db)
    old = db.query._source.snapshot()
    for number in range(20):
        db.save_deal({"id": number, "name": "globex"})
    found = kept_index.index_for(old, ["name"], None)
    assert found is not None
    assert len(found.found(["globex"], typos=False)) == 0
    assert len(found.found(["acme"], typos=False)) == 40
    db.save_deal({"id": 99, "name": "acme"})
    db.loader.load([{"id": i, "name": "robot"} for i in range(100, 140)], bar=False)
    indexed(db)
    # it has rows that the snapshot has not
    assert kept_index.index_for(old, ["name"], None) is None


def test_an_index_goes_with_the_columns_of_every_partition(
    db: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_log, "_MOST_ROWS", 5)
    db.loader.load([{"id": i, "name": "acme"} for i in range(40)], bar=False)
    indexed(db)
    before = [each.log for each in db.query._source.snapshot().text_states]
    for id_ in range(8):
        for number in range(7):
            db.save_deal({"id": id_, "name": f"robot{number}"})
            assert db.query.search(f"robot{number}")["id"].to_list() == [str(id_)]
        db.save_deal({"id": id_, "name": "acme"})
    after = [each.log for each in db.query._source.snapshot().text_states]
    # the log of each was full at some time, and another took its place
    assert not any(map(operator.is_, before, after))


def test_a_process_whose_columns_were_read_anew_makes_its_index_anew(db: DealDatabase) -> None:
    db.loader.load([{"id": i, "name": "acme"} for i in range(40)], bar=False)
    indexed(db)
    first = kept_of(db)._made
    db.save_deal({"id": 7, "extra": "globex"})
    for _ in range(3):
        assert db.query.search("globex")["id"].to_list() == ["7"]
        made()
    assert kept_of(db)._made is not first
    assert uses_index(db)
