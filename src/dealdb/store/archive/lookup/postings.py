"""Blocks of postings, of which the index of a segment consists: how each is packed, and what it has of a hash."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from itertools import pairwise

# of a block: one block of a segment is read for a deal, and the head has some bytes for each
MOST_POSTINGS = 512


def packed_numbers(numbers: Iterable[int]) -> bytes:
    """Numbers of four bytes."""
    found = list(numbers)
    return struct.pack(f"<{len(found)}I", *found)


def numbers_in(words: object) -> tuple[int, ...]:
    """Inverse of ``packed_numbers``; ValueError or ``struct.error`` for anything else."""
    if type(words) is not bytes:
        msg = "not numbers"
        raise ValueError(msg)
    return struct.unpack(f"<{len(words) // 4}I", words)


def packed_block(hashes: Sequence[int], entries: Sequence[int]) -> bytes:
    """
    Postings in the order of their hashes, whose first one is in the head.

    Examples
    --------
    >>> entries_in_block(packed_block([5, 7, 7, 900], [1, 2, 3, 4]), fence=5, wanted=7)
    [2, 3]
    """
    gaps = [0, *(after - before for before, after in pairwise(hashes))]
    words = packed_numbers([*gaps, *entries])
    # the first bytes of all numbers, then the second ones: most of these are 0
    return zlib.compress(b"".join(words[n::4] for n in range(4)))


def entries_in_block(blob: bytes, fence: int, wanted: int) -> list[int]:
    """Entries with a hash, of a block that begins with the hash ``fence``."""
    packed = zlib.decompressobj()
    planes = packed.decompress(blob, 8 * MOST_POSTINGS + 1)
    n = len(planes) // 8
    if len(planes) % 8 or n > MOST_POSTINGS or not packed.eof:
        msg = "not a block of postings"
        raise ValueError(msg)
    gaps = _Gaps([planes[2 * k * n : (2 * k + 1) * n] for k in range(4)])
    place = gaps.place_at(wanted - fence)
    found = []
    while place < n:
        found.append(sum(planes[(2 * k + 1) * n + place] << 8 * k for k in range(4)))
        place += 1
        if place < n and gaps.size(place - 1, place):
            break
    return found


class _Gaps:
    """
    How far each hash is from the one before.

    A collection of many segments has a block of each to be looked through. To make numbers of all the bytes, and hashes
    of these, takes twice as long as to add up bytes.

    Parameters
    ----------
    planes
        The first bytes of all, the second ones and so on.
    """

    def __init__(self, planes: Sequence[bytes]) -> None:
        self._low, self._high, *more = planes
        self._n = len(self._low)
        # hashes that are so far from one another are rare
        self._more = [(16 + 8 * k, part) for k, part in enumerate(more) if part.strip(b"\0")]

    def size(self, first: int, last: int) -> int:
        """How far the posting ``last`` is from ``first``."""
        start, stop = first + 1, last + 1
        size = sum(self._low[start:stop]) + (sum(self._high[start:stop]) << 8)
        if self._more:
            size += sum(sum(part[start:stop]) << shift for shift, part in self._more)
        return size

    def place_at(self, wanted: int) -> int:
        """The first posting that is so far from that at 0; the number of all where there is none."""
        if wanted <= 0 or not self._n:
            return 0 if wanted == 0 else self._n
        # the last one that is nearer, by halves
        place, reached, step = 0, 0, MOST_POSTINGS
        while step:
            after = place + step
            if after < self._n and (there := reached + self.size(place, after)) < wanted:
                place, reached = after, there
            step //= 2
        after = place + 1
        is_there = after < self._n and reached + self.size(place, after) == wanted
        return after if is_there else self._n
