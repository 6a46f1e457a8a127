"""The same WHERE keeps the same rows here and in DuckDB: the null semantics of SQL, by comparison."""

from __future__ import annotations

from itertools import count

import polars as pl
import pytest
from hypothesis import HealthCheck, given, seed, settings

from dealdb.query.filters.comparisons import lowered
from dealdb.query.filters.where import compile_where
from examples import given_examples
from filter_cases import Oracle, filters, mixed_frame

FRAME = mixed_frame()
ORACLE = Oracle(FRAME)
ROUND = 2_000
CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large]


def kept(where: str) -> list[str]:
    condition = compile_where(where, FRAME.schema, {})
    assert condition is not None
    return FRAME.filter(condition)["id"].to_list()


@given_examples(40, 250, unless=CHECKS, where=filters())
def test_a_filter_keeps_what_duckdb_keeps(where: str) -> None:
    assert kept(where) == ORACLE.ids(where)


def test_a_float_among_members_leaves_the_others_exact() -> None:
    """Unlike in DuckDB, which compares all of them as floats: docs/querying.md tells."""
    among, apart = "amount IN (score, amount + rate)", "amount = score OR amount = amount + rate"
    assert kept(among) == kept(apart) == ORACLE.ids(apart) != ORACLE.ids(among)


@pytest.mark.slow
def test_many_filters_keep_what_duckdb_keeps(request: pytest.FixtureRequest) -> None:
    """As many different ones as ``--filters`` says: 100,000 take some 20 minutes."""
    wanted = request.config.getoption("--filters")
    # in rounds with seeds of their own: a run of Hypothesis holds all that it has drawn, and repeats some
    seeds = count(int(request.config.getoption("--hypothesis-seed") or 0))
    compared: set[str] = set()
    while len(compared) < wanted:

        @seed(next(seeds))
        @settings(max_examples=ROUND, deadline=None, suppress_health_check=CHECKS, database=None)
        @given(filters())
        def compare(where: str) -> None:
            if len(compared) < wanted:
                assert kept(where) == ORACLE.ids(where)
                compared.add(where)

        compare()
    # seen with ``pytest -s``
    print(f"{len(compared):,} filters, the next seed would be {next(seeds)}")


@pytest.mark.parametrize("cased", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_lower_case_is_that_of_duckdb_for_every_character_that_it_knows(*, cased: bool) -> None:
    known = (chr(code) for code in range(1, 0x110000) if not 0xD800 <= code < 0xE000)
    # the others take 20 times as long, and change only with the version of Unicode
    characters = [c for c in known if not cased or c.lower() != c or c.upper() != c]
    frame = pl.DataFrame({"name": characters})
    theirs = ORACLE.lower(characters)
    ours = frame.select(lowered(pl.col("name"))).to_series().to_list()
    differing = [c for c, our, their in zip(characters, ours, theirs, strict=True) if our != their]
    # Polars knows a newer Unicode than DuckDB 2.0, which leaves those letters as they are
    assert differing == [
        c for c, t in zip(characters, theirs, strict=True) if c in differing and c == t
    ]
    assert len(differing) <= 60
