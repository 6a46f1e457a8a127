"""What is left out of the table of ids can be told from the changes of deals."""

from __future__ import annotations

from itertools import pairwise

import hypothesis.strategies as st
import polars as pl
from hypothesis import given, settings

from dealdb.store.ledger.keeping import stated
from dealdb.store.ledger.ledger import Ledger
from dealdb.store.ledger.tables import TABLES
from examples import few_by_default

CHANGES = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 6), st.sampled_from("abc")), max_size=20
)


@settings(max_examples=few_by_default(20), deadline=None)
@given(changes=CHANGES, cuts=st.sets(st.integers(1, 6), max_size=3))
def test_ids_of_all_changes_come_back_from_pieces(
    changes: list[tuple[int, int, str]], cuts: set[int]
) -> None:
    # within a commit, in the order given
    ids = pl.DataFrame(changes, TABLES["ids"], orient="row").sort("seq", maintain_order=True)
    ledger = Ledger()
    edges = [0, *sorted(cuts), 7]
    for first, last in pairwise(edges):
        part = ids.filter(pl.col("seq").is_between(first + 1, last))
        ledger.ids.append(stated(part))
        ledger.touches.append(part.select("row", "seq", at=None, stamped=False))
    rows = pl.Series([0, 1, 3], dtype=pl.UInt32)
    found = ledger.all_ids(rows)
    expected = ids.filter(pl.col("row").is_in(rows.implode()))
    in_order = [table.sort("row", "seq", maintain_order=True) for table in (found, expected)]
    assert in_order[0].rows() == in_order[1].rows()
