"""
The sealed part of the history: log entries in compressed Arrow, after the log is trimmed.

A segment holds consecutive entries, one row each. Deals that a bulk load added, and that nothing changed before they
were sealed, are in the chunks of the checkpoint already: such an entry is sealed without them, and ``unseal`` takes
them from there.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate, groupby, islice
from operator import attrgetter
from typing import Any, NamedTuple

import polars as pl

from dealdb.columns import encode_column
from dealdb.connection import Link
from dealdb.schema import Schema
from dealdb.store.archive.chunks import Columns
from dealdb.store.archive.texts import text_of
from dealdb.store.encoding import packed
from dealdb.store.keys import Keys
from dealdb.store.log.entry import Entry, Position

# bounds the size of one segment, in bytes before compression
SEGMENT_BYTES = 32 * 2**20
# commits compared with the checkpoint at once: bounds the memory that their deals take
_AT_ONCE = 64
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
    # of a commit whose deals are in chunks: how many, and which fields it gave them
    "n": pl.Int64(),
    "fields": pl.List(pl.String),
}


class Extent(NamedTuple):
    """
    What is known of a segment beside where it is.

    Attributes
    ----------
    earliest_ms, latest_ms
        Times of its commits lie between these, milliseconds since 1970; not in their order, as clocks are set.
    n_bytes
        What its entries took up in the log, roughly.
    level
        How often what is in it was merged.
    """

    earliest_ms: int
    latest_ms: int
    n_bytes: int
    level: int


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
    columns
        Chunks that hold deals of its entries, or None where it has them all itself.
    extent
        What else is known of it; None where an older version wrote the manifest.
    """

    key: str
    digest: str
    first: int
    last: int
    columns: Columns | None
    extent: Extent | None = None

    def to_document(self) -> list[object]:
        """As JSON has it."""
        columns = self.columns.to_document() if self.columns else None
        more = [self.extent] if self.extent else []
        return [self.key, self.digest, self.first, self.last, columns, *more]

    @classmethod
    def from_document(cls, document: Sequence[Any]) -> Segment:
        """Inverse of ``to_document``; the columns may be missing, as in format 1."""
        key, digest, first, last, columns, extent = (*document, None, None)[:6]
        return cls(
            key=key,
            digest=digest,
            first=first,
            last=last,
            columns=Columns.from_document(columns) if columns else None,
            extent=Extent(*extent) if extent else None,
        )


class ChunkLost(Exception):
    """A chunk that holds deals of a segment is missing or not what was written."""


