"""Deals that a source doesn't have any more go, and never one too many."""

from __future__ import annotations

from typing import Any

import pytest

from dealdb.errors import LoadError
from dealdb.store.commit.batch import Batch
from recorder import Recorder


@pytest.fixture
def store() -> Recorder:
    found = Recorder()
    found.load([{"id": n, "name": "old", "seats": n} for n in range(10)])
    return found


def rows(*ids: int) -> list[dict[str, Any]]:
    return [{"id": n, "name": "new", "seats": n} for n in ids]


def test_what_the_source_lacks_is_deleted_in_the_end(store: Recorder) -> None:
    said = store.load(rows(*range(3, 12)), delete_missing=True, dry_run=True)
    assert (said.inserted, said.updated, said.deleted, len(store.deals)) == (2, 7, 3, 10)
    done = store.load(rows(*range(3, 12)), delete_missing=True)
    assert (done.inserted, done.updated, done.deleted) == (2, 7, 3)
    assert repr(done).endswith("rejected=0, deleted=3)")
    assert sorted(map(int, store.deals)) == list(range(3, 12))
    assert store.load(rows(*range(3, 12)), delete_missing=True).deleted == 0


def test_more_than_half_has_to_be_meant(store: Recorder) -> None:
    assert (
        "6 of 10 deals" in store.load(rows(6, 7, 8, 9), delete_missing=True, dry_run=True).notes[-1]
    )
    with pytest.raises(LoadError, match="rows were loaded, but nothing was deleted: 6 of 10 deals"):
        store.load(rows(6, 7, 8, 9), delete_missing=True)
    assert len(store.deals) == 10
    assert store.load(rows(6, 7, 8, 9), delete_missing=True, everything=True).deleted == 6
    assert store.load([], delete_missing=True, everything=True).deleted == 4


def test_rejected_rows_keep_everything(store: Recorder) -> None:
    source = [*rows(*range(1, 10)), {"id": 0, "name": "a", "seats": "many"}]
    with pytest.raises(LoadError, match="rejected rows: 1, whose deals may be among the 1 missing"):
        store.load(source, delete_missing=True)
    assert "0" in store.deals
    assert store.load(source, delete_missing=True, force=True).deleted == 1


def test_what_others_touch_meanwhile_stays(store: Recorder) -> None:
    def meddle(progress: Any) -> None:
        if progress.phase == "loading":
            store.write(store.schema(), Batch.of(["1", "99"], {"name": ["theirs", "theirs"]}))

    done = store.load(rows(*range(3, 10)), delete_missing=True, progress=meddle)
    assert done.deleted == 2
    assert {"1", "99"} <= set(store.deals)
