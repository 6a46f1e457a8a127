"""Facets: each count is that of the filter beside it, the counts add up, and the bounds are round."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dealdb.errors import QueryError
from dealdb.query.filters.rendering import spelled_name, spelled_value
from dealdb.query.results.buckets import date_unit, even_bounds, growing_bounds
from dealdb.query.results.facets import Facet
from filter_cases import mixed_frame
from query_cases import engine_of

FRAME = mixed_frame()


def one(values: pl.Series, *, limit: int = 20, by: Any = None) -> Facet:
    frame = pl.DataFrame([pl.Series("id", [str(n) for n in range(len(values))]), values.alias("x")])
    facet = engine_of(frame).facets("x", limit=limit, by=None if by is None else {"x": by})["x"]
    check(frame, facet)
    return facet


def check(frame: pl.DataFrame, facet: Facet, where: str | None = None) -> None:
    """Each bucket's filter keeps as many deals as the bucket counts, and nothing is left out."""
    query = engine_of(frame)
    assert facet.total == query.count(where)
    if facet.by != "member":
        assert facet.total == facet.table["deals"].sum() + facet.others
    for deals, bucket in facet.table.select("deals", "where").rows():
        assert deals > 0
        if bucket is not None:
            assert query.count(bucket if where is None else f"({where}) AND {bucket}") == deals


@pytest.mark.parametrize("where", [None, "won", "amount > 1", "FALSE"])
@pytest.mark.parametrize("limit", [1, 3, 20])
def test_counts_are_those_of_their_filters(where: str | None, limit: int) -> None:
    facets = engine_of(FRAME).facets(FRAME.columns, where, limit=limit)
    assert list(facets) == FRAME.columns
    for name, facet in facets.items():
        assert facet.column == name
        assert facet.table.height - facet.table["where"].str.ends_with("IS NULL").sum() <= limit
        check(FRAME, facet, where)


def test_by_value_the_most_frequent_come_first_and_nulls_last() -> None:
    facet = one(pl.Series(["b", None, "a", "c", "b", None, None]), limit=2)
    assert facet.table.rows() == [
        ("b", 2, "x = 'b'"),
        ("a", 1, "x = 'a'"),
        (None, 3, "x IS NULL"),
    ]
    assert (facet.by, facet.total, facet.others) == ("value", 7, 1)


@given(values=st.lists(st.none() | st.text(max_size=3), max_size=20), limit=st.integers(1, 6))
def test_any_text_by_value(values: list[str | None], limit: int) -> None:
    table = one(pl.Series(values, dtype=pl.String), limit=limit).table
    assert one(pl.Series(values, dtype=pl.Categorical), limit=limit).table.equals(table)
    counts = Counter(value for value in values if value is not None)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0].encode()))
    assert [row[:2] for row in table.rows() if row[0] is not None] == ranked[:limit]


DAYS = st.one_of(st.dates(), st.dates(date(2025, 1, 1), date(2026, 3, 1)))


@given(
    values=st.lists(st.none() | DAYS, max_size=20),
    unit=st.sampled_from([None, "year", "quarter", "month", "day", "value"]),
    limit=st.integers(1, 20),
)
def test_any_dates(values: list[date | None], unit: str | None, limit: int) -> None:
    one(pl.Series(values, dtype=pl.Date), limit=limit, by=unit)
    moments = [
        None if day is None else datetime(*day.timetuple()[:5], tzinfo=UTC) for day in values
    ]
    one(pl.Series(moments, dtype=pl.Datetime("us", "UTC")), limit=limit, by=unit)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        (
            "month",
            [
                (date(2025, 12, 1), date(2025, 12, 31), 1),
                (date(2026, 2, 1), date(2026, 2, 28), 2),
            ],
        ),
        (
            "quarter",
            [
                (date(2025, 10, 1), date(2025, 12, 31), 1),
                (date(2026, 1, 1), date(2026, 3, 31), 2),
            ],
        ),
        (
            "year",
            [(date(2025, 1, 1), date(2025, 12, 31), 1), (date(2026, 1, 1), date(2026, 12, 31), 2)],
        ),
        (
            "day",
            [(day, day, 1) for day in (date(2025, 12, 31), date(2026, 2, 1), date(2026, 2, 28))],
        ),
    ],
)
def test_dates_by_unit(unit: str, expected: list[tuple[object, ...]]) -> None:
    days = pl.Series([date(2026, 2, 1), date(2025, 12, 31), date(2026, 2, 28)])
    assert one(days, by=unit).table.drop("where").rows() == expected


@pytest.mark.parametrize(
    ("first", "last", "unit"),
    [
        (date(2026, 1, 1), date(2026, 1, 20), "day"),
        (date(2026, 1, 1), date(2026, 1, 21), "month"),
        (date(2026, 1, 31), date(2027, 8, 1), "month"),
        (date(2026, 1, 31), date(2027, 9, 1), "quarter"),
        (date(2000, 1, 1), date(2005, 1, 1), "year"),
        (date(1201, 1, 1), date(3201, 1, 1), "year"),
    ],
)
def test_the_unit_is_the_finest_within_the_limit(first: date, last: date, unit: str) -> None:
    assert date_unit(first, last, 20) == unit


