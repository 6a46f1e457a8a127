"""The pipeline that is set is the one in force afterwards, whatever other processes did meanwhile."""

from __future__ import annotations

import pytest

from dealdb.connection import Link
from dealdb.model.pipeline import Kind, Pipeline, Stage
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
