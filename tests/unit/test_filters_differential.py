"""The same WHERE keeps the same rows here and in DuckDB: the null semantics of SQL, by comparison."""

from __future__ import annotations

import polars as pl
import pytest
from filter_cases import Oracle, filters, mixed_frame
from hypothesis import HealthCheck, given, settings

from dealdb.query.comparing import lowered
from dealdb.query.filters import compile_where

FRAME = mixed_frame()
ORACLE = Oracle(FRAME)
CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large]


def kept(where: str) -> list[str]:
    condition = compile_where(where, FRAME.schema, {})
    assert condition is not None
    return FRAME.filter(condition)["id"].to_list()


@settings(max_examples=500, deadline=None, suppress_health_check=CHECKS)
@given(filters())
def test_a_filter_keeps_what_duckdb_keeps(where: str) -> None:
    assert kept(where) == ORACLE.ids(where)


def test_a_float_among_members_leaves_the_others_exact() -> None:
    """Unlike in DuckDB, which compares all of them as floats: docs/querying.md tells."""
    among, apart = "amount IN (score, amount + rate)", "amount = score OR amount = amount + rate"
    assert kept(among) == kept(apart) == ORACLE.ids(apart) != ORACLE.ids(among)


@pytest.mark.slow
def test_many_filters_keep_what_duckdb_keeps(request: pytest.FixtureRequest) -> None:
    """As many as ``--filters`` says: 100,000 take some 20 minutes."""

    @settings(
        max_examples=request.config.getoption("--filters"),
        deadline=None,
        suppress_health_check=CHECKS,
    )
    @given(filters())
    def compare(where: str) -> None:
        assert kept(where) == ORACLE.ids(where)

    compare()


def test_lower_case_is_that_of_duckdb_for_every_character_that_it_knows() -> None:
    characters = [chr(code) for code in range(1, 0x110000) if not 0xD800 <= code < 0xE000]
    frame = pl.DataFrame({"name": characters})
    theirs = ORACLE.lower(characters)
    ours = frame.select(lowered(pl.col("name"))).to_series().to_list()
    differing = [c for c, our, their in zip(characters, ours, theirs, strict=True) if our != their]
    # Polars knows a newer Unicode than DuckDB 2.0, which leaves those letters as they are
    assert differing == [
        c for c, t in zip(characters, theirs, strict=True) if c in differing and c == t
    ]
    assert len(differing) <= 60
