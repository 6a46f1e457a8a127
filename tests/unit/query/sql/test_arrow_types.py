"""Results of DuckDB: exact where a data frame can hold them, else refused by name, and never another value."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal

import polars as pl
import pytest

from dealdb.errors import QueryError
from dealdb.query.sql.session import SqlSession

DEALS = pl.DataFrame({"id": ["1"]})
_DATE = "a date or time outside the years 1 to 9999, or infinite; cast it to VARCHAR"
_DIGITS = "an integer of more than 38 digits; cast it to VARCHAR or DOUBLE"
_MOST = "9" * 38


@pytest.fixture(scope="module")
def session() -> SqlSession:
    return SqlSession(timeout_s=20, memory_mb=256)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("DATE '10000-01-01'", _DATE),
        ("DATE '0001-01-01' - 1", _DATE),
        ("'-infinity'::DATE", _DATE),
        ("TIMESTAMP '10000-01-01'", _DATE),
        ("TIMESTAMP_S '10000-01-01'", _DATE),
        ("TIMESTAMP_MS '10000-01-01'", _DATE),
        ("'infinity'::TIMESTAMP_NS", _DATE),
        ("'infinity'::TIMESTAMPTZ", _DATE),
        ("[NULL, [DATE '10000-01-01']]", _DATE),
        ("{'a': NULL, 'b': DATE '10000-01-01'}", _DATE),
        ("map([DATE '10000-01-01'], [1])", _DATE),
        ("[DATE '2026-01-01', DATE '10000-01-01']::DATE[2]", _DATE),
        (f"{_MOST}::HUGEINT + 1", _DIGITS),
        (f"-{_MOST}::HUGEINT - 1", _DIGITS),
        ("340282366920938463463374607431768211455::UHUGEINT", _DIGITS),
        ("{'a': [340282366920938463463374607431768211455::UHUGEINT]}", _DIGITS),
        ("INTERVAL 1 DAY", "the type INTERVAL; cast it, e.g. to VARCHAR, or count days"),
        ("[{'a': INTERVAL 1 DAY}]", r"the type STRUCT\(a INTERVAL\)\[\]; cast it"),
        ("[union_value(a := 1)]", r"the type UNION\(a INTEGER\)\[\]; cast it"),
        ("['101'::BIT]", r"the type BIT\[\]; cast it, e.g. to VARCHAR$"),
        ("'1'::BIGNUM", "the type BIGNUM"),
        ("'x'::VARIANT", "the type VARIANT"),
        ("map([[1]], [1])", "a map whose keys are no plain values"),
        ("TIME '24:00:00'", "the time 24:00:00"),
    ],
)
def test_what_no_data_frame_holds_is_refused_with_its_column(
    session: SqlSession, value: str, problem: str
) -> None:
    with pytest.raises(QueryError, match=f"column 'd' of the result has {problem}"):
        session.run(f"SELECT 1 AS a, {value} AS d", DEALS)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("DATE '0001-01-01'", date(1, 1, 1)),
        ("DATE '9999-12-31'", date(9999, 12, 31)),
        ("TIMESTAMPTZ '9999-12-31 23:59:59.999999+00'", datetime.max.replace(tzinfo=UTC)),
        ("TIMESTAMPTZ '0001-01-01 00:00:00+00'", datetime.min.replace(tzinfo=UTC)),
        ("TIME '23:59:59.999999'", time.max),
        (f"{_MOST}::HUGEINT", Decimal(_MOST)),
        (f"-{_MOST}::HUGEINT", Decimal(f"-{_MOST}")),
        (f"{_MOST}::UHUGEINT", Decimal(_MOST)),
        ("-9223372036854775808::HUGEINT", -(2**63)),
        ("9223372036854775808::HUGEINT", Decimal(2**63)),
        ("[-1::HUGEINT, NULL]", [Decimal(-1), None]),
        ("NULL::HUGEINT", None),
        ("map(['a'], [DATE '2026-01-01'])", {"a": date(2026, 1, 1)}),
        ("{'a': NULL::DATE}", {"a": None}),
    ],
)
def test_all_else_comes_as_it_is(session: SqlSession, value: str, expected: object) -> None:
    assert session.run(f"SELECT {value} AS d", DEALS).rows() == [(expected,)]


def test_types_are_refused_before_anything_is_computed(session: SqlSession) -> None:
    statement = "SELECT INTERVAL 1 DAY AS d, count(*) AS n FROM range(100000000000000)"
    with pytest.raises(QueryError, match="the type INTERVAL"):
        session.run(statement, DEALS)


def test_deep_types_are_refused(session: SqlSession) -> None:
    for levels in (40, 90):
        steps = "".join(f", a{i} AS (SELECT [x] AS x FROM a{i - 1})" for i in range(1, levels))
        with pytest.raises(QueryError, match="nested more than 32 levels deep"):
            session.run(f"WITH a0 AS (SELECT [1] AS x){steps} SELECT x FROM a{levels - 1}", DEALS)
