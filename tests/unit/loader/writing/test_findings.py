"""What a load comes across is in its report."""

from __future__ import annotations

from pathlib import Path

import pytest

from dealdb.errors import LoadError
from dealdb.loader.columns import deal_ids
from dealdb.loader.writing import findings
from recorder import Recorder


def test_times_bad_cells_and_repeated_ids_are_reported(tmp_path: Path) -> None:
    text = "id,created,amount\n1,2026-01-01 10:30,5\n2,2026-01-02 11:30,x\n1,2026-01-03,y\n"
    report = Recorder().load_text(tmp_path, text, bad_cells="null", types={"created": "date"})
    assert "times of day dropped in 'created': 2; its field is a date" in report.notes
    assert "bad cells: amount 2 (lines 3, 4); their deals lack them" in report.warnings
    assert report.repeated == {"1": (2, 4)}


@pytest.mark.parametrize("good", [False, True])
@pytest.mark.parametrize(
    ("name", "head", "bad", "message"),
    [
        ("deals.csv", "id,name\n", "1,2,3\n", "line 4: expected 2 cells, found 3 (columns)"),
        ("deals.jsonl", "", "7\n", "line 3: expected an object of names and values"),
        ("deals.json", "[\n", "{},\n", "expected an id that is not empty (missing-id)"),
    ],
)
def test_a_load_gives_up_where_many_rows_and_not_one_can_be_read(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    head: str,
    bad: str,
    message: str,
    good: bool,
) -> None:
    monkeypatch.setattr(findings, "_HOPELESS_ROWS", 3)
    row = {"deals.csv": "9,x\n", "deals.jsonl": '{"id":9}\n', "deals.json": '{"id":9},\n'}[name]
    text = head + (row if good else "") + bad * 3
    text = text.removesuffix(",\n") + "]" if head == "[\n" else text
    store = Recorder()
    if good:
        report = store.load_text(tmp_path, text, name)
        assert (report.inserted, report.rejected) == (1, 3)
        return
    with pytest.raises(LoadError) as error:
        store.load_text(tmp_path, text, name)
    assert "not one of the first 3 rows can be read, so nothing was loaded; line" in str(
        error.value
    )
    assert message in str(error.value)


def test_a_column_with_one_value_in_thousands_of_rows_is_no_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deal_ids, "MOST_REPEATS", 3)
    store = Recorder()
    assert store.load_text(tmp_path, "id,amount\n" + "1,5\n2,6\n" * 3).duplicates == 4
    with pytest.raises(LoadError, match=r"one id stands in more than 3 of 7 rows.*it is no id"):
        store.load_text(tmp_path, "id,amount\n" + "1,5\n2,6\n" * 3 + "1,7\n")
