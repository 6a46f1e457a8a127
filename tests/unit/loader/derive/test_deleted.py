"""Records that a CRM has deleted are no deals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from recorder import Recorder


@pytest.fixture
def store() -> Recorder:
    return Recorder()


@pytest.mark.parametrize(
    ("header", "there", "gone"),
    [
        ("IsDeleted", "false", "true"),
        ("IsDeleted", "0", "1"),
        ("Archived", "No", "Yes"),
        ("property_hs_is_deleted", "false", "TRUE"),
        ("_fivetran_deleted", "false", "true"),
        ("deleted", "", "1"),
        ("Deal - Status", "Open", "Deleted"),
        ("delete_time", "", "2026-01-31 10:00:00"),
        ("deletedAt", "", "2026-01-31T10:00:00Z"),
        ("$state", "save", "trash"),
    ],
)
def test_a_column_says_so(
    store: Recorder, tmp_path: Path, header: str, there: str, gone: str
) -> None:
    text = f"id,{header}\n1,{there}\n2,{gone}\n3,{there}\n4,{gone}\n"
    report = store.load_text(tmp_path, text)
    assert (set(store.deals), report.read) == ({"1", "3"}, 2)
    assert "2 deleted records left out" in report.notes


@pytest.mark.parametrize(
    "row",
    [
        {"id": 1, "archived": True, "name": "a"},
        {"id": 1, "status": "deleted"},
        {"id": 1, "active": False, "delete_time": "2026-01-31 10:00:00"},
        {"id": 1, "deleted": 1},
    ],
)
def test_every_format(store: Recorder, row: dict[str, Any]) -> None:
    for source in ([row, {"id": 2}], pl.DataFrame([row, {"id": 2}])):
        assert store.load(source).notes[0] == "1 deleted record left out"
        assert set(store.deals) == {"2"}


def test_what_is_not_deleted_stays(store: Recorder) -> None:
    rows = [{"id": 1, "active": False}, {"id": 2, "state": "ME"}, {"id": 3, "deleted": None}]
    report = store.load(rows)
    assert (set(store.deals), report.notes) == ({"1", "2", "3"}, ())


def test_the_zero_date_is_no_time(store: Recorder) -> None:
    rows = [{"id": 1, "deleted_at": "0000-00-00 00:00:00"}, {"id": 2, "deleted_at": "2026-01-31"}]
    store.load(rows, mapping={"deleted_at": None})
    assert set(store.deals) == {"1"}


def test_a_column_that_is_made_a_field_marks_nothing(store: Recorder) -> None:
    rows = [{"id": 1, "archived": True}, {"id": 2, "archived": False}]
    store.load(rows, mapping={"archived": "archived"})
    assert set(store.deals) == {"1", "2"}
    assert "1 deleted record left out" in Recorder().load(rows, mapping={"archived": None}).notes


def test_rejects_and_repeated_ids_keep_their_lines(store: Recorder, tmp_path: Path) -> None:
    text = "id,amount,deleted\n1,5,1\n2,x,0\n3,5,0\n3,6,0\n4,5,1\n"
    report = store.load_text(tmp_path, text, rejects=tmp_path / "rejects")
    found = pl.read_csv(tmp_path / "rejects", infer_schema=False)
    assert found.filter(pl.col("code") != "header")["line"].to_list() == ["3"]
    assert report.repeated == {"3": (4, 5)}
    assert "2 deleted records left out" in report.notes
