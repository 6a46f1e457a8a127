"""
Writing checkpoints: the columns in compressed chunks, so that a new process need not read every hash.

What the commits say is kept as tables, too, for those who ask what was so.

The chunks are written first, under names made of what is in them; the manifest makes them valid; those that no
checkpoint and no segment of the history has any more go after that. With each checkpoint the log up to it is sealed
as history, and trimmed up to the older of the two that remain; where that would leave much in the log, the newest
remains alone.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.resources import files
from itertools import chain, takewhile

import polars as pl

from dealdb.connection import Link
from dealdb.errors import StoreError
from dealdb.store.archive.chunks import Columns
from dealdb.store.archive.manifest import Generation, Manifest, is_of_newer_format
from dealdb.store.archive.merging import Merger
from dealdb.store.archive.sealing import Sealed, seal_all
from dealdb.store.archive.segments import Segment, n_bytes_of, sealed_entries
from dealdb.store.archive.string_keys import read_string
from dealdb.store.checkpoint.ending import Ending
from dealdb.store.checkpoint.fold import Chunk, Folded, Made, Whole
from dealdb.store.checkpoint.lease import give_back, take
from dealdb.store.checkpoint.recent import Recent
from dealdb.store.commit.idle_writers import forget_idle_writers
from dealdb.store.keys import Keys
from dealdb.store.ledger.keeping import FactsKeeper
from dealdb.store.ledger.kept import has_facts
from dealdb.store.log.entry import Entry
from dealdb.store.log.reader import HistoryReset, has_position, read_from
from dealdb.store.replica.replica import Replica

logger = logging.getLogger(__name__)
_PUBLISH = files("dealdb.store.checkpoint").joinpath("publish.lua").read_bytes()
# removes orphans, unless another manifest has come that may refer to them again
_REMOVE = b"""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for i = 3, #KEYS do
  redis.call('UNLINK', KEYS[i])
  redis.call('SREM', KEYS[2], KEYS[i])
