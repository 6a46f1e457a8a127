"""The pipeline that is set is the one in force afterwards, whatever other processes did meanwhile."""

from __future__ import annotations

import re

import pytest

from dealdb.connection import Link
from dealdb.model.pipeline import Kind, Pipeline, Stage
from dealdb.model.schema import Field, FieldType
from dealdb.store import Store

ONE = Pipeline((Stage("Lead", Kind.OPEN), Stage("Done", Kind.WON)))
OTHER = Pipeline((Stage("Talks", Kind.OPEN), Stage("Signed", Kind.WON)))


@pytest.mark.parametrize("pipeline", [Pipeline(), ONE], ids=["empty", "stages"])
def test_a_pipeline_is_set_again_after_another_process_has_changed_it(
    link: Link, pipeline: Pipeline
) -> None:
    store, other = Store(link), Store(link)
    store.set_pipeline(pipeline)
    other.set_pipeline(OTHER)
    store.set_pipeline(pipeline)
    assert Store(link).pipeline() == pipeline
    # and setting what is in force writes nothing
    seq = link.call("HGET", "deals:meta", "seq")
    store.set_pipeline(pipeline)
    other.set_pipeline(pipeline)
    assert link.call("HGET", "deals:meta", "seq") == seq


def _n_calls(link: Link, name: str) -> int:
    found = re.search(rf"cmdstat_{name}:calls=(\d+)", link.call("INFO", "commandstats").decode())
    return int(found[1]) if found else 0


def test_what_was_just_put_in_force_is_not_read_again(link: Link) -> None:
    store = Store(link)
    store.look()
    link.call("CONFIG", "RESETSTAT")
    schema = store.declare([Field("seats", FieldType.INT)])
    pipeline = store.redefine(lambda _: ONE)
    assert "seats" in schema
    assert pipeline == ONE
    # the script reads once for each of the two commits
    assert _n_calls(link, "hmget") == 2
    later = Store(link)
    assert (later.schema(), later.pipeline()) == (schema, ONE)


def test_what_another_process_has_put_in_force_meanwhile_stays(link: Link) -> None:
    store, other = Store(link), Store(link)
    store.set_pipeline(ONE)
    other.declare([Field("seats", FieldType.INT)])
    schema = store.declare([Field("region", FieldType.TEXT)])
    assert {"seats", "region"} <= {field.name for field in schema.fields}
    other.set_pipeline(OTHER)
    store.declare([Field("team", FieldType.TEXT)])
    assert store.redefine(lambda now: now.covering(["Later"])).names(Kind.WON) == ["Signed"]


def test_a_new_field_shows_what_another_process_has_done_to_the_stages(link: Link) -> None:
    store, other = Store(link), Store(link)
    store.save({"id": "1", "stage": "Trial"})
    other.set_pipeline(ONE)
    assert "Trial" not in Store(link).pipeline()
    store.save({"id": "2", "stage": "Trial", "region": "north"})
    assert "Trial" in Store(link).pipeline()
