"""Rows come in the order of their ids, however many of them are sorted at once."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealdb.query import QueryEngine
from dealdb.query.results import by_id, sorting
from dealdb.query.results.by_id import first_in_order, parts_in_order
from examples import of_profile

ids = st.lists(
    st.none() | st.sampled_from(["", "1", "10", "9", "a", "é", "😀", "a\0"]), max_size=40
)


@settings(max_examples=of_profile(10))
@given(ids=ids, size=st.integers(1, 5), data=st.data())
def test_parts_are_the_whole_in_order(
    ids: list[str | None], size: int, data: st.DataObject
) -> None:
    rows = sorted(data.draw(st.sets(st.sampled_from(range(len(ids)))))) if ids else []
    expected = sorted(rows, key=lambda row: (ids[row] is None, (ids[row] or "").encode()))
    given, known = pl.Series(rows, dtype=pl.UInt32), pl.Series(ids, dtype=pl.String)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(by_id, "_FEW", 0)
        patch.setattr(by_id, "_GROWTH", 2)
        parts = [part.to_list() for part in parts_in_order(given, known, size)]
        first = first_in_order(given, known, size).to_list()
    assert [row for part in parts for row in part] == expected
    assert all(0 < len(part) <= size for part in parts)
    assert first == expected[:size]


def test_rows_without_an_id_are_of_the_first_where_too_few_have_one() -> None:
    rows, n = pl.Series(range(10_100), dtype=pl.UInt32), 10_100
    known = pl.Series([None] * (n - 1) + ["a"], dtype=pl.String)
    assert first_in_order(rows, known, 3).to_list() == [n - 1, 0, 1]
    parts = parts_in_order(rows, known, 3)
    assert [next(parts).to_list() for _ in range(2)] == [[n - 1, 0, 1], [2, 3, 4]]


@settings(max_examples=of_profile(5))
@given(
    rows=st.lists(st.tuples(st.sampled_from([1, 2, None]), st.sampled_from("ab")), min_size=1),
    limit=st.integers(0, 12),
    sort=st.sampled_from([["n"], ["-n"], ["kind"], ["-kind", "n"]]),
    few=st.sampled_from([0, 10_000]),
    data=st.data(),
)
def test_ties_of_a_sort_come_by_id_in_whatever_order_the_deals_are(
    rows: list[tuple[int | None, str]], limit: int, sort: list[str], few: int, data: st.DataObject
) -> None:
    deals = [{"id": str(n), "n": number, "kind": kind} for n, (number, kind) in enumerate(rows)]
    others = data.draw(st.permutations(deals))
    types = {"id": pl.String, "n": pl.Int64, "kind": pl.Categorical}
    whole, other = (QueryEngine.over(pl.DataFrame(each, schema=types)) for each in (deals, others))
    expected = whole.find(sort=[*sort, "id"]).rows()
    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((by_id, "_FEW"), (sorting, "_FEW_ROWS")):
            patch.setattr(module, name, few)
        assert other.find(sort=sort).rows() == expected
        assert other.find(sort=sort, limit=limit).rows() == expected[:limit]
        assert other.find(sort=sort, limit=2, offset=limit).rows() == expected[limit : limit + 2]
