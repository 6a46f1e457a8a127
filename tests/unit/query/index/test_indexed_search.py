"""Search by an index finds what a scan of the texts finds: the same deals, scores and highlights."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdb.query.index import indexed_search, matching, vocabulary
from dealdb.query.index.indexed_search import IndexedSearch
from dealdb.query.index.token_index import token_index
from dealdb.query.results import search
from dealdb.query.results.search import searched, words_of
from search_cases import COLUMNS, asked, frames

# few rows and words are handled in another way than many
LIMITS = (
    (search, "_FEW"),
    (indexed_search, "_FEW"),
    (indexed_search, "_MOST_NUMBERS"),
    (indexed_search, "_SPARSE"),
    (matching, "_FEW"),
    (vocabulary, "_FEW"),
)
limits = st.lists(st.sampled_from([0, 1, 3, 100]), min_size=len(LIMITS), max_size=len(LIMITS))


def assert_same(
    index_of: pl.DataFrame,
    frame: pl.DataFrame,
    question: str,
    names: list[str],
    limit: int,
    kept: pl.Series | None,
    changed: list[int],
) -> None:
    words = words_of(question)
    index = token_index(index_of, COLUMNS)
    rows = np.array(changed, np.uint32)
    by_index = IndexedSearch(index, frame.select(names), kept, rows, frame["id"])
    expected = searched(frame, words, names, limit, kept)
    found = searched(frame, words, names, limit, kept, by_index)
    assert found.rows() == expected.rows()


def set_limits(patch: pytest.MonkeyPatch, given: list[int]) -> None:
    for (module, name), limit in zip(LIMITS, given, strict=True):
        # of no words at all each could have its own postings
        patch.setattr(module, name, max(limit, 1) if module is matching else limit)


@given(frames(), frames(), asked, limits, st.data())
def test_it_finds_what_a_scan_finds(
    before: pl.DataFrame, after: pl.DataFrame, question: str, given: list[int], data: st.DataObject
) -> None:
    n = before.height
    changed = data.draw(st.lists(st.integers(0, n - 1), unique=True)) if n else []
    # rows that were changed have the texts of others, and some were added
    rows = [
        after.row(i % after.height) if i in changed and after.height else before.row(i)
        for i in range(n)
    ]
    changed = changed if after.height else []
    now = pl.DataFrame([*rows, *after.rows()], schema=before.schema, orient="row")
    ids = [f"D{i}" for i in data.draw(st.permutations(range(now.height)))]
    now = now.with_columns(pl.Series("id", ids, dtype=pl.String))
    # a row keeps its id, as long as its texts stay
    own = [None if i in changed else ids[i] for i in range(n)]
    before = before.with_columns(pl.Series("id", own, dtype=pl.String))
    names = data.draw(st.permutations(COLUMNS)).copy()[: data.draw(st.integers(1, len(COLUMNS)))]
    kept = None
    if data.draw(st.booleans()):
        some = data.draw(st.lists(st.booleans(), min_size=now.height, max_size=now.height))
        kept = pl.Series(some, dtype=pl.Boolean)
    limit = data.draw(st.sampled_from([1, 3, 20]))
    with pytest.MonkeyPatch.context() as patch:
        set_limits(patch, given)
        assert_same(before, now, question, names, limit, kept, changed)


@given(frames(least=5), asked, st.integers(1, 4), limits)
def test_it_ranks_the_same_where_many_match(
    frame: pl.DataFrame, question: str, most: int, given: list[int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for module in (search, indexed_search):
            patch.setattr(module, "MAX_RANKED", most)
        set_limits(patch, given)
        assert_same(frame, frame, question, list(COLUMNS), 20, None, [])


def test_a_typo_in_a_category_has_a_letter_that_no_other_text_has() -> None:
    frame = pl.DataFrame({"id": ["1"], "name": "b", "company": "b", "owner": "quartz", "note": "b"})
    frame = frame.with_columns(pl.col("owner").cast(pl.Categorical))
    for question in ("qartz", "quadtz"):
        assert_same(frame, frame, question, list(COLUMNS), 20, None, [])


@pytest.mark.parametrize(
    ("false", "right", "question"),
    [
        ("ren wal", "renxwal", "renwal"),
        ("straße", "strase", "strase"),
        ("straße", "strases", "strase"),
    ],
)
@pytest.mark.parametrize("apart", [False, True])
def test_rows_that_only_a_pattern_takes_for_right_ones_crowd_out_none(
    monkeypatch: pytest.MonkeyPatch, false: str, right: str, question: str, *, apart: bool
) -> None:
    for module in (search, indexed_search):
        monkeypatch.setattr(module, "MAX_RANKED", 3)
    set_limits(monkeypatch, [0, 0, 3, 1, 1, 0])
    names = [*[false] * 5, *[right] * 2]
    texts = dict.fromkeys(COLUMNS[2:], pl.lit("b"))
    frame = pl.DataFrame({"id": [f"D{i}" for i in range(7)], "name": names}).with_columns(**texts)
    assert_same(frame, frame, question, list(COLUMNS), 2, None, list(range(7)) if apart else [])
    assert searched(frame, [question], ["name"], 2)["name"].to_list() == [right] * 2
