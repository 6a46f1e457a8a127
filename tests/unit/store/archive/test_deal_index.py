"""The index of a segment finds every entry of a deal, reads little else, and takes nothing that was damaged."""

from __future__ import annotations

import random
import zlib

import msgpack
import polars as pl
import pytest

from dealdb.errors import StoreDamaged
from dealdb.store.archive import deal_index
from dealdb.store.archive.deal_index import IndexHead, build, hash_of, head_of, in_pieces
from dealdb.store.archive.digest import digest_of
from dealdb.store.archive.lookup.pieces import Piece, rows_of
from dealdb.store.archive.sealing import index_of
from dealdb.store.archive.segments import SEGMENT_COLUMNS, IndexPlace, entries_of
from dealdb.store.bounds.arrow import batches_of
from dealdb.store.bounds.wall import Reading

N = 3_000


def entries(ids: list[list[str]]) -> tuple[pl.DataFrame, dict[int, list[str]]]:
    """Commits with these ids, every seventh a bulk commit whose deals are elsewhere, and the ids of those."""
    rows, added = [], {}
    for seq, some in enumerate(ids, 1):
        is_add = seq % 7 == 0
        if is_add:
            added[seq] = some
        data = None if is_add else msgpack.packb([some, ["name"], [["x" * 100] * len(some)]])
        own = (len(some), ["name"]) if is_add else (None, None)
        rows.append(
            (seq, b"%016x" % seq, seq, "w" * 16, seq, "ann", "add" if is_add else "set", 0, b"", data, *own)
        )  # fmt: skip
    return pl.DataFrame(rows, schema=SEGMENT_COLUMNS, orient="row"), added


@pytest.fixture(scope="module")
def ids() -> list[list[str]]:
    draw = random.Random(1)
    return [
        [f"d{draw.randrange(2_000)}" for _ in range(draw.choice([1, 1, 2, 9]))] for _ in range(N)
    ]


def made(ids: list[list[str]]) -> tuple[bytes, bytes, IndexHead]:
    """Segment, index and its head."""
    frame, added = entries(ids)
    blob = in_pieces(frame)
    assert entries_of(blob).equals(frame)
    index, size = build(blob, frame, added)
    return blob, index, head_of("s", IndexPlace("i", digest_of(index[:size]), size), index[:size])


def found(head: IndexHead, blob: bytes, index: bytes, deal: str) -> list[int]:
    """Entries that may have something of a deal, as a reader finds them."""
    numbers: list[int] = []
    for number in head.blocks(hash_of(deal)):
        span = head.block(number)
        part = index[span.begins : span.ends]
        assert span.is_whole(part)
        numbers += head.entries(number, part, hash_of(deal))
    seqs: list[int] = []
    for number in head.pieces(numbers):
        span = head.piece(number)
        part = blob[span.begins : span.ends]
        assert span.is_whole(part)
        [rows] = rows_of([Piece(head, number, numbers)], [part])
        seqs += [row["seq"] for row in rows]
    assert seqs == [number + 1 for number in numbers]
    return seqs


def test_a_segment_without_deals_has_nothing_of_any(monkeypatch: pytest.MonkeyPatch) -> None:
    for spare in (8, 0):
        monkeypatch.setattr(deal_index, "_SPARE_BITS", spare)
        blob, index, head = made([[]])
        assert found(head, blob, index, "d1") == []


@pytest.mark.parametrize(("block", "spare", "piece"), [(512, 8, 2**18), (3, 0, 5_000)])
def test_every_entry_of_a_deal_is_found(
    ids: list[list[str]], monkeypatch: pytest.MonkeyPatch, block: int, spare: int, piece: int
) -> None:
    monkeypatch.setattr(deal_index, "_BLOCK", block)
    monkeypatch.setattr(deal_index, "_SPARE_BITS", spare)
    monkeypatch.setattr(deal_index, "_PIECE_BYTES", piece)
    blob, index, head = made(ids)
    n_more = 0
    for deal in [*(f"d{n}" for n in range(0, 2_000, 151)), "none", "", "ß"]:
        wanted = {seq for seq, some in enumerate(ids, 1) if deal in some}
        seqs = found(head, blob, index, deal)
        assert wanted <= set(seqs)
        assert seqs == sorted(set(seqs))
        n_more += len(seqs) - len(wanted)
    # a hash is rarely that of two ids
    assert n_more <= (2 if spare else 400)


