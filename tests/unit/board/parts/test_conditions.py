"""Filters as conditions: adding and taking away never changes what the rest means."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dealdb.board.parts.conditions import conditions_of, joined, toggled
from dealdb.query import QueryEngine

ROWS = [
    {"id": str(n), "a": n % 5, "b": n % 3, "t": ("x AND y", "it's", "OR")[n % 3]} for n in range(60)
]
QUERY = QueryEngine.over(ROWS)
ATOMS = (
    "a > 2", "b = 1", "a BETWEEN 1 AND 3", "t = 'x AND y'", "t = 'it''s'", "t = 'OR'", "(a = 1 OR b = 2)",
    "NOT (a = 1 AND b = 2)", "a = 1 OR b = 0", "t IN ('OR', 'it''s')",
)  # fmt: skip


def ids(where: str | None) -> list[str]:
    return QUERY.find(where)["id"].to_list()


@given(st.lists(st.sampled_from(ATOMS), max_size=4), st.sampled_from(ATOMS))
@example(["a = 1 OR b = 0"], "a = 1 OR b = 0")
def test_adding_narrows_and_taking_away_gives_back(atoms: list[str], added: str) -> None:
    where = joined(list(dict.fromkeys(atoms)))
    narrowed, had = toggled(where, added)
    if had:
        return
    kept = set(ids(added))
    assert ids(narrowed) == [each for each in ids(where) if each in kept]
    again, has = toggled(narrowed, added)
    assert has
    assert ids(again) == ids(where)


@given(st.lists(st.sampled_from(ATOMS), min_size=1, max_size=4))
def test_the_conditions_joined_are_the_filter(atoms: list[str]) -> None:
    where = joined(atoms)
    assert ids(joined(conditions_of(where))) == ids(where)


@pytest.mark.parametrize(
    "odd", ["a > 1 -- AND b = 1", "a > /* AND */ 1", "'", "((", "AND", "a = 'x"]
)
def test_what_is_odd_stays_in_one_piece_or_in_order(odd: str) -> None:
    assert "".join("".join(conditions_of(odd)).split()) in "".join(odd.split()) + "AND"
