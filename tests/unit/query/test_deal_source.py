"""Deals that are in no database: rows of an example, and what they can't answer."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from dealdb.errors import QueryError
from dealdb.model.pipeline import Kind, Pipeline, Stage
from dealdb.query import QueryEngine
from dealdb.query.deal_source import snapshot_of_rows

QUERY = QueryEngine.over([{"id": "1", "stage": "won"}])


def test_a_frame_and_its_rows_are_the_same_deals() -> None:
    frame = pl.DataFrame({"id": ["1", "2"], "amount": [None, Decimal("0.10")]})
    ours = [QueryEngine.over(given) for given in (frame, frame.to_dicts())]
    assert [query.find("amount = 0.1")["id"].to_list() for query in ours] == [["2"], ["2"]]
    assert ours[0].frame().equals(frame)
    assert ours[1].frame().equals(frame)


def test_a_first_value_may_come_late() -> None:
    rows: list[dict[str, Any]] = [{"id": str(n)} for n in range(500)]
    rows[-1]["n"] = 7
    assert QueryEngine.over(rows).find(n=7)["id"].to_list() == ["499"]


def test_no_rows_are_no_deals() -> None:
    assert QueryEngine.over([]).count() == 0
    assert QueryEngine.over(pl.DataFrame({"stage": []})).select().pipeline == Pipeline()


def test_stages_that_are_given_keep_their_kind() -> None:
    given = Pipeline((Stage("Hot", Kind.WON),))
    stages = snapshot_of_rows([{"stage": "Hot"}, {"stage": "Lost"}, {}], given).pipeline
    assert [(stage.name, stage.kind) for stage in stages] == [
        ("Hot", Kind.WON),
        ("Lost", Kind.LOST),
    ]


@pytest.mark.parametrize(
    "call",
    [
        lambda: QUERY.save("won", "stage = 'won'"),
        lambda: QUERY.saved(),
        lambda: QUERY.run("won"),
        lambda: QUERY.forget("won"),
    ],
)
def test_no_queries_are_saved_with_them(call: Callable[[], object]) -> None:
    with pytest.raises(QueryError, match="saved queries are kept with the live deals"):
        call()


def test_they_have_no_history() -> None:
    statement = "SELECT count(*) FROM history"
    with pytest.raises(QueryError, match="there is no table 'history' here") as caught:
        QUERY.sql(statement)
    assert caught.value.text == statement


def test_rows_of_an_example_need_not_be_deals() -> None:
    query = QueryEngine.over([{"n": 1}])
    with pytest.raises(QueryError, match="no column of text to search"):
        query.search("x")
    with pytest.raises(QueryError, match="no column of text to search"):
        QueryEngine.over([]).search("x")
    with pytest.raises(QueryError, match="no column 'id'"):
        query.page()
    with pytest.raises(QueryError, match="'stage' has names of stages, which are texts, not Int64"):
        QueryEngine.over([{"stage": 1}])


def test_the_schema_of_rows_is_that_of_their_columns() -> None:
    snapshot = snapshot_of_rows([{"id": "1", "n": 7, "_own": 1}])
    assert [field.describe() for field in snapshot.schema.values()] == ["text", "int"]


@pytest.mark.parametrize("name", ["^x$", "*"])
def test_a_column_that_is_a_pattern_of_names_is_refused(name: str) -> None:
    with pytest.raises(QueryError, match="it would stand for all names"):
        snapshot_of_rows([{"id": "1", name: "v"}])
