"""Ids that are no texts in their source."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from recorder import Recorder


@pytest.fixture
def store() -> Recorder:
    return Recorder()


def test_whole_numbers_are_whole(store: Recorder, tmp_path: Path) -> None:
    text = '[{"id": 1.0}, {"id": 1e3}, {"id": 12345678901234567890}, {"id": 2.50}, {"id": -0.0}, {"id": 1e999}]'
    store.load_text(tmp_path, text, "x.json")
    assert set(store.deals) == {"1", "1000", "12345678901234567890", "2.50", "0", "1E+999"}


def test_floats_of_frames_too(store: Recorder) -> None:
    store.load(pl.DataFrame({"id": [1.0, 1e16, 4.10888e17]}))
    assert set(store.deals) == {"1", "10000000000000000", "410888000000000000"}


def test_texts_stay_what_they_are(store: Recorder, tmp_path: Path) -> None:
    store.load([{"id": "1.0"}, {"id": "1e3"}, {"id": "{3F-1}"}])
    assert set(store.deals) == {"1.0", "1e3", "{3F-1}"}
    store.load_text(tmp_path, "id\n[5]\n1.0\n")
    assert {"[5]", "1.0"} <= set(store.deals)


@pytest.mark.parametrize("header", ["id", "nr"])
def test_lists_and_objects_are_no_ids(store: Recorder, header: str) -> None:
    rows = [{header: ["1"]}, {header: {"a": 1}}, {header: []}, {header: {}}, {header: "3"}]
    report = store.load(rows, mapping={"nr": "id"} if header == "nr" else None)
    assert set(store.deals) == {"3"}
    assert report.reasons == {f"{header}: not-an-id": 4}


def test_columns_of_one_object_are_rows_or_refused(store: Recorder, tmp_path: Path) -> None:
    store.load_text(tmp_path, '{"id": ["1", "2"], "name": ["A", "B"]}', "x.json")
    assert store.deals == {"1": {"name": "A"}, "2": {"name": "B"}}