class SealedRows:
    """
    Deals of a segment that are in chunks; a column is fetched when it is first asked for.

    Raises
    ------
    ChunkLost
        From every method, if a chunk is not what was sealed.
    """

    def __init__(self, link: Link, keys: Keys, columns: Columns) -> None:
        self._columns = columns
        self._link = link
        self._keys = keys
        self._found: dict[str, pl.Series] = {}

    def _column(self, name: str) -> pl.Series:
        if name not in self._found:
            found = self._columns.read(self._link, self._keys, [name])
            if found is None:
                raise ChunkLost
            self._found.update(found)
        return self._found[name]

    def texts(self, fields: Sequence[str], row: int, n: int) -> pl.DataFrame:
        """Columns of texts of ``n`` deals, ``id`` first."""
        return pl.DataFrame([self._texts(name, row, n) for name in ("id", *fields)])

    def _texts(self, name: str, row: int, n: int) -> pl.Series:
        part = self._column(name).slice(row - self._columns.first, n)
        return encode_column(part, self._columns.schema[name])

    def rows_of(self, deal_id: str) -> list[int]:
        """Rows of a deal."""
        return [row + self._columns.first for row in (self._column("id") == deal_id).arg_true()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """
    A segment before it is written.

    Attributes
    ----------
    blob
        What it holds.
    first, last
        Numbers of its first and last commit.
    columns
        Chunks that hold deals of its entries.
    extent
        As of ``Segment``.
    """

    blob: bytes
    first: int
    last: int
    columns: Columns | None
    extent: Extent

    def at(self, key: str) -> Segment:
        """The segment, once it is written to this key."""
        return Segment(
            key=key,
            digest=sha256(self.blob).hexdigest(),
            first=self.first,
            last=self.last,
            columns=self.columns,
            extent=self.extent,
        )


def seal(entries: Sequence[Entry], frame: pl.DataFrame, columns: Columns) -> Sealed:
    """
    Segment of these entries.

    Parameters
    ----------
    entries
        Consecutive commits, not later than the checkpoint.
    frame, columns
        The rows of the checkpoint, and where they are.
    """
    times = [entry.time_ms for entry in entries]
    extent = Extent(min(times), max(times), sum(map(log_bytes, entries)), 0)
    return _sealed(*_rows_of(entries, frame, columns), extent)


def complete(found: pl.DataFrame, held: SealedRows | None = None) -> pl.DataFrame:
    """
    Entries of a segment, whichever version has sealed it.

    Parameters
    ----------
    found
        As ``read_segment`` has it.
    held
        The deals that are in chunks, for each commit to have its own; with None, they stay where they are.

    Raises
    ------
    ChunkLost
        If a chunk is not what was sealed.
    """
    absent = [pl.lit(None).alias(name) for name in _COLUMNS if name not in found.columns]
    frame = found.with_columns(absent).select(*_COLUMNS).cast(pl.Schema(_COLUMNS))
    if held is None:
        return frame
    is_held = pl.col("n").is_not_null()
    texts = [entry.data for entry in unseal(frame.filter(is_held), held)]
    none = [pl.lit(None, _COLUMNS[name]).alias(name) for name in ("n", "fields")]
    own = frame.filter(is_held).with_columns(pl.Series("data", texts, pl.Binary()), *none)
    return pl.concat([frame.filter(~is_held), own]).sort("seq")


def resealed(
    entries: pl.DataFrame, frame: pl.DataFrame, columns: Columns, extent: Extent
) -> Sealed:
    """
    Segment of entries that were sealed before; those of which a checkpoint has the deals come without them.

    Parameters
    ----------
    entries
        Of consecutive commits, as ``complete`` has them.
    frame, columns
        As for ``seal``.
    extent
        What is known of them.
    """
    is_added = pl.col("kind") == "add"
    added = list(unseal(entries.filter(is_added), None))
    rows, part = _rows_of(added, frame, columns)
    return _sealed(pl.concat([entries.filter(~is_added), rows]).sort("seq"), part, extent)


def _sealed(entries: pl.DataFrame, columns: Columns | None, extent: Extent) -> Sealed:
    buffer = io.BytesIO()
    entries.write_ipc(buffer, compression="zstd")
    return Sealed(
        blob=buffer.getvalue(),
        first=entries["seq"][0],
        last=entries["seq"][-1],
        columns=columns,
        extent=extent,
    )


def _rows_of(
    entries: Sequence[Entry], frame: pl.DataFrame, columns: Columns
) -> tuple[pl.DataFrame, Columns | None]:
    """Entries as a segment has them, and the chunks that hold deals of theirs."""
    rows, fields, touched = [], set[str](), list[int]()
    held = _Held(
        frame, columns.schema, min((e.height for e in entries if e.kind == "add"), default=0)
    )
    for entry, added in _with_held(entries, held):
        rows.append(
            (
                *(entry.position.seq, entry.position.hash, entry.time_ms, entry.writer),
                *(entry.counter, entry.actor, entry.kind, entry.height, entry.packed_rows),
                *(
                    (entry.data, None, None)
                    if added is None
                    else (None, added.height, added.columns[1:])
                ),
            )
        )
        if added is not None:
            fields.update(added.columns)
            touched += [entry.height, entry.height + added.height - 1]
    part = columns.part(sorted(fields), min(touched), max(touched)) if touched else None
    return pl.DataFrame(rows, schema=_COLUMNS, orient="row"), part


def log_bytes(entry: Entry) -> int:
    """What an entry takes up in the log, roughly: its fields without the names, which the log has once."""
    return len(entry.data) + len(entry.packed_rows) + 100


def _with_held(
    entries: Iterable[Entry], held: _Held
) -> Iterator[tuple[Entry, pl.DataFrame | None]]:
    """Each entry, with the deals that it added where the checkpoint has them as they were."""
    for kind, some in groupby(entries, key=attrgetter("kind")):
        if kind != "add":
            yield from ((entry, None) for entry in some)
            continue
        while part := list(islice(some, _AT_ONCE)):
            yield from zip(part, held.those_of(part), strict=True)


class _Held:
    """Texts that a frame has from a row on; encoded a column at a time: a commit at a time costs far more."""

    def __init__(self, frame: pl.DataFrame, schema: Schema, first: int) -> None:
        self._frame = frame.slice(first)
        self._schema = schema
        self._first = first
        self._texts: dict[str, pl.Series] = {}

    def those_of(self, entries: Sequence[Entry]) -> list[pl.DataFrame | None]:
        """Deals that these commits added one after another, or None for a commit of which the frame has others."""
        added = [entry.added for entry in entries]
        heights = accumulate((deals.height for deals in added), initial=entries[0].height)
        follow = all(e.height == height for e, height in zip(entries, heights, strict=False))
        alike = all(deals.columns == added[0].columns for deals in added)
        # most have changed nowhere: to compare them takes a tenth of the time all at once
        if follow and alike and self._has(pl.concat(added), entries[0].height):
            return [*added]
        return [
            deals if self._has(deals, entry.height) else None
            for entry, deals in zip(entries, added, strict=True)
        ]

    def _has(self, added: pl.DataFrame, height: int) -> bool:
        """Whether it has the very texts of deals that were added, in the rows that they were given."""
        return all(
            name in self._schema
            and self._column(name)
            .slice(height - self._first, added.height)
            .equals(added[name], null_equal=True)
            for name in added.columns
        )

    def _column(self, name: str) -> pl.Series:
        if name not in self._texts:
            self._texts[name] = encode_column(self._frame[name], self._schema[name])
        return self._texts[name]


def read_segment(link: Link, segment: Segment) -> pl.DataFrame | None:
    """Its entries, a row each; None where it is missing or not what was sealed. One round trip."""
    blob = text_of(link, segment.key)
    if blob is None or sha256(blob).hexdigest() != segment.digest:
        return None
    return pl.read_ipc(blob)


def unseal(
    frame: pl.DataFrame, held: SealedRows | None, only: str | None = None
) -> Iterator[Entry]:
    """
    The entries of a segment.

    Parameters
    ----------
    frame
        As ``read_segment`` has it.
    held
        The deals that are in chunks; with None, their commits come without ``data``.
    only
        Id of the one deal that is asked for: commits whose deals are in chunks come without the others, as if they
        had added that deal alone.

    Raises
    ------
    ChunkLost
        If a chunk is not what was sealed.
    """
    wanted = held.rows_of(only) if held and only is not None else None
    # a segment of format 1 lacks the last two columns
    for row in frame.iter_rows(named=True):
        height, data, n = row["height"], row["data"] or b"", row.get("n")
        if n is not None and held is not None:
            if wanted is not None:
                height, n = next(((r, 1) for r in wanted if height <= r < height + n), (height, 0))
            data = packed(held.texts(row["fields"], height, n))
        yield Entry(
            Position(row["seq"], row["hash"]),
            row["time_ms"],
            row["writer"],
            row["counter"],
            row["actor"],
            row["kind"],
            height,
            row["rows"],
            data,
        )


def seal_all(entries: Iterable[Entry], frame: pl.DataFrame, columns: Columns) -> Iterator[Sealed]:
    """Segments of consecutive commits; ``frame`` and ``columns`` as for ``seal``."""
    some: list[Entry] = []
    size = 0
    for entry in entries:
        some.append(entry)
        size += log_bytes(entry)
        if size > SEGMENT_BYTES:
            yield seal(some, frame, columns)
            some, size = [], 0
    if some:
        yield seal(some, frame, columns)
