"""Deals that a source doesn't have any more go, and never one too many."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dealdb.errors import LoadError
from dealdb.loader.writing.delete_missing import Missing
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


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "x.csv",
            "<!DOCTYPE html><html><body>log in</body></html>\n",
            "is an HTML page, not a table",
        ),
        ("x.csv", "id,name\n", "^nothing was deleted: the source has no rows"),
        ("x.csv", "nr,name\n", "no column is the id"),
        ("x.csv", "", "nothing to load"),
        ("x.jsonl", "", "^nothing was deleted: the source has no rows"),
        ("x.json", '{"results": [], "paging": null}', "^nothing was deleted: the source has no"),
        ("x.json", "[]", "^nothing was deleted: the source has no rows"),
        ("x.json", '{"error": "expired"}', "no column is the id"),
        ("x.json", '[{"id": 1}] oops', "line 1: this is not JSON"),
    ],
)
def test_what_is_no_table_deletes_nothing(
    store: Recorder, tmp_path: Path, name: str, text: str, message: str
) -> None:
    with pytest.raises(LoadError, match=message):
        store.load_text(tmp_path, text, name, delete_missing=True)
    assert len(store.deals) == 10


@pytest.mark.parametrize("name", ["x.csv", "x.json"])
def test_what_is_no_table_is_refused_without_deleting_too(
    store: Recorder, tmp_path: Path, name: str
) -> None:
    with pytest.raises(LoadError):
        store.load_text(tmp_path, "<html><body>log in</body></html>\n", name)


def test_a_page_deletes_nothing_whatever_was_allowed(store: Recorder, tmp_path: Path) -> None:
    page = {"records": rows(*range(7)), "done": False, "nextRecordsUrl": "/x"}
    said = store.load_text(tmp_path, json.dumps(page), "x.json", delete_missing=True, dry_run=True)
    assert said.deleted == 3
    assert "would delete nothing: the answer says that more pages follow" in said.notes[-1]
    with pytest.raises(LoadError, match="nothing was deleted: the answer says that more pages"):
        store.load_text(
            tmp_path, json.dumps(page), "x.json", delete_missing=True, everything=True, force=True
        )
    assert len(store.deals) == 10


def test_deleted_records_count_as_missing(store: Recorder) -> None:
    source = [{**row, "IsDeleted": row["id"] == 3} for row in rows(*range(10))]
    report = store.load(source, delete_missing=True)
    assert (report.deleted, "3" in store.deals) == (1, False)
    assert "1 deleted record left out" in report.notes


def test_half_is_half_of_what_the_filter_selects() -> None:
    missing = Missing(among=pl.Series(["1", "2", "3"]), n_deals=3, revs=[1])
    assert "2 of 3 deals" in missing.refusal(["1", "2"], 0, n_rows=100)
    assert not missing.refusal(["1"], 0, n_rows=100)
