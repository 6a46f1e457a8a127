"""Pages joined are the whole result, also while others write; and a cursor goes with its query alone."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdb.errors import QueryError
from dealdb.model.columns import spelled_out
from dealdb.query.engine import QueryEngine
from dealdb.query.results.paging import Page
from examples import given_examples
from filter_cases import mixed_frame
from query_cases import Frames, engine_of, in_order

FRAME = mixed_frame()
SORTABLE = [name for name in FRAME.columns if name not in ("id", "tags")]
keys = st.lists(st.sampled_from(["id", *SORTABLE]), max_size=4, unique=True).flatmap(
    lambda names: st.tuples(*(st.sampled_from([name, f"-{name}"]) for name in names)).map(list)
)


def pages(query: QueryEngine, *arguments: Any, **options: Any) -> Iterator[Page]:
    cursor: str | None = None
    while True:
        page = query.page(*arguments, cursor=cursor, **options)
        yield page
        cursor = page.next
        if cursor is None:
            return


def ids(found: list[Page]) -> list[str]:
    return [deal_id for page in found for deal_id in page.items["id"]]


@given_examples(
    10,
    80,
    sort=keys,
    size=st.integers(4, 60),
    where=st.sampled_from([None, "won", "amount > 1", "name IS NULL", "FALSE"]),
)
def test_pages_joined_are_the_full_sort(sort: list[str], size: int, where: str | None) -> None:
    query = engine_of(FRAME)
    kept = set(query.find(where)["id"])
    rows = [row for row in FRAME.iter_rows(named=True) if row["id"] in kept]
    found = list(pages(query, where, sort=sort, size=size))
    assert ids(found) == in_order(rows, [*sort, *(["id"] if not {"id", "-id"} & set(sort) else [])])
    assert {page.total for page in found} == {len(kept)}
    assert all(page.items.height == size for page in found[:-1])


DEAL = st.fixed_dictionaries(
    {
        "amount": st.none() | st.sampled_from([Decimal("0.10"), Decimal("5"), Decimal("-1.25")]),
        "created": st.none() | st.dates(date(2026, 1, 1), date(2026, 1, 4)),
        "rate": st.none() | st.floats(allow_nan=True),
        "name": st.none() | st.text(max_size=2),
        "won": st.none() | st.booleans(),
    }
)
TYPES = {
    "id": pl.String(),
    "amount": pl.Decimal(38, 2),
    "created": pl.Date(),
    "rate": pl.Float64(),
    "name": pl.Categorical(),
    "won": pl.Boolean(),
}
CHANGES = st.lists(st.tuples(st.integers(0, 40), st.none() | DEAL), max_size=6)


def frame_of(deals: dict[str, dict[str, Any]]) -> pl.DataFrame:
    rows = [{"id": deal_id, **deal} for deal_id, deal in deals.items()]
    return pl.DataFrame(rows, schema=TYPES, orient="row")


@given_examples(
    10,
    100,
    deals=st.lists(DEAL, min_size=5, max_size=25),
    sort=st.lists(st.sampled_from([*TYPES]), max_size=3, unique=True),
    descending=st.lists(st.booleans(), min_size=3, max_size=3),
    size=st.integers(1, 6),
    writes=st.lists(CHANGES, min_size=1, max_size=8),
)
def test_a_deal_that_nobody_changes_is_on_exactly_one_page(
    deals: list[dict[str, Any]],
    sort: list[str],
    descending: list[bool],
    size: int,
    writes: list[list[tuple[int, dict[str, Any] | None]]],
) -> None:
    live = {str(number): deal for number, deal in enumerate(deals)}
    unchanged = dict(live)
    query = QueryEngine(Frames(lambda: frame_of(live)))
    spec = [f"{'-' * down}{name}" for name, down in zip(sort, descending, strict=False)]
    seen: list[str] = []
    for turn, page in enumerate(pages(query, sort=spec, size=size)):
        assert page.total == len(live)
        seen.extend(page.items["id"])
        for number, deal in writes[turn] if turn < len(writes) else ():
            unchanged.pop(str(number), None)
            live.pop(str(number), None)
            if deal is not None:
                live[str(number)] = deal
    whole = query.find(sort=[*spec, *([] if "id" in sort else ["id"])])["id"].to_list()
    expected = [deal_id for deal_id in whole if deal_id in unchanged]
    assert [deal_id for deal_id in seen if deal_id in unchanged] == expected


def test_the_last_page_has_no_next() -> None:
    query = engine_of(FRAME)
    assert query.page(size=150).next is None
    assert query.page(size=149).next is not None
    assert query.page("FALSE").next is None
    assert query.page("FALSE").items.schema == spelled_out(FRAME).schema


def test_a_page_has_the_columns_asked_for_and_needs_no_id_among_them() -> None:
    found = list(pages(engine_of(FRAME), "won", sort="amount", size=9, columns=["name"]))
    assert {tuple(page.items.columns) for page in found} == {("name",)}
    assert sum(page.items.height for page in found) == found[0].total


def test_a_cursor_survives_a_column_that_is_widened() -> None:
    narrow = pl.DataFrame({"id": list("abcd"), "n": [1, 2, 2, 3]})
    wide = narrow.with_columns(pl.col("n").cast(pl.Decimal(38, 4)))
    first = engine_of(narrow).page(sort="n", size=2)
    assert engine_of(wide).page(sort="n", size=2, cursor=first.next).items["id"].to_list() == [
        "c",
        "d",
    ]


def test_size_and_columns_may_change_between_pages_and_equals_may_be_spelled_anew() -> None:
    query = engine_of(FRAME)
    first = query.page(name=["a", "b", "A"], size=3)
    rest = query.page(name={"A", "b", "a"}, size=500, columns=["id"], cursor=first.next)
    assert ids([first, rest]) == sorted(query.find(name=["a", "b", "A"])["id"])


@pytest.mark.parametrize(
    "other",
    [
        {"sort": "name"},
        {"sort": "-amount"},
        {"sort": ["amount", "name"]},
        {"where": "won"},
        {"where": pl.col("won")},
        {"won": True},
        {},
    ],
    # named by hand: the text of an expression holds its address, and workers have to agree on the names
    ids=["sort", "descending", "two keys", "where", "expression", "keyword", "nothing"],
)
def test_a_cursor_goes_with_its_filter_and_sort_alone(other: dict[str, Any]) -> None:
    query = engine_of(FRAME)
    cursor = query.page("seats > 0", sort="amount", size=2).next
    options = {"where": "seats > 0", "sort": "amount", **other} if other else {"sort": "amount"}
    with pytest.raises(QueryError, match="another filter or sort"):
        query.page(**options, size=2, cursor=cursor)


def test_a_cursor_of_a_column_whose_type_changed_is_told() -> None:
    cursor = engine_of(pl.DataFrame({"id": ["a", "b"], "n": ["1", "2"]})).page(sort="n", size=1)
    with pytest.raises(QueryError, match="another filter or sort"):
        engine_of(pl.DataFrame({"id": ["a", "b"], "n": [1, 2]})).page(sort="n", cursor=cursor.next)


@given(data=st.data())
def test_a_cursor_that_was_tampered_with_is_refused(data: st.DataObject) -> None:
    query = engine_of(FRAME)
    cursor = query.page(sort="-amount", size=3).next
    assert cursor is not None
    raw = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(QueryError, match="this cursor"):
        query.page(sort="-amount", cursor=base64.urlsafe_b64encode(bytes(raw)).decode())


@given(st.text(max_size=30))
def test_any_text_as_a_cursor(text: str) -> None:
    with pytest.raises(QueryError, match="this cursor"):
        engine_of(FRAME).page(cursor=text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size is a whole number from 1 up, not 0"),
        ({"size": "5"}, "size is a whole number from 1 up, not '5'"),
        ({"cursor": 5}, "a cursor is the text of Page.next"),
        ({"sort": "seats", "size": 1}, "can't be sorted by 'seats', which is List(Int64)"),
    ],
)
def test_options_that_cant_be_understood(options: dict[str, Any], message: str) -> None:
    frame = pl.DataFrame({"id": ["1", "2"], "seats": [[1], [2]]})
    with pytest.raises(QueryError) as caught:
        engine_of(frame).page(**options)
    assert message in str(caught.value)


def test_a_page_shows_no_value_of_a_deal() -> None:
    frame = pl.DataFrame({"id": ["1", "2"], "name": ["secret", "hidden"]})
    assert repr(engine_of(frame).page(sort="name", size=1)) == "Page(1 of 2 deals, more)"
