"""Search by an index finds what a scan of the texts finds: the same deals, scores and highlights."""

from __future__ import annotations

from itertools import product
from random import Random

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

from dealdb.query.index import by_postings, indexed_search, matching, vocabulary
from dealdb.query.index.indexed_search import IndexedSearch
from dealdb.query.index.token_index import LAST_PLACE, token_index
from dealdb.query.results import search
from dealdb.query.results.search import searched, words_of
from examples import of_profile
from search_cases import COLUMNS, asked, frame, seeds, some_words

# few rows and words are handled in another way than many
LIMITS = (
    (search, "_FEW"),
    (indexed_search, "_FEW"),
    (indexed_search, "_MOST_NUMBERS"),
    (by_postings, "_SPARSE"),
    (matching, "_FEW"),
    (vocabulary, "_FEW"),
)
FEW_AND_MOST = [*product([0, 100], repeat=2)]


def limits(draw: Random) -> list[int]:
    """Some for each of them."""
    return draw.choices([0, 1, 3, 100], k=len(LIMITS))


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


@settings(max_examples=of_profile(10))
@given(seeds)
def test_it_finds_what_a_scan_finds(seed: int) -> None:
    draw = Random(seed)
    words = some_words(draw)
    before, after = frame(draw, words), frame(draw, words)
    n = before.height
    changed = [i for i in range(n) if draw.random() < 0.3] if after.height else []
    # rows that were changed have the texts of others, and some were added
    rows = [after.row(i % after.height) if i in changed else before.row(i) for i in range(n)]
    now = pl.DataFrame([*rows, *after.rows()], schema=before.schema, orient="row")
    ids = draw.sample([f"D{i}" for i in range(now.height)], now.height)
    now = now.with_columns(pl.Series("id", ids, dtype=pl.String))
    # a row keeps its id, as long as its texts stay
    own = [None if i in changed else ids[i] for i in range(n)]
    before = before.with_columns(pl.Series("id", own, dtype=pl.String))
    names = draw.sample(COLUMNS, draw.choice([1, 3, len(COLUMNS)]))
    some = [draw.random() < 0.5 for _ in range(now.height)]
    kept = draw.choice([None, pl.Series(some, dtype=pl.Boolean)])
    with pytest.MonkeyPatch.context() as patch:
        set_limits(patch, limits(draw))
        assert_same(before, now, asked(draw, words), names, draw.choice([1, 3, 20]), kept, changed)


@settings(max_examples=of_profile(10))
@given(seeds)
def test_it_ranks_the_same_where_many_match(seed: int) -> None:
    draw = Random(seed)
    words = some_words(draw)
    deals, most = frame(draw, words, least=5), draw.randint(1, 4)
    changed = [i for i in range(deals.height) if draw.random() < 0.3]
    with pytest.MonkeyPatch.context() as patch:
        for module in (search, indexed_search):
            patch.setattr(module, "MAX_RANKED", most)
        set_limits(patch, limits(draw))
        some = draw.choice([[], changed])
        assert_same(deals, deals, asked(draw, words), list(COLUMNS), 20, None, some)


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


@pytest.mark.parametrize(("few", "most_numbers"), FEW_AND_MOST)
def test_rows_whose_texts_have_changed_are_looked_at_alone_in_whatever_order_the_ids_are(
    monkeypatch: pytest.MonkeyPatch, few: int, most_numbers: int
) -> None:
    set_limits(monkeypatch, [few, few, most_numbers, 1, 1, 0])
    before = pl.DataFrame({"id": ["9", "8", "7"], "name": ["acme one", "acme", "pilot"]})
    before = before.with_columns(**dict.fromkeys(COLUMNS[2:], pl.lit("b")))
    names = pl.Series(["acme two", "pilot", "pilot"])
    now = before.with_columns(name=names)
    changed = [0, 1]
    for question, found in (("acme", ["9"]), ("one", []), ("pilot", ["7", "8"])):
        assert_same(before, now, question, list(COLUMNS), 20, None, changed)
        assert searched(now, [question], list(COLUMNS), 20)["id"].to_list() == found


@pytest.mark.parametrize(("few", "most_numbers"), FEW_AND_MOST)
def test_of_the_rows_that_an_index_has_only_those_that_are_asked_for_are_found(
    monkeypatch: pytest.MonkeyPatch, few: int, most_numbers: int
) -> None:
    set_limits(monkeypatch, [few, few, most_numbers, 1, 1, 0])
    frame = pl.DataFrame({"id": ["9", "8", "7"], "name": "acme"})
    frame = frame.with_columns(**dict.fromkeys(COLUMNS[2:], pl.lit("b")))
    for some in ([True, False, False], [False, True, True], [False] * 3):
        kept = pl.Series(some)
        assert_same(frame, frame, "acme", list(COLUMNS), 20, kept, [])
        assert searched(frame, ["acme"], ["name"], 20, kept).height == sum(some)