NUMBERS = st.one_of(
    st.decimals(-(10**30), 10**30, places=2),
    st.decimals(-100, 100, places=2),
    st.sampled_from([Decimal("0.00"), Decimal("0.01"), Decimal("1000.00")]),
)


@given(values=st.lists(st.none() | NUMBERS, max_size=20), limit=st.integers(1, 20))
def test_any_amounts(values: list[Decimal | None], limit: int) -> None:
    one(pl.Series(values, dtype=pl.Decimal(38, 2)), limit=limit)


@given(
    floats=st.lists(st.none() | st.floats(), max_size=20),
    integers=st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=20),
    limit=st.integers(1, 20),
)
@example(floats=[2.2250738585e-313], integers=[], limit=1)
def test_any_floats_and_integers(
    floats: list[float | None], integers: list[int | None], limit: int
) -> None:
    one(pl.Series(floats, dtype=pl.Float64), limit=limit)
    one(pl.Series(integers, dtype=pl.Int64), limit=limit)


def test_amounts_have_even_round_bounds_and_growing_ones_where_sizes_differ() -> None:
    even = one(pl.Series([Decimal(n * 1000) for n in range(1, 97)]), limit=10).table
    assert even["from"].to_list() == [Decimal(n) for n in range(0, 100_000, 20_000)]
    skewed = one(pl.Series([Decimal(n) for n in [*range(1, 90), 5_000_000]]), limit=20).table
    assert skewed["from"].to_list() == [0, 5, 10, 20, 50, 5_000_000]


def test_a_given_step_is_kept_and_a_tiny_one_refused() -> None:
    amounts = pl.Series([Decimal(n) for n in (1, 30, 31, 59)])
    assert one(amounts, by=30).table.drop("where").rows() == [
        (Decimal(0), Decimal(30), 1),
        (Decimal(30), Decimal(60), 3),
    ]
    assert one(amounts, by="value").table.height == 4
    with pytest.raises(QueryError, match="makes more than 500 buckets"):
        one(amounts, by=Decimal("0.01"))


@given(st.tuples(NUMBERS, NUMBERS).map(sorted), st.integers(1, 40))
def test_bounds_enclose_and_are_few(ends: list[Decimal], limit: int) -> None:
    low, high = ends
    even = even_bounds(low, high, None, limit)
    assert len(even) - 1 <= max(limit, 2)
    growing = growing_bounds(low, high, limit)
    assert len(growing) - 1 <= max(limit, 2)
    for bounds in (even, growing):
        assert bounds == sorted(set(bounds))
        assert bounds[0] <= low
        assert high < bounds[-1]


@given(st.text(min_size=1, max_size=6), st.text(max_size=6))
def test_spelled_names_and_values_mean_the_same_to_a_filter_and_to_duckdb(
    name: str, value: str
) -> None:
    frame = pl.DataFrame({"id": ["1", "2"], name: [value, f"{value}x"]})
    if frame.columns != ["id", name]:
        return
    where = f"{spelled_name(name)} = {spelled_value(value)}"
    assert engine_of(frame).count(where) == 1


@pytest.mark.parametrize("name", ["order", "select", "date", "interval", "null", "today", "x"])
def test_words_of_sql_as_names(name: str) -> None:
    frame = pl.DataFrame({"id": ["1", "2"], name: [5, 7]})
    where = f"{spelled_name(name)} = 5"
    assert engine_of(frame).count(where) == 1
    with duckdb.connect() as connection:
        connection.register("deals", frame.to_arrow())
        assert connection.execute(f"SELECT count(*) FROM deals WHERE {where}").fetchone() == (1,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": "stag"}, "no column 'stag'"),
        ({"columns": ["name", "name"]}, "columns has 'name' twice"),
        ({"columns": "name", "limit": 0}, "limit is a whole number from 1 up, not 0"),
        ({"columns": "name", "by": {"owner": "value"}}, "no column 'owner'"),
        ({"columns": "name", "by": {"name": "month"}}, "'name' can't be counted by 'month'"),
        (
            {"columns": "created", "by": {"created": "week"}},
            "dates are by year, quarter, month, day",
        ),
        ({"columns": "amount", "by": {"amount": -5}}, "numbers are by a step above 0"),
        ({"columns": "amount", "by": {"amount": True}}, "numbers are by a step above 0"),
        ({"columns": "amount", "by": {"amount": float("nan")}}, "numbers are by a step above 0"),
    ],
    ids=str,
)
def test_options_that_cant_be_understood(options: dict[str, Any], message: str) -> None:
    with pytest.raises(QueryError) as caught:
        engine_of(FRAME).facets(**options)
    assert message in str(caught.value)
