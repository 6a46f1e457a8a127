"""A block of postings has what was put in, whatever lies between two hashes."""

from __future__ import annotations

import random
import zlib

import pytest

from dealdb.store.archive.lookup.postings import MOST_POSTINGS, entries_in_block, packed_block


@pytest.mark.parametrize("top", [3, 2**8, 2**16, 2**24, 2**32])
@pytest.mark.parametrize("n", [1, 2, 3, 255, MOST_POSTINGS])
def test_every_posting_of_a_hash_is_found_and_no_other(n: int, top: int) -> None:
    draw = random.Random(n * top)
    for _ in range(20):
        hashes = sorted(draw.randrange(top) for _ in range(n))
        entries = [draw.randrange(draw.choice([400, 2**32])) for _ in hashes]
        block = packed_block(hashes, entries)
        first, last = hashes[0], hashes[-1]
        for wanted in {0, first - 1, first, last, last + 1, *draw.sample(hashes, min(n, 5))}:
            pairs = zip(hashes, entries, strict=True)
            told = [entry for each, entry in pairs if each == wanted]
            assert entries_in_block(block, first, wanted) == told


@pytest.mark.parametrize(
    "words", [b"", b"x", b"\0" * 7, b"\0" * (8 * MOST_POSTINGS + 8)], ids=["0", "1", "7", "many"]
)
def test_what_is_no_block_has_nothing_or_is_refused(words: bytes) -> None:
    packed = zlib.compress(words)
    for blob in (packed, packed[:-5]):
        try:
            assert entries_in_block(blob, 0, 0) == []
            assert not words
        except (ValueError, zlib.error):
            assert words or blob != packed