def texts(**columns: list[str]) -> pl.DataFrame:
    """Deals with some texts, and with the same in all other columns."""
    [n] = {len(each) for each in columns.values()}
    ids = [f"D{i}" for i in range(n)]
    rest = {name: ["b"] * n for name in COLUMNS[1:] if name not in columns}
    frame = pl.DataFrame({"id": ids, **rest, **columns}).select(COLUMNS)
    return frame.with_columns(pl.col("owner").cast(pl.Categorical))


@pytest.mark.parametrize(("few", "most_numbers"), FEW_AND_MOST)
@pytest.mark.parametrize("more", ["acme", "renewals"])
@pytest.mark.parametrize(("one", "other"), [("name", "owner"), ("owner", "name"), ("name", "note")])
def test_of_very_many_rows_those_with_whole_words_are_ranked_whichever_word_is_the_rarer(
    monkeypatch: pytest.MonkeyPatch, few: int, most_numbers: int, more: str, one: str, other: str
) -> None:
    for module in (search, indexed_search):
        monkeypatch.setattr(module, "MAX_RANKED", 2)
    set_limits(monkeypatch, [few, few, most_numbers, 1, 1, 0])
    first, second = ["acme"] * 4, ["renewals"] * 2 + ["renewal"] * 2
    for column in (first, second):
        column += [more if more[0] == column[0][0] else "b"] * 3
    frame = texts(**{one: first, other: second})
    assert_same(frame, frame, "acme renewal", list(COLUMNS), 20, None, [])
    found = searched(frame, ["acme", "renewal"], list(COLUMNS), 20)
    assert found["id"].to_list() == ["D2", "D3"]


@pytest.mark.parametrize(("few", "most_numbers"), FEW_AND_MOST)
@pytest.mark.parametrize("question", ["renew", "acme renew"])
def test_rows_of_many_words_that_begin_alike_do_not_ascend(
    monkeypatch: pytest.MonkeyPatch, few: int, most_numbers: int, question: str
) -> None:
    set_limits(monkeypatch, [few, few, most_numbers, 1, 1, 0])
    names = ["renewed", "renewal", "renewals", "renewal", "renewed"]
    frame = texts(name=names, note=["acme", "b", "acme", "acme", "b"])
    # with fewer than there are, those with typos are not looked for
    for limit in (3, 20):
        assert_same(frame, frame, question, list(COLUMNS), limit, None, [])
    assert len(searched(frame, words_of(question), list(COLUMNS), 20)) == (
        3 if "a" in question else 5
    )


@pytest.mark.parametrize("most_numbers", [0, 6, 100])
def test_of_very_many_rows_those_that_have_changed_crowd_out_none(
    monkeypatch: pytest.MonkeyPatch, most_numbers: int
) -> None:
    for module in (search, indexed_search):
        monkeypatch.setattr(module, "MAX_RANKED", 2)
    set_limits(monkeypatch, [0, 0, most_numbers, 1, 1, 0])
    before, now = texts(name=["acme"] * 10), texts(name=["b"] * 5 + ["acme"] * 5)
    kept = pl.Series([True] * 6 + [False] + [True] * 3)
    for some, found in ((None, ["D5", "D6"]), (kept, ["D5", "D7"])):
        assert_same(before, now, "acme", list(COLUMNS), 20, some, list(range(5)))
        assert searched(now, ["acme"], list(COLUMNS), 20, some)["id"].to_list() == found


@pytest.mark.parametrize("sparse", [0, 100])
def test_a_word_counts_in_each_column_that_has_it(
    monkeypatch: pytest.MonkeyPatch, sparse: int
) -> None:
    set_limits(monkeypatch, [0, 0, 100, sparse, 1, 0])
    frame = texts(name=["acme", "b", "b"], note=["acme", "acme", "acme"])
    for names in (["name", "note"], ["note", "name"]):
        assert_same(frame, frame, "acme", names, 20, None, [])


@pytest.mark.parametrize("column", ["name", "owner"])
@pytest.mark.parametrize("n", [LAST_PLACE - 1, LAST_PLACE, LAST_PLACE + 1])
def test_of_texts_with_more_words_than_places_it_is_known_which_word_comes_first(
    monkeypatch: pytest.MonkeyPatch, column: str, n: int
) -> None:
    set_limits(monkeypatch, [0, 0, 100, 1, 1, 0])
    frame = texts(**{column: ["re " * n + "acme renewal", "re " * n + "renewal acme", "acme"]})
    for question in ("acme renewal", "renewal acme"):
        assert_same(frame, frame, question, list(COLUMNS), 20, None, [])


def test_what_was_found_in_some_columns_is_not_kept_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_limits(monkeypatch, [0, 0, 0, 1, 1, 0])
    frame = texts(name=["acme", "b"], note=["b", "acme"])
    index, nothing = token_index(frame, COLUMNS), np.empty(0, np.uint32)
    for names in (["name"], ["note"], ["name", "note"], list(COLUMNS)):
        by_index = IndexedSearch(index, frame.select(names), None, nothing, frame["id"])
        found = searched(frame, ["acme"], names, 20, None, by_index)
        assert found.rows() == searched(frame, ["acme"], names, 20).rows()
