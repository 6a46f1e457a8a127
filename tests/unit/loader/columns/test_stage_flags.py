"""Flags beside the stages tell what the stages mean, where their names don't."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from dealdb.model.pipeline import Kind, Pipeline, Stage
from recorder import Recorder

TEXT = """Opportunity ID,Stage Name,IsWon,IsClosed,Close Date
1,S9,true,true,2026-01-31
2,S8,false,true,2026-02-01
3,S1,false,false,2026-03-01
4,Won in spirit,false,false,2026-04-01
5,,true,true,2026-05-01
"""


def kinds(store: Recorder) -> dict[str, str]:
    return {stage.name: str(stage.kind) for stage in store.pipeline()}


def test_salesforce_flags_give_stages_their_meaning(tmp_path: Path) -> None:
    store = Recorder()
    said = store.load_text(tmp_path, TEXT, dry_run=True)
    assert (kinds(store), said.pipeline.names(Kind.WON)) == ({}, ["S9"])
    report = store.load_text(tmp_path, TEXT)
    assert kinds(store) == {"S1": "open", "Won in spirit": "open", "S9": "won", "S8": "lost"}
    assert [stage.probability for stage in store.pipeline()][2:] == [1, 0]
    assert set(report.new_stages) == set(kinds(store))
    # and so the close dates are split rightly
    assert store.values("2")["closed"] == date(2026, 2, 1)
    assert store.values("3")["expected_close"] == date(2026, 3, 1)


def test_a_stage_that_is_defined_keeps_its_meaning(tmp_path: Path) -> None:
    store = Recorder()
    store.set_pipeline(Pipeline((Stage("S9", Kind.OPEN),)))
    store.load_text(tmp_path, TEXT)
    assert kinds(store)["S9"] == "open"
    assert kinds(store)["S8"] == "lost"


def test_rows_that_contradict_each_other_leave_it_to_the_name(tmp_path: Path) -> None:
    store = Recorder()
    text = "id,stage,is_won,is_closed\n1,Won,true,true\n2,Won,false,true\n3,X,,true\n4,Y,false,\n"
    store.load_text(tmp_path, text)
    assert kinds(store) == {"X": "open", "Y": "open", "Won": "won"}


@pytest.mark.parametrize("other", ["maybe", "false", "no", "?"])
def test_a_stage_is_not_won_where_it_is_for_some_of_its_deals_only(
    tmp_path: Path, other: str
) -> None:
    for header in ("Is Won", "Won"):
        store = Recorder()
        text = f"id,Stage,{header}\n1,Demo,true\n2,Demo,{other}\n3,S9,true\n4,S9,\n5,Sold,{other}\n"
        store.load_text(tmp_path, text)
        assert kinds(store)["Demo"] == "open"
        # a cell that is empty says nothing
        assert kinds(store)["S9"] == "won"


@pytest.mark.parametrize(
    ("yes", "no"), [(1, 0), (1.0, 0.0), ("1", "0"), ("1.0", "0.0"), (True, False), ("Yes", "No")]
)
def test_flags_are_read_as_columns_of_bools_are(yes: object, no: object) -> None:
    rows = [
        {"id": "1", "stage": "S9", "IsWon": yes, "IsClosed": yes},
        {"id": "2", "stage": "S8", "IsWon": no, "IsClosed": yes},
        {"id": "3", "stage": "S1", "IsWon": no, "IsClosed": no},
    ]
    store = Recorder()
    store.load(rows, types={"IsWon": "bool"})
    assert kinds(store) == {"S9": "won", "S8": "lost", "S1": "open"}
    assert [store.values(deal_id)["is_won"] for deal_id in "123"] == [True, False, False]


def test_integers_of_pandas_beside_a_missing_one() -> None:
    pandas = pytest.importorskip("pandas")
    flags = {"IsWon": [1, 0, None], "IsClosed": [1, 1, 0]}
    rows = pandas.DataFrame({"id": ["1", "2", "3"], "stage": ["S9", "S8", "S1"], **flags})
    assert str(rows["IsWon"].dtype) == "float64"
    store = Recorder()
    store.load(rows)
    assert kinds(store) == {"S9": "won", "S8": "lost", "S1": "open"}


def test_a_table_of_stages_with_flags_of_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    flags = {"IsWon": [1, 0, None], "IsClosed": [1, 1, 0]}
    table = pandas.DataFrame({"ApiName": ["a", "b", "c"], **flags})
    store = Recorder()
    store.load([{"id": "1", "stage": "a"}], stages=table)
    assert kinds(store) == {"a": "won", "b": "lost", "c": "open"}


def test_a_salesforce_export(shared_data: Path) -> None:
    store = Recorder()
    store.load(shared_data / "fivetran_salesforce" / "sf_opportunity_data.csv")
    assert set(kinds(store).values()) >= {"won", "lost"}


@pytest.mark.parametrize(
    ("header", "won"),
    [
        ("Is Closed Won", "true"), ("IsWon", "1"), ("ISWON", "true"), ("hs_is_closed_won", "1.0"), ("Is Won", "Y"),
            ("Won", "yes"),
        ("Is Deal Won?", "TRUE"), ("Won__c", "t"), ("Gewonnen", "ja"), ("Ganado", "Sí"), ("Gagné", "oui"),
        ("Vinto", "vero"), ("Ganho", "sim"), ("Gewonnen?", "waar"), ("property_hs_is_closed_won", "true"),
    ],
)  # fmt: skip
def test_one_flag_is_enough_for_what_it_says(tmp_path: Path, header: str, won: str) -> None:
    no = {"1": "0", "1.0": "0.0", "Y": "N", "t": "f", "oui": "non", "ja": "nein"}.get(won, "no")
    store = Recorder()
    rows = (
        f"1,Gone home,{won}\n2,Talks,{no}\n3,Lost,{no}\n4,Success,{no}\n5,Closed won (EMEA),{won}\n"
    )
    store.load_text(tmp_path, f"id,stage,{header}\n{rows}")
    # a stage that is called a success and isn't won is at least not won
    assert kinds(store) == {
        "Gone home": "won", "Talks": "open", "Lost": "lost", "Success": "open", "Closed won (EMEA)": "won",
    }  # fmt: skip


def test_flags_as_the_pages_of_hubspot_call_them(tmp_path: Path) -> None:
    store = Recorder()
    text = """Record ID,Deal Stage,Is Deal Closed?,Is Closed Won,Is closed lost
