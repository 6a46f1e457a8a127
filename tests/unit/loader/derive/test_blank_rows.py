"""Rows of a sheet without anything in them are no rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder import Recorder
from workbooks import workbook


@pytest.fixture
def store() -> Recorder:
    return Recorder()


@pytest.mark.parametrize("blank", [",,", " ,,", ",\u00a0,\t"])
def test_a_row_of_empty_cells_is_no_row(store: Recorder, tmp_path: Path, blank: str) -> None:
    text = f"id,name,amount\n1,A,5\n{blank}\n{blank}\n2,B,soon\n3,C,6\n"
    rejects = tmp_path / "out.csv"
    report = store.load_text(tmp_path, text, rejects=rejects)
    assert (list(store.deals), report.read) == (["1", "3"], 3)
    assert report.reasons == {"amount: not-a-number": 1}
    assert ",5," in rejects.read_text()


def test_such_rows_get_no_id_either(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(tmp_path, "name,stage\nA,Won\n,\nB,Lost\n,\n", id_from="row")
    assert report.read == 2


def test_a_row_with_anything_but_the_id_is_rejected(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(tmp_path, "id,name,amount\n,A,\n1,,5\n")
    assert report.reasons == {"id: missing-id": 1}


def test_blank_rows_of_a_workbook(store: Recorder, tmp_path: Path) -> None:
    path = workbook(tmp_path / "x.xlsx", ["id", "Stage"], [1, "Won"], [None, None], [2, "Lost"])
    report = store.load(path)
    assert (report.read, report.rejected) == (2, 0)


def test_what_a_program_writes_has_no_blank_rows(store: Recorder) -> None:
    report = store.load([{"id": "1", "name": "A"}, {"id": None, "name": None}])
    assert report.reasons == {"id: missing-id": 1}
