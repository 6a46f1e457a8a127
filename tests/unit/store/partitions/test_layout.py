from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdb.errors import ConfigError, StoreDamaged
from dealdb.store.keys import Keys
from dealdb.store.partitions.layout import (
    SLOTS,
    Layout,
    check_partitions,
    partition_of,
    slot_of,
    tag_of,
)

POWERS = [2**n for n in range(9)]
PLACE = "the string 'deals:layout'"


def spread(counts: list[int]) -> tuple[float, float]:
    """The most and the least, against the mean."""
    mean = sum(counts) / len(counts)
    return max(counts) / mean, min(counts) / mean


@pytest.mark.parametrize("partitions", [16, 64, 256])
def test_ids_in_sequence_are_spread_evenly(partitions: int) -> None:
    counts = [0] * partitions
    for number in range(200_000):
        counts[partition_of(f"D{number:07d}", partitions)] += 1
    most, least = spread(counts)
    assert most < 1.02
    assert least > 0.98


@given(st.text(), st.sampled_from(POWERS[:-1]))
def test_a_partition_becomes_two_where_they_are_doubled(deal_id: str, partitions: int) -> None:
    assert partition_of(deal_id, 2 * partitions) // 2 == partition_of(deal_id, partitions)
    assert partition_of(deal_id, 1) == 0


@pytest.mark.parametrize("partitions", POWERS)
def test_tags_lie_evenly_over_the_slots(partitions: int) -> None:
    tags = [tag_of(number, partitions) for number in range(partitions)]
    share = SLOTS // partitions
    assert [slot_of(tag) // share for tag in tags] == list(range(partitions))
    assert max(map(len, tags)) <= 7
    for number, tag in enumerate(tags):
        first, *earlier = [f"{number}.{n}" if n else f"{number}" for n in range(2_000)]
        before = [first, *earlier]
        assert not any(slot_of(each) // share == number for each in before[: before.index(tag)])


@pytest.mark.parametrize(
    ("partitions", "nodes"), [(16, [5, 5, 6]), (64, [21, 21, 22]), (256, [85, 85, 86])]
)
def test_three_primaries_have_equal_parts(partitions: int, nodes: list[int]) -> None:
    held = [slot_of(tag_of(number, partitions)) * 3 // SLOTS for number in range(partitions)]
    assert sorted(map(held.count, range(3))) == nodes


@pytest.mark.parametrize("given", [0, 3, 512, -1, True, 4.0, "4", None])
def test_other_numbers_are_refused(given: object) -> None:
    with pytest.raises(ConfigError, match="a power of two from 1 to 256"):
        check_partitions(given)


def test_keys_of_a_partition_differ_from_all_others() -> None:
    plain, one, other = Keys("deal"), Keys("deal", tag_of(0, 4)), Keys("deal", tag_of(1, 4))
    assert one.deal("42") == "deal:{0.1}:42"
    assert one.chunk("x") == "deals:{0.1}:chunk:x"
    assert plain.layout == "deals:layout"
    assert len({keys.deal("{0.1}") for keys in (plain, one, other)}) == 3


def test_a_layout_is_read_as_it_was_written() -> None:
    layout = Layout.new(64)
    assert Layout.from_json(layout.to_json().encode(), PLACE) == layout
    assert Layout.new(64) != layout


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"format":2,"partitions":4,"genesis":"a"}', '{"format":1,"partitions":4}']
    + [json.dumps({"format": 1, "partitions": n, "genesis": "a"}) for n in (0, 3, 512, True, "4")],
)
def test_what_is_no_layout_is_damage(text: str) -> None:
    with pytest.raises(StoreDamaged, match="deals:layout"):
        Layout.from_json(text.encode(), PLACE)
