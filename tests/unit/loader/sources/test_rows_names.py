"""Keys that are one name in two spellings."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder import Recorder


@pytest.fixture
def store() -> Recorder:
    return Recorder()


def test_two_spellings_in_different_rows_are_one_column(store: Recorder) -> None:
    report = store.load([{"ID": 1, "Name": "A"}, {"id": "x", "name": "B"}, {"id": 3, "name": None}])
    assert report.reasons == {}
    assert report.mapping == {"ID": "id", "Name": "name"}
    assert store.deals == {"1": {"name": "A"}, "x": {"name": "B"}, "3": {}}


def test_two_spellings_in_one_row_are_two_columns(store: Recorder) -> None:
    report = store.load([{"id": 1, "Zone": "A", "zone": "B"}, {"id": 2, "zone": "C"}])
    assert report.mapping == {"id": "id", "Zone": "zone", "zone": "zone_2"}


def test_columns_of_a_table_are_left_alone(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(tmp_path, "id,Zone,zone\n1,A,B\n")
    assert report.mapping == {"id": "id", "Zone": "zone", "zone": "zone_2"}


def test_lines_of_json_are_rows_too(store: Recorder, tmp_path: Path) -> None:
    path = tmp_path / "deals.jsonl"
    path.write_text('{"ID": "1", "Name": "A"}\n{"id": "2", "name": "B"}\n')
    assert store.load(path).mapping == {"ID": "id", "Name": "name"}
    assert store.deals == {"1": {"name": "A"}, "2": {"name": "B"}}
