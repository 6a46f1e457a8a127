"""Whatever is typed, a filter and a statement end in a result or a QueryError, and in nothing else."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from dealdb.errors import QueryError
from dealdb.query.sql.session import SqlSession
from examples import few_by_default
from filter_cases import mixed_frame
from query_cases import engine_of

FRAME = mixed_frame(30)
QUERY = engine_of(FRAME)
SESSION = SqlSession(timeout_s=5, memory_mb=128)
TOKENS = """
amount rate seats score name owner active won created closed updated id nosuch "name" "x y" deals today now
= <> < <= > >= + - * / % || ~ ( ) ( ) [ ] { } , . ; : :: -> ? $1 @ # ! ' " `
AND OR NOT IN BETWEEN LIKE ILIKE ESCAPE IS NULL TRUE FALSE DISTINCT FROM CASE WHEN THEN ELSE END CAST AS DATE TIMESTAMP
INTERVAL EXISTS SELECT WHERE ANY ALL UNION OVER FILTER COLLATE AT TIME ZONE VALUES ROW ARRAY SYMMETRIC SIMILAR TO GLOB
0 1 1.5 1e5 .5 1e 30d 3mo 1h '2026-01-01' '2026-13-01' 'a' '%a_' '' '!' E'a' $$a$$ X'0F' 1_000
lower( upper( trim( length( year( date( coalesce( abs( contains( now( today( getenv( sum( count( LEADING extract(
-- /* */ \\ é 日本 🦆
"""
CLAUSES = (
    "GROUP BY ORDER HAVING LIMIT JOIN USING ON WITH PIVOT UNPIVOT QUALIFY * AS WINDOW EXCEPT x"
)
soup = st.lists(st.sampled_from(TOKENS.split()), max_size=14).map(" ".join)
statements = st.lists(st.sampled_from((TOKENS + CLAUSES).split()), max_size=12).map(
    lambda words: f"SELECT {' '.join(words)}"
)


def outcome(call: Callable[[], pl.DataFrame]) -> pl.DataFrame | QueryError:
    try:
        return call()
    except QueryError as error:
        return error


def check(text: str, result: pl.DataFrame | QueryError) -> None:
    if isinstance(result, QueryError):
        assert result.text == text
        assert result.position is None or 0 <= result.position <= len(text)


@settings(max_examples=few_by_default(30), deadline=None)
@given(st.one_of(soup, st.text(max_size=40)))
def test_any_text_as_a_filter(text: str) -> None:
    check(text, outcome(lambda: QUERY.find(text)))


@given(st.one_of(statements, st.text(max_size=40)))
def test_any_text_as_a_statement(text: str) -> None:
    check(text, outcome(lambda: SESSION.run(text, FRAME)))
