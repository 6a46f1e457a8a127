"""
The sealed part of the history: log entries in compressed Arrow, after the log is trimmed.

A segment holds consecutive entries, one row each. Deals that a bulk load added, and that nothing changed before they
were sealed, are in the chunks of the checkpoint already: such an entry is sealed without them, and ``unseal`` takes
them from there. ``sealing`` makes segments; this file has where they are and how they are read.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import inf
from typing import Any, NamedTuple, Protocol

import polars as pl

from dealdb.connection import Link
from dealdb.errors import StoreDamaged
from dealdb.model.columns import encode_column
from dealdb.store.archive.chunks import Columns
from dealdb.store.archive.digest import checked_digest
from dealdb.store.archive.string_keys import read_string
from dealdb.store.bounds.arrow import file_bytes, stream_bytes
from dealdb.store.bounds.room import check_bytes, check_texts
from dealdb.store.bounds.wall import LAST_MS, Reading, text, whole
from dealdb.store.encoding import packed
from dealdb.store.keys import Keys
from dealdb.store.log.entry import Entry, Position

logger = logging.getLogger(__name__)
SEGMENT_COLUMNS: dict[str, pl.DataType] = {
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

# what every entry has, and the numbers of it with what they can be at most
_ALWAYS = ("seq", "hash", "time_ms", "writer", "counter", "actor", "kind", "height", "rows")
_NUMBERS = {"seq": 10**18, "time_ms": LAST_MS, "counter": 10**18, "height": 10**18}
# of the head of an index; one of the largest segment has a tenth
_MOST_HEAD = 2**22
_NO_DEALS = pl.DataFrame(schema={"id": pl.String})


class Extent(NamedTuple):
    """
    What is known of a segment besides where it is.

    Attributes
    ----------
    earliest_ms, latest_ms
        Times of its commits are between these, milliseconds since 1970; not in their order, because clocks are set.
    n_bytes
        What its entries took up in the log, roughly.
    level
        How often what is in it was merged.
    """

    earliest_ms: int
    latest_ms: int
    n_bytes: int
    level: int


class IndexPlace(NamedTuple):
    """
    Where the index of a segment is, and how it is known.

    Attributes
    ----------
    key
        Key that holds it.
    digest
        Of its head, as of a chunk; the head has those of the rest.
    head_bytes
        Size of the head.
    """

    key: str
    digest: str
    head_bytes: int


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
    index
        Where its index by deal is; None where it has none.
    """

    key: str
    digest: str
    first: int
    last: int
    columns: Columns | None
    extent: Extent | None = None
    index: IndexPlace | None = None

    def to_document(self) -> list[object]:
        """As JSON has it."""
        columns = self.columns.to_document() if self.columns else None
        # versions before the index leave out what comes after the extent
        more = [self.extent, self.index] if self.index else [self.extent] if self.extent else []
        return [self.key, self.digest, self.first, self.last, columns, *more]

    @classmethod
    def from_document(cls, document: Sequence[Any]) -> Segment:
        """Inverse of ``to_document``; the columns may be missing, as in format 1."""
        key, digest, first, last, columns, extent, index = (*document, None, None, None)[:7]
        return cls(
            key=text(key),
            digest=text(digest),
            first=whole(first),
            last=whole(last),
            columns=Columns.from_document(columns) if columns else None,
            extent=Extent(*map(whole, extent)) if extent else None,
            index=_index_place(*index) if index else None,
        )

    @property
    def keys(self) -> list[str]:
        """Keys that hold it, without the chunks."""
        return [self.key, *([self.index.key] if self.index else [])]


def _index_place(key: object, digest: object, head_bytes: object) -> IndexPlace:
    return IndexPlace(text(key), checked_digest(digest), whole(head_bytes, _MOST_HEAD))


class ChunkLost(Exception):
    """A chunk that holds deals of a segment is missing or not what was written."""


class HeldDeals(Protocol):
    """Deals of a segment that are elsewhere."""

    def texts(self, fields: Sequence[str], row: int, n: int) -> pl.DataFrame:
        """Columns of texts of ``n`` deals, ``id`` first."""
        ...

    def rows_of(self, deal_id: str) -> list[int]:
        """Rows of a deal."""
        ...


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
            known = name in self._columns.digests
            found = self._columns.read(self._link, self._keys, [name]) if known else None
            if found is None:
                raise ChunkLost
            self._found.update(found)
        return self._found[name]

    def texts(self, fields: Sequence[str], row: int, n: int) -> pl.DataFrame:
        """Columns of texts of ``n`` deals, ``id`` first."""
        return pl.DataFrame([self._texts(name, row, n) for name in ("id", *fields)])

    def _texts(self, name: str, row: int, n: int) -> pl.Series:
        start = row - self._columns.first
        part = self._column(name).slice(start, n) if start >= 0 else None
        if part is None or len(part) != n:
            raise ChunkLost
        return encode_column(part, self._columns.schema[name])

    def rows_of(self, deal_id: str) -> list[int]:
        """Rows of a deal."""
        return [row + self._columns.first for row in (self._column("id") == deal_id).arg_true()]


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
    absent = [pl.lit(None).alias(name) for name in SEGMENT_COLUMNS if name not in found.columns]
    frame = found.with_columns(absent).select(*SEGMENT_COLUMNS).cast(pl.Schema(SEGMENT_COLUMNS))
    if held is None:
        return frame
    is_held = pl.col("n").is_not_null()
    texts = [entry.data for entry in unseal(frame.filter(is_held), held)]
    none = [pl.lit(None, SEGMENT_COLUMNS[name]).alias(name) for name in ("n", "fields")]
    own = frame.filter(is_held).with_columns(pl.Series("data", texts, pl.Binary()), *none)
    return pl.concat([frame.filter(~is_held), own]).sort("seq")


