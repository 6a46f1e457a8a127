"""Entries of a few pieces of segments, which are read together: one at a time, each costs as much as some of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from dealdb.store.archive.deal_index import IndexHead
from dealdb.store.archive.segments import entries_of_pieces
from dealdb.store.bounds.arrow import END_OF_STREAM, stream_bytes
from dealdb.store.bounds.wall import Reading

# bounds the memory of those that are read together; one that takes more is read alone
_MOST_BYTES = 8 * 2**20
_Row: TypeAlias = dict[str, Any]


class Piece(NamedTuple):
    """
    A piece of a segment, and which of its entries are asked for.

    Attributes
    ----------
    head
        Of the index of the segment.
    number
        Of the piece.
    entries
        By their place in the segment; those of other pieces are passed over.
    """

    head: IndexHead
    number: int
    entries: Sequence[int]


def rows_of(pieces: Sequence[Piece], blobs: Sequence[bytes]) -> list[list[_Row]]:
    """
    The entries of each piece that are asked for, in their order, as rows.

    Raises
    ------
    StoreDamaged
        If a piece is not what dealdb wrote.
    """
    return [rows for some in _groups(pieces, blobs) for rows in _rows_of(some)]


class _Group(NamedTuple):
    """Pieces that follow one another and have the same columns, what is in them, and the bytes it unpacks to."""

    pieces: list[Piece]
    blobs: list[bytes]
    n_bytes: int


def _groups(pieces: Iterable[Piece], blobs: Iterable[bytes]) -> Iterator[_Group]:
    """As many as may be read together."""
    group = _Group([], [], 0)
    for piece, blob in zip(pieces, blobs, strict=True):
        with _reading([piece]):
            n_bytes = stream_bytes(piece.head.schema + blob)
        alike = not group.pieces or piece.head.schema == group.pieces[0].head.schema
        if group.pieces and not (alike and group.n_bytes + n_bytes <= _MOST_BYTES):
            yield group
            group = _Group([], [], 0)
        group = _Group([*group.pieces, piece], [*group.blobs, blob], group.n_bytes + n_bytes)
    if group.pieces:
        yield group


def _rows_of(group: _Group) -> list[list[_Row]]:
    with _reading(group.pieces):
        stream = b"".join((group.pieces[0].head.schema, *group.blobs, END_OF_STREAM))
        frame = entries_of_pieces(stream, group.n_bytes)
        begins, found = 0, []
        for piece in group.pieces:
            places = [begins + place for place in piece.head.places(piece.number, piece.entries)]
            # row by row: of the few that there are, a frame of their own takes longer
            found.append([frame.row(place, named=True) for place in places if place < frame.height])
            begins += piece.head.height(piece.number)
        return found


def _reading(pieces: Sequence[Piece]) -> Reading:
    keys = dict.fromkeys(piece.head.piece(piece.number).key for piece in pieces)
    return Reading(f"the history in {', '.join(map(repr, keys))}")
