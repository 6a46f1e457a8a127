"""All hashes of a collection of partitions, each node scanned once, and each handed to the partition that it is in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from dealdb.connection import Link
from dealdb.store.hashes import Hash, as_dict, scan_names
from dealdb.store.keys import Keys

# hashes that are held until they are handed on: to compare some of a partition takes as long as to compare one
_HELD = 20_000


class FoundHashes(NamedTuple):
    """
    Some hashes of a collection of partitions.

    Attributes
    ----------
    within
        By the number of the partition whose tag they have, by the id that their keys say.
    nowhere
        What the keys of others have behind the name of the collection: they have the tag of no partition.
    """

    within: dict[int, dict[str, Hash]]
    nowhere: list[str]


def scan_partitions(link: Link, partitions: Sequence[Keys]) -> Iterator[FoundHashes]:
    """
    Every hash of the collection, some thousands at a time; one that changes meanwhile may come twice.

    Cost
    ----
    Two round trips for every 1,000 keys of the database, however many partitions there are.
    """
    held, n_held = FoundHashes({}, []), 0
    for found in _pages(link, partitions):
        for number, hashes in found.within.items():
            held.within.setdefault(number, {}).update(hashes)
        held.nowhere.extend(found.nowhere)
        n_held += sum(map(len, found.within.values()))
        if n_held >= _HELD:
            yield held
            held, n_held = FoundHashes({}, []), 0
    yield held


def _pages(link: Link, partitions: Sequence[Keys]) -> Iterator[FoundHashes]:
    whole = Keys(partitions[0].collection)
    tags = {keys.tag: number for number, keys in enumerate(partitions)}
    for names in scan_names(link, whole):
        texts = [name.decode().removeprefix(whole.deal_prefix) for name in names]
        places = [placed(text, tags) for text in texts]
        read = [name for name, place in zip(names, places, strict=True) if place is not None]
        hashes = link.calls([("HGETALL", name) for name in read], retry=True)
        within: dict[int, dict[str, Hash]] = {}
        for (number, deal), pairs in zip(filter(None, places), hashes, strict=True):
            # a hash that was deleted in between is empty by now
            if pairs:
                within.setdefault(number, {})[deal] = as_dict(pairs)
        nowhere = [text for text, place in zip(texts, places, strict=True) if place is None]
        yield FoundHashes(within, nowhere)


def placed(text: str, tags: Mapping[str, int]) -> tuple[int, str] | None:
    """Number of the partition, and the id, that a key says behind the name of the collection; None for no partition."""
    tag, found, deal = text.removeprefix("{").partition("}:")
    number = tags.get(tag) if found and text.startswith("{") else None
    return None if number is None else (number, deal)
