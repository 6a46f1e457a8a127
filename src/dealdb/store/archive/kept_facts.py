"""
The history of a collection as tables, in pieces on the server: made from the log with each checkpoint.

They save a new process the reading of the log, and are never the truth: what is missing is made again from it. A piece
is a chunk: its key has the digest of what it holds. ``docs/protocol.md`` describes the bytes.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

import polars as pl

from dealdb.connection import Link
from dealdb.errors import StoreDamaged
from dealdb.store.archive.chunk_cache import CachedChunks
from dealdb.store.archive.chunks import in_threads, read_blobs
from dealdb.store.archive.digest import checked_digest, digest_of
from dealdb.store.bounds.parquet import extent_of
from dealdb.store.bounds.room import check_bytes, check_rows, check_texts
from dealdb.store.bounds.wall import Reading, text, whole
from dealdb.store.keys import Keys

logger = logging.getLogger(__name__)
PIECE_ROWS = 262_144
# what is larger stays as it is: bounds what a checkpoint writes again
_SMALL_ROWS = 65_536
# a piece is joined with those after it once they have a part of its rows
_PART = 4
# of a table whose rows are changes of deals
_PLACES = ("row", "seq")
# then they are joined even while somebody waits
MANY = 16
# besides texts, of all columns of a row; harmless, since the rows are counted
_ROW_BYTES = 32


class Piece(NamedTuple):
    """
    Rows of a table that follow one another.

    Attributes
    ----------
    digest
        Of what its key holds.
    n_rows
        Its rows.
    """

    digest: str
    n_rows: int


@dataclass(frozen=True, slots=True)
class KeptFacts:
    """
    Where the tables of a history are.

    Attributes
    ----------
    tables
        The pieces of each by its name, oldest first.
    """

    tables: Mapping[str, tuple[Piece, ...]]

    def keys(self, keys: Keys) -> list[str]:
        """Keys of the pieces, each once."""
        return [keys.chunk(digest) for digest in self._distinct(self.tables)]

    @property
    def n_pieces(self) -> int:
        """Pieces of all tables."""
        return sum(map(len, self.tables.values()))

    def rows_of(self, name: str) -> int:
        """Rows of a table."""
        return sum(piece.n_rows for piece in self.tables.get(name, ()))

    def read(
        self,
        link: Link,
        keys: Keys,
        schemas: Mapping[str, Mapping[str, pl.DataType]],
        cache: CachedChunks | None = None,
    ) -> dict[str, pl.DataFrame] | None:
        """
        Some tables, or None where a piece is missing or not what was written.

        None, too, where there are more rows than a database of so few keys lets expect: a few deals may have been
        changed that often, and then the log has the same, commit by commit.

        Parameters
        ----------
        schemas
            The columns of each.

        Cost
        ----
        One round trip, however many pieces; none where the cache has all of them.
        """
        n_rows = sum(map(self.rows_of, schemas))
        n_cells = sum(self.rows_of(name) * len(schema) for name, schema in schemas.items())
        try:
            n_columns = -(-n_cells // max(n_rows, 1))
            check_rows(link, keys, n_rows, n_columns, f"the manifest {keys.checkpoint!r}")
            blobs = read_blobs(link, keys, self._distinct(schemas), cache)
            if blobs is None:
                return None
            with Reading(f"a table of facts of {keys.collection!r}"):
                return {
                    name: _table(self.tables.get(name, ()), blobs, schema)
                    for name, schema in schemas.items()
                }
        except StoreDamaged as problem:
            logger.warning("%s: %s", problem, problem.__cause__ or "the log is read instead")
            return None

    def _distinct(self, names: Collection[str]) -> list[str]:
        found = (piece.digest for name in names for piece in self.tables.get(name, ()))
        return list(dict.fromkeys(found))

    def to_document(self) -> dict[str, list[Piece]]:
        """As JSON has it."""
        return {name: list(pieces) for name, pieces in self.tables.items()}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> KeptFacts:
        """Inverse of ``to_document``."""
        return cls(
            {
                text(name): tuple(Piece(checked_digest(d), whole(n, PIECE_ROWS)) for d, n in pieces)
                for name, pieces in document.items()
            }
        )


def _table(
    pieces: Sequence[Piece], blobs: Mapping[str, bytes], schema: Mapping[str, pl.DataType]
) -> pl.DataFrame:
    """
    Rows of pieces.

    Raises
    ------
    ValueError
        If they are not what dealdb writes; Polars raises errors of its own.
    """
    if not pieces:
        return pl.DataFrame(schema=dict(schema))
    packed = unpacked = 0
    for piece in pieces:
        blob = blobs[piece.digest]
        # before Polars makes room for it
        extent = extent_of(blob)
        if (extent.n_rows, extent.n_columns) != (piece.n_rows, len(schema)):
            msg = "other rows or columns than the manifest says"
            raise ValueError(msg)
        if extent.n_values > extent.n_rows * extent.n_columns:
            msg = "more values than cells"
            raise ValueError(msg)
        packed += len(blob)
        unpacked += extent.n_bytes - _ROW_BYTES * extent.n_rows
    check_bytes(unpacked, packed)
    parts = pl.collect_all([pl.scan_parquet(blobs[piece.digest]) for piece in pieces])
    if any(dict(part.schema) != _stored(schema) for part in parts):
        msg = "not the columns of this table"
        raise ValueError(msg)
    found = pl.concat(parts if not _has_places(schema) else map(_from_steps, parts))
    check_texts(int(found.estimated_size()), found.height * found.width, packed)
    if [part.height for part in parts] != [piece.n_rows for piece in pieces]:
        msg = "other rows than the manifest says"
        raise ValueError(msg)
    return found


def _has_places(names: Collection[str]) -> bool:
    return {"row", "seq"} <= {*names}


def _stored(schema: Mapping[str, pl.DataType]) -> dict[str, pl.DataType]:
    """Columns of the files of a table."""
    steps = dict.fromkeys(_PLACES, pl.Int64()) if _has_places(schema) else {}
    return {**schema, **steps}


def _in_steps(part: pl.DataFrame) -> pl.DataFrame:
    """The same with the difference to the row before, for rows and numbers of commits: that takes half the room."""
    places = part.select(pl.col(_PLACES).cast(pl.Int64))
    return part.with_columns(places.select(pl.all().diff().fill_null(pl.all().first())))


def _from_steps(part: pl.DataFrame) -> pl.DataFrame:
    """Inverse of ``_in_steps``; Polars raises an error where that is no row and no number."""
    return part.with_columns(pl.col(_PLACES).cum_sum().cast(pl.UInt32))


def to_join(sizes: Sequence[int]) -> int:
    """
    How many of the last pieces of a table are to be made one; the last of them is new, and may stay alone.

    So each row is written again a few times, however many checkpoints there are.

    Examples
    --------
    >>> (
    ...     to_join([1_000, 300]),
    ...     to_join([1_000, 200]),
    ...     to_join([1_000, 200, 200]),
    ...     to_join([100_000, 60_000]),
    ... )
    (2, 1, 3, 1)
    """
    n = 1
    sums = list(accumulate(reversed(sizes)))
    for place, size in enumerate(reversed(sizes[:-1]), 1):
        if size >= _SMALL_ROWS:
            break
        if size <= _PART * sums[place - 1]:
            n = place + 1
    return n


def packed_pieces(table: pl.DataFrame) -> Iterator[tuple[Piece, bytes]]:
    """A table in pieces, with what each holds; rows of deals are put in their order."""
    in_steps = _has_places(table.columns)
    if in_steps:
        table = table.sort("row", "seq", maintain_order=True)
    parts = [table[start : start + PIECE_ROWS] for start in range(0, table.height, PIECE_ROWS)]
    found = in_threads(_packed, [_in_steps(part) for part in parts] if in_steps else parts)
    for part, blob in zip(parts, found, strict=True):
        yield Piece(digest_of(blob), part.height), blob


def _packed(part: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    part.write_parquet(
        buffer,
        compression="zstd",
        compression_level=1,
        statistics=False,
        row_group_size=PIECE_ROWS,
    )
    return buffer.getvalue()
