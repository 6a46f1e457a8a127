"""Commits may be applied one by one or many at a time: the columns are the same."""

from __future__ import annotations

import hypothesis.strategies as st
import msgpack
import pytest
from polars.testing import assert_frame_equal

from dealdb.model.schema import Field, FieldType, Schema
from dealdb.store.log.entry import Entry, Position
from dealdb.store.replica.replica import Replica
from examples import given_examples

SCHEMA = Schema.standard().with_fields([Field("tags", FieldType.LIST)])
TEXTS = {
    "name": ["a", "b", ""],
    "amount": ["1", "2.5", "none of its type"],
    "updated": ["2026-01-31T09:30:00Z"],
    "tags": ['["x"]', "[]"],
}
Change = tuple[list[int], dict[str, str | None] | None]
CHANGES: st.SearchStrategy[list[Change]] = st.lists(
    st.tuples(
        # few rows: what happens twice to one of them is what matters
        st.lists(st.integers(0, 1), min_size=1, max_size=2, unique=True),
        st.none()
        | st.fixed_dictionaries(
            {}, optional={name: st.none() | st.sampled_from(t) for name, t in TEXTS.items()}
        ),
    ),
    min_size=2,
    max_size=12,
)


def entry(
    seq: int, kind: str, height: int, rows: list[int], data: bytes, *, time_ms: int = 0
) -> Entry:
    return Entry(
        Position(seq, b"%d" % seq), time_ms, "w", seq, "", kind, height, msgpack.packb(rows), data
    )


def entries_of(changes: list[Change]) -> list[Entry]:
    """Commits of these changes to rows; those that are not there yet are added in order."""
    entries = [entry(1, "schema", 0, [], SCHEMA.to_json().encode())]
    height = 0
    for wanted, given_ in changes:
        known = [row for row in wanted if row < height]
        rows = [*known, *range(height, height + len(wanted) - len(known))]
        ids = [f"deal {row}" for row in rows]
        seq = len(entries) + 1
        if given_ is None:
            if known:
                data = msgpack.packb([ids[: len(known)]])
                entries.append(entry(seq, "delete", height, known, data))
            continue
        columns = [[text] * len(rows) for text in given_.values()]
        data = msgpack.packb([ids, list(given_), columns])
        entries.append(entry(seq, "set", height, rows, data, time_ms=1000 * seq))
        height += len(rows) - len(known)
    return entries


def check(changes: list[Change], *, lag: int) -> None:
    entries = entries_of(changes)
    at_once, one_by_one = Replica(), Replica()
    at_once.apply(entries[:lag])
    at_once.apply(entries[lag:])
    for single in entries:
        one_by_one.apply([single])
    assert_frame_equal(at_once.all_rows(), one_by_one.all_rows())
    assert at_once.position == one_by_one.position


@given_examples(20, 150, changes=CHANGES, lag=st.integers(2, 4))
def test_many_commits_at_once_are_the_same_as_one_by_one(changes: list[Change], lag: int) -> None:
    check(changes, lag=lag)


@pytest.mark.parametrize("first", [None, "none of its type"])
def test_value_set_after_it_was_cleared_stays(first: str | None) -> None:
    """Polars writes the nulls of a scatter last."""
    check([([0], {"amount": "1"}), ([0], {"amount": first}), ([0], {"amount": "2"})], lag=2)


def test_a_long_column_of_texts_is_not_copied_for_what_is_appended() -> None:
    replica, height = Replica(), 10_000
    replica.apply([entry(1, "schema", 0, [], SCHEMA.to_json().encode())])
    ids = [f"{row}" for row in range(height)]
    rows = list(range(height))
    replica.apply([entry(2, "set", 0, rows, msgpack.packb([ids, ["name"], [ids]]))])
    for seq in range(3, 203):
        ids.append(f"{height}")
        data = msgpack.packb([[f"{height}"], ["name"], [[f"{height}"]]])
        replica.apply([entry(seq, "set", height, [height], data)])
        height += 1
        sizes = [len(piece) for piece in replica.columns["name"].get_chunks()]
        assert sizes[0] == 10_000
        assert len(sizes) <= 33
    assert replica.columns["name"].to_list() == ids
