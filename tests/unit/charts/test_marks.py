"""Names of marks that differ."""

from __future__ import annotations

import hypothesis.strategies as st
import polars as pl

from dealdb.charts.marks import told_apart
from examples import given_examples

NAME = st.sampled_from(["Ann", "Ann (2)", "Ann (3)", "", "Bob"])


@given_examples(50, 2000, names=st.lists(NAME), panels=st.lists(st.sampled_from([None, "EUR"])))
def test_no_two_labels_of_a_panel_are_the_same(names: list[str], panels: list[str | None]) -> None:
    panel = (panels + [None] * len(names))[: len(names)]
    found = told_apart(
        pl.Series(names, dtype=pl.String), pl.Series(panel, dtype=pl.String)
    ).to_list()
    assert len({*zip(panel, found, strict=True)}) == len(names)
    firsts = [place for place, name in enumerate(names) if name not in names[:place]]
    assert [found[place] for place in firsts] == [names[place] for place in firsts]