def read_segment(link: Link, segment: Segment) -> pl.DataFrame | None:
    """Its entries, a row each; None where it is missing or not what was sealed. One round trip."""
    blob = read_string(link, segment.key)
    if blob is None or sha256(blob).hexdigest() != segment.digest:
        return None
    try:
        with Reading(f"the history in {segment.key!r}"):
            return entries_of(blob)
    except StoreDamaged as problem:
        logger.warning("%s: %s", problem, problem.__cause__)
        return None


def sealed_entries(link: Link, keys: Keys, history: Iterable[Segment]) -> Iterator[Entry]:
    """Commits of segments, as far as each is found whole; those of bulk loads come as frames."""
    for segment in history:
        frame = read_segment(link, segment)
        held = SealedRows(link, keys, segment.columns) if segment.columns else None
        if frame is None:
            return
        try:
            yield from unseal(frame, held, as_frames=True)
        except ChunkLost:
            return


def n_bytes_of(history: Iterable[Segment]) -> float:
    """What the entries of segments took up in the log, roughly; infinite where that is not known."""
    return sum(each.extent.n_bytes if each.extent else inf for each in history)


def entries_of(blob: bytes) -> pl.DataFrame:
    """
    Entries of a segment, a row each.

    Raises
    ------
    ValueError
        If it is not one that dealdb wrote; what decodes it raises errors of its own.
    """
    # before Polars makes room for it
    check_bytes(file_bytes(blob), len(blob))
    return _checked(pl.read_ipc(blob), len(blob))


def entries_of_piece(stream: bytes) -> pl.DataFrame:
    """Entries of a piece of a segment, as an IPC stream; else as ``entries_of``."""
    return entries_of_pieces(stream, stream_bytes(stream))


def entries_of_pieces(stream: bytes, n_bytes: int) -> pl.DataFrame:
    """Entries of some pieces as one IPC stream, which says that it unpacks to so many bytes; else as ``entries_of``."""
    check_bytes(n_bytes, len(stream))
    return _checked(pl.read_ipc_stream(stream), len(stream))


def _checked(frame: pl.DataFrame, n_bytes: int) -> pl.DataFrame:
    """The columns of a segment, with their types; ValueError where they are not what they should be."""
    # column by column: a query for each step takes longer than to read a piece
    has = frame.columns
    names = [name for name in SEGMENT_COLUMNS if name in has]
    found = frame if has == names else pl.DataFrame([frame[name] for name in names])
    check_texts(int(found.estimated_size()), found.height, n_bytes)
    types = {name: SEGMENT_COLUMNS[name] for name in found.columns}
    if found.schema != types:
        found = found.cast(pl.Schema(types))
    if any(found[name].null_count() for name in _ALWAYS) or not all(
        _is_within(found[name], most) for name, most in _NUMBERS.items()
    ):
        msg = "not the fields of entries"
        raise ValueError(msg)
    return found


def _is_within(numbers: pl.Series, most: int) -> bool:
    ends = (numbers.min(), numbers.max())
    # there may be none
    return all(type(end) is int and 0 <= end <= most for end in ends if end is not None)


def unseal(
    frame: pl.DataFrame,
    held: HeldDeals | None,
    only: str | None = None,
    *,
    as_frames: bool = False,
    bare_until: int = 0,
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
    as_frames
        Whether commits whose deals are in chunks come with ``deals`` and without ``data``: for who wants columns, to
        pack them would be most of the work.
    bare_until
        Number of a commit up to which those whose deals are in chunks come without ``data``: for who passes over them.

    Raises
    ------
    ChunkLost
        If a chunk is not what was sealed.
    """
    wanted = held.rows_of(only) if held and only is not None else None
    # a segment of format 1 lacks the last two columns
    for row in frame.iter_rows(named=True):
        height, data, n, deals = row["height"], row["data"] or b"", row.get("n"), None
        if n is not None and held is not None and row["seq"] > bare_until:
            if wanted is not None:
                height, n = next(((r, 1) for r in wanted if height <= r < height + n), (height, 0))
            # most commits have nothing of the one deal, and then no column is encoded
            is_none = wanted is not None and not n
            deals = _NO_DEALS if is_none else held.texts(row["fields"], height, n)
            if wanted is None and not as_frames:
                data, deals = packed(deals), None
        yield sealed_entry(row)._replace(height=height, data=data, deals=deals)


def sealed_entry(row: dict[str, Any]) -> Entry:
    """The entry of a row of a segment; without its deals where these are in chunks."""
    return Entry(
        Position(row["seq"], row["hash"]),
        row["time_ms"],
        row["writer"],
        row["counter"],
        row["actor"],
        row["kind"],
        row["height"],
        row["rows"],
        row["data"] or b"",
    )
