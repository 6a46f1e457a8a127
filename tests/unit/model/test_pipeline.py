"""Stages get their meaning once, and keep it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from dealdb.errors import SchemaError
from dealdb.model.pipeline import Kind, Pipeline, Stage

STAGES = st.builds(
    Stage,
    st.text(min_size=1, max_size=8),
    st.sampled_from(Kind),
    st.none() | st.decimals(0, 1, places=3),
    st.none() | st.integers(0, 400),
)
PIPELINES = st.builds(
    lambda stages, closes: Pipeline(tuple(stages), closes=closes),
    st.lists(STAGES, unique_by=lambda stage: stage.name, max_size=6),
    st.booleans(),
)


@given(PIPELINES)
def test_pipeline_reads_back(pipeline: Pipeline) -> None:
    assert Pipeline.from_json(pipeline.to_json()) == pipeline


@given(PIPELINES, st.lists(st.text(max_size=8), max_size=6))
def test_covering_adds_and_changes_nothing_else(pipeline: Pipeline, names: list[str]) -> None:
    covered = pipeline.covering(names)
    assert all(name in covered for name in names if name)
    assert set(pipeline) <= set(covered)
    assert covered.covering(names) is covered
    assert covered.closes == pipeline.closes
    known = [stage for stage in covered if stage in set(pipeline)]
    for kind in Kind:
        kept = [stage for stage in known if stage.kind is kind]
        assert kept == [stage for stage in pipeline if stage.kind is kind]
    for stage in covered:
        assert stage.probability is not None or stage in set(pipeline)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Won", Kind.WON), ("Closed-Won", Kind.WON), ("closed won ", Kind.WON), ("closedwon", Kind.WON),
        ("Invested", Kind.WON), ("Lost", Kind.LOST), ("Closed Lost", Kind.LOST), ("closedlost", Kind.LOST),
        ("Passed", Kind.LOST), ("Proposal", Kind.OPEN), ("Won back?", Kind.OPEN), ("Lost in review", Kind.OPEN),
    ],
)  # fmt: skip
def test_a_new_stage_is_proposed_a_kind_by_its_name(name: str, kind: Kind) -> None:
    (stage,) = Pipeline().covering([name])
    assert stage.kind is kind
    assert stage.probability == {Kind.WON: 1, Kind.LOST: 0, Kind.OPEN: Decimal("0.5")}[kind]


def test_a_fresh_pipeline_is_put_in_order() -> None:
    names = [
        "Closed Lost",
        "Negotiation",
        "Something else",
        "Closed Won",
        "Lead",
        "Proposal",
        "Qualification",
    ]
    assert [stage.name for stage in Pipeline().covering(names)] == [
        "Lead", "Qualification", "Proposal", "Negotiation", "Something else", "Closed Won", "Closed Lost",
    ]  # fmt: skip


def test_an_arranged_pipeline_keeps_its_order() -> None:
    pipeline = Pipeline((Stage("B", Kind.OPEN), Stage("A", Kind.OPEN), Stage("Lost", Kind.WON)))
    assert [s.name for s in pipeline.covering(["Lead", "Won"])] == ["B", "A", "Lead", "Lost", "Won"]
    assert pipeline.covering(["Lost"]).names(Kind.LOST) == []


@pytest.mark.parametrize(
    ("stage", "complaint"),
    [
        (("", Kind.OPEN), "a stage needs a name"),
        (("A", Kind.OPEN, Decimal("1.1")), "a number from 0 to 1"),
        (("A", Kind.OPEN, None, -1), "rot_days"),
        (("A", Kind.OPEN, None, 1.5), "rot_days"),
        (("A", Kind.OPEN, None, True), "rot_days"),
        (("A", Kind.OPEN, True), "a number from 0 to 1"),
        (("A", Kind.OPEN, Decimal("NaN")), "a number from 0 to 1"),
        (("A", Kind.OPEN, "often"), "a number from 0 to 1"),
        (("A", "shut"), "open, won or lost, not 'shut'"),
        (("A", None), "open, won or lost"),
        ((7, Kind.OPEN), "a text: got 7"),
    ],
)
def test_impossible_stages(stage: tuple[Any, ...], complaint: str) -> None:
    with pytest.raises(SchemaError, match=complaint):
        Stage(*stage)


@pytest.mark.parametrize("chance", [0.3, "0.3", "0.30", Decimal("0.30")])
def test_what_a_stage_is_given_is_what_is_read_back(chance: Any) -> None:
    pipeline = Pipeline((Stage("Demo", "open", chance), Stage("Signed", "won", 1)))  # type: ignore[arg-type]
    assert pipeline == Pipeline.from_json(pipeline.to_json())
    assert pipeline.names(Kind.OPEN) == ["Demo"]
    assert pipeline.stages[0].probability == Decimal("0.3")


def test_stages_may_come_as_any_iterable() -> None:
    stages = (Stage("Demo", Kind.OPEN), Stage("Won", Kind.WON))
    assert Pipeline(list(stages)) == Pipeline(iter(stages)) == Pipeline(stages)  # type: ignore[arg-type]
    assert hash(Pipeline(list(stages))) == hash(Pipeline(stages))  # type: ignore[arg-type]


def test_whether_saves_close_deals_is_said_only_where_they_do_not() -> None:
    pipeline = Pipeline((Stage("Won", Kind.WON),))
    assert pipeline.to_json() == '[["Won","won",null,null]]'
    off = Pipeline(pipeline.stages, closes=False)
    assert off.to_json() == '{"closes":false,"stages":[["Won","won",null,null]]}'
    assert off != pipeline
    assert Pipeline.from_json('{"stages":[]}').closes


def test_a_stage_stands_in_a_pipeline_once() -> None:
    with pytest.raises(SchemaError, match="A stands in it twice"):
        Pipeline((Stage("A", Kind.OPEN), Stage("A", Kind.WON)))


def test_open_stages_stand_before_won_ones_and_those_before_lost_ones() -> None:
    arranged = Pipeline((Stage("No", Kind.LOST), Stage("Yes", Kind.WON), Stage("Talk", Kind.OPEN)))
    assert [stage.name for stage in arranged.covering(["Demo"])] == ["Talk", "Demo", "Yes", "No"]
    assert sorted(Kind, key=lambda kind: kind.rank) == [Kind.OPEN, Kind.WON, Kind.LOST]
