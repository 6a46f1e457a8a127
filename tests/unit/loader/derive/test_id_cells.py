"""Ids that are lists or objects in their source."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder import Recorder


@pytest.fixture
def store() -> Recorder:
    return Recorder()


@pytest.mark.parametrize("header", ["id", "nr"])
def test_lists_and_objects_are_no_ids(store: Recorder, header: str) -> None:
    rows = [{header: ["1"]}, {header: {"a": 1}}, {header: []}, {header: {}}, {header: "3"}]
    report = store.load(rows, mapping={"nr": "id"} if header == "nr" else None)
    assert set(store.deals) == {"3"}
    assert report.reasons == {f"{header}: not-an-id": 4}


def test_columns_of_one_object_are_rows_or_refused(store: Recorder, tmp_path: Path) -> None:
    store.load_text(tmp_path, '{"id": ["1", "2"], "name": ["A", "B"]}', "x.json")
    assert store.deals == {"1": {"name": "A"}, "2": {"name": "B"}}
