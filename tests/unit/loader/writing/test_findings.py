"""What a load comes across is in its report."""

from __future__ import annotations

from pathlib import Path

from recorder import Recorder


def test_times_bad_cells_and_repeated_ids_are_reported(tmp_path: Path) -> None:
    text = "id,created,amount\n1,2026-01-01 10:30,5\n2,2026-01-02 11:30,x\n1,2026-01-03,y\n"
    report = Recorder().load_text(tmp_path, text, bad_cells="null", types={"created": "date"})
    assert "times of day dropped in 'created': 2; its field is a date" in report.notes
    assert "bad cells: amount 2 (lines 3, 4); their deals lack them" in report.warnings
    assert report.repeated == {"1": (2, 4)}
