"""
Hashes that are not in the partition of their id: moved there, in an order that loses nothing where it stops.

Where the deal has no hash, one is made of the stray. A repair of the partition commits it. Only then, and only while
the deal has all that the stray has, is the stray removed. What differs from its deal is left to a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from dealdb.connection import Link
from dealdb.connection.link import Argument
from dealdb.errors import ConflictError
from dealdb.store.foreign.reading import NOT_FIELDS
from dealdb.store.hashes import Hash, as_dict
from dealdb.store.partitions.layout import partition_of
from dealdb.store.partitions.partition import Partition
from dealdb.store.partitions.upkeep.scanning import placed
from dealdb.store.upkeep.adopter import batches

# a hash, unless there is one
_COPY = b"""
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
for i = 1, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
return 1
"""
# removes a hash that has these fields and no others
_REMOVE = b"""
if #redis.call('HGETALL', KEYS[1]) ~= #ARGV then return 0 end
for i = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) ~= ARGV[i + 1] then return 0 end
end
return redis.call('DEL', KEYS[1])
"""


class Stray(NamedTuple):
    """
    A hash that is not in the partition of its id.

    Attributes
    ----------
    name
        What its key has behind the name of the collection.
    deal
        Its id.
    home
        Number of the partition that it belongs to.
    logged_in
        Number of the partition whose log has it; None for no log.
    """

    name: str
    deal: str
    home: int
    logged_in: int | None


class Strays:
    """
    The hashes of a collection that are not in the partition of their id.

    Parameters
    ----------
    link
        Way to the database.
    partitions
        All of them.
    found
        Strays by what their keys have behind the name of the collection, and whether a log has them. One with the tag
        of no partition stays: what its id is to be can't be told.
    """

    def __init__(
        self, link: Link, partitions: Sequence[Partition], found: Mapping[str, bool]
    ) -> None:
        self._link = link
        self._partitions = partitions
        self._collection = partitions[0].keys.collection
        tags = {part.keys.tag: number for number, part in enumerate(partitions)}
        self._names = list(found)
        self._found = list(_located(found, tags))

    def copy(self) -> set[str]:
        """Make a hash for each deal that has none; the deals. Two round trips for every 200."""
        return {deal for batch in batches(self._found) for deal in self._copied(batch)}

    def remove(self) -> set[str]:
        """
        Remove those whose deals have all that they have, and are in the log; by what ``found`` calls them.

        Cost
        ----
        Two round trips for every 200, and one for each that a log has.
        """
        return {name for batch in batches(self._found) for name in self._removed(batch)}

    def left(self) -> list[str]:
        """Those that are still there, as ``found`` calls them. One round trip for every 200."""
        left: list[str] = []
        for batch in batches(self._names):
            looks = [("EXISTS", f"{self._collection}:{name}") for name in batch]
            found = self._link.calls(looks, retry=True)
            left += [name for name, is_there in zip(batch, found, strict=True) if is_there]
        return left

    def _copied(self, strays: Sequence[Stray]) -> Iterator[str]:
        pairs = self._pairs(strays)
        wanted = [(stray, own) for stray, own, deal in pairs if _fields(own) and not deal]
        copies: list[Sequence[Argument]] = [
            ("EVAL", _COPY, 1, self._home_key(stray), *_words(_fields(own)))
            for stray, own in wanted
        ]
        # one that is sent twice finds what it has made itself
        self._link.calls(copies, retry=True)
        yield from (stray.deal for stray, _ in wanted)

    def _removed(self, strays: Sequence[Stray]) -> Iterator[str]:
        whole = [
            (stray, own)
            for stray, own, deal in self._pairs(strays)
            if own and b"_row" in deal and _fields(own).items() <= deal.items()
        ]
        plain = [(stray, own) for stray, own in whole if stray.logged_in is None]
        removals: list[Sequence[Argument]] = [
            ("EVAL", _REMOVE, 1, self._key(stray), *_words(own)) for stray, own in plain
        ]
        done = self._link.calls(removals, retry=True)
        yield from (stray.name for (stray, _), n in zip(plain, done, strict=True) if n)
        for stray, own in whole:
            if stray.logged_in is not None and self._delete(stray, own):
                yield stray.name

    def _delete(self, stray: Stray, own: Hash) -> bool:
        """Delete one from the log that has it, unless another commit has changed it since."""
        part = self._partitions[stray.logged_in or 0]
        try:
            return part.delete(stray.deal, expect_rev=int(own.get(b"_rev", b"0")))
        except ConflictError:
            return False

    def _pairs(self, strays: Sequence[Stray]) -> list[tuple[Stray, Hash, Hash]]:
        """Each with what it has, and what its deal has, both read together."""
        keys = [key for stray in strays for key in (self._key(stray), self._home_key(stray))]
        found = self._link.calls([("HGETALL", key) for key in keys], retry=True)
        hashes = list(map(as_dict, found))
        return list(zip(strays, hashes[::2], hashes[1::2], strict=True))

    def _key(self, stray: Stray) -> str:
        return f"{self._collection}:{stray.name}"

    def _home_key(self, stray: Stray) -> str:
        return self._partitions[stray.home].keys.deal(stray.deal)


def _located(found: Mapping[str, bool], tags: Mapping[str, int]) -> Iterator[Stray]:
    for name, is_logged in found.items():
        place = placed(name, tags)
        if place is None and name.startswith("{"):
            continue
        number, deal = place or (None, name)
        yield Stray(name, deal, partition_of(deal, len(tags)), number if is_logged else None)


def _fields(own: Hash) -> Hash:
    """A hash without what says where it is in a log."""
    return {name: text for name, text in own.items() if name.decode("latin-1") not in NOT_FIELDS}


def _words(own: Mapping[bytes, bytes]) -> Iterable[bytes]:
    return (word for pair in own.items() for word in pair)
