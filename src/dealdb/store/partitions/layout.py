"""How a collection is divided into partitions: which of them a deal is in, and what their keys are called."""

from __future__ import annotations

import json
import secrets
from binascii import crc_hqx
from functools import cache
from itertools import count
from typing import NamedTuple, Self
from zlib import crc32

from dealdb.errors import ConfigError
from dealdb.store.bounds.wall import Reading, whole
from dealdb.store.bounds.wall import text as str_of

MOST_PARTITIONS = 256
# of a new collection on a cluster, where nobody says how many
ON_CLUSTER = 64
# of a Redis Cluster
SLOTS = 16_384
_FORMAT = 1


def check_partitions(partitions: object) -> int:
    """
    The number itself, once a collection can have so many partitions.

    Raises
    ------
    ConfigError
        If it is not a power of two from 1 to 256.
    """
    if type(partitions) is int and _is_possible(partitions):
        return partitions
    raise ConfigError(
        f"partitions must be a power of two from 1 to {MOST_PARTITIONS}: got {partitions!r}"
    )


def _is_possible(partitions: int) -> bool:
    return 1 <= partitions <= MOST_PARTITIONS and partitions.bit_count() == 1


def partition_of(deal_id: str, partitions: int) -> int:
    """
    Number of the partition that a deal is in.

    Any client can tell: it is ``crc32(id) * partitions >> 32``. The high bits divide ids in sequence evenly, and where
    the partitions are doubled once, i becomes 2i and 2i + 1.

    Examples
    --------
    >>> partition_of("42", 4), partition_of("42", 8)
    (0, 1)
    """
    # a text that can't be stored is refused where it is sent
    return crc32(deal_id.encode(errors="surrogatepass")) * partitions >> 32


def slot_of(tag: str) -> int:
    """Slot of a Redis Cluster that keys with a tag are in."""
    return crc_hqx(tag.encode(), 0) % SLOTS


@cache
def tag_of(number: int, partitions: int) -> str:
    """
    Tag in the keys of a partition: the first of ``i``, ``i.1``, ``i.2`` ... whose slot is of its share.

    So the partitions lie evenly over the nodes of a cluster.

    Examples
    --------
    >>> [tag_of(i, 4) for i in range(4)]
    ['0.1', '1.3', '2.1', '3.3']
    """
    for n in count():
        tag = f"{number}.{n}" if n else str(number)
        if slot_of(tag) * partitions // SLOTS == number:
            return tag
    raise AssertionError  # pragma: no cover  # count() does not end


class Layout(NamedTuple):
    """
    What a collection was made of when it began, for good.

    Attributes
    ----------
    partitions
        How many there are.
    genesis
        Random text that no other collection has.
    """

    partitions: int
    genesis: str

    @classmethod
    def new(cls, partitions: int) -> Self:
        """Of a collection that begins now."""
        return cls(partitions, secrets.token_hex(8))

    def to_json(self) -> str:
        """Text under which the server keeps it."""
        return json.dumps({"format": _FORMAT, **self._asdict()}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: bytes, place: str) -> Self:
        """
        Layout from the text of ``to_json``.

        Raises
        ------
        StoreDamaged
            If it is not one; ``place`` says in the message where it is from.
        """
        with Reading(place):
            found = json.loads(text)
            layout = cls(whole(found["partitions"]), str_of(found["genesis"]))
            if found["format"] != _FORMAT or not _is_possible(layout.partitions):
                msg = "not a layout"
                raise ValueError(msg)
        return layout
