"""Commits of several partitions are put in an order that is that of each, whatever their clocks say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dealdb.errors import RestoreRefused
from dealdb.model.schema import Field, FieldType, Schema
from dealdb.store.backup.merging import merged
from dealdb.store.log.entry import Entry, Position

FIRST = Schema.standard(2).with_fields([Field("gone", FieldType.TEXT)])
WIDER = FIRST.with_fields([Field("more", FieldType.TEXT)])
WITHOUT = WIDER.without("gone")


class Partition:
    """The commits of one, by their times: a schema, or what a deal commit is called."""

    def __init__(self, *commits: tuple[int, Schema | str]) -> None:
        self._commits = commits

    def entries(self) -> Iterator[Entry]:
        for seq, (time_ms, what) in enumerate(self._commits, 1):
            is_schema = isinstance(what, Schema)
            data = what.to_json() if isinstance(what, Schema) else what
            kind = "schema" if is_schema else "set"
            yield Entry(Position(seq), time_ms, "w", seq, "", kind, 0, b"", data.encode())


NAMES = {
    FIRST.to_json(): "first",
    WIDER.to_json(): "wider",
    WITHOUT.to_json(): "without",
}


def order(*partitions: Partition) -> list[str]:
    given: list[Any] = list(partitions)
    said = [entry.data.decode() for _, entry in merged(given, given[0])]
    return [NAMES.get(text, text) for text in said]


def test_commits_are_in_the_order_of_their_times() -> None:
    one = Partition((1, FIRST), (2, "a"), (5, "b"))
    other = Partition((2, FIRST), (3, "c"), (4, "d"))
    assert order(one, other) == ["first", "a", "c", "d", "b"]


def test_what_a_clock_says_that_was_set_back_changes_no_order() -> None:
    one = Partition((1, FIRST), (9, "a"), (2, "b"))
    other = Partition((1, FIRST), (5, "c"))
    assert order(one, other) == ["first", "c", "a", "b"]


def test_a_field_is_there_before_it_is_used_even_if_the_clock_of_the_head_is_ahead() -> None:
    one = Partition((1, FIRST), (50, WIDER), (60, "a"))
    other = Partition((1, FIRST), (2, "b"), (3, WIDER), (4, "c"))
    assert order(one, other) == ["first", "b", "wider", "c", "a"]


def test_a_field_is_lost_after_all_have_done_what_they_did_before() -> None:
    one = Partition((1, FIRST), (2, WIDER), (3, WITHOUT), (4, "a"))
    other = Partition((1, FIRST), (2, WIDER), (5, "b"), (6, WITHOUT), (7, "c"))
    # one that has got several changes at once
    third = Partition((1, FIRST), (8, "d"), (9, WITHOUT), (9, "e"))
    assert order(one, other, third) == ["first", "wider", "b", "d", "without", "a", "c", "e"]


def test_a_change_that_not_all_have_made_is_refused() -> None:
    one = Partition((1, FIRST), (2, WIDER), (3, WITHOUT), (4, "a"))
    other = Partition((1, FIRST), (5, "b"))
    with pytest.raises(RestoreRefused, match="was being dropped, renamed or given another type"):
        order(one, other)
    with pytest.raises(RestoreRefused, match="fields that the first never had"):
        order(other, one)
    # one without a commit has nothing to lose
    assert order(one, Partition()) == ["first", "wider", "without", "a"]
