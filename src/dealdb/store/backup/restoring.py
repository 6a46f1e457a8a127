"""
Restoring: a collection written from a backup file, which is one only when all of it is there.

Until then its meta data has a format that every program refuses, so that nobody reads half of it or commits to it.
All writes of deals ask whether this restore is still the one that is under way. What one that died has left, the next
removes.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import polars as pl

from dealdb.connection import Link
from dealdb.store.archive.manifest import Generation, Manifest
from dealdb.store.archive.sealing import index_of, index_place
from dealdb.store.archive.segments import complete, entries_of
from dealdb.store.archive.unpacking import CHUNK_ROWS
from dealdb.store.backup.checking import open_backup
from dealdb.store.backup.claim import Claim
from dealdb.store.backup.dividing import divided
from dealdb.store.backup.piece import Backup
from dealdb.store.backup.reports import RestoreReport, Tell, position_of
from dealdb.store.commit.change import version_of
from dealdb.store.history.confirm import newest
from dealdb.store.keys import FORMAT, FORMAT_OF_FACTS, Keys
from dealdb.store.log.entry import Entry
from dealdb.store.log.reader import has_position

# cells, and bytes of them, written by one script: the server does nothing else meanwhile
_CELLS = 4_000
_BYTES = 2**20
_MOST_DEALS = 500
# scripts sent together
_AT_ONCE = 8
# of chunks and segments sent together
_SENT_BYTES = 16 * 2**20


def restore(link: Link, keys: Keys, path: Path, tell: Tell) -> RestoreReport:
    """
    Write a collection from a backup file into an empty one.

    Raises
    ------
    BackupError
        If the file is not whole; nothing was written.
    RestoreRefused
        If the collection holds anything, or another process restores into it.

    Cost
    ----
    Three reads of the file, and a round trip for some thousand deals.
    """
    begun = time.perf_counter()
    with open_backup(path, tell) as file, divided(file, 1, lambda _: 0, tell) as whole:
        claim = Claim(link, keys)
        cleared, queries = Restorer(link, keys, whole.pieces[0], claim, tell).run()
    return restored_of(whole.pieces, path, keys, queries, cleared, time.perf_counter() - begun)


def restored_of(
    pieces: Sequence[Backup], path: Path, keys: Keys, queries: int, cleared: int, seconds: float
) -> RestoreReport:
    """Report on a restore of these pieces."""
    heads = [piece.head for piece in pieces]
    seq, chain = position_of([head.position for head in heads])
    history = any(head.history for head in heads)
    return RestoreReport(
        path=str(path),
        collection=keys.collection,
        source=heads[0].collection,
        seq=seq,
        hash=chain,
        deals=sum(head.deals for head in heads),
        commits=seq if history else 0,
        queries=queries,
        history=history,
        cleared=cleared,
        seconds=seconds,
        partitions=len(pieces),
    )


class Restorer:
    """
    Writes one collection, or one partition of it.

    Parameters
    ----------
    link, keys
        The collection, or the partition.
    backup
        What it is to be.
    claim
        The right to it.
    tell
        Told how far it is.
    """

    def __init__(self, link: Link, keys: Keys, backup: Backup, claim: Claim, tell: Tell) -> None:
        self._link = link
        self._keys = keys
        self._backup = backup
        self._tell = tell
        self._claim = claim
        self._blobs: list[str] = []
        self._n_indexes = 0
        self._history = [
            replace(each, key=keys.segment(f"{each.first}-{each.last}-{self._claim.token}"))
            for each in backup.end.history
        ]

    def run(self) -> tuple[int, int]:
        """Keys that were left over from another restore, and saved queries that were restored."""
        try:
            has_leftovers = self._claim.take()
            cleared = self._claim.clear() if has_leftovers else 0
            self._claim.demand_empty()
            self.write()
            queries = self.finish()
        except BaseException:
            self._claim.give_up()
            raise
        self.confirm()
        return cleared, queries

    # writing ---------------------------------------------------------------------------------------

    def write(self) -> None:
        """Write all but what makes it a collection."""
        self._write_blobs()
        self._write_deals()

    def _write_blobs(self) -> None:
        """Chunks and segments, each read back from the server."""
        for some in _by_size(chain(self._chunks(), self._segments())):
            # the names first: a process that dies in between leaves no key that nobody finds
            commands: list[tuple[str | bytes, ...]] = [("SADD", self._keys.chunks, *some)]
            commands += [("SET", name, blob) for name, blob in some.items()]
            commands += [("GET", name) for name in some]
            replies = self._link.calls(commands, retry=True)
            if replies[-len(some) :] != list(some.values()):
                raise self._claim.refused(
                    "what was written to it reads back differently: is another program using its keys?"
                )
            self._blobs += some
            self._claim.hold()
            n_written = len(self._blobs) - self._n_indexes
            self._tell("writing columns", n_written, self._backup.n_blobs, "chunks")

    def _chunks(self) -> Iterator[tuple[str, bytes]]:
        for digest, blob in self._backup.chunks():
            yield self._keys.chunk(digest), blob

    def _segments(self) -> Iterator[tuple[str, bytes]]:
        """Segments and their indexes, which are not in the file: they follow from what is."""
        ids = self._backup.ids() if self._history else pl.Series()
        for place, segment in enumerate(self._history):
            blob = self._backup.segment(segment)
            yield segment.key, blob
            entries = complete(entries_of(blob))
            held = entries.filter(pl.col("n").is_not_null()).select("seq", "height", "n")
            added = {seq: ids.slice(height, n) for seq, height, n in held.iter_rows()}
            index = index_of(blob, entries, added)
            if index:
                key = self._keys.index(f"{segment.first}-{segment.last}-{self._claim.token}")
                self._history[place] = replace(segment, index=index_place(key, *index))
                self._n_indexes += 1
                yield key, index[0]

    def _write_deals(self) -> None:
        """The hashes, each read back from the server."""
        head, n_written = self._backup.head, 0
        counts = self._that_count()
        for number in range(head.n_chunks):
            first = number * CHUNK_ROWS
            texts = self._backup.stripe(number)
            rows = pl.Series("_row", range(first, first + texts.height)).cast(pl.String)
            frame = texts.insert_column(1, rows).filter(counts[first : first + texts.height])
            size = self._n_deals(frame)
            for part in _slices(frame, _AT_ONCE * size):
                self._write_some(part, size)
                n_written += part.height
                self._tell("writing deals", n_written, head.deals, "deals")
        if n_written != head.deals:
            raise self._claim.refused(f"deals written: {n_written}, not {head.deals}")

    def _that_count(self) -> pl.Series:
        """Rows of deals: where a deal has several, as another program replaced its hash, the last one has its hash."""
        ids = self._backup.ids()
        return ids.is_not_null() & (ids.is_last_distinct() if len(ids) else ids.is_not_null())

    @staticmethod
    def _n_deals(frame: pl.DataFrame) -> int:
        """Deals that one script writes."""
        deal_bytes = int(frame.estimated_size()) // max(frame.height, 1) + 1
        return max(1, min(_CELLS // frame.width, _BYTES // deal_bytes, _MOST_DEALS))

    def _write_some(self, frame: pl.DataFrame, size: int) -> None:
        ids = [self._keys.deal(deal) for deal in frame["id"]]
        given = [column for column in frame.drop("id") if column.null_count() < len(column)]
        fields = [column.name for column in given]
        texts = [column.cast(pl.Binary).to_list() for column in given]
        puts = [
            self._claim.put(ids[n : n + size], fields, [column[n : n + size] for column in texts])
            for n in range(0, len(ids), size)
        ]
        reads = [("HMGET", key, *fields) for key in ids]
        replies = self._link.calls([*puts, *reads], retry=True)
        for reply in replies[: len(puts)]:
            self._claim.heed(reply)
        if replies[len(puts) :] != [list(row) for row in zip(*texts, strict=True)]:
            raise self._claim.refused(
                "deals that were written to it read back differently: is another program changing them?"
            )

    # the end ---------------------------------------------------------------------------------------

    def finish(self) -> int:
        """Make it a whole one, which ends the claim; returns how many saved queries were written."""
        generation, last = self._backup.end.generation, self._backup.last
        entry: list[str | bytes | int] = []
        meta: list[str | bytes | int] = []
        manifest = ""
        if generation is not None and last is not None:
            entry, meta = _entry_words(last), self._meta_words(generation)
            # pieces of tables are in no backup
            only = replace(generation, facts=None)
            manifest = Manifest(generations=(only,), history=tuple(self._history)).to_json()
        queries = [text for pair in self._backup.head.queries.items() for text in pair]
        words = (entry, meta, queries)
        return self._claim.finish(self._backup.head.seq, manifest, words, self._blobs)

    def _meta_words(self, generation: Generation) -> list[str | bytes | int]:
        head, schema, pipeline = (
            self._backup.head,
            generation.schema.to_json(),
            generation.pipeline.to_json(),
        )
        words: dict[str, str | int] = {
            "format": (FORMAT_OF_FACTS if self._backup.tells_of_before else FORMAT).decode(),
            "genesis": head.genesis,
            "seq": str(head.seq),
            "hash": head.hash,
            "time": str(head.time),
            "rows": str(head.rows),
            "deals": str(head.deals),
            "schema": schema,
            "schema_version": version_of(schema),
            "adopted": "1",
            "restored": self._claim.token,
        }
        if generation.pipeline.stages:
            words |= {"pipeline": pipeline, "pipeline_version": version_of(pipeline)}
        if head.mapping:
            words["mapping"] = head.mapping
        return [word for pair in words.items() for word in pair]

    def confirm(self) -> None:
        """That a reader finds the commit that the backup ends with."""
        position = self._backup.head.position
        if position.seq and not has_position(self._link, self._keys.log, position):
            # a checkpoint trims no entry that has no later one behind it
            here = newest(self._link, self._keys)
            if here.seq <= position.seq:
                raise self._claim.refused("it was emptied or replaced just when it was complete")


def _entry_words(entry: Entry) -> list[str | bytes | int]:
    """Names and values of a log entry, in their order."""
    words: dict[str, str | bytes | int] = {
        "hash": entry.position.hash,
        "time": str(entry.time_ms),
        "writer": entry.writer,
        "counter": str(entry.counter),
        "actor": entry.actor,
        "kind": entry.kind,
        "height": str(entry.height),
        "rows": entry.packed_rows,
        "data": entry.data,
    }
    return [word for pair in words.items() for word in pair]


def _by_size(blobs: Iterable[tuple[str, bytes]]) -> Iterator[dict[str, bytes]]:
    """Blobs by name, about as many at a time as are sent together."""
    some: dict[str, bytes] = {}
    size = 0
    for name, blob in blobs:
        some[name] = blob
        size += len(blob)
        if size > _SENT_BYTES:
            yield some
            some, size = {}, 0
    if some:
        yield some


def _slices(frame: pl.DataFrame, size: int) -> Iterator[pl.DataFrame]:
    return (frame.slice(start, size) for start in range(0, frame.height, size))
