"""
The sealed part of the history: log entries as they were, in compressed Arrow, after the log is trimmed.

A segment holds consecutive entries, one row each; ``unseal`` gives back exactly the entries that were sealed.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from dealdb.connection import Link
from dealdb.store.keys import Keys
from dealdb.store.log import Entry, Position, read_from

# bounds the size of one segment, in bytes before compression
SEGMENT_BYTES = 32 * 2**20
_COLUMNS: dict[str, pl.DataType] = {
    "seq": pl.Int64(),
    "hash": pl.Binary(),
    "time_ms": pl.Int64(),
    "writer": pl.String(),
    "counter": pl.Int64(),
    "actor": pl.String(),
    "kind": pl.String(),
    "height": pl.Int64(),
    "rows": pl.Binary(),
    "data": pl.Binary(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """
    Where a stretch of history is.

    Attributes
    ----------
    key
        Key that holds it.
    digest
        SHA-256 of what it holds, hexadecimal.
    first, last
        Numbers of its first and last commit.
    """

    key: str
    digest: str
    first: int
    last: int


def seal(entries: Iterable[Entry]) -> bytes:
    """Bytes of a segment that holds these entries."""
    rows = [
        (
            *(e.position.seq, e.position.hash, e.time_ms, e.writer, e.counter),
            *(e.actor, e.kind, e.height, e.packed_rows, e.data),
        )
        for e in entries
    ]
    buffer = io.BytesIO()
    pl.DataFrame(rows, schema=_COLUMNS, orient="row").write_ipc(buffer, compression="zstd")
    return buffer.getvalue()


def unseal(blob: bytes) -> Iterator[Entry]:
    """Entries of a segment."""
    for seq, chain, *rest in pl.read_ipc(blob).iter_rows():
        yield Entry(Position(seq, chain), *rest)


def seal_since(link: Link, keys: Keys, seq: int, until: int) -> Iterator[tuple[int, int, bytes]]:
    """First number, last number and bytes of segments that hold the log's entries after ``seq`` up to ``until``."""
    entries: list[Entry] = []
    size = 0
    for page in read_from(link, keys.log, seq + 1):
        for entry in page:
            if entry.position.seq > until:
                break
            entries.append(entry)
            size += len(entry.data) + len(entry.packed_rows)
            if size > SEGMENT_BYTES:
                yield entries[0].position.seq, entry.position.seq, seal(entries)
                entries, size = [], 0
    if entries:
        yield entries[0].position.seq, entries[-1].position.seq, seal(entries)
