"""Merges: chains, and circles."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from dealdb.loader.history.rows.history_table import ROW
from dealdb.loader.history.sequence.merges import circles

PAIRS = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")), max_size=10)


def frame(pairs: list[tuple[str, str]]) -> pl.DataFrame:
    rows = [(one, other, n) for n, (one, other) in enumerate(pairs)]
    return pl.DataFrame(rows, {"id": pl.String, "value": pl.String, ROW: pl.UInt32}, orient="row")


def ends(pairs: list[tuple[str, str]]) -> bool:
    """Whether no deal is merged, over however many others, into itself."""
    reached = set(pairs)
    for _ in range(6):
        reached |= {(a, d) for a, b in reached for c, d in pairs if b == c}
    return all(one != other for one, other in reached)


@given(PAIRS)
def test_without_the_circles_every_chain_ends(pairs: list[tuple[str, str]]) -> None:
    bad = set(circles(frame(pairs)))
    assert ends([pair for n, pair in enumerate(pairs) if n not in bad])
    # nothing is taken for a circle where there is none
    assert not ends(pairs) or not bad
