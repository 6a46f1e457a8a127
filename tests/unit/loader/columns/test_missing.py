"""Notes on main fields that no column is."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder import Recorder


@pytest.mark.parametrize(
    ("header", "notes"),
    [
        ("Account,Rep,Phase,Ticket worth", [
            "no column is the amount; did you mean mapping={'Ticket worth': 'amount'}?",
        ]),
        ("Account,Rep,Phase,Seats", ["no column is the amount; mapping={'<column>': 'amount'} names one"]),
        ("Account,Rep,Betrag,Seats", ["no column is the stage; mapping={'<column>': 'stage'} names one"]),
        ("Account,Rep,Amount,Phase", []),
        ("Phase,Notes,zip,x", []),
        ("Amount,Phase,Account,last owner", []),
    ],
)  # fmt: skip
def test_what_is_missing_is_said_once(tmp_path: Path, header: str, notes: list[str]) -> None:
    report = Recorder().load_text(tmp_path, f"id,{header}\n1,A,B,5,6\n")
    assert [note for note in report.notes if note.startswith("no column")] == notes


def test_a_column_that_was_left_out_is_not_missed(tmp_path: Path) -> None:
    text = "id,Account,Rep,Phase,Amount\n1,A,B,C,5\n"
    report = Recorder().load_text(tmp_path, text, mapping={"Amount": None})
    assert not any(note.startswith("no column") for note in report.notes)
