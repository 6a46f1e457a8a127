"""The position of a collection of partitions: that of each of them, in the form of one."""

from __future__ import annotations

from collections.abc import Sequence

from dealdb.store.history.feed_start import token_of, vector_in, vector_token
from dealdb.store.log.entry import Position

_BETWEEN, _WITHIN = b" ", b"-"


def vector_of(positions: Sequence[Position]) -> Position:
    """
    One position for those of all partitions: its number is how many commits they have in all.

    Examples
    --------
    >>> vector_of([Position(2, b"aa"), Position(), Position(1, b"bb")])
    Position(seq=3, hash=b'2-aa 0- 1-bb')
    """
    total = sum(position.seq for position in positions)
    if not total:
        return Position()
    return Position(
        total, _BETWEEN.join(b"%d%b%b" % (seq, _WITHIN, chain) for seq, chain in positions)
    )


def token_at(position: Position) -> str:
    """
    The token of a position, be it that of a collection of one piece or one for all partitions.

    Examples
    --------
    >>> token_at(Position(4, b"f5c5c5545f2ac921"))
    '4-f5c5c5545f2ac921'
    >>> token_at(vector_of([Position(4, b"f5c5c5545f2ac921"), Position()]))
    'p2:AAAAAAAAAAT1xcVUXyrJIQAAAAAAAAAAAAAAAAAAAAA'
    """
    if _WITHIN not in position.hash:
        return token_of(position)
    return vector_token(positions_of(position, 0))


def position_named(token: str) -> Position:
    """
    The position that ``token_at`` has made a token of.

    Examples
    --------
    >>> position_named("4-f5c5c5545f2ac921")
    Position(seq=4, hash=b'f5c5c5545f2ac921')
    >>> position_named("p2:AAAAAAAAAAT1xcVUXyrJIQAAAAAAAAAAAAAAAAAAAAA")
    Position(seq=4, hash=b'4-f5c5c5545f2ac921 0-')
    """
    if (points := vector_in(token)) is not None:
        return vector_of([Position(seq, chain) for seq, chain in points])
    number, _, chain = token.partition("-")
    return Position(int(number), chain.encode())


def positions_of(vector: Position, partitions: int) -> list[Position]:
    """
    The positions of the partitions.

    Examples
    --------
    >>> positions_of(vector_of([Position(2, b"aa"), Position()]), 2)
    [Position(seq=2, hash=b'aa'), Position(seq=0, hash=b'')]
    """
    if not vector.seq:
        return [Position()] * partitions
    parts = (part.split(_WITHIN, 1) for part in vector.hash.split(_BETWEEN))
    return [Position(int(seq), chain) for seq, chain in parts]
