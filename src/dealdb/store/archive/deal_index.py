"""
The index of a segment: which of its entries have something of a deal, found without reading the others.

A *posting* is the hash of an id and the number of an entry that has it. Postings are sorted by hash and packed in
blocks; the *head* says where each block begins, and where the pieces of the segment are, which can be read one by one.
A hash may be that of several ids: then more entries are read, and none is missed. So what is found is right
whatever other programs have done to the hashes of the deals.

The head has the digest of every block and piece, and the manifest that of the head. The heads of neighbours have
chain hashes that follow one another. ``docs/protocol.md`` describes the bytes.
"""

from __future__ import annotations

import io
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate, pairwise

import msgpack
import polars as pl

from dealdb.connection import Link
from dealdb.errors import ServerRefused
from dealdb.store.archive.digest import is_whole
from dealdb.store.archive.lookup.postings import (
    MOST_POSTINGS,
    entries_in_block,
    numbers_in,
    packed_block,
    packed_numbers,
)
from dealdb.store.archive.segments import SEGMENT_COLUMNS, IndexPlace, entries_of_piece
from dealdb.store.archive.string_keys import is_wrong_type
from dealdb.store.bounds.arrow import END_OF_STREAM, batches_of
from dealdb.store.encoding import unpacked, unpacked_change, unpacked_facts
from dealdb.store.log.entry import DEAL_KINDS, Entry, Position

_FORMAT = 1
# postings of a block
_BLOCK = MOST_POSTINGS
# hashes have so many bits more than it takes to number the postings: one block in 256 is then read for nothing
_SPARE_BITS = 8
_MOST_BITS = 32
# bytes of the digest of a block or a piece, in the head, whose own digest is longer
_CHECK_BYTES = 8
# of the entries of a piece before compression, on average; and how many pieces a segment has at most
_PIECE_BYTES = 2**16
_MOST_PIECES = 800
_MOST_SCHEMA = 2**14


def hash_of(deal_id: str) -> int:
    """
    Hash of an id, 32 bits: that of zlib, which no version changes.

    Examples
    --------
    >>> hash_of("42")
    841265288
    """
    return zlib.crc32(deal_id.encode(errors="surrogatepass"))


def hashes_of(ids: Iterable[str]) -> list[int]:
    """Hashes of some ids."""
    return [zlib.crc32(each.encode(errors="surrogatepass")) for each in ids]


def ids_in(kind: str, data: bytes) -> list[str]:
    """Ids of the deals of a commit; behind the wall, as it may be another program's."""
    if kind == "add":
        return unpacked(data)["id"].to_list()
    if kind == "facts":
        return unpacked_facts(data)["id"].unique().to_list()
    return list(unpacked_change(data)[0]) if kind in DEAL_KINDS else []


def in_pieces(entries: pl.DataFrame) -> bytes:
    """Entries as the Arrow IPC file of a segment, with a record batch for every piece."""
    buffer = io.BytesIO()
    entries.write_ipc(buffer, compression="zstd", record_batch_size=_piece_rows(entries))
    return buffer.getvalue()


