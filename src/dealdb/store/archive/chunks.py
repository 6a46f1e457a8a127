"""
Columns as they are on the server: a Parquet file for every 65,536 rows of a column.

The key of a chunk is made of what is in it. So what has not changed since the last checkpoint is there once, and so
is what both a checkpoint and the history behind it hold.
"""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias, TypeVar

import polars as pl

from dealdb.connection import Link
from dealdb.errors import ServerRefused, StoreDamaged
from dealdb.model.schema import Schema
from dealdb.store.archive.chunk_cache import CachedChunks, ChunkCache
from dealdb.store.archive.digest import checked_digest, digest_of, is_whole
from dealdb.store.archive.string_keys import is_wrong_type
from dealdb.store.archive.unpacking import CHUNK_ROWS, columns_of, parts_of, rows_of, runs_of, typed
from dealdb.store.bounds.room import check_rows
from dealdb.store.bounds.wall import Reading, whole
from dealdb.store.keys import Keys

logger = logging.getLogger(__name__)
# a row alone is read with so many others
_GROUP_ROWS = 16_384
# the same for every column, so that one that is renamed keeps its chunks
_NAME = "values"
_THREADS = min(4, os.cpu_count() or 1)
# comparing less than this takes no longer than starting threads for it
_BYTES_FOR_THREADS = 2 * 2**20
# named in a line of the log
_SHOWN_CHUNKS = 5
_Given = TypeVar("_Given")
_Made = TypeVar("_Made")
# a chunk, and the first and the last place in it
_Run: TypeAlias = tuple[str, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """
    Where some columns are.

    Attributes
    ----------
    schema
        What their fields were; has at least theirs.
    first
        Row that the first chunk of each begins with.
    digests
        For each field the digests of its chunks, in the order of rows.
    """

    schema: Schema
    first: int
    digests: Mapping[str, tuple[str, ...]]

    def keys(self, keys: Keys) -> list[str]:
        """Keys of the chunks, each once."""
        return [keys.chunk(digest) for digest in self._distinct(self.digests)]

    def part(self, fields: Iterable[str], first: int, last: int) -> Columns:
        """Of these fields, the chunks that hold the rows from ``first`` to ``last``."""
        start, stop = (first - self.first) // CHUNK_ROWS, (last - self.first) // CHUNK_ROWS + 1
        return Columns(
            schema=self.schema,
            first=self.first + start * CHUNK_ROWS,
            digests={name: self.digests[name][start:stop] for name in fields},
        )

    def read(
        self,
        link: Link,
        keys: Keys,
        names: Collection[str] | None = None,
        cache: ChunkCache | None = None,
    ) -> dict[str, pl.Series] | None:
        """
        These columns, or None when a chunk is missing or not what was written.

        Cost
        ----
        One round trip, however many chunks; none where the cache has all of them.
        """
        names = self.digests if names is None else names
        digests = {self.schema[name]: self.digests[name] for name in names}
        self.check_room(link, keys, names)
        blobs = read_blobs(link, keys, self._distinct(names), cache)
        return None if blobs is None else _decoded(keys, lambda: columns_of(blobs, digests))

    def check_room(self, link: Link, keys: Keys, names: Collection[str]) -> None:
        """Refuse columns of more rows than a collection can have; costs as ``check_rows``, and raises as it does."""
        rows = max((len(self.digests[name]) for name in names), default=0) * CHUNK_ROWS
        check_rows(link, keys, rows, len(names), f"the manifest {keys.checkpoint!r}")

    def read_rows(
        self,
        link: Link,
        keys: Keys,
        names: Collection[str],
        rows: Sequence[int],
        cache: ChunkCache | None = None,
    ) -> dict[str, pl.Series] | None:
        """Some rows, in the order given, of these columns; else as ``read``. A row costs a third of a chunk at most."""
        places = [divmod(row - self.first, CHUNK_ROWS) for row in rows]
        cells = {name: [(self.digests[name][n], at) for n, at in places] for name in names}
        spans = _spans(chain(*cells.values()))
        blobs = read_blobs(link, keys, list(spans), cache)
        if blobs is None:
            return None
        of_fields = {self.schema[name]: wanted for name, wanted in cells.items()}
        return _decoded(keys, lambda: rows_of(blobs, spans, of_fields))

    def read_run(
        self,
        link: Link,
        keys: Keys,
        names: Collection[str],
        rows: range,
        cache: ChunkCache | None = None,
    ) -> dict[str, pl.Series] | None:
        """Rows that follow one another, at least one, of these columns; else as ``read_rows``."""
        runs = self._runs(names, rows)
        blobs = read_blobs(link, keys, list(_spans_of(runs)), cache)
        return None if blobs is None else _decoded(keys, lambda: self._run(blobs, runs))

    def find_deal(
        self,
        link: Link,
        keys: Keys,
        names: Sequence[str],
        rows: range,
        deal_id: str,
        cache: CachedChunks | None = None,
    ) -> dict[int, list[object]] | None:
        """
        Values of a deal that is in one of these rows at most, by its row; else as ``read_run``.

        Parameters
        ----------
        names
            Of the columns, ``id`` first.
        """
        runs = self._runs(names, rows)
        blobs = read_blobs(link, keys, list(_spans_of(runs)), cache)
        if blobs is None:
            return None

        def decode() -> dict[int, list[object]]:
            columns = parts_of(blobs, _spans_of(runs), runs.values())
            places = columns[0].to_list()
            if deal_id not in places:
                return {}
            place = places.index(deal_id)
            # as a list of one, since a list of texts that is taken by its place is a Series
            return {
                rows[place]: [
                    typed(column.slice(place, 1), self.schema[name]).to_list()[0]
                    for name, column in zip(names, columns, strict=True)
                ]
            }

        return _decoded(keys, decode)

    def _runs(self, names: Iterable[str], rows: range) -> dict[str, list[_Run]]:
        first, last = rows[0] - self.first, rows[-1] - self.first
        edges = [
            (n, max(first - n * CHUNK_ROWS, 0), min(last - n * CHUNK_ROWS, CHUNK_ROWS - 1))
            for n in range(first // CHUNK_ROWS, last // CHUNK_ROWS + 1)
        ]
        return {name: [(self.digests[name][n], a, b) for n, a, b in edges] for name in names}

    def _run(
        self, blobs: Mapping[str, bytes], runs: Mapping[str, list[_Run]]
    ) -> dict[str, pl.Series]:
        return runs_of(blobs, _spans_of(runs), {self.schema[n]: some for n, some in runs.items()})

    def have_rows(self, names: Iterable[str], first: int, n: int) -> bool:
        """Whether they have the chunks of these rows of these columns."""
        start = first - self.first
        n_chunks = min((len(self.digests.get(name, ())) for name in names), default=0)
        return start >= 0 and n > 0 and start + n <= n_chunks * CHUNK_ROWS

    def full_chunks(self, height: int) -> dict[str, dict[int, str]]:
        """Digests by field and number, of those chunks that have all their rows where there are so many."""
        n_full = height // CHUNK_ROWS if self.first == 0 else 0
        return {name: dict(enumerate(found[:n_full])) for name, found in self.digests.items()}

    def _distinct(self, names: Iterable[str]) -> list[str]:
        return list(dict.fromkeys(digest for name in names for digest in self.digests[name]))

    def to_document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"schema": self.schema.to_json(), "first": self.first, "chunks": dict(self.digests)}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Columns:
        """Inverse of ``to_document``."""
        found = cls(
            schema=Schema.from_json(document["schema"]),
            first=whole(document["first"]),
            digests={
                name: tuple(map(checked_digest, digests))
                for name, digests in document["chunks"].items()
            },
        )
        if not found.schema.keys() >= found.digests.keys():
            msg = "chunks of a column that there is not"
            raise ValueError(msg)
        return found

    def cover(self, schema: Schema, height: int) -> bool:
        """Whether they have so many rows of all columns of a schema, and no others."""
        n_chunks = -(-height // CHUNK_ROWS)
        return self.schema == schema and all(
            len(self.digests.get(name, ())) == n_chunks for name in schema
        )


def read_blobs(
    link: Link, keys: Keys, digests: list[str], cache: CachedChunks | None
) -> dict[str, bytes] | None:
    """Bytes of chunks by their digests, or None when one is missing or not what was written."""
    blobs = cache.find(digests) if cache else {}
    missing = [digest for digest in digests if digest not in blobs]
    commands = [("GET", keys.chunk(digest)) for digest in missing]
    try:
        replies = link.calls(commands, retry=True) if commands else []
    except ServerRefused as refusal:
        if is_wrong_type(refusal):
            logger.warning("a chunk of %r is of another type: %s", keys.collection, refusal)
            return None
        raise
    fetched = dict(zip(missing, replies, strict=True))
    # nothing from the server is parsed before it is known to be what was written
    lost = _not_whole(fetched)
    if lost:
        _log_lost(keys, lost, fetched)
        return None
    if cache:
        cache.keep(fetched)
    return blobs | fetched


def _decoded(keys: Keys, decode: Callable[[], _Made]) -> _Made | None:
    """Columns of chunks, or None where another program wrote them: then they are as good as gone."""
    try:
        with Reading(f"a chunk of {keys.collection!r}"):
            return decode()
    except StoreDamaged as problem:
        logger.warning("%s: %s", problem, problem.__cause__)
        return None


def _spans_of(runs: Mapping[str, list[_Run]]) -> dict[str, tuple[int, int]]:
    return _spans((digest, at) for some in runs.values() for digest, *each in some for at in each)


def _spans(cells: Iterable[tuple[str, int]]) -> dict[str, tuple[int, int]]:
    """First and last place in each chunk: to read what lies between costs less than to read the chunk twice."""
    spans: dict[str, tuple[int, int]] = {}
    for digest, at in cells:
        first, last = spans.get(digest, (at, at))
        spans[digest] = min(first, at), max(last, at)
    return spans


def _not_whole(blobs: Mapping[str, bytes | None]) -> list[str]:
    """Digests of those that are missing or not what was written."""
    if sum(len(blob or b"") for blob in blobs.values()) < _BYTES_FOR_THREADS:
        whole: Iterator[bool] = map(is_whole, blobs, blobs.values())
    else:
        whole = in_threads(lambda item: is_whole(*item), list(blobs.items()))
    return [digest for digest, is_right in zip(blobs, whole, strict=True) if not is_right]


def _log_lost(keys: Keys, lost: Sequence[str], fetched: Mapping[str, bytes | None]) -> None:
    damaged = [keys.chunk(digest) for digest in lost if fetched[digest] is not None]
    if damaged:
        logger.warning("damaged: %s", ", ".join(damaged[:_SHOWN_CHUNKS]))
    else:
        # a newer checkpoint takes chunks of an older one away; the readers of these begin from the newer one
        logger.debug("chunks of %r that are gone: %d", keys.collection, len(lost))


def encoded(
    frame: pl.DataFrame, known: Mapping[str, Mapping[int, str]]
) -> Iterator[tuple[str, int, str, bytes]]:
    """Field, number, digest and bytes of each chunk of a frame, without those whose digest is known."""
    for column in frame:
        numbers = range(-(-frame.height // CHUNK_ROWS))
        new = [number for number in numbers if number not in known.get(column.name, ())]
        parts = [column[n * CHUNK_ROWS : (n + 1) * CHUNK_ROWS] for n in new]
        yield from encoded_parts(column.name, new, parts)


def encoded_parts(
    name: str, numbers: Sequence[int], parts: Sequence[pl.Series]
) -> Iterator[tuple[str, int, str, bytes]]:
    """Field, number, digest and bytes of some chunks of a column."""
    for number, (digest, blob) in zip(numbers, in_threads(_encoded, parts), strict=True):
        yield name, number, digest, blob


def in_threads(function: Callable[[_Given], _Made], items: Sequence[_Given]) -> Iterator[_Made]:
    """What a function makes of each, by some threads where there can be any: at the end of the program there can't."""
    if len(items) < 2:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            made = pool.map(function, items)
        except RuntimeError:
            made = map(function, items)
        yield from made


def _encoded(part: pl.Series) -> tuple[str, bytes]:
    # categories are numbered as they occur in the chunk: equal chunks of two processes have equal bytes
    buffer = io.BytesIO()
    part.to_frame(_NAME).write_parquet(
        buffer,
        compression="zstd",
        compression_level=1,
        statistics=False,
        row_group_size=_GROUP_ROWS,
    )
    blob = buffer.getvalue()
    return digest_of(blob), blob
