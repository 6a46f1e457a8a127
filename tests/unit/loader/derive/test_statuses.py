"""Pipedrive tells the outcome in a column beside the stage."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from dealdb.model.pipeline import Kind, Pipeline, Stage
from recorder import Recorder

# as the list of deals is exported, with the prefix that Pipedrive puts before the fields of deals
EXPORT = """Deal - ID,Deal - Title,Deal - Value,Deal - Currency of Value,Deal - Status,Deal - Stage,Deal - Owner,\
Deal - Organization,Person - Name,Deal - Deal created,Deal - Expected close date,Deal - Deal closed on,\
Deal - Lost reason
1,Acme renewal,"12,500.50",EUR,Open,Proposal Made,Ann,Acme,Bo,2026-01-05 09:30:00,2026-03-31,,
2,Bolt pilot,900,EUR,Won,Negotiations Started,Ann,Bolt,Cy,2026-01-06 10:00:00,2026-02-28,2026-02-20,
3,Cog fleet,0,USD,Lost,Demo Scheduled,Bob,Cog,,2026-01-07 11:00:00,,2026-02-01,Price
4,Dyn,70,USD,Won,Closed Won,Bob,Dyn,,2026-01-08 11:00:00,,2026-02-02,
5,Eel,70,USD,,,Bob,Eel,,2026-01-09 11:00:00,,,
""".replace("\\\n", "")


@pytest.fixture
def store() -> Recorder:
    return Recorder()


def test_an_export_of_pipedrive(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(tmp_path, EXPORT)
    assert {header: field for header, field in report.mapping.items() if header != field} == {
        "Deal - ID": "id", "Deal - Title": "name", "Deal - Value": "amount", "Deal - Currency of Value": "currency",
        "Deal - Status": "status", "Deal - Stage": "stage", "Deal - Owner": "owner",
        "Deal - Organization": "company", "Person - Name": "person_name", "Deal - Deal created": "created",
        "Deal - Expected close date": "expected_close", "Deal - Deal closed on": "closed",
        "Deal - Lost reason": "loss_reason", "stage at close": "stage_at_close",
    }  # fmt: skip
    outcomes = {
        n: (deal.get("stage"), deal.get("stage_at_close")) for n, deal in store.deals.items()
    }
    assert outcomes == {
        "1": ("Proposal Made", None), "2": ("Won", "Negotiations Started"), "3": ("Lost", "Demo Scheduled"),
        "4": ("Closed Won", None), "5": (None, None),
    }  # fmt: skip
    assert store.values("2")["closed"] == date(2026, 2, 20)
    assert store.deals["3"]["status"] == "Lost"
    assert report.pipeline.names(Kind.OPEN) == ["Proposal Made"]
    assert set(report.pipeline.names(Kind.WON)) == {"Won", "Closed Won"}
    assert report.pipeline.names(Kind.LOST) == ["Lost"]
    assert any("'Deal - Status' got the stages 'Won' and 'Lost'" in note for note in report.notes)
    assert store.load_text(tmp_path, EXPORT).unchanged == 5


def test_an_answer_of_its_interface(store: Recorder, tmp_path: Path) -> None:
    deals = [
        {"id": 1, "title": "a", "status": "won", "stage_id": 3, "won_time": "2026-01-31 10:00:00"},
        {"id": 2, "title": "b", "status": "open", "stage_id": 3},
        {"id": 3, "title": "c", "stage_id": 4},
    ]
    answer = json.dumps({"success": True, "data": deals})
    store.load_text(tmp_path, answer, "deals.json")
    assert [(deal.get("stage"), deal.get("stage_at_close")) for deal in store.deals.values()] == [
        ("Won", "3"), ("3", None), ("4", None),
    ]  # fmt: skip
    assert store.load_text(tmp_path, answer, "deals.json").unchanged == 3


def test_a_status_that_is_none_stays_what_it_is(store: Recorder, tmp_path: Path) -> None:
    text = "id,stage,status\n1,Demo,active\n2,Signed,won\n3,Signed,lost\n"
    assert not any("Won" in note for note in store.load_text(tmp_path, text).notes)
    assert [deal["stage"] for deal in store.deals.values()] == ["Demo", "Signed", "Signed"]
    other = Recorder()
    other.load_text(tmp_path, "id,status\n9,won\n")
    assert other.deals == {"9": {"stage": "won"}}


def test_the_pipeline_and_the_caller_decide_first(store: Recorder, tmp_path: Path) -> None:
    text = "id,stage,status\n1,Delivered,Won\n2,Demo,Won\n"
    store.load_text(tmp_path, text, mapping={"status": "status"})
    assert [deal["stage"] for deal in store.deals.values()] == ["Delivered", "Demo"]
    store.set_pipeline(Pipeline((Stage("Demo", Kind.OPEN), Stage("Delivered", Kind.WON))))
    store.load_text(tmp_path, text)
    assert [deal["stage"] for deal in store.deals.values()] == ["Delivered", "Won"]


def stages(store: Recorder) -> list[tuple[str | None, str | None]]:
    return [(deal.get("stage"), deal.get("stage_at_close")) for deal in store.deals.values()]


@pytest.mark.parametrize(
    ("stage", "status", "won", "lost"),
    [
        ("Sales Stage", "Status", "Converted", "Lost"),
        ("Stage", "Status", "Won", "Abandoned"),
        ("Deal Stage", "Deal Status", "Won", "Dead"),
        ("stage_id", "won_status", "won", "lost"),
        ("Pipeline Stage", "State", "WON ", "Canceled"),
        ("stage", "Status", "Gewonnen", "Verloren"),
        ("stage", "Estado", "Ganada", "Perdida"),
        ("stage", "Résultat", "Gagné", "Perdu"),
        ("Status", "Outcome", "Closed Won", "No decision"),
    ],
)
def test_a_status_beats_a_stage_that_says_neither(
    store: Recorder, tmp_path: Path, stage: str, status: str, won: str, lost: str
) -> None:
    text = f"id,{stage},{status}\n1,Talks,{won}\n2,Talks,{lost}\n3,Talks,Open\n4,,On hold\n"
    report = store.load_text(tmp_path, text)
    assert stages(store) == [("Won", "Talks"), ("Lost", "Talks"), ("Talks", None), (None, None)]
    assert report.pipeline.names(Kind.WON) == ["Won"]
    assert any(repr(status) in note for note in report.notes)


def test_a_status_of_something_else_decides_nothing(store: Recorder, tmp_path: Path) -> None:
    store.load_text(tmp_path, "id,stage,status\n1,Demo,Success\n2,Demo,Passed\n3,Demo,Synced\n")
    assert stages(store) == [("Demo", None)] * 3


def test_deals_that_odoo_has_archived_with_a_reason_are_lost(
    store: Recorder, tmp_path: Path
) -> None:
    text = """id,Stage,Active,Lost Reason
1,Proposition,False,Too expensive
2,Proposition,False,
3,Proposition,True,Too expensive
4,Won,True,
5,Won,False,Gone
"""
    report = store.load_text(tmp_path, text)
    assert [stage for stage, _ in stages(store)] == [
        "Lost",
        "Proposition",
        "Proposition",
        "Won",
        "Won",
    ]
    assert any("lost by 'Active'" in note for note in report.notes)
    rows = [{"id": 6, "stage_id": "New", "active": False, "lost_reason_id": False}]
    store.load(rows)
    assert store.deals["6"]["stage"] == "New"
    store.load(rows, mapping={"active": "active"})
    store.load([{"id": 7, "stage_id": "New", "active": False, "lost_reason_id": [3, "Price"]}])
    assert store.deals["7"]["stage"] == "Lost"
