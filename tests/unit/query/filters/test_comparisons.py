"""Filters on lists of texts: membership, nulls, keywords, and what is refused."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from dealdb.errors import QueryError
from query_cases import engine_of

TAGS = [["a", "b"], None, [], ["c", "a"], ["b", ""], ["it's", "A"]]
FRAME = pl.DataFrame(
    {"id": list("123456"), "name": ["a", "b", "c", "x", None, "A"], "tags": TAGS},
    schema_overrides={"tags": pl.List(pl.String)},
)
QUERY = engine_of(FRAME)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("'a' IN tags", "14"),
        ("'a' in TAGS", "14"),
        ("'a' NOT IN tags", "356"),
        ("NOT 'a' IN tags", "356"),
        ("list_contains(tags, 'a')", "14"),
        ("array_contains(tags, 'b')", "15"),
        ("contains(tags, '')", "5"),
        ("'it''s' IN tags", "6"),
        ("name IN tags", "16"),
        ("lower(name) IN tags", "1"),
        ("NULL IN tags", ""),
        ("'a' IN NULL", ""),
        ("tags IS NULL", "2"),
        ("tags IS NOT NULL", "13456"),
        ("tags IS DISTINCT FROM NULL", "13456"),
        ("len(tags) = 2", "1456"),
        ("length(tags) = 0", "3"),
        ("'a' IN tags AND NOT 'b' IN tags", "4"),
    ],
)
def test_membership(where: str, expected: str) -> None:
    assert "".join(QUERY.find(where)["id"]) == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [("a", "14"), (["a", "b"], "145"), ({"c"}, "4"), ([], ""), (None, "2"), (["a", None], "124")],
)
def test_keywords_ask_for_members(tags: Any, expected: str) -> None:
    assert "".join(QUERY.find(tags=tags)["id"]) == expected
    text = QUERY.explain(tags=tags).filter
    assert text is not None
    assert "".join(QUERY.find(text)["id"]) == expected


@pytest.mark.parametrize(
    ("where", "message", "position"),
    [
        ("tags = 'a'", "tags is a list of texts; ask for one of them: 'x' IN tags", 0),
        ("'a' = tags", "tags is a list of texts; ask for one of them: 'x' IN tags", 6),
        ("tags IN ('a', 'b')", "tags is a list of texts; ask for one of them", 0),
        ("'a' IN (tags)", "tags is a list of texts; ask for one of them", 8),
        ("'a' IN name", "name is text; IN takes a column of lists", 7),
        ("5 IN tags", "tags is a list of texts; look for text in single quotes", 0),
        ("tags", "tags is a list of texts, not a condition", 0),
        ("tags LIKE 'a%'", "tags is a list of texts; LIKE is for text", 0),
        ("lower(tags) = 'a'", "tags is a list of texts; lower() is for text", 6),
        ("coalesce(tags, tags) = 'a'", "tags is a list of texts; ask for", 9),
        ("list_contains(name, 'a')", "name is text; IN takes a column of lists", 14),
    ],
)
def test_what_lists_have_not_is_refused(where: str, message: str, position: int) -> None:
    with pytest.raises(QueryError) as caught:
        QUERY.find(where)
    assert message in str(caught.value)
    assert caught.value.position == position


def test_keywords_of_another_type_are_refused() -> None:
    with pytest.raises(QueryError, match="look for text"):
        QUERY.find(tags=5)


def test_facets_by_member_count_a_deal_for_each_of_its_members() -> None:
    facet = QUERY.facets("tags", limit=2)["tags"]
    assert facet.by == "member"
    assert facet.table.rows() == [
        ("a", 2, "'a' IN tags"),
        ("b", 2, "'b' IN tags"),
        (None, 1, "tags IS NULL"),
    ]
    # an empty list, and the deal whose members are further down
    assert (facet.total, facet.others) == (6, 2)
    for deals, where in facet.table.select("deals", "where").rows():
        assert QUERY.count(where) == deals
