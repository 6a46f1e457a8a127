"""Parameters of sql(): bound by DuckDB, whatever they look like, and never read as text of the statement."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdb.errors import QueryError
from dealdb.query.sql import in_process
from dealdb.query.sql.session import SqlSession
from filter_cases import mixed_frame

FRAME = mixed_frame()


@pytest.fixture(scope="module")
def session() -> SqlSession:
    return SqlSession(timeout_s=20, memory_mb=256)


@pytest.mark.parametrize(
    ("statement", "params", "rows"),
    [
        ("SELECT :a + 1 AS x", {"a": 5}, [(6,)]),
        ("SELECT $a || ':a' AS x", {"a": "b"}, [("b:a",)]),
        ("SELECT :a AS x, ':a' AS y -- :a\n", {"a": 1}, [(1, ":a")]),
        ("SELECT 5::INT AS x, :INT AS y", {"INT": 7}, [(5, 7)]),
        ("SELECT [1, 2, 3][1:n] AS x FROM (SELECT 2 AS n) WHERE :n = 5", {"n": 5}, [([1, 2],)]),
        ("SELECT {'k': :a} AS x", {"a": 1}, [({"k": 1},)]),
        ("SELECT 'é' || :a AS x, :b AS y", {"a": "ü", "b": 2}, [("éü", 2)]),
        ("SELECT typeof(:a) AS x", {"a": Decimal("1.10")}, [("DECIMAL(3,2)",)]),
        ("SELECT :a = DATE '2026-01-31' AS x", {"a": date(2026, 1, 31)}, [(True,)]),
        (
            "SELECT :a AS x",
            {"a": datetime(2026, 1, 31, tzinfo=UTC)},
            [(datetime(2026, 1, 31, tzinfo=UTC),)],
        ),
        ("SELECT :a IS NULL AS x", {"a": None}, [(True,)]),
        ("SELECT 2 IN :a AS x, 3 IN :a AS y", {"a": [1, 2]}, [(True, False)]),
        (
            "SELECT count(*) AS x FROM deals WHERE seats > :n",
            {"n": 3},
            [(FRAME.filter(FRAME["seats"] > 3).height,)],
        ),
        ("SELECT 1 AS x LIMIT :n", {"n": 0}, []),
    ],
)
def test_values(
    session: SqlSession, statement: str, params: dict[str, Any], rows: list[tuple[Any, ...]]
) -> None:
    assert session.run(statement, FRAME, params).rows() == rows


@given(value=st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_is_only_a_value(session: SqlSession, value: str) -> None:
    assert session.run("SELECT :a AS x", FRAME, {"a": value}).item() == value


@pytest.mark.parametrize(
    ("statement", "params", "message", "position"),
    [
        ("SELECT $a", None, "the parameter :a has no value; give it in params", 7),
        ("SELECT :b, $a", {"b": 1}, "the parameter :a has no value", 11),
        ("SELECT 1", {"a": 1}, "the statement has no parameter :a", None),
        ("SELECT ?", {"a": 1}, "the parameter :1 has no value", 7),
        ("SELECT :a", {"a": object()}, "can't be a value of type object", None),
        ("SELECT :a", {"a": 10**40}, "has more than 38 digits", None),
        ("SELECT * FROM :a", {"a": "deals"}, "", None),
        ("SELECT * FROM read_csv(:a)", {"a": "/etc/passwd"}, "read_csv() can't be called here", 14),
    ],
)
def test_parameters_that_dont_fit(
    session: SqlSession,
    statement: str,
    params: dict[str, Any] | None,
    message: str,
    position: int | None,
) -> None:
    with pytest.raises(QueryError) as caught:
        session.run(statement, FRAME, params)
    assert message in str(caught.value)
    assert caught.value.position == position or position is None


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM query_table(:a)",
        "SELECT * FROM :a",
        "SELECT * FROM glob(:a)",
        "SELECT getenv(:a)",
        "FROM read_text($a)",
        "SELECT :a.getenv()",
        "EXECUTE x(:a)",
        "SELECT 1; SELECT :a",
        "SET VARIABLE x = :a",
        "COPY deals TO :a",
    ],
)
def test_a_parameter_opens_nothing(
    session: SqlSession, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(in_process, "_selected", lambda *asked: ran.append(asked[2]))
    with pytest.raises(QueryError) as caught:
        session.run(statement, FRAME, {"a": "/etc/passwd"})
    assert ran == []
    assert "passwd" not in str(caught.value)
