"""Schema and pipeline as processes that share a collection set them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connected import connected
from dealdb.connection import Link
from dealdb.model.pipeline import Kind, Pipeline, Stage
from dealdb.store import Store
from servers import Server

MINE = Pipeline((Stage("Talks", Kind.OPEN), Stage("Signed", Kind.WON)))
OTHERS = Pipeline((Stage("Signed", Kind.LOST),))


@pytest.fixture
def link(server: Server) -> Iterator[Link]:
    with connected(server) as connection:
        yield connection.link()


@pytest.mark.parametrize("between", ["nothing", "a query"])
def test_the_last_process_that_sets_the_pipeline_wins(link: Link, between: str) -> None:
    first, second = Store(link), Store(link)
    first.set_pipeline(MINE)
    second.set_pipeline(OTHERS)
    if between == "a query":
        first.snapshot()
    # it is what this process has seen last, and not what is in force
    first.set_pipeline(MINE)
    assert Store(link).pipeline() == MINE
    seq = first.newest().seq
    first.set_pipeline(MINE)
    assert first.newest().seq == seq
