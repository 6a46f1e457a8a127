"""Sealing entries of the log: segments of the history, without the deals that a checkpoint has already."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate, groupby, islice
from operator import attrgetter
from typing import Protocol

import polars as pl

from dealdb.errors import StoreDamaged
from dealdb.model.columns import encode_column
from dealdb.model.schema import Schema
from dealdb.store.archive.chunks import Columns
from dealdb.store.archive.deal_index import build, in_pieces
from dealdb.store.archive.digest import digest_of
from dealdb.store.archive.segments import SEGMENT_COLUMNS, Extent, IndexPlace, Segment, unseal
from dealdb.store.archive.unpacking import CHUNK_ROWS
from dealdb.store.bounds.wall import Reading
from dealdb.store.log.entry import Entry

logger = logging.getLogger(__name__)
# bounds the size of one segment, in bytes before compression
SEGMENT_BYTES = 32 * 2**20
# commits compared with the checkpoint together: bounds the memory that their deals take
_AT_ONCE = 64


class HeldRows(Protocol):
    """The rows of a checkpoint."""

    def part(self, name: str, first: int, stop: int) -> pl.Series | None:
        """Some rows of a column; None where they can't be had."""
        ...


class FrameRows:
    """Rows that are in memory."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def part(self, name: str, first: int, stop: int) -> pl.Series:
        """Some rows of a column."""
        return self._frame[name][first:stop]


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
    index
        What its index holds, and the size of its head; None where it has none.
    """

    blob: bytes
    first: int
    last: int
    columns: Columns | None
    extent: Extent
    index: tuple[bytes, int] | None

    def at(self, key: str, index_key: str) -> Segment:
        """The segment, once it and its index are written to these keys."""
        return Segment(
            key=key,
            digest=sha256(self.blob).hexdigest(),
            first=self.first,
            last=self.last,
            columns=self.columns,
            extent=self.extent,
            index=index_place(index_key, *self.index) if self.index else None,
        )

    def blobs(self, key: str, index_key: str) -> dict[str, bytes]:
        """What is to be written, by key."""
        return {key: self.blob, **({index_key: self.index[0]} if self.index else {})}


def index_place(key: str, index: bytes, head_bytes: int) -> IndexPlace:
    """Where an index is, once it is written to this key."""
    return IndexPlace(key, digest_of(index[:head_bytes]), head_bytes)


def index_of(
    blob: bytes, entries: pl.DataFrame, added: Mapping[int, Iterable[str]]
) -> tuple[bytes, int] | None:
    """The index of a segment, as ``build`` has it; None where its entries can't be read: a reader will say so."""
    try:
        with Reading(f"the history from commit {entries['seq'][0]} on"):
            return build(blob, entries, added)
    except StoreDamaged as problem:
        logger.warning("no index: %s: %s", problem, problem.__cause__)
        return None


def seal(
    entries: Sequence[Entry], held: HeldRows, columns: Columns, *, indexed: bool = True
) -> Sealed:
    """
    Segment of these entries.

    Parameters
    ----------
    entries
        Consecutive commits, not later than the checkpoint.
    held, columns
        The rows of the checkpoint, and where they are.
    indexed
        Whether to make an index, too.
    """
    entries = [entry.with_deals() for entry in entries]
    times = [entry.time_ms for entry in entries]
    extent = Extent(min(times), max(times), sum(map(log_bytes, entries)), 0)
    return _sealed(*_rows_of(entries, held, columns), extent, entries if indexed else None)


def resealed(entries: pl.DataFrame, held: HeldRows, columns: Columns, extent: Extent) -> Sealed:
    """
    Segment of entries that were sealed before; those whose deals a checkpoint has come without them.

    Parameters
    ----------
    entries
        Of consecutive commits, as ``complete`` has them.
    held, columns
        As for ``seal``.
    extent
        What is known of them.
    """
    is_added = pl.col("kind") == "add"
    added = [entry.with_deals() for entry in unseal(entries.filter(is_added), None)]
    rows, part = _rows_of(added, held, columns)
    return _sealed(pl.concat([entries.filter(~is_added), rows]).sort("seq"), part, extent, added)