def test_an_index_is_small_and_a_deal_reads_little_of_it(ids: list[list[str]]) -> None:
    many = [[f"D{n}-{k}" for k in range(300)] for n in range(60)]
    blob, index, head = made(many)
    assert len(index) < 4 * 300 * 60
    spans = [head.block(number) for number in head.blocks(hash_of("D7-7"))]
    assert sum(span.ends - span.begins for span in spans) < 4_000
    assert found(head, blob, index, "D7-7") == [8]


def test_a_commit_of_no_deal_has_no_posting() -> None:
    frame, _ = entries([["a"]])
    schema = frame.with_columns(pl.lit("schema").alias("kind"), pl.lit(b"{}").alias("data"))
    blob = in_pieces(schema)
    index, size = build(blob, schema, {})
    head = head_of("s", IndexPlace("i", digest_of(index), size), index)
    assert (size, head.blocks(hash_of("a"))) == (len(index), [])


def test_entries_that_cannot_be_read_have_no_index() -> None:
    frame, _ = entries([["a"], ["b"]])
    twisted = frame.with_columns(pl.lit(msgpack.packb([[1], [], []])).alias("data"))
    assert index_of(in_pieces(twisted), twisted, {}) is None


def test_a_large_commit_makes_the_pieces_small(monkeypatch: pytest.MonkeyPatch) -> None:
    frame, _ = entries([[f"d{n}"] for n in range(6)] * 100)
    large = pl.when(pl.col("seq") > 500).then(pl.lit(b"x" * 30_000)).otherwise("data")
    mixed = frame.with_columns(large.alias("data"), pl.lit("set").alias("kind"))
    sizes = [batch.n_rows for batch in batches_of(in_pieces(mixed))]
    assert sum(sizes) == 600
    assert max(sizes) * 30_000 <= 2 * 2**18 + 30_000


@pytest.mark.parametrize(
    "twist",
    [
        lambda head: head[:-1],
        lambda head: [9, *head[1:]],
        lambda head: [*head[:3], 40, *head[4:]],
        lambda head: [*head[:4], b"", *head[5:]],
        lambda head: [*head[:4], head[4][::-1], *head[5:]],
        lambda head: [*head[:6], b"", *head[7:]],
        lambda head: [*head[:7], b"\1\0\0\0", *head[8:]],
        lambda head: [*head[:8], "x", *head[9:]],
        lambda head: [*head[:2], [2**70, b""], *head[3:]],
        lambda head: [*head[:1], None, *head[2:]],
        lambda head: {"a": 1},
        lambda head: 7,
    ],
)
def test_a_head_that_dealdb_did_not_write_is_damage(ids: list[list[str]], twist: object) -> None:
    _, index, _ = made(ids)
    size = build(in_pieces(entries(ids)[0]), *entries(ids))[1]
    try:
        other = msgpack.packb(twist(msgpack.unpackb(index[:size])))  # type: ignore[operator]
    except OverflowError:
        other = b"\xc1"
    with pytest.raises(StoreDamaged), Reading("the index"):
        head_of("s", IndexPlace("i", digest_of(other), len(other)), other)
    with pytest.raises(StoreDamaged), Reading("the index"):
        head_of("s", IndexPlace("i", digest_of(other), len(other)), index[:size])


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"x",
        zlib.compress(b"abc"),
        zlib.compress(b"\0" * 10_000_000),
        zlib.compress(b"\0" * 800)[:-2],
    ],
)
def test_a_block_that_dealdb_did_not_write_is_damage(ids: list[list[str]], block: bytes) -> None:
    _, _, head = made(ids)
    with pytest.raises(StoreDamaged), Reading("the index"):
        head.entries(0, block, 0)
