"""Statements and parameters of too many parts are refused before DuckDB plans them; what people write is not."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum

import polars as pl
import pytest

from dealdb.errors import QueryError
from dealdb.query.sql import in_process
from dealdb.query.sql.params import bound
from dealdb.query.sql.session import SqlSession

DEALS = pl.DataFrame({"id": ["1", "2"], "n": [1, 2]})


@pytest.fixture(scope="module")
def session() -> SqlSession:
    return SqlSession(timeout_s=20, memory_mb=256)


def joined(tables: int) -> str:
    return "SELECT count(*) FROM deals d0" + "".join(
        f" JOIN deals d{i} USING (id)" for i in range(1, tables)
    )


@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        (joined(101), "names tables at most 100 times"),
        (" UNION ALL ".join(["SELECT n FROM deals"] * 101), "names tables at most 100 times"),
        ("SELECT 1 FROM " + ",".join(["range(2)"] * 101), "names tables at most 100 times"),
        (f"SELECT [{','.join(['1'] * 2001)}]", "at most 2,000; this has 2,001"),
        (f"SELECT greatest({','.join(['1'] * 2001)})", "at most 2,000; this has 2,001"),
        (f"SELECT {'.'.join(['n'] * 17)} FROM deals", "a name has parts: at most 16"),
        (
            f"PIVOT deals ON n IN ({','.join(map(str, range(1001)))}) USING count(*)",
            "PIVOT has values: at most 1,000",
        ),
        ("SELECT 1 FROM deals GROUP BY CUBE(" + ",".join(["n"] * 9) + ")", "sets: at most 256"),
        ("SELECT 'a\ud800'", "halves of surrogate pairs"),
    ],
)
def test_too_many_parts(
    session: SqlSession, statement: str, refusal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[object] = []
    monkeypatch.setattr(in_process, "_selected", lambda *asked: ran.append(asked))
    with pytest.raises(QueryError, match=refusal):
        session.run(statement, DEALS)
    assert ran == []


@pytest.mark.parametrize(
    "statement",
    [
        joined(30),
        f"SELECT [{','.join(['1'] * 500)}]",
        f"SELECT n IN ({','.join(map(str, range(3000)))}) FROM deals",
        f"PIVOT deals ON n IN ({','.join(map(str, range(100)))}) USING count(*)",
        "SELECT count(*) FROM deals GROUP BY CUBE(id, n)",
        "SELECT " + ",".join(f"n + {i} AS c{i}" for i in range(500)) + " FROM deals",
    ],
)
def test_what_people_write_passes(session: SqlSession, statement: str) -> None:
    assert session.run(statement, DEALS).height > 0


class Grade(IntEnum):
    A = 1


class Loud(str):
    __slots__ = ()

    def __str__(self) -> str:
        return self.upper()


@pytest.mark.parametrize(
    ("params", "refusal"),
    [
        ({"p": [0] * 50_001}, "more than 50,000 values with :p; join a table"),
        ({"p": [0] * 30_000, "q": {*range(30_000)}}, "more than 50,000 values with :q"),
        ({"p": "x" * 10_000_001}, "more than 10,000,000 characters"),
        ({"p": "a\ud800"}, ":p is no text"),
        ({"p": 10**38}, "more than 38 digits"),
        ({"p": 10**4_000}, "more than 38 digits"),
        ({"p": Decimal("1E999999999")}, "more than 38 digits"),
        ({"p": Decimal("1E-999999999")}, "more than 38 digits"),
        ({"p": datetime.min.replace(tzinfo=timezone(timedelta(hours=5)))}, "outside the years"),
        ({7: 1}, "the name of a parameter is a text"),
    ],
)
def test_parameters_that_are_too_large(params: dict[str, object], refusal: str) -> None:
    with pytest.raises(QueryError, match=refusal):
        bound(params)


def test_parameters_are_plain_values() -> None:
    zone = timezone(timedelta(hours=2))
    values = bound(
        {"a": Grade.A, "b": Loud("x"), "c": datetime(2026, 1, 1, 1, tzinfo=zone), "d": [True]}
    )
    assert values == {"a": 1, "b": "x", "c": datetime(2025, 12, 31, 23, tzinfo=UTC), "d": [True]}
    assert [type(each) for each in values.values()] == [int, str, datetime, list]
    assert bound({"a": 10**38 - 1, "b": date(1, 1, 1)}) == {"a": 10**38 - 1, "b": date(1, 1, 1)}
