"""The first deals of each group: those that ``find`` gives for each by itself, ties by id."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdb.board.kanban import first_rows
from dealdb.board.kanban.first_rows import first_of_each
from dealdb.query import QueryEngine

FIRST = date(2026, 1, 1)
SORTS = ("amount", "-amount", "closes", "-closes", "n", "-score", "owner", "-owner", "-tags")
TYPES: dict[str, Any] = {
    "id": pl.String,
    "stage": pl.Categorical,
    "owner": pl.Categorical,
    "amount": pl.Decimal(38, 2),
    "closes": pl.Date,
    "n": pl.Int64,
    "score": pl.Float64,
    "tags": pl.List(pl.String),
}


def or_none(values: list[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from([*values, None])


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    rows = draw(
        st.lists(
            st.tuples(
                or_none(["Lead", "Demo", "Won"]),
                or_none(["Zoe", "Ann", "é"]),
                or_none([Decimal(5), Decimal("-0.01"), Decimal(10**20)]),
                or_none([FIRST + timedelta(days=n) for n in range(3)]),
                or_none([0, 7]),
                or_none([float("nan"), 0.5, -1.0]),
                or_none([[], ["a"], ["a", "b"]]),
            ),
            max_size=40,
        )
    )
    ids = draw(st.permutations(range(len(rows))))
    each = [(str(n), *row) for n, row in zip(ids, rows, strict=True)]
    return pl.DataFrame(each, schema=TYPES, orient="row")


@given(
    frame=frames(),
    sort=st.lists(st.sampled_from(SORTS), max_size=2, unique_by=lambda each: each.strip("-")),
    by=st.sampled_from([[], ["stage"], ["stage", "owner"]]),
    count=st.integers(1, 5),
    most=st.sampled_from([2, 40]),
    few=st.sampled_from([0, 1_000]),
)
def test_the_first_of_each_group_are_those_of_find(
    frame: pl.DataFrame, sort: list[str], by: list[str], count: int, most: int, few: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(first_rows, "_MOST_GROUPS", most)
        patch.setattr(first_rows, "_FEW_ROWS", few)
        found = frame[first_of_each(frame, sort, by, count)]
    query = QueryEngine.over(frame)
    groups = frame.select(by).unique().cast(pl.String).to_dicts() if by else [{}]
    expected = [
        query.find(sort=sort or None, limit=count, columns=["id"], **group)["id"].to_list()
        for group in groups
    ]
    kept = QueryEngine.over(found)
    assert [kept.find(columns=["id"], **group)["id"].to_list() for group in groups] == expected
    assert found.height == sum(map(len, expected))
