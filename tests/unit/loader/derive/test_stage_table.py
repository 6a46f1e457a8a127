"""Tables of stages beside the deals."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from dealdb.errors import LoadError
from dealdb.loader.derive.stage_table import read_stages
from dealdb.model.pipeline import Kind, Pipeline, Stage
from recorder import Recorder

HUBSPOT = """stage_id,label,display_order,probability,is_closed,closed_won
s3,Gewonnen,2,1.0,TRUE,TRUE
s1,Demo,0,0.2,FALSE,FALSE
s4,Verloren,3,0.0,TRUE,FALSE
s2,Angebot,1,0.6,FALSE,FALSE
"""
SALESFORCE = """ApiName,MasterLabel,SortOrder,DefaultProbability,IsClosed,IsWon
s1,Demo,1,20,false,false
s2,Angebot,2,60,false,false
s3,Gewonnen,3,100,true,true
s4,Verloren,4,0,true,false
"""
DEALS = "deal_id,deal_pipeline_stage_id,closedate\n1,s3,2026-01-31\n2,s1,2026-02-01\n3,s9,2026-03-01\n4,,\n"


@pytest.mark.parametrize("text", [HUBSPOT, SALESFORCE])
def test_stages_get_their_names_order_and_meaning(tmp_path: Path, text: str) -> None:
    (tmp_path / "stages.csv").write_text(text)
    store = Recorder()
    store.set_pipeline(
        Pipeline(
            (Stage("Demo", Kind.OPEN, rot_days=30, category="commit"), Stage("Old", Kind.LOST))
        )
    )
    for _ in range(2):
        report = store.load_text(tmp_path, DEALS, stages=tmp_path / "stages.csv")
        assert [(stage.name, str(stage.kind)) for stage in store.pipeline()] == [
            ("Demo", "open"), ("Angebot", "open"), ("s9", "open"), ("Gewonnen", "won"),
            ("Verloren", "lost"), ("Old", "lost"),
        ]  # fmt: skip
    by_name = {stage.name: stage for stage in store.pipeline()}
    assert (by_name["Demo"].rot_days, by_name["Demo"].category) == (30, "commit")
    assert [by_name[name].probability for name in ("Demo", "Angebot", "Gewonnen")] == [
        Decimal("0.2"), Decimal("0.6"), Decimal(1),
    ]  # fmt: skip
    assert store.values("1") == {"stage": "Gewonnen", "closed": date(2026, 1, 31)}
    assert store.values("2") == {"stage": "Demo", "expected_close": date(2026, 2, 1)}
    assert (report.unchanged, "stages from a table: 4" in report.notes) == (4, True)


def test_a_table_without_ids_and_one_that_contradicts_itself() -> None:
    with pytest.raises(LoadError, match="no column has the ids of stages"):
        read_stages([{"label": "Won"}])
    rows = [
        {"stage_id": n, "label": "Done", "closed_won": n == "1", "is_closed": True} for n in "12"
    ]
    with pytest.raises(LoadError, match="'Done' stands for won and lost"):
        read_stages(rows)


def test_the_stages_of_a_hubspot_export(shared_data: Path) -> None:
    table = read_stages(shared_data / "fivetran_hubspot" / "deal_pipeline_stage_data.csv")
    assert len(table.labels) == 71
    # this one says of no stage that it is closed and not won
    assert {stage.kind for stage in table.stages} == {Kind.OPEN, Kind.WON}
    store = Recorder()
    deals = shared_data / "fivetran_hubspot" / "deal_data.csv"
    assert (
        store.load(
            deals, stages=shared_data / "fivetran_hubspot" / "deal_pipeline_stage_data.csv"
        ).rejected
        == 0
    )
    assert len(store.pipeline()) == len(table.stages)