1,S1 (Sales Pipeline),true,true,false
2,S2 (Sales Pipeline),true,false,true
3,S3 (Sales Pipeline),false,false,false
4,S4 (Sales Pipeline),true,false,
"""
    store.load_text(tmp_path, text)
    assert [*kinds(store).values()] == ["open", "won", "lost", "lost"]


def test_what_closed_alone_says(tmp_path: Path) -> None:
    store = Recorder()
    text = "id,stage,is_closed\n1,C1:WON,Y\n2,C1:LOSE,Y\n3,Signed,N\n4,Archive,Y\n"
    store.load_text(tmp_path, text)
    assert kinds(store) == {"C1:WON": "won", "C1:LOSE": "lost", "Signed": "open", "Archive": "open"}


def test_flags_that_contradict_each_other_in_a_row_say_nothing(tmp_path: Path) -> None:
    store = Recorder()
    text = "id,stage,won,lost,is_closed\n1,Won,yes,yes,yes\n2,X,no,no,yes\n3,Y,,yes,no\n"
    store.load_text(tmp_path, text)
    assert kinds(store) == {"Won": "won", "X": "open", "Y": "lost"}


def test_the_type_of_a_stage_as_close_has_it(tmp_path: Path) -> None:
    store = Recorder()
    text = "id,status_label,status_type\n1,Signed,active\n2,Gone,lost\n3,Home,won\n4,Demo,\n"
    store.load_text(tmp_path, text)
    assert kinds(store) == {"Signed": "open", "Demo": "open", "Gone": "lost", "Home": "won"}


def test_the_semantics_of_a_stage_as_bitrix_has_them(tmp_path: Path) -> None:
    store = Recorder()
    text = "ID,STAGE_ID,STAGE_SEMANTIC_ID\n1,UC_1,P\n2,UC_2,S\n3,UC_3,F\n"
    store.load_text(tmp_path, text)
    assert kinds(store) == {"UC_1": "open", "UC_2": "won", "UC_3": "lost"}


def test_a_date_that_is_called_like_a_flag_hides_none(tmp_path: Path) -> None:
    store = Recorder()
    text = "id,stage,closed,Is Closed,won,Is Won\n1,S9,2026-01-31,yes,5 of 7,yes\n"
    store.load_text(tmp_path, text)
    assert kinds(store) == {"S9": "won"}