def _piece_rows(entries: pl.DataFrame) -> int:
    """Entries of a piece: few enough that no piece is much larger than most, as far as pieces may be many."""
    sizes = entries.select(
        (pl.col("data").bin.size().fill_null(0) + pl.col("rows").bin.size() + 100).alias("size")
    )["size"]
    height = max(entries.height, 1)
    rows = max(1, min(height, _PIECE_BYTES * height // max(int(sizes.sum()), 1)))
    while (
        rows > 1
        and height / (rows // 2) <= _MOST_PIECES
        and _largest(sizes, rows) > 2 * _PIECE_BYTES
    ):
        rows //= 2
    return max(rows, -(-height // _MOST_PIECES))


def _largest(sizes: pl.Series, rows: int) -> int:
    pieces = sizes.to_frame().group_by(pl.int_range(pl.len()) // rows).sum()["size"]
    return int(pieces.max() or 0)  # type: ignore[arg-type]


def build(
    blob: bytes, entries: pl.DataFrame, added: Mapping[int, Iterable[str]]
) -> tuple[bytes, int]:
    """
    The index of a segment, and the size of its head.

    Parameters
    ----------
    blob, entries
        The segment, and the entries in it.
    added
        Ids of the deals of those commits that don't have them themselves, and maybe of others, by their number.

    Raises
    ------
    ValueError
        If an entry is not what dealdb wrote; what decodes it raises errors of its own.
    """
    first, last = entries.row(0, named=True), entries.row(-1, named=True)
    postings = _postings(entries, added)
    bits = min(_MOST_BITS, postings.height.bit_length() + _SPARE_BITS)
    postings = (
        postings.with_columns(pl.col("hash") // 2 ** (_MOST_BITS - bits))
        .sort("hash", "entry")
        .unique(maintain_order=True)
    )
    hashes, numbers = postings["hash"].to_list(), postings["entry"].to_list()
    fences = hashes[::_BLOCK]
    blocks = [
        packed_block(hashes[n : n + _BLOCK], numbers[n : n + _BLOCK])
        for n in range(0, len(hashes), _BLOCK)
    ]
    batches, schema = batches_of(blob), _schema_message()
    starts = [0, *accumulate(batch.n_rows for batch in batches)]
    piece = entries_of_piece(schema + blob[batches[0].begins : batches[0].ends] + END_OF_STREAM)
    if starts[-1] != entries.height or not piece.equals(entries.head(piece.height)):
        # another version of Polars may have written them in another form
        msg = "pieces that can't be read one by one"
        raise ValueError(msg)
    head = msgpack.packb(
        [
            _FORMAT,
            [first["seq"], first["hash"], first["time_ms"], first["writer"], first["counter"]],
            [last["seq"], last["hash"]],
            bits,
            packed_numbers(fences),
            packed_numbers(map(len, blocks)),
            b"".join(map(_check_of, blocks)),
            packed_numbers(starts[:-1]),
            packed_numbers(batch.begins for batch in batches),
            packed_numbers(batch.ends for batch in batches),
            b"".join(_check_of(blob[batch.begins : batch.ends]) for batch in batches),
            schema,
        ]
    )
    return head + b"".join(blocks), len(head)


def _postings(entries: pl.DataFrame, added: Mapping[int, Iterable[str]]) -> pl.DataFrame:
    first = entries["seq"][0]
    hashes: list[int] = []
    counts: list[tuple[int, int]] = []
    of_deals = entries.filter(pl.col("kind").is_in([*DEAL_KINDS, "facts"])).select(
        "seq", "kind", "data"
    )
    for seq, kind, data in of_deals.iter_rows():
        found = hashes_of(added[seq] if seq in added else ids_in(kind, data))
        hashes += found
        counts.append((seq - first, len(found)))
    numbers = pl.DataFrame(counts, schema={"entry": pl.UInt32, "n": pl.UInt32}, orient="row")
    repeated = numbers.select(
        pl.col("entry").repeat_by("n").list.explode(keep_nulls=False, empty_as_null=False)
    )
    return pl.DataFrame([pl.Series("hash", hashes, dtype=pl.UInt32), repeated["entry"]])


def _check_of(blob: bytes) -> bytes:
    return sha256(blob).digest()[:_CHECK_BYTES]


def _schema_message() -> bytes:
    """The first message of an IPC stream with the columns of a segment, as the Polars that wrote the batches has it."""
    buffer = io.BytesIO()
    pl.DataFrame(schema=SEGMENT_COLUMNS).write_ipc_stream(buffer)
    stream = buffer.getvalue()
    return stream[: 8 + int.from_bytes(stream[4:8], "little")]


@dataclass(frozen=True, slots=True)
class KeyPart:
    """
    A part of a key's text, and what it must be.

    Attributes
    ----------
    key
        Key that holds it.
    begins, ends
        Its bytes.
    check
        Beginning of their SHA-256.
    """

    key: str
    begins: int
    ends: int
    check: bytes

    @property
    def command(self) -> tuple[str, ...]:
        """Command that reads it."""
        # as texts: the link would make some of each number
        return ("GETRANGE", self.key, str(self.begins), str(self.ends - 1))

    def is_whole(self, found: bytes) -> bool:
        """Whether these are its bytes."""
        return len(found) == self.ends - self.begins and _check_of(found) == self.check


class IndexHead:
    """
    Where to look in a segment.

    Parameters
    ----------
    key, place
        Of the segment, and of its index.
    blob
        What the head holds, compared with its digest.

    Raises
    ------
    ValueError
        If it is not one; what decodes it raises errors of its own.

    Attributes
    ----------
    first
        First commit, as far as its chain hash needs it.
    last
        Position of the last one.
    schema
        What a stream of its pieces begins with.
    """

    def __init__(self, key: str, place: IndexPlace, blob: bytes) -> None:
        version, first, last, bits, *more = unpacked_change(blob)
        fences, sizes, checks, starts, begins, ends, piece_checks, schema = more
        self.first = _first_entry(*first)
        self.last = Position(*last)
        self._shift = _MOST_BITS - bits
        self._fences = numbers_in(fences)
        self.schema: bytes = schema
        edges = [*accumulate(numbers_in(sizes), initial=place.head_bytes)]
        self._blocks = _spans(place.key, edges[:-1], edges[1:], checks)
        self._pieces = _spans(key, numbers_in(begins), numbers_in(ends), piece_checks)
        # where each piece begins, and the last one ends
        n_entries = self.last.seq - self.first.position.seq + 1
        self._starts = (*numbers_in(starts), n_entries)
        if not (
            version == _FORMAT
            and len(self._fences) == len(self._blocks)
            and len(self._starts) == len(self._pieces) + 1
            and _rise(self._fences)
            and self._pieces
            and self._starts[0] == 0
            and _rise(self._starts)
            # without a posting there may be no bits either
            and 0 <= self._shift <= _MOST_BITS
            and len(schema) <= _MOST_SCHEMA
        ):
            msg = "not the head of an index"
            raise ValueError(msg)

    def blocks(self, hash_: int) -> list[int]:
        """Numbers of the blocks that have a hash, if it is there; mostly one."""
        wanted = hash_ >> self._shift
        first = max(bisect_left(self._fences, wanted) - 1, 0)
        return list(range(first, bisect_right(self._fences, wanted)))

    def block(self, number: int) -> KeyPart:
        """Where a block is."""
        return self._blocks[number]

    def entries(self, number: int, blob: bytes, hash_: int) -> list[int]:
        """Entries of a block with a hash, by their place in the segment."""
        return entries_in_block(blob, self._fences[number], hash_ >> self._shift)

    def pieces(self, entries: Iterable[int]) -> list[int]:
        """Numbers of the pieces that have these entries."""
        last = len(self._pieces) - 1
        return sorted({min(bisect_right(self._starts, entry) - 1, last) for entry in entries})

    def piece(self, number: int) -> KeyPart:
        """Where a piece is."""
        return self._pieces[number]

    def height(self, number: int) -> int:
        """Entries of a piece."""
        return self._starts[number + 1] - self._starts[number]

    def places(self, number: int, entries: Iterable[int]) -> list[int]:
        """Where those of some entries that are in a piece are in it, in order."""
        start, stop = self._starts[number : number + 2]
        return [entry - start for entry in sorted(entries) if start <= entry < stop]


def _first_entry(seq: int, chain: bytes, time_ms: int, writer: str, counter: int) -> Entry:
    return Entry(Position(seq, chain), time_ms, writer, counter, "", "", 0, b"", b"")


def _rise(numbers: Sequence[int]) -> bool:
    return all(before <= after for before, after in pairwise(numbers))


def _spans(key: str, begins: Sequence[int], ends: Sequence[int], checks: bytes) -> list[KeyPart]:
    parts = [checks[n : n + _CHECK_BYTES] for n in range(0, len(checks), _CHECK_BYTES)]
    return [KeyPart(key, *each) for each in zip(begins, ends, parts, strict=True)]


def read_heads(link: Link, places: Sequence[IndexPlace]) -> list[bytes]:
    """
    What is where the heads of indexes should be.

    Cost
    ----
    One round trip; where one of the keys is of another type, one more for each.
    """
    reads = [("GETRANGE", place.key, 0, place.head_bytes - 1) for place in places]
    try:
        return link.calls(reads, retry=True) if reads else []
    except ServerRefused as refusal:
        if len(reads) > 1 and is_wrong_type(refusal):
            return [head for place in places for head in read_heads(link, [place])]
        if is_wrong_type(refusal):
            return [b""]
        raise


def head_of(key: str, place: IndexPlace, blob: bytes) -> IndexHead:
    """
    The head of an index, compared with its digest.

    Raises
    ------
    ValueError
        If it is missing or damaged.
    """
    if not is_whole(place.digest, blob):
        msg = "missing or damaged"
        raise ValueError(msg)
    return IndexHead(key, place, blob)
