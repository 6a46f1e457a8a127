"""Lists have one order, with a limit, in pages and without."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdb.errors import QueryError
from dealdb.query import QueryEngine

texts = st.sampled_from(["", "a", "b", "ab", "a\0", "\0", "\1", "a\1", "é", "😀", "\U0010ffff"])
lists = st.lists(st.none() | st.lists(texts, max_size=3), min_size=1, max_size=15)


def pages(query: QueryEngine, sort: Any, size: int) -> list[str]:
    page = query.page(sort=sort, size=size)
    found = page.items["id"].to_list()
    while page.next is not None:
        page = query.page(sort=sort, size=size, cursor=page.next)
        found += page.items["id"].to_list()
    return found


@given(tags=lists, descending=st.booleans(), size=st.integers(1, 5))
def test_lists_of_texts(tags: list[list[str] | None], descending: bool, size: int) -> None:
    rows: list[dict[str, Any]] = [{"id": f"{n:02}", "tags": each} for n, each in enumerate(tags)]
    query = QueryEngine.over([*rows, {"id": "99", "tags": ["z"]}])
    listed = [{"id": "99", "tags": ["z"]}, *rows]
    valued = sorted((r for r in listed if r["tags"] is not None), key=lambda r: str(r["id"]))
    valued.sort(key=lambda r: [t.encode() for t in r["tags"] or ()], reverse=descending)
    expected = [r["id"] for r in valued] + [r["id"] for r in rows if r["tags"] is None]
    sort = "-tags" if descending else "tags"
    assert query.find(sort=sort)["id"].to_list() == expected
    assert query.find(sort=sort, limit=size)["id"].to_list() == expected[:size]
    assert query.find(sort=sort, limit=size, offset=1)["id"].to_list() == expected[1 : size + 1]
    assert pages(query, sort, size) == expected
    assert pages(query, [sort, "-id"], size) == query.find(sort=[sort, "-id"])["id"].to_list()


@pytest.mark.parametrize("values", [[[1], [0]], [{"a": 1}, {"a": 0}]])
def test_other_nested_values_have_no_order(values: list[Any]) -> None:
    query = QueryEngine.over([{"id": str(n), "x": each} for n, each in enumerate(values)])
    for ask in (
        lambda: query.find(sort="x"),
        lambda: query.find(sort="x", limit=1),
        lambda: query.page(sort="x", size=1),
    ):
        with pytest.raises(QueryError, match="deals can't be sorted by 'x'"):
            ask()


def test_lists_without_any_text() -> None:
    query = QueryEngine.over([{"id": "1", "tags": []}, {"id": "2", "tags": []}])
    assert pages(query, "tags", 1) == ["1", "2"]