end
return 1
"""
_GENERATIONS = 2
# stages that a manifest has room for; more than a pipeline has, unless texts of another kind are in the column
_MAX_STAGES = 100
# chunks sent together; a small collection is sent whole
_SENT_CHUNKS = 64
# they are in memory several times while they are sent
_SENT_BYTES = 4 * 2**20
# of a history that is read once more, where an older version has kept no facts of it: some seconds
_MOST_REBUILT = 64 * 2**20
# as much may stay in the log for the sake of an older checkpoint, or half of what the new chunks of this one take
_MIN_LOG_BYTES = 2**20


def generation_of(replica: Replica, columns: Columns) -> Generation:
    """A replica's state as a manifest has it, where ``columns`` are the replica's."""
    stages = sorted(filter(None, replica.stages))
    return Generation(
        position=replica.position,
        time_ms=replica.time_ms,
        schema=replica.schema,
        pipeline=replica.pipeline,
        height=replica.height,
        has_deleted=replica.has_deleted,
        stages=tuple(stages) if len(stages) <= _MAX_STAGES else None,
        columns=columns,
    )


def write_checkpoint(
    link: Link,
    keys: Keys,
    replica: Replica,
    *,
    anew: bool = True,
    recent: Recent | None = None,
    owner: str | None = None,
    on_failure: Callable[[], object] = lambda: None,
) -> bool:
    """
    Publish the replica's state as the newest checkpoint, and seal the log up to it.

    Parameters
    ----------
    anew
        Whether to write all chunks, as those that are there may be damaged; else without those that the last
        checkpoint of this replica wrote, and that nothing has changed since; large merges are left to others then.
    recent
        Commits that need not be read from the log again.
    owner
        Who writes, for the lease: takes over what an attempt of the same owner has left of it.
    on_failure
        Called when it has failed, before the lease is given back.

    Returns
    -------
    bool
        False when another process is at it, or has published meanwhile, or the server has another history by now,
        or lacks a chunk that was not written again: the next one writes all.

    Raises
    ------
    StoreError
        If the server fails or refuses, or the program ends and this takes too long for that.

    Cost
    ----
    Some thirteen round trips, and one for each 64 chunks or 4 MiB of them, and each MiB of log that is sealed; once a
    day two more for every 1,000 writers.
    """
    owner = owner or secrets.token_hex(8)
    began = time.monotonic()
    try:
        if not take(link, keys, owner):
            return False
        if anew:
            replica.chunks = {}
        published = _Checkpointer(link, keys, replica, recent or Recent(), hasty=not anew).run()
    except BaseException:
        on_failure()
        # should that fail too, the owner's next attempt takes it over, and after a while everybody's
        with suppress(StoreError):
            give_back(link, keys, owner)
        raise
    with suppress(StoreError):
        if published:
            forget_idle_writers(link, keys)
    with suppress(StoreError):
        give_back(link, keys, owner)
    if published:
        logger.info(
            "checkpoint of %r written; rows: %d, commit: %d, seconds: %.3f",
            *(keys.collection, replica.height, replica.position.seq, time.monotonic() - began),
        )
    return published


class _Checkpointer:
    """Writes one checkpoint."""

    def __init__(
        self, link: Link, keys: Keys, replica: Replica, recent: Recent, *, hasty: bool
    ) -> None:
        self._hasty = hasty
        self._link = link
        self._keys = keys
        self._replica = replica
        # of this attempt alone: no late command of another one writes to its segments
        self._token = secrets.token_hex(8)
        self._ending = Ending(link.settings.where)
        self._recent = recent
        self._needed: set[str] = set()
        self._chunk_bytes = 0
        self._sealed_bytes = 0

    def run(self) -> bool:
        text = read_string(self._link, self._keys.checkpoint) or b""
        if is_of_newer_format(text.decode(errors="replace")):
            # it knows where history is that this program can't read; queries do without a checkpoint
            return False
        base = self._usable(Manifest.from_json(text.decode(errors="replace")))
        if base and base.generations[0].position.seq >= self._replica.position.seq:
            # trimming follows the older checkpoint: going back would lose what is sealed behind it
            return False
        try:
            self._replica.read_stages()
            self._made = self._made_of(base)
            self._mend_names(base)
            columns = self._write_columns(self._made)
        except HistoryReset:
            # it has columns yet to read from a checkpoint that is gone
            return False
        if not columns.cover(self._replica.schema, self._replica.height):
            return False
        history = base.history if base else ()
        facts = self._keeper(base)
        segments = tuple(self._write_segments(history, columns, facts))
        generation = replace(
            generation_of(self._replica, columns), facts=facts.kept(self._replica.position.seq)
        )
        readable = [each for each in base.generations if each.columns] if base else []
        older = readable if self._sealed_bytes <= self._bearable else []
        manifest = Manifest(
            generations=(generation, *older)[:_GENERATIONS],
            history=self._merged((*history, *segments), columns),
        )
        published = self._publish(manifest, text)
        self._replica.chunks = columns.full_chunks(generation.height) if published else {}
        remove_orphans(self._link, self._keys)
        return published

    def _made_of(self, base: Manifest | None) -> Made:
        """What the columns are made of: without the older rows, where the server is trusted to have these."""
        columns = self._replica.waiting.columns
        there = [each.columns for each in base.generations] if base else []
        if self._hasty and not self._replica.has_all and columns and columns in there:
            return Folded(self._link, self._keys, self._replica, columns)
        self._replica.need()
        return Whole(self._replica)

    @property
    def _bearable(self) -> int:
        """Bytes of log that an older checkpoint may keep."""
        return max(_MIN_LOG_BYTES, self._chunk_bytes // 2)

    def _usable(self, manifest: Manifest | None) -> Manifest | None:
        """The manifest, as long as it is of the log's history: not of one that was lost by a reset."""
        if manifest is None:
            return None
        position = manifest.generations[0].position
        return manifest if has_position(self._link, self._keys.log, position) else None

    def _mend_names(self, base: Manifest | None) -> None:
        """Note again what there is, if another program has put something else in the place of the names."""
        names = self._keys.chunks
        if self._link.call("TYPE", names, retry=True) not in (b"set", b"none"):
            known = base.keys(self._keys) if base else set[str]()
            again = [("SADD", names, name) for name in sorted(known)]
            self._link.calls([("DEL", names), *again], retry=True)

    def _publish(self, manifest: Manifest, made_from: bytes) -> bool:
        keys = self._keys
        # the whole log stays for a first checkpoint, so that the state can be had without it
        older = (
            manifest.generations[-1].position.seq
            if len(manifest.generations) == _GENERATIONS or self._sealed_bytes > self._bearable
            else 0
        )
        return publish(self._link, keys, manifest, made_from, self._needed, older)

    def _write_columns(self, made: Made) -> Columns:
        replica = self._replica
        digests = made.known()
        chunks = made.chunks(digests)
        found: list[tuple[str, int, str]] = []
        for batch in _sent_together(chunks):
            self._write({self._keys.chunk(digest): blob for _, _, digest, blob in batch})
            found += [chunk[:3] for chunk in batch]
            self._chunk_bytes += sum(len(blob) for *_, blob in batch)
        for name, number, digest in found:
            digests[name][number] = digest
        columns = Columns(
            schema=replica.schema,
            first=0,
            digests={name: tuple(of[n] for n in sorted(of)) for name, of in digests.items()},
        )
        self._needed.update(columns.keys(self._keys))
        return columns

    def _keeper(self, base: Manifest | None) -> FactsKeeper:
        """What keeps the facts of the commits since the last checkpoint, behind those that it has kept."""
        newest = base.generations[0] if base else None
        kept = newest.facts if newest and has_facts(newest) else None
        keeper = FactsKeeper(self._link, self._keys, kept, self._write, hasty=self._hasty)
        if base and not kept and not self._hasty and n_bytes_of(base.history) <= _MOST_REBUILT:
            deque(keeper.noted(sealed_entries(self._link, self._keys, base.history)), maxlen=0)
        return keeper

    def _write_segments(
        self, history: Sequence[Segment], columns: Columns, facts: FactsKeeper
    ) -> Iterator[Segment]:
        held = _Rows(self._link, self._keys, self._made, columns)
        sealed = history[-1].last if history else 0
        for found in seal_all(facts.noted(self._entries_since(sealed)), held, columns):
            self._sealed_bytes += found.extent.n_bytes
            yield self._write_segment(found)

    def _write_segment(self, sealed: Sealed) -> Segment:
        name = f"{sealed.first}-{sealed.last}-{self._token}"
        keys = self._keys.segment(name), self._keys.index(name)
        self._write(sealed.blobs(*keys))
        return sealed.at(*keys)

    def _merged(self, history: Iterable[Segment], columns: Columns) -> tuple[Segment, ...]:
        """The history with some of its segments in one, if it is time for that; they stay until this is published."""
        held = _Rows(self._link, self._keys, self._made, columns)
        merger = Merger(self._link, self._keys, held, columns, hasty=self._hasty)
        segments = merger.with_whole_indexes(list(merger.measured(history)))
        merged = merger.merge(segments)
        if merged:
            old, new = merged
            place = segments.index(old[0])
            segments[place : place + len(old)] = [self._write_segment(new)]
        return tuple(segments)

    def _entries_since(self, sealed: int) -> Iterable[Entry]:
        """Commits behind the sealed ones, up to that of the checkpoint, as far as the log has them."""
        until = self._replica.position.seq
        known = self._recent.between(sealed + 1, until)
        if known is not None:
            return known
        read = chain.from_iterable(read_from(self._link, self._keys.log, sealed + 1))
        return takewhile(lambda entry: entry.position.seq <= until, read)

    def _write(self, blobs: dict[str, bytes]) -> None:
        self._ending.check()
        # what is there already too: it may be damaged
        sets = [("SET", key, blob) for key, blob in blobs.items()]
        # the names first: should this process die in between, a later checkpoint finds what is left over
        self._link.calls([("SADD", self._keys.chunks, *blobs), *sets], retry=True)
        self._needed.update(blobs)