def _sealed(
    entries: pl.DataFrame,
    columns: Columns | None,
    extent: Extent,
    added: Sequence[Entry] | None,
) -> Sealed:
    """A segment; its index needs the commits that added deals, which are among ``added``."""
    blob = in_pieces(entries)
    index = None
    if added is not None:
        ids = {e.position.seq: e.added["id"].to_list() for e in added if e.kind == "add"}
        index = index_of(blob, entries, ids)
    return Sealed(
        blob=blob,
        first=entries["seq"][0],
        last=entries["seq"][-1],
        columns=columns,
        extent=extent,
        index=index,
    )


def _rows_of(
    entries: Sequence[Entry], held: HeldRows, columns: Columns
) -> tuple[pl.DataFrame, Columns | None]:
    """Entries as a segment has them, and the chunks that hold deals of theirs."""
    rows, fields, touched = [], set[str](), list[int]()
    for entry, added in _with_held(entries, _Held(held, columns.schema, entries)):
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
    return pl.DataFrame(rows, schema=SEGMENT_COLUMNS, orient="row"), part


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
    """
    Texts of the rows of some commits.

    They are encoded for many commits together, since one at a time costs far more, but not for all of them: those of
    a merge may be millions of rows.
    """

    def __init__(self, rows: HeldRows, schema: Schema, entries: Iterable[Entry]) -> None:
        self._rows = rows
        self._schema = schema
        self._end = max((e.height + e.added.height for e in entries if e.kind == "add"), default=0)
        # what is encoded now
        self._first = self._stop = 0
        self._texts: dict[str, pl.Series | None] = {}

    def those_of(self, entries: Sequence[Entry]) -> list[pl.DataFrame | None]:
        """Deals that these commits added one after another, or None for a commit whose deals differ in the frame."""
        added = [entry.added for entry in entries]
        first = min(entry.height for entry in entries)
        self._encode(first, max(entry.height + entry.added.height for entry in entries))
        heights = accumulate((deals.height for deals in added), initial=entries[0].height)
        follow = all(e.height == height for e, height in zip(entries, heights, strict=False))
        alike = all(deals.columns == added[0].columns for deals in added)
        # most have changed nowhere: comparing them all together takes a tenth of the time
        if follow and alike and self._has(pl.concat(added), entries[0].height):
            return [*added]
        return [
            deals if self._has(deals, entry.height) else None
            for entry, deals in zip(entries, added, strict=True)
        ]

    def _encode(self, first: int, stop: int) -> None:
        """Have these rows among those that are encoded, and some behind them."""
        if first < self._first or stop > self._stop:
            self._first, self._stop = first, max(stop, min(first + CHUNK_ROWS, self._end))
            self._texts = {}

    def _has(self, added: pl.DataFrame, height: int) -> bool:
        """Whether it has the very texts of deals that were added, in the rows that they were given."""
        start = height - self._first
        return all(
            name in self._schema
            and (texts := self._column(name)) is not None
            and texts.slice(start, added.height).equals(added[name], null_equal=True)
            for name in added.columns
        )

    def _column(self, name: str) -> pl.Series | None:
        if name not in self._texts:
            found = self._rows.part(name, self._first, self._stop)
            field = self._schema[name]
            self._texts[name] = None if found is None else encode_column(found, field)
        return self._texts[name]


def seal_all(
    entries: Iterable[Entry], held: HeldRows, columns: Columns, *, indexed: bool = True
) -> Iterator[Sealed]:
    """Segments of commits, which are consecutive but for those that the log has lost; the others as for ``seal``."""
    some: list[Entry] = []
    size = 0
    for entry in entries:
        # a segment says from where to where it goes: with a hole in it nobody would see that a commit is gone
        has_hole = bool(some) and entry.position.seq != some[-1].position.seq + 1
        if size > SEGMENT_BYTES or has_hole:
            yield seal(some, held, columns, indexed=indexed)
            some, size = [], 0
        some.append(entry)
        size += log_bytes(entry)
    if some:
        yield seal(some, held, columns, indexed=indexed)
