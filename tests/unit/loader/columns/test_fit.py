"""A column is chosen by its header and by its cells."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from dealdb.errors import LoadError
from recorder import Recorder


@pytest.fixture
def store() -> Recorder:
    return Recorder()


def test_a_flag_is_no_date(store: Recorder, tmp_path: Path) -> None:
    text = (
        "ID,STAGE_ID,OPPORTUNITY,CLOSEDATE,CLOSED,TITLE\n"
        "1,WON,100.00,2026-01-31,Y,A\n2,NEW,50,2026-02-28,N,B\n"
    )
    report = store.load_text(tmp_path, text)
    assert report.reasons == {}
    assert report.mapping["CLOSED"] == "is_closed"
    assert not any("CLOSED" in note for note in report.notes)
    assert store.values("1")["closed"] == date(2026, 1, 31)
    assert store.values("2")["expected_close"] == date(2026, 2, 28)
    assert store.values("1")["amount"] == Decimal(100)


@pytest.mark.parametrize(
    ("header", "rows", "field", "taken"),
    [
        ("Revenue,Total", ["User Provided,5", "System Calculated,6"], "amount", "Total"),
        ("amount,value", [",5", ",6"], "amount", "value"),
        ("amount,value", ["5,", "6,7"], "amount", "amount"),
        ("amount,value", ["TBD,5", "tbc,6", "7,8"], "amount", "value"),
        ("created,Created Date", ["Ann,2026-01-01", "Bob,2026-01-02"], "created", "Created Date"),
        ("closed,close_time", ["true,1/08/26", "false,2/08/26"], "closed", "close_time"),
        ("owner,user_name", ["12,Ann", "13,Bob"], "owner", "user_name"),
        ("Account,lead_name", ["001A000001abcDEFGH,Acme", "001A000001abcDEFGX,Bolt"], "company", "lead_name"),
        ("currency_id,currency_name", ["-99,Euro", "-99,Euro"], "currency", "currency_name"),
        ("probability,chance", ["High,60%", "Low,20%"], "probability", "chance"),
    ],
)  # fmt: skip
def test_the_column_whose_cells_fit_gets_the_field(
    store: Recorder, tmp_path: Path, header: str, rows: list[str], field: str, taken: str
) -> None:
    lines = [f"{number},{row}" for number, row in enumerate(rows)]
    report = store.load_text(tmp_path, "\n".join([f"id,{header}", *lines, ""]), dates="us")
    assert [each for each, name in report.mapping.items() if name == field] == [taken]


def test_a_column_yields_whatever_chunk_shows_it(
    store: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dealdb.loader.sources.json_files.ROWS_A_CHUNK", 200)
    rows = [{"id": n, "revenue": 5 if n < 300 else "User Provided", "total": n} for n in range(700)]
    report = store.load(rows)
    assert report.rejected == 0
    assert report.mapping == {"id": "id", "revenue": "revenue", "total": "amount"}
    assert store.deals["299"]["revenue"] == "5"


def test_a_column_of_the_very_name_keeps_its_field(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(tmp_path, "id,amount\n1,soon\n")
    assert report.reasons == {"amount: not-a-number": 1}


def test_what_the_caller_maps_stays(store: Recorder, tmp_path: Path) -> None:
    text = "id,CLOSED,value\n1,Y,5\n"
    report = store.load_text(tmp_path, text, mapping={"CLOSED": "closed"})
    assert report.reasons == {"CLOSED: not-a-date": 1}


@pytest.mark.parametrize(
    ("header", "notes"),
    [
        ("Amount,Expected Revenue", []),
        ("Expected Revenue,junk", ["amount from 'Expected Revenue'"]),
        ("total_value,deal_size", ["amount from 'total_value', not from 'deal_size'"]),
    ],
)
def test_a_note_says_which_column_was_taken_if_that_is_not_obvious(
    store: Recorder, tmp_path: Path, header: str, notes: list[str]
) -> None:
    report = store.load_text(tmp_path, f"id,{header}\n1,5,6\n")
    assert [note for note in report.notes if note.startswith("amount")] == notes


def test_an_opportunity_is_a_name_or_an_amount(store: Recorder, tmp_path: Path) -> None:
    assert store.load_text(tmp_path, "id,Opportunity\n1,Big\n").mapping["Opportunity"] == "name"
    assert (
        Recorder().load_text(tmp_path, "id,OPPORTUNITY\n1,5.00\n").mapping["OPPORTUNITY"]
        == "amount"
    )


def test_a_misfit_that_nothing_replaces_is_reported(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(tmp_path, "id,Revenue,Closed\n1,User Provided,Y\n")
    assert report.mapping == {"id": "id", "Revenue": "revenue", "Closed": "is_closed"}
    assert "'Revenue' was not taken for amount: its cells don't fit" in report.notes
    assert "'Closed' was not taken for closed: its cells don't fit" in report.notes


@pytest.mark.parametrize(
    ("rows", "mapping"),
    [
        ([{"name": "CRM-DEAL-2026-00001", "title": "A"}], {"name": "id", "title": "name"}),
        ([{"name": "CRM-DEAL-2026-00001", "id": 5}], {"name": "name", "id": "id"}),
    ],
)
def test_a_name_that_is_a_code_is_the_id_where_nothing_else_is(
    store: Recorder, rows: list[dict[str, object]], mapping: dict[str, str]
) -> None:
    assert store.load(rows).mapping == mapping


def test_a_name_is_no_id(store: Recorder) -> None:
    with pytest.raises(LoadError, match="no column is the id"):
        store.load([{"name": "CRM-DEAL-2026-00001"}, {"name": "Renewal"}])


def test_a_code_stays_a_name_where_ids_are_made(store: Recorder) -> None:
    report = store.load([{"name": "CRM-DEAL-2026-00001", "zone": "x"}], id_from=["zone"])
    assert report.mapping == {"name": "name", "zone": "zone", "generated id": "id"}


@pytest.mark.parametrize(
    ("cells", "is_id"),
    [
        (["1", "2", "3"], True),
        (["A-17", " A-18", "2026/001"], True),
        # rows that share one, have none or say something else
        (["1", "2", "2 "], False),
        (["1", "", "3"], False),
        (["1", "two", "3"], False),
        (["No", "Yes", "No"], False),
    ],
)
def test_numbers_are_ids_where_each_row_has_another(
    store: Recorder, tmp_path: Path, cells: list[str], is_id: bool
) -> None:
    text = "\n".join(["Nr.,Firma,Betrag", *(f"{cell},A,5" for cell in cells), ""])
    if is_id:
        report = store.load_text(tmp_path, text)
        assert list(store.deals) == [cell.strip() for cell in cells]
        assert any(note.startswith("ids from 'Nr.'") for note in report.notes)
    else:
        with pytest.raises(LoadError, match="no column is the id"):
            store.load_text(tmp_path, text)


@pytest.mark.parametrize("header", ["Lead ID", "LEADID", "lead_id"])
def test_two_deals_of_one_lead_are_not_made_one(
    store: Recorder, tmp_path: Path, header: str
) -> None:
    rows = ["7,Acme one,100", "7,Acme two,200", "8,Other,50"]
    with pytest.raises(LoadError, match=f"the deals \\('{header}' doesn't tell the rows apart"):
        store.load_text(tmp_path, "\n".join([f"{header},Deal Name,Amount", *rows, ""]))
    assert not store.deals
    report = store.load_text(tmp_path, "\n".join([f"{header},Deal Name,Amount", *rows[1:], ""]))
    assert report.mapping[header] == "id"
    beside = store.load_text(tmp_path, "\n".join([f"{header},Deal ID", "7,1", "7,2", ""]))
    assert beside.mapping["Deal ID"] == "id"


def test_numbers_are_no_ids_beside_one(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(tmp_path, "Ref,Deal ID\n7,1\n7,2\n")
    assert list(store.deals) == ["1", "2"]
    assert report.mapping["Ref"] == "ref"
    assert not any("ids from" in note for note in report.notes)


def test_a_word_may_be_a_name_in_one_sheet_and_a_chance_in_another(
    store: Recorder, tmp_path: Path
) -> None:
    report = store.load_text(tmp_path, "id;Kans;Kans %\n1;Renewal;60\n")
    assert report.mapping == {"id": "id", "Kans": "name", "Kans %": "probability"}
    assert Recorder().load_text(tmp_path, "id;Kans\n1;Renewal\n").mapping["Kans"] == "name"
    assert Recorder().load_text(tmp_path, "id;Kans\n1;60\n").mapping["Kans"] == "probability"
    assert not any("Kans" in note and "not" in note for note in report.notes)


@pytest.mark.parametrize("cell", ["1e+16", "1.5E3", "2E2"])
def test_an_amount_with_an_exponent_is_one(store: Recorder, tmp_path: Path, cell: str) -> None:
    report = store.load_text(tmp_path, f"id,amount\n1,{cell}\n")
    assert report.mapping["amount"] == "amount"
    assert Decimal(store.deals["1"]["amount"]) == Decimal(cell)


@pytest.mark.parametrize(
    ("cells", "field"),
    [(("CA", "NY"), "state_code"), (("Open", "Won"), "stage"), (("0", "1"), "stage")],
)
def test_the_state_in_an_address_is_no_stage(
    store: Recorder, tmp_path: Path, cells: tuple[str, str], field: str
) -> None:
    text = f"id,amount,state_code\n1,5,{cells[0]}\n2,6,{cells[1]}\n"
    assert store.load_text(tmp_path, text).mapping["state_code"] == field
