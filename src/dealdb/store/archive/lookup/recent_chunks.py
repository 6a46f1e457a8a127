"""
Chunks that this process has read of late, for who reads a row of many: most of that time goes into fetching them.

They are compressed as the server has them, and named by what is in them, so that they are right for any collection and
never out of date. All collections of a process share the room.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping

from dealdb.connection.fork import renew_in_child
from dealdb.store.archive.chunk_cache import CachedChunks

# all columns of 1,000,000 deals take half of it
ROOM = 32 * 2**20


class Shelf:
    """
    Some chunks in memory; those that were not used for longest go first.

    Parameters
    ----------
    max_bytes
        Bytes that they may take.

    Examples
    --------
    >>> shelf = Shelf(max_bytes=5)
    >>> shelf.put({"a": b"123", "b": b"45", "c": b"6"})
    >>> shelf.get(["a", "b", "c"])
    {'b': b'45', 'c': b'6'}
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Begin with nothing, as in a forked child: a thread of the parent may have been in the middle of a change."""
        self._lock = threading.Lock()
        self._chunks: OrderedDict[str, bytes] = OrderedDict()
        self._n_bytes = 0

    def get(self, digests: Iterable[str]) -> dict[str, bytes]:
        """Those of some chunks that are there, by their digest."""
        with self._lock:
            found = {each: self._chunks[each] for each in digests if each in self._chunks}
            for digest in found:
                self._chunks.move_to_end(digest)
            return found

    def put(self, chunks: Mapping[str, bytes]) -> None:
        """Add chunks that are what their digest says."""
        with self._lock:
            for digest, blob in chunks.items():
                if digest not in self._chunks:
                    self._n_bytes += len(blob)
                    self._chunks[digest] = blob
            while self._n_bytes > self._max_bytes:
                self._n_bytes -= len(self._chunks.popitem(last=False)[1])


SHELF = Shelf(ROOM)


class RecentChunks:
    """
    What a process has in memory, before a cache.

    Parameters
    ----------
    behind
        Where the others are looked for; None for the server alone.
    """

    def __init__(self, behind: CachedChunks | None) -> None:
        self._behind = behind

    def find(self, digests: Iterable[str]) -> dict[str, bytes]:
        """Those of some chunks that are there and whole, by their digest."""
        wanted = list(digests)
        found = SHELF.get(wanted)
        if self._behind and len(found) < len(wanted):
            more = self._behind.find(digest for digest in wanted if digest not in found)
            SHELF.put(more)
            found |= more
        return found

    def keep(self, chunks: Mapping[str, bytes]) -> None:
        """Add chunks, by their digest."""
        SHELF.put(chunks)
        if self._behind:
            self._behind.keep(chunks)
