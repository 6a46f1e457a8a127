"""Pieces that are read together have what each has alone."""

from __future__ import annotations

from contextlib import suppress
from unittest.mock import patch

import msgpack
import polars as pl
import pytest

from dealdb.errors import StoreDamaged
from dealdb.store.archive import deal_index
from dealdb.store.archive.deal_index import IndexHead, build, head_of, in_pieces
from dealdb.store.archive.digest import digest_of
from dealdb.store.archive.lookup import pieces
from dealdb.store.archive.lookup.pieces import Piece, rows_of
from dealdb.store.archive.segments import SEGMENT_COLUMNS, IndexPlace, entries_of_pieces


def segment(monkeypatch: pytest.MonkeyPatch, key: str, n: int) -> tuple[IndexHead, list[bytes]]:
    """Head and pieces of a segment of some commits."""
    monkeypatch.setattr(deal_index, "_PIECE_BYTES", 3_000)
    rows = [
        (seq, b"%016x" % seq, seq, key, seq, "ann", "set", 0, b"",
         msgpack.packb([[f"d{seq}"], ["name"], [[key * 20]]]), None, None)
        for seq in range(1, n + 1)
    ]  # fmt: skip
    frame = pl.DataFrame(rows, schema=SEGMENT_COLUMNS, orient="row")
    blob = in_pieces(frame)
    index, size = build(blob, frame, {})
    head = head_of(key, IndexPlace("i", digest_of(index[:size]), size), index[:size])
    spans = [head.piece(number) for number in range(len(head.pieces(range(n))))]
    return head, [blob[span.begins : span.ends] for span in spans]


@pytest.fixture
def all_of_two(monkeypatch: pytest.MonkeyPatch) -> tuple[list[Piece], list[bytes]]:
    """Pieces of two segments, all entries of which are asked for."""
    asked, blobs = [], []
    for key, n in (("s", 100), ("t", 61)):
        head, parts = segment(monkeypatch, key, n)
        assert len(parts) > 2
        asked += [Piece(head, number, range(n)) for number in range(len(parts))]
        blobs += parts
    return asked, blobs


@pytest.mark.parametrize("most", [0, 20_000, 2**30])
def test_together_they_have_what_each_has(
    all_of_two: tuple[list[Piece], list[bytes]], monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    asked, blobs = all_of_two
    alone = [rows_of([piece], [blob])[0] for piece, blob in zip(asked, blobs, strict=True)]
    monkeypatch.setattr(pieces, "_MOST_BYTES", most)
    with patch.object(pieces, "entries_of_pieces", side_effect=entries_of_pieces) as read:
        assert rows_of(asked, blobs) == alone
    assert read.call_count == len(asked) if most == 0 else read.call_count < len(asked)
    told = [(row["writer"], row["seq"]) for rows in alone for row in rows]
    assert told == [(key, n + 1) for key, some in (("s", 100), ("t", 61)) for n in range(some)]


def test_of_some_only_what_is_asked_for(all_of_two: tuple[list[Piece], list[bytes]]) -> None:
    asked, blobs = all_of_two
    wanted = [piece._replace(entries=[0, 59, 99]) for piece in asked]
    found = [row["seq"] for rows in rows_of(wanted, blobs) for row in rows]
    # the second segment has no entry 99
    assert found == [1, 60, 100, 1, 60]
    assert rows_of([], []) == []


def test_what_is_no_piece_is_damage(all_of_two: tuple[list[Piece], list[bytes]]) -> None:
    asked, blobs = all_of_two
    for place in (0, 1, len(blobs) - 1):
        for twisted in (b"", b"x" * 500, blobs[place][:-100]):
            found = [*blobs[:place], twisted, *blobs[place + 1 :]]
            with suppress(StoreDamaged):
                # a reader compares the numbers of the commits
                assert rows_of(asked, found) != rows_of(asked, blobs)
    with pytest.raises(StoreDamaged, match="the history in 't' is not"):
        rows_of(asked, [*blobs[:-1], b"x" * 500])
