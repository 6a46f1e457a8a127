"""What somebody saves between the look of a load and its commits is not lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dealdb import DealDatabase
from dealdb.model.pipeline import Kind, Pipeline, Stage
from servers import Server


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(server.url) as found:
        yield found


@pytest.fixture
def other(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(server.url) as found:
        yield found


def rows_of_two_shapes(n: int) -> Iterator[dict[str, Any]]:
    for i in range(n):
        yield {"id": i, "name": f"n{i}"} if i % 2 else {"id": i, "amount": i}


@pytest.mark.parametrize("n", [4, 40])
@pytest.mark.parametrize("at", [False, True])
def test_fields_that_a_row_does_not_give_stay_in_a_collection_that_was_empty(
    db: DealDatabase, other: DealDatabase, n: int, *, at: bool
) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        other.save_deal({"id": 2, "name": "Acme", "owner": "Ann", "since": "2026-01-05"})
        for row in rows_of_two_shapes(n):
            yield {**row, "since": "2026-01-05"}

    report = db.loader.load(rows(), bar=False, at="since" if at else None)
    assert (report.inserted, report.updated) == (n - 1, 1)
    found = db.query.find(id="2").to_dicts()[0]
    assert (found["name"], found["owner"], found["amount"]) == ("Acme", "Ann", 2)
    assert "name" not in db.deal_history(2).filter(change="updated")["field"].to_list()


def test_cells_that_were_left_out_stay_too(db: DealDatabase, other: DealDatabase) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        other.save_deal({"id": 2, "amount": 7, "owner": "Ann"})
        yield from ({"id": i, "name": "n", "amount": "soon" if i == 2 else "1"} for i in range(9))

    report = db.loader.load(rows(), bar=False, on_conflict="replace", bad_cells="null")
    assert (report.inserted, report.updated) == (8, 1)
    found = db.query.find(id="2").to_dicts()[0]
    assert (found["name"], found["owner"], found["amount"]) == ("n", None, 7)


def pipeline(**kinds: Kind) -> Pipeline:
    return Pipeline(tuple(Stage(name, kind) for name, kind in kinds.items()))


def test_stages_that_somebody_defines_meanwhile_stay(db: DealDatabase, other: DealDatabase) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        other.save_deal({"id": 9, "stage": "Signed"})
        other.set_pipeline(pipeline(Paper=Kind.OPEN, Signed=Kind.WON))
        yield {"id": 1, "stage": "a"}
        yield {"id": 2, "stage": "b"}

    table = [
        {"stage_id": "a", "label": "Demo", "closed_won": "false", "is_closed": "false"},
        {"stage_id": "b", "label": "Paid", "closed_won": "true", "is_closed": "true"},
    ]
    db.loader.load(rows(), bar=False, stages=table)
    found = {stage.name: stage.kind for stage in db.pipeline}
    assert found == {"Demo": Kind.OPEN, "Paper": Kind.OPEN, "Paid": Kind.WON, "Signed": Kind.WON}


def test_what_somebody_says_of_a_stage_meanwhile_counts_more_than_the_rows(
    db: DealDatabase, other: DealDatabase
) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        other.set_pipeline(pipeline(Paper=Kind.OPEN))
        yield {"id": 1, "stage": "Paper", "is_won": "true"}
        yield {"id": 2, "stage": "Handshake", "is_won": "true"}

    db.loader.load(rows(), bar=False)
    found = {stage.name: stage.kind for stage in db.pipeline}
    assert found == {"Paper": Kind.OPEN, "Handshake": Kind.WON}
