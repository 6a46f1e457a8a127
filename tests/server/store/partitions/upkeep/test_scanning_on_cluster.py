"""All hashes of a collection on a cluster are found, whatever moves while they are read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clusters import Cluster, say
from connected import documented_rule
from dealdb import DealDatabase
from dealdb.connection import Link
from dealdb.store.hashes import scan_names
from dealdb.store.keys import Keys
from dealdb.store.partitions.layout import partition_of, slot_of, tag_of

N = 40
RIGHTS = ("+cluster|slots", "+asking", "+migrate")


@pytest.fixture
def link(pair: Cluster) -> Iterator[Link]:
    with DealDatabase.from_url(pair.url, partitions=4) as db:
        db.loader.load([{"id": str(n)} for n in range(N)], rejects=False)
        yield db._store.link


def found(names: Iterator[list[bytes]]) -> set[bytes]:
    return {name for some in names for name in some}


@pytest.mark.parametrize("ends", [False, True], ids=["on its way", "moved"])
def test_deals_that_move_to_a_node_that_was_read_already(
    pair: Cluster, link: Link, *, ends: bool
) -> None:
    slots = [slot_of(tag_of(number, 4)) for number in range(4)]
    names = scan_names(link, Keys("deal"))
    first = set(next(names))
    assert 0 < len(first) < N
    owner = next(node for node in pair.primaries if say(node, "EXISTS", next(iter(first))))
    slot = next(slot for slot in slots if pair.owner(slot) is not owner)
    pair.begin_move(slot, owner)
    pair.move_keys(slot, owner)
    if ends:
        pair.end_move(slot, owner)
    assert len(first | found(names)) == N


def test_who_may_not_ask_what_moves_reads_each_node_twice(pair: Cluster, link: Link) -> None:
    for node in pair.nodes:
        say(node, "ACL", "SETUSER", "ann", "on", ">pw", *documented_rule(), *RIGHTS)
    pages = list(scan_names(link, Keys("deal")))
    with DealDatabase.from_url(pair.url.replace("://", "://ann:pw@"), partitions=4) as db:
        twice = list(scan_names(db._store.link, Keys("deal")))
        assert db.check().ok
        [of_hashes] = [each.found for each in db.examine() if each.check == "hashes"]
        n_of_head = sum(partition_of(str(n), 4) == 0 for n in range(N))
        assert of_hashes == f"{n_of_head}, all in the log"
    assert len(twice) == 2 * len(pages)
    assert found(iter(twice)) == found(iter(pages))
