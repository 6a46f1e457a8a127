"""Packed commands in the pieces that they are sent in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

# a send has socket_timeout_s for each piece, so a slow line may still carry a big batch
PIECE_BYTES = 262_144
# many small commands go together, as each sending is a call of the system; a commit goes as soon as it is made
_SENT_AT_ONCE_BYTES = 16_384


def joined(packed: Iterable[bytes]) -> Iterator[bytes | memoryview]:
    """Pieces to send, none of them for a small command alone."""
    waiting: list[bytes] = []
    n_bytes = 0
    for command in packed:
        waiting.append(command)
        n_bytes += len(command)
        if n_bytes >= _SENT_AT_ONCE_BYTES:
            yield from pieces_of(b"".join(waiting))
            waiting, n_bytes = [], 0
    if waiting:
        yield from pieces_of(b"".join(waiting))


def pieces_of(packed: bytes) -> list[bytes] | list[memoryview]:
    """The same bytes in pieces, none of them copied."""
    if len(packed) <= PIECE_BYTES:
        return [packed]
    view = memoryview(packed)
    return [view[start : start + PIECE_BYTES] for start in range(0, len(view), PIECE_BYTES)]
