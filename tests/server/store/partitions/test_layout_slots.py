"""The server's own word on where the keys of a partition lie."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dealdb.store.keys import Keys
from dealdb.store.partitions.layout import partition_of, slot_of, tag_of
from servers import Server


@pytest.mark.parametrize("partitions", [4, 256])
def test_all_keys_of_a_partition_are_in_the_slot_of_its_tag(
    new_server: Callable[..., Server], partitions: int
) -> None:
    server = new_server("--cluster-enabled", "yes")
    # braces in an id do no harm: the first ones count
    ids = ["42", "a{b}c", "{}", "Zürich"]
    with server.client() as client:
        for number in range(partitions):
            tag = tag_of(number, partitions)
            keys = Keys("deal", tag)
            names = [keys.log, keys.chunk("x"), *map(keys.deal, ids)]
            slots = {client.execute_command("CLUSTER", "KEYSLOT", name) for name in names}
            assert slots == {slot_of(tag)}
            assert slot_of(tag) * partitions // 16_384 == number
    assert {partition_of(deal_id, 1) for deal_id in ids} == {0}