class _Rows:
    """Rows of a checkpoint, as ``HeldRows`` has them, once its columns are written."""

    def __init__(self, link: Link, keys: Keys, made: Made, columns: Columns) -> None:
        self._link = link
        self._keys = keys
        self._made = made
        self._columns = columns

    def part(self, name: str, first: int, stop: int) -> pl.Series | None:
        """Some rows of a column. One round trip, unless they are in memory."""
        found = self._made.part(name, first, stop)
        if found is None and self._columns.have_rows([name], first, stop - first):
            read = self._columns.read_run(self._link, self._keys, [name], range(first, stop))
            return read[name] if read else None
        return found


def _sent_together(chunks: Iterable[Chunk]) -> Iterator[list[Chunk]]:
    batch: list[Chunk] = []
    n_bytes = 0
    for chunk in chunks:
        batch.append(chunk)
        n_bytes += len(chunk[-1])
        if len(batch) == _SENT_CHUNKS or n_bytes >= _SENT_BYTES:
            yield batch
            batch, n_bytes = [], 0
    if batch:
        yield batch


def publish(
    link: Link,
    keys: Keys,
    manifest: Manifest,
    made_from: bytes,
    needed: Collection[str],
    older: int,
) -> bool:
    """
    Put a manifest in force, in place of the one that it was made from; whether that was done.

    Parameters
    ----------
    needed
        Keys that have to be there: what was written for it.
    older
        Number of the commit that the log has to begin with, at the latest; 0 for the whole log.

    Cost
    ----
    One round trip.
    """
    position, text = manifest.generations[0].position, manifest.to_json()
    done = link.call(
        "EVAL", _PUBLISH, 2 + len(needed), keys.log, keys.checkpoint, *needed,
        position.seq, position.hash, text, made_from, older, retry=True,
    )  # fmt: skip
    # sent again, it finds its own manifest where it expects the one before
    return bool(done) or read_string(link, keys.checkpoint) == text.encode()


def remove_orphans(link: Link, keys: Keys) -> None:
    """
    Remove what the manifest does not refer to: of superseded checkpoints, dead writers, lost histories.

    Only under the lease: the chunks of another process that is about to publish look like orphans too.
    """
    found = link.call("SMEMBERS", keys.chunks, retry=True)
    known = {key.decode(errors="replace") for key in found}
    text = read_string(link, keys.checkpoint) or b""
    manifest = Manifest.from_json(text.decode(errors="replace"))
    orphans = sorted(known - (manifest.keys(keys) if manifest else set()))
    if manifest and orphans:
        some = (keys.checkpoint, keys.chunks, *orphans)
        link.call("EVAL", _REMOVE, len(some), *some, text, retry=True)
