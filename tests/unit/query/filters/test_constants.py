"""Parameters of filters: typed by their Python value, never read as text of the filter."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdb.errors import QueryError
from filter_cases import TEXTS, mixed_frame
from query_cases import engine_of

FRAME = mixed_frame()
QUERY = engine_of(FRAME)


@pytest.mark.parametrize(
    ("where", "params", "literal"),
    [
        ("amount > :least", {"least": 5}, "amount > 5"),
        ("amount = :x", {"x": Decimal("1.25")}, "amount = 1.25"),
        ("rate = :x", {"x": 0.5}, "rate = 0.5"),
        ("score > :x", {"x": 0.1}, "score > 0.1"),
        ("name = :x", {"x": "'"}, "name = ''''"),
        ("name = :x OR owner = :x", {"x": "a"}, "name = 'a' OR owner = 'a'"),
        ("created = :x", {"x": date(2024, 1, 31)}, "created = '2024-01-31'"),
        ("created = :x", {"x": "2024-01-31"}, "created = '2024-01-31'"),
        (
            "updated = :x",
            {"x": datetime(2024, 1, 31, 2, tzinfo=timezone(timedelta(hours=2)))},
            "updated = '2024-01-31'",
        ),
        (
            "updated < :x",
            {"x": datetime(2024, 1, 31, 12, 30, tzinfo=UTC)},
            "updated < '2024-01-31 12:30'",
        ),
        ("created > :d - 30d", {"d": date(2024, 2, 29)}, "created > DATE '2024-02-29' - 30d"),
        ("won = :x", {"x": False}, "won = FALSE"),
        ("name = :x", {"x": None}, "name = NULL"),
        ("name IS DISTINCT FROM :x", {"x": None}, "name IS NOT NULL"),
        ("name IN (:a, :b)", {"a": "a", "b": "b"}, "name IN ('a', 'b')"),
        ("name IN :names", {"names": ["a", "b"]}, "name IN ('a', 'b')"),
        ("seats NOT IN :n", {"n": {1, 2, None}}, "seats NOT IN (1, 2, NULL)"),
        ("name IN :names", {"names": []}, "FALSE"),
        ("seats BETWEEN :low AND :high", {"low": 1, "high": 3}, "seats BETWEEN 1 AND 3"),
        ("name LIKE :p", {"p": "a%"}, "name LIKE 'a%'"),
        (":tag IN tags", {"tag": "b"}, "'b' IN tags"),
        ("amount * :x > 1", {"x": 2}, "amount * 2 > 1"),
        ("coalesce(amount, :x) = 0", {"x": 0}, "coalesce(amount, 0) = 0"),
        ("name = ':x' OR name = :x", {"x": "a"}, "name = ':x' OR name = 'a'"),
    ],
)
def test_a_parameter_is_what_the_value_would_be(
    where: str, params: dict[str, Any], literal: str
) -> None:
    assert QUERY.find(where, params=params).equals(QUERY.find(literal))


@given(st.one_of(st.text(), st.sampled_from(TEXTS), st.just("' OR TRUE --")))
def test_any_text_is_only_a_value(value: str) -> None:
    found = QUERY.find("name = :x", params={"x": value})
    assert found.equals(FRAME.filter(pl.col("name") == pl.lit(value)))


def test_every_query_takes_them() -> None:
    params, literal = {"n": 5}, "seats > 5"
    assert QUERY.count("seats > :n", params=params) == QUERY.count(literal) > 0
    assert QUERY.select("seats > :n", params=params).frame.equals(QUERY.find(literal))
    facet = QUERY.facets("won", "seats > :n", params=params)["won"]
    assert facet.total == QUERY.count(literal)
    done = QUERY.explain("SEATS>:n", params=params)
    assert (done.filter, done.kept) == ("seats > :n", QUERY.count(literal))
    first = QUERY.page("seats > :n", params=params, size=2)
    assert QUERY.page("seats > :n", params=params, size=2, cursor=first.next).items.height == 2
    with pytest.raises(QueryError, match="another filter"):
        QUERY.page("seats > :n", params={"n": 6}, size=2, cursor=first.next)


@pytest.mark.parametrize(
    ("where", "params", "message", "position"),
    [
        ("seats > :n", {}, "the parameter :n has no value; give it in params", 8),
        ("seats > :n", {"m": 1}, "the parameter :n has no value", 8),
        ("seats > 1", {"n": 1}, "the filter has no parameter :n", None),
        (None, {"n": 1}, "params are the values of a filter's text", None),
        ("seats > ?", {}, "write a parameter as :name", 8),
        ("seats > $1", {}, "write a parameter as :name", 8),
        ("seats > :n", {"n": "x"}, "seats is a number; compare it with a number", 8),
        ("seats > :n", {"n": [1]}, "write a list after IN, without parentheses", 8),
        ("seats IN (:n)", {"n": [1]}, "write a list after IN, without parentheses", 10),
        (
            "seats > :n",
            {"n": b"x"},
            "this parameter: can't be compared with a value of type",
            8,
        ),
        ("seats > :n", {"n": float("nan")}, "this parameter: the number is not finite", 8),
        ("seats > :n", {"n": 10**40}, "a number has at most 38 digits", 8),
        ("created > today - :n", {"n": Decimal("1E+5000")}, "an exponent is from -400 to 308", 18),
        ("created > :d", {"d": "soon"}, "created is a date; write a date such as", 10),
        (":n(seats) > 1", {"n": 1}, "", None),
    ],
)
def test_parameters_that_dont_fit(
    where: str | None, params: dict[str, Any], message: str, position: int | None
) -> None:
    with pytest.raises(QueryError) as caught:
        QUERY.find(where, params=params)
    assert message in str(caught.value)
    if position is not None:
        assert caught.value.position == position
