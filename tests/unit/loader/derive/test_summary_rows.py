"""Rows of totals are not deals."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder import Recorder


@pytest.fixture
def store() -> Recorder:
    return Recorder()


@pytest.mark.parametrize(
    "label",
    [
        "Total", "TOTAL:", "Grand Totals (2 records)", "Summe", "Gesamt", "Gesamtergebnis", "Total général", "Totale",
        "Totaal", "Subtotal", "Suma", "Sum", "Average", " Total ", "Total geral",
    ],
)  # fmt: skip
def test_a_row_of_totals_is_rejected(store: Recorder, tmp_path: Path, label: str) -> None:
    report = store.load_text(
        tmp_path, f"id,name,amount,probability\n1,A,10,0.1\n{label},,30.00,\n2,B,20,0.1\n"
    )
    assert list(store.deals) == ["1", "2"]
    assert report.reasons == {"id: summary-row": 1}
    assert report.rejected == 1


def test_the_rows_around_it_keep_their_lines(store: Recorder, tmp_path: Path) -> None:
    rejects = tmp_path / "out.csv"
    store.load_text(tmp_path, "id,amount\nTotal,30\n1,10\n2,soon\n", rejects=rejects)
    lines = rejects.read_text().splitlines()
    assert list(store.deals) == ["1"]
    assert any(",2," in line and "summary-row" in line for line in lines)
    assert any(",4," in line and "not-a-number" in line for line in lines)


@pytest.mark.parametrize("row", ["Total,Total Energies,30", "Totally,,30", "T-Total 7,,30"])
def test_a_deal_may_be_called_so(store: Recorder, tmp_path: Path, row: str) -> None:
    report = store.load_text(tmp_path, f"id,name,amount\n{row}\n")
    assert report.rejected == 0


def test_a_label_in_the_first_column_where_ids_are_made(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(tmp_path, "Deal,Owner,amount\nA,X,10\nTotal,,10\n", id_from="row")
    assert report.reasons == {"Deal: summary-row": 1}
    assert len(store.deals) == 1


def test_what_a_program_writes_has_no_totals(store: Recorder) -> None:
    store.load([{"id": "1", "name": "A"}, {"id": "Total", "amount": 5}])
    assert store.deals == {"1": {"name": "A"}, "Total": {"amount": "5"}}
