"""Stages get their meaning once, and keep it."""

from __future__ import annotations

import json
import re
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
    st.none() | st.sampled_from(["pipeline", "bestcase", "commit", "omitted"]),
)
NAMES = st.text(min_size=1, max_size=4)
PATTERNS = st.sampled_from(
    [(None, None), ("4-4-5", "last saturday of january"), ("5-4-4", "nearest friday to december")]
)
PIPELINES = st.builds(
    lambda stages, closes, zone, week, month, name, pattern, renamed: Pipeline(
        tuple(stages),
        closes=closes,
        zone=zone,
        week_start=week,
        fiscal_start=month,
        fiscal_name=name,
        fiscal_pattern=pattern[0],
        fiscal_year_end=pattern[1],
        renamed={f"old {old}": new for old, new in renamed.items()},
    ),
    st.lists(STAGES, unique_by=lambda stage: stage.name, max_size=6),
    st.booleans(),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"]),
    st.integers(1, 7),
    st.integers(1, 12),
    st.sampled_from(["end", "start"]),
    PATTERNS,
    st.dictionaries(NAMES, NAMES, max_size=3),
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
    assert covered.settings() == pipeline.settings()
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


def test_what_is_not_said_is_not_written() -> None:
    # an earlier dealdb reads it, and its checksums stay those that they were
    stages = (Stage("Demo", Kind.OPEN, Decimal("0.5"), 30), Stage("Won", Kind.WON))
    listed = '[["Demo","open","0.5",30],["Won","won",null,null]]'
    assert Pipeline(stages).to_json() == listed
    assert Pipeline(stages, closes=False).to_json() == f'{{"closes":false,"stages":{listed}}}'


def test_an_earlier_version_reads_the_stages_of_a_document_with_settings() -> None:
    stages = (Stage("Demo", Kind.OPEN, Decimal("0.5"), 30, "commit"), Stage("Won", Kind.WON))
    document = json.loads(
        Pipeline(stages, zone="Europe/Berlin", renamed={"Call": "Demo"}).to_json()
    )
    # it asks for these two keys, and for lists of four
    read = [(name, kind, chance, days) for name, kind, chance, days in document["stages"]]
    assert read == [("Demo", "open", "0.5", 30), ("Won", "won", None, None)]
    assert document.get("closes") is not False


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"zone": "Mars/Phobos"}, "zone 'Mars/Phobos' is not known here"),
        ({"zone": "../../etc/passwd"}, "zone is a name of the IANA database"),
        ({"zone": 3}, "zone is a name"),
        ({"week_start": 0}, "week_start is a whole number from 1 to 7, not '0'"),
        ({"week_start": True}, "week_start is a whole number"),
        ({"fiscal_start": 13}, "fiscal_start is a whole number from 1 to 12"),
        ({"fiscal_name": "first"}, "fiscal_name is end or start, not 'first'"),
        ({"fiscal_pattern": "4-4-5"}, "fiscal_pattern needs fiscal_year_end"),
        ({"fiscal_year_end": "last friday of may"}, "fiscal_year_end needs fiscal_pattern"),
        ({"fiscal_pattern": "4-4-4", "fiscal_year_end": "last friday of may"}, "fiscal_pattern is 4-4-5 or"),
        ({"fiscal_pattern": "4-4-5", "fiscal_year_end": "last day of may"}, "fiscal_year_end is"),
        ({"renamed": {"a": "b", "b": "c", "c": "a"}}, "renamed goes round in a circle: 'a'"),
        ({"renamed": {"a": 1}}, "renamed is a mapping"),
        ({"renamed": 7}, "renamed is a mapping"),
    ],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(SchemaError, match=re.escape(says)):
        Pipeline(**settings)


def test_a_category_is_one_of_four() -> None:
    with pytest.raises(SchemaError, match="category is pipeline or bestcase or commit or omitted"):
        Stage("Demo", Kind.OPEN, category="best")


def test_a_zone_that_this_machine_does_not_know_keeps_nobody_from_the_deals() -> None:
    pipeline = Pipeline.from_json('{"zone":"Mars/Phobos","stages":[["Demo","open",null,null]]}')
    covered = pipeline.covering(["Won"])
    assert covered.zone == "Mars/Phobos"
    assert Pipeline.from_json(covered.to_json()) == covered


@pytest.mark.parametrize(
    "document", ['{"zone":"../x","stages":[]}', '{"week_start":"1","stages":[]}', '{"renamed":[1],"stages":[]}',
                 '{"categories":{"Demo":"x"},"stages":[["Demo","open",null,null]]}', '{"categories":3,"stages":[]}'],
)  # fmt: skip
def test_a_document_that_nobody_wrote_is_no_pipeline(document: str) -> None:
    with pytest.raises((ValueError, TypeError, SchemaError)):
        Pipeline.from_json(document)
