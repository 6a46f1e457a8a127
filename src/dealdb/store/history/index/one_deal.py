"""
The commits of one deal, found by the indexes of the segments and in the end of the log.

Whatever is not as it should be is left to a reader of the whole history, which says what is missing, or does without
the indexes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

from dealdb.connection import Link
from dealdb.connection.fork import renew_in_child
from dealdb.errors import AccessDenied, ServerRefused, StoreDamaged
from dealdb.model.values import encode
from dealdb.store.archive.chunk_cache import ChunkCache
from dealdb.store.archive.deal_index import IndexHead, KeyPart, hash_of, head_of, read_heads
from dealdb.store.archive.lookup.pieces import Piece, rows_of
from dealdb.store.archive.lookup.recent_chunks import RecentChunks
from dealdb.store.archive.manifest import Manifest
from dealdb.store.archive.segments import IndexPlace, Segment, sealed_entry
from dealdb.store.archive.string_keys import is_wrong_type
from dealdb.store.bounds.wall import Reading, number_in
from dealdb.store.history.index.tail import LogTail
from dealdb.store.history.reading import follows
from dealdb.store.keys import Keys, WrongFormat, check_format
from dealdb.store.log.entry import Entry, Position, RawEntry
from dealdb.store.log.reader import entries_in

logger = logging.getLogger(__name__)
# each try that fails means that a checkpoint has merged segments or trimmed the log meanwhile
_MAX_TRIES = 3
_Row: TypeAlias = dict[str, Any]


class _Unknown(Exception):
    """The indexes do not say it: one is missing, damaged or gone by now."""


class _Part(NamedTuple):
    """A segment, and the head of its index."""

    segment: Segment
    head: IndexHead


class _Known(NamedTuple):
    """
    What is known of the sealed history.

    Attributes
    ----------
    text
        The manifest as the server has it.
    parts
        Its segments, oldest first; None where one of them has no index.
    """

    text: bytes | None
    parts: tuple[_Part, ...] | None

    @property
    def end(self) -> Position:
        """The last commit that is sealed."""
        return self.parts[-1].head.last if self.parts else Position()


class DealHistories:
    """
    Finds the commits of one deal in a collection; what it knows of the indexes stays for the next one.

    Parameters
    ----------
    link, keys
        The collection.
    cache
        Where chunks are looked for first; None for the server alone.
    """

    def __init__(self, link: Link, keys: Keys, cache: ChunkCache | None = None) -> None:
        self._link = link
        self._keys = keys
        self._chunks = RecentChunks(cache)
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Begin with nothing, as in a forked child: a thread of the parent may have been in the middle of a change."""
        self._lock = threading.Lock()
        self._known: _Known | None = None
        self._tail = LogTail(Position())

    def commits_of(self, deal_id: str) -> list[Entry] | None:
        """
        The commits that have something of a deal, and maybe some others, in order.

        Bulk commits that are sealed come without the other deals. None where the indexes do not say it.

        Raises
        ------
        WrongFormat
            If the collection has another format by now.

        Cost
        ----
        Three round trips, and a fourth where chunks have values of the deal that neither the cache has nor the memory
        of this process, which keeps up to 32 MiB of them. At first, and after each checkpoint, two or three more, and
        one for every MiB of the log after the checkpoint.
        """
        tried: object = self
        for _ in range(_MAX_TRIES):
            try:
                return self._found(deal_id)
            except WrongFormat:
                # a read of the whole history would not see it
                raise
            except (_Unknown, StoreDamaged, AccessDenied, ServerRefused) as problem:
                if isinstance(problem, ServerRefused) and not is_wrong_type(problem):
                    raise
                logger.debug("indexes of %r: %r", self._keys.collection, problem)
                if tried is self._known:
                    # a second time: no checkpoint has changed anything meanwhile
                    break
                tried = self._known
        return None

    def _found(self, deal_id: str) -> list[Entry] | None:
        parts, late = self._looked_up(deal_id)
        if parts is None:
            return None
        rows, entries = self._read(self._places(parts, hash_of(deal_id)), late)
        for segment, row in rows:
            if row["n"] is None:
                entries.append(sealed_entry(row))
            elif added := self._added(segment, row, deal_id):
                entries.append(added)
        return sorted(entries, key=lambda entry: entry.position.seq)

    # what is known ---------------------------------------------------------------------------------

    def _looked_up(self, deal_id: str) -> tuple[tuple[_Part, ...] | None, list[int]]:
        """The segments as of now, and the commits of a deal behind them."""
        with self._lock:
            known, raw, least = self._refreshed()
            tail = self._tail
            if known.parts is None:
                return None, []
            try:
                is_followed = tail.follow(self._link, self._keys, raw)
            except BaseException:
                # some of it may be there twice or not at all
                self._tail = LogTail(tail.begins)
                raise
            if not is_followed or tail.position.seq < least:
                self._tail = LogTail(tail.begins)
                msg = "the log does not continue what is sealed"
                raise _Unknown(msg)
            return known.parts, tail.commits_of(deal_id)

    def _refreshed(self) -> tuple[_Known, list[RawEntry], int]:
        """
        What is sealed as of now, what the log has after the tail, and the last commit that there is at least.

        The manifest is read when it has changed.
        """
        known, tail = self._known, self._tail.command(self._keys)
        # emptied, it may be begun again with partitions, or be restored: then it only seems to have no history
        state = ("HMGET", self._keys.meta, "format", "seq")
        looks = [state, *([tail] if known else []), ("GET", self._keys.checkpoint)]
        (form, seq), *raw, text = self._link.calls(looks, retry=True)
        check_format(self._keys, form)
        least = number_in(f"seq in {self._keys.meta!r}", seq)
        if seq is None and text is not None:
            # how far it goes is to be seen by who reads all of it
            msg = "the state is gone"
            raise _Unknown(msg)
        if known and text == known.text:
            return known, raw[0], least
        known = self._known_from(text, (known and known.parts) or ())
        # the tail first: after an interrupt in between, what is sealed by now would be found in the log as well
        self._tail = LogTail(known.end)
        self._known = known
        return known, self._link.call(*self._tail.command(self._keys), retry=True), least

    def _known_from(self, text: bytes | None, before: Iterable[_Part]) -> _Known:
        manifest = Manifest.from_bytes(text)
        history = manifest.history if manifest else ()
        if not all(segment.index for segment in history):
            return _Known(text, None)
        heads = {part.segment.index: part.head for part in before}
        heads |= self._heads([each for each in history if each.index not in heads])
        parts = tuple(_Part(each, heads[each.index]) for each in history)
        _ensure_whole(parts)
        return _Known(text, parts)

    def _heads(self, segments: Sequence[Segment]) -> dict[IndexPlace | None, IndexHead]:
        places = [(segment.key, segment.index) for segment in segments if segment.index]
        found = read_heads(self._link, [place for _, place in places])
        heads: dict[IndexPlace | None, IndexHead] = {}
        for (key, place), blob in zip(places, found, strict=True):
            with Reading(f"the index {place.key!r}"):
                heads[place] = head_of(key, place, blob)
        return heads

    # what is read ----------------------------------------------------------------------------------

    def _places(self, parts: Sequence[_Part], hash_: int) -> list[tuple[_Part, list[int]]]:
        """The segments that have a hash, and the entries of each that do, in order."""
        asked = [(part, number) for part in parts for number in part.head.blocks(hash_)]
        # what no entry of the deal is in has to be there, too: a loss is to be told
        segments = [("EXISTS", *(part.segment.key for part in parts))] if parts else []
        blobs, there = self._spans([part.head.block(number) for part, number in asked], segments)
        if sum(there) < len(parts):
            msg = "a segment is missing"
            raise _Unknown(msg)
        found: dict[str, tuple[_Part, list[int]]] = {}
        with Reading(f"an index of {self._keys.collection!r}"):
            for (part, number), blob in zip(asked, blobs, strict=True):
                if entries := part.head.entries(number, blob, hash_):
                    found.setdefault(part.segment.key, (part, []))[1].extend(entries)
        return list(found.values())

    def _read(
        self, places: Sequence[tuple[_Part, list[int]]], late: Sequence[int]
    ) -> tuple[list[tuple[Segment, _Row]], list[Entry]]:
        """Entries of segments, as rows, and those of the log with the numbers ``late``."""
        asked = [
            (part.segment, Piece(part.head, number, entries))
            for part, entries in places
            for number in part.head.pieces(entries)
        ]
        pieces = [piece for _, piece in asked]
        log = self._keys.log
        blobs, replies = self._spans(
            [piece.head.piece(piece.number) for piece in pieces],
            [("XRANGE", log, f"{seq}-0", f"{seq}-0") for seq in late],
        )
        found = zip(asked, rows_of(pieces, blobs), strict=True)
        rows = [(segment, row) for (segment, _), some in found for row in some]
        entries_ = [entry for reply in replies for entry in entries_in(self._link, log, reply)]
        wanted = [part.segment.first + n for part, numbers in places for n in numbers]
        if [row["seq"] for _, row in rows] != wanted or [e.position.seq for e in entries_] != late:
            msg = "not the entries that an index says"
            raise _Unknown(msg)
        return rows, entries_

    def _spans(
        self, spans: Sequence[KeyPart], others: Sequence[tuple[str | int, ...]] = ()
    ) -> tuple[list[bytes], list[Any]]:
        """What some parts of keys hold, each compared with its digest, and the replies to other commands."""
        commands = [*(span.command for span in spans), *others]
        replies = self._link.calls(commands, retry=True)
        blobs = replies[: len(spans)]
        if not all(span.is_whole(blob) for span, blob in zip(spans, blobs, strict=True)):
            msg = "a part of an index or of a segment is missing or damaged"
            raise _Unknown(msg)
        return blobs, replies[len(spans) :]

    def _added(self, segment: Segment, row: _Row, deal_id: str) -> Entry | None:
        """A bulk commit whose deals are in chunks, with the one deal alone; None where it has not added that."""
        columns, names = segment.columns, ["id", *row["fields"]]
        first, n = row["height"], row["n"]
        if columns is None or not columns.have_rows(names, first, n):
            msg = "deals that are in no chunk"
            raise _Unknown(msg)
        rows = range(first, first + n)
        found = columns.find_deal(self._link, self._keys, names, rows, deal_id, self._chunks)
        if found is None:
            msg = "a chunk is missing or damaged"
            raise _Unknown(msg)
        for at, values in found.items():
            with Reading(f"the history in {segment.key!r}"):
                ids, *texts = (
                    [None if value is None else encode(value, columns.schema[name])]
                    for name, value in zip(names, values, strict=True)
                )
            return sealed_entry(row)._replace(height=at, parts=([ids, names[1:], texts], [at]))
        return None


def _ensure_whole(parts: Sequence[_Part]) -> None:
    """Raise unless the segments follow one another from the first commit on, by number and by chain hash."""
    last = Position()
    for segment, head in parts:
        numbers = (segment.first, segment.last) == (head.first.position.seq, head.last.seq)
        if not (numbers and follows(last, head.first)):
            msg = f"the segment {segment.key!r} does not follow what is before it"
            raise _Unknown(msg)
        last = head.last
