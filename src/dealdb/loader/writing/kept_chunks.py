"""Chunks between the two readings of a source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dealdb.loader.chunk import ROWS_A_CHUNK, Chunk, Source
from dealdb.store.live.worker import Worker

# what a reject takes beside its text
_REJECT_BYTES = 500
# of smaller files nothing is left to be read when the first chunk has come
_LEAST_BYTES = 256 * 1024


class HeldChunks:
    """
    Chunks of a small source, so that it is read once; of one that unpacks to more, none.

    Parameters
    ----------
    source
        Where they come from.
    most_bytes
        What all of them may take in memory.
    """

    def __init__(self, source: Source, most_bytes: int) -> None:
        self._source = source
        self._left = most_bytes
        self._kept: list[Chunk] = []

    def add(self, chunk: Chunk) -> None:
        """Take one more, as long as there is room."""
        if self._left <= 0:
            return
        rejects = sum(_REJECT_BYTES + len(each.raw) for each in chunk.rejects)
        self._left -= int(chunk.frame.estimated_size()) + rejects + 1
        self._kept.append(chunk)
        if self._left <= 0:
            self._kept.clear()

    def again(self) -> Iterable[Chunk]:
        """All chunks, from the first."""
        return self._kept if self._left > 0 else self._source.chunks()


def ahead(source: Source) -> Iterator[Chunk]:
    """The chunks of a source, each read while the one before is used; of a small one there is but one."""
    chunks = source.chunks()
    if (
        0 < (source.rows_total or 0) <= ROWS_A_CHUNK
        or 0 < (source.bytes_total or 0) <= _LEAST_BYTES
    ):
        yield from chunks
        return
    with Worker("dealdb-read") as reader:
        coming = reader.submit(next, chunks, None)
        while chunk := coming.result():
            coming = reader.submit(next, chunks, None)
            yield chunk
