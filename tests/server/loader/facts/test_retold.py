"""What is loaded twice counts once: every form, in any order of files, and whatever the pipeline became meanwhile."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dealdb import DealDatabase
from dealdb.loader.history.recognition import FORMS
from dealdb.model.pipeline import Kind, Pipeline
from servers import Server

DATA = Path(__file__).parents[3] / "data" / "history"
SOURCES = {
    "plain": "plain.csv",
    "plain-wide": "wide.csv",
    "hubspot-history": "hubspot-history.json",
    "hubspot-versions": "hubspot-versions.json",
    "hubspot-properties": "airbyte.jsonl",
    "hubspot-stages": "fivetran-stages.csv",
    "hubspot-merges": "fivetran-merges.csv",
    "hubspot-entries": "hubspot-entries.csv",
    "salesforce-history": "OpportunityHistory.csv",
    "salesforce-fields": "OpportunityFieldHistory.csv",
    "salesforce-rows": "fivetran-opportunities.csv",
    "pipedrive-flow": "pipedrive-flow.json",
    "pipedrive-changelog": "pipedrive-changelog.csv",
}
TURNED = {Kind.OPEN: Kind.WON, Kind.WON: Kind.LOST, Kind.LOST: Kind.OPEN}


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        yield db


def load(db: DealDatabase, form: str) -> int:
    stages = {"hubspot-stages": "stages.csv", "pipedrive-changelog": "pipedrive-stages.csv"}.get(
        form
    )
    source = SOURCES[form]
    return db.history.load(DATA / source, stages=stages and DATA / stages).new


def facts_of(db: DealDatabase) -> list[Any]:
    """All facts as they happened, and what the stages mean."""
    facts = db._store.event_facts()
    tables = [facts.of(name).drop("seq") for name in sorted(facts.schema) if name != "id"]
    return [facts.pipeline, facts.lives.height, *tables]


def figures(db: DealDatabase) -> list[Any]:
    """The facts, and some figures that rest on them."""
    metrics = db.analytics
    results = [
        metrics.funnel(),
        metrics.time_in_stage(unit="visit"),
        metrics.waterfall(since="2020-01-01", net=False),
        metrics.win_loss(by="stage"),
    ]
    return [*facts_of(db), *(result.frame for result in results)]


def same(one: list[Any], other: list[Any]) -> bool:
    return len(one) == len(other) and all(
        a.equals(b, null_equal=True) if isinstance(a, pl.DataFrame) else a == b
        for a, b in zip(one, other, strict=True)
    )


def turned(pipeline: Pipeline) -> Pipeline:
    """The same stages, none of which means what it meant, and other ones won and lost before them."""
    return pipeline.with_stages(
        sorted((replace(s, kind=TURNED[s.kind]) for s in pipeline), key=lambda s: s.kind.rank)
    )


def test_there_is_a_source_of_every_form() -> None:
    assert set(SOURCES) == {form.name for form in FORMS}


@pytest.mark.parametrize("form", SOURCES)
def test_a_second_load_adds_no_fact(db: DealDatabase, form: str) -> None:
    """With the stages as they came out of the first, with others in their place, and with none."""
    assert load(db, form) > 0
    for pipeline in (db.pipeline, turned(db.pipeline), Pipeline()):
        if pipeline != db.pipeline:
            db.set_pipeline(pipeline, force=True)
        before = facts_of(db)
        assert load(db, form) == 0
        assert same(facts_of(db), before)
        # also what the second load learned of the stages
        assert load(db, form) == 0


@pytest.mark.parametrize("program", ["plain", "hubspot", "salesforce", "pipedrive"])
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_files_in_any_order_say_the_same(db: DealDatabase, program: str, seed: int) -> None:
    forms = [form for form in SOURCES if form.startswith(program)]
    random.Random(seed).shuffle(forms)
    assert sum(load(db, form) for form in forms) > 0
    before = figures(db)
    forms.reverse()
    assert [load(db, form) for form in forms] == [0] * len(forms)
    db.set_pipeline(turned(db.pipeline), force=True)
    assert [load(db, form) for form in reversed(forms)] == [0] * len(forms)
    db.set_pipeline(turned(turned(db.pipeline)), force=True)
    assert same(figures(db), before)


def test_the_flags_of_a_source_say_what_its_stages_mean(
    db: DealDatabase, shared_data: Path
) -> None:
    path = shared_data / "fivetran_salesforce" / "sf_opportunity_history_data.csv"
    assert db.history.load(path).new == 92
    kinds = {stage.name[:3]: str(stage.kind) for stage in db.pipeline}
    assert kinds == {"Gav": "won", "tXi": "lost", "9RN": "open"}
    before = figures(db)
    again = db.history.load(path)
    assert (again.new, again.known) == (0, 92)
    assert same(figures(db), before)
