"""Taking a backup: the state at one commit and the history up to it, from a collection that keeps changing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import polars as pl

from dealdb.connection import Link
from dealdb.errors import StoreDamaged
from dealdb.model.schema import Schema
from dealdb.store.archive.chunks import Columns, encoded
from dealdb.store.archive.manifest import Generation
from dealdb.store.archive.sealing import FrameRows, seal_all
from dealdb.store.archive.segments import Segment
from dealdb.store.archive.unpacking import CHUNK_ROWS
from dealdb.store.backup.contents import End, Head, Many, pack_done, pack_entry
from dealdb.store.backup.files import new_file
from dealdb.store.backup.parts import (
    COLUMN,
    DONE,
    END,
    FORMAT,
    FORMAT_OF_MANY,
    HEAD,
    HISTORY,
    LAST,
    MANY,
    PartWriter,
)
from dealdb.store.backup.reports import BackupReport, PieceFacts, Tell, quietly, report_of
from dealdb.store.backup.revisions import Revisions
from dealdb.store.bounds.wall import damaged
from dealdb.store.checkpoint.write import generation_of
from dealdb.store.hashes import as_dict
from dealdb.store.history.reading import read_history
from dealdb.store.keys import Keys
from dealdb.store.leaving import covers
from dealdb.store.live.columns import LiveColumns
from dealdb.store.log.entry import Entry, Position
from dealdb.store.log.reader import entry_at
from dealdb.store.replica.replica import Replica

# commits after which progress is reported
_TELL_EVERY = 500
# each failed try means that a checkpoint was quicker
_MAX_TRIES = 10


def take(
    link: Link,
    keys: Keys,
    live: LiveColumns,
    path: Path,
    *,
    history: bool,
    overwrite: bool,
    tell: Tell,
) -> BackupReport:
    """
    Write a collection into a file, as it is at one commit; others may change it meanwhile.

    Raises
    ------
    ConfigError
        If there is such a file and ``overwrite`` is not given, or it can't be written.
    BackupError
        If it can't be written to its end.
    StoreDamaged
        If a part of the history is missing, and ``history`` is not False; or the server was reset meanwhile.

    Cost
    ----
    A read of the columns, as for a query, and of the whole history.
    """
    return take_all(link, [(keys, live)], path, history=history, overwrite=overwrite, tell=tell)


def take_all(
    link: Link,
    pieces: Sequence[tuple[Keys, LiveColumns]],
    path: Path,
    *,
    history: bool,
    overwrite: bool,
    tell: Tell,
) -> BackupReport:
    """
    Write a collection of partitions into a file, each as it is at one commit; else as ``take``.

    Parameters
    ----------
    pieces
        The partitions, the head first.
    """
    begun = time.perf_counter()
    many = len(pieces) > 1
    with new_file(path, overwrite=overwrite) as file:
        parts = PartWriter(file, FORMAT_OF_MANY if many else FORMAT)
        # how far each of many is, is over too soon to be shown
        told = quietly if many else tell
        takers = [_Taker(link, keys, live, parts, told) for keys, live in pieces]
        # all before the first is written, so that they are of about one moment
        _begin(takers)
        if many:
            head = Many(
                program=_program(), collection=pieces[0][0].collection, partitions=len(pieces)
            )
            parts.write(MANY, head.to_json())
        facts = []
        for taker in takers:
            facts.append(taker.run(history=history))
            if many:
                tell("packing partitions", len(facts), len(pieces), "partitions")
        if many:
            parts.write(DONE, pack_done(parts.digest))
    return report_of(
        facts,
        path=path,
        collection=pieces[0][0].collection,
        size=parts.n_bytes,
        sha256=parts.digest,
        seconds=time.perf_counter() - begun,
    )


def _program() -> str:
    return f"dealdb {version('dealdb')}"


class PieceWriter:
    """
    Writes what a file has of one piece of a collection.

    Parameters
    ----------
    file
        Gets the parts.
    tell
        Told how far it is.
    """

    def __init__(self, file: PartWriter, tell: Tell) -> None:
        self._file = file
        self._tell = tell
        self._written: set[str] = set()

    def write(
        self, head: Head, replica: Replica, last: Entry | None, entries: Iterable[Entry] | None
    ) -> PieceFacts:
        """
        Write all parts.

        Parameters
        ----------
        head
            The first.
        replica, last
            The state and the commit that it ends with; None without commits.
        entries
            Every commit up to it, or None to leave the history out.

        Raises
        ------
        ValueError
            If the history is of other deals than the state.
        """
        self._file.write(HEAD, head.to_json())
        generation: Generation | None = None
        revisions: tuple[str, ...] = ()
        segments: tuple[Segment, ...] = ()
        if last is not None:
            columns = self._write_columns(replica)
            generation = generation_of(replica, columns)
            known = Revisions()
            if entries is not None:
                segments = self._write_history(replica, columns, _seen(entries, known))
            else:
                # only the history says which commit touched which deal; a later one than it was is on the safe side
                known.are_all(replica.columns["id"], last.position.seq)
            revisions = self._write_revisions(replica, known)
            self._file.write(LAST, pack_entry(last))
        end = End(
            sha256=self._file.digest, generation=generation, revisions=revisions, history=segments
        )
        self._file.write(END, end.to_json())
        return PieceFacts(
            position=head.position,
            last=last,
            deals=head.deals,
            fields=len(replica.schema.fields),
            history=head.history,
            queries=len(head.queries),
        )

    def _write_columns(self, replica: Replica) -> Columns:
        frame = replica.all_rows()
        n_chunks = -(-replica.height // CHUNK_ROWS) * frame.width
        digests: dict[str, list[str]] = {name: [] for name in replica.schema}
        for name, _, digest, blob in encoded(frame, {}):
            self._write_once(digest, blob)
            digests[name].append(digest)
            done = sum(map(len, digests.values()))
            self._tell("packing columns", done, n_chunks, "chunks")
        return Columns(
            schema=replica.schema,
            first=0,
            digests={name: tuple(found) for name, found in digests.items()},
        )

    def _write_once(self, digest: str, blob: bytes) -> None:
        # equal columns have equal chunks
        if digest not in self._written:
            self._written.add(digest)
            self._file.write(COLUMN, blob)

    def _write_history(
        self, replica: Replica, columns: Columns, entries: Iterable[Entry]
    ) -> tuple[Segment, ...]:
        segments: list[Segment] = []
        for sealed in seal_all(entries, FrameRows(replica.all_rows()), columns, indexed=False):
            digest = self._file.write(HISTORY, sealed.blob)
            segments.append(
                Segment(
                    key="",
                    digest=digest,
                    first=sealed.first,
                    last=sealed.last,
                    columns=sealed.columns,
                )
            )
        return tuple(segments)

    def _write_revisions(self, replica: Replica, known: Revisions) -> tuple[str, ...]:
        revisions = known.column(replica.height)
        if not revisions.is_null().equals(replica.columns["id"].is_null(), check_names=False):
            msg = "the history has other deals"
            raise ValueError(msg)
        digests = []
        for _, _, digest, blob in encoded(revisions.to_frame(), {}):
            self._write_once(digest, blob)
            digests.append(digest)
        return tuple(digests)


def _seen(entries: Iterable[Entry], known: Revisions) -> Iterator[Entry]:
    for entry in entries:
        known.see(entry)
        yield entry


class _Taker:
    """Writes one piece of a collection, as the server has it."""

    def __init__(
        self, link: Link, keys: Keys, live: LiveColumns, file: PartWriter, tell: Tell
    ) -> None:
        self._link = link
        self._keys = keys
        self._live = live
        self._file = file
        self._tell = tell
        self._replica = Replica()
        self._last: Entry | None = None

    def begin(self) -> None:
        """Have the state of now, and the commit that it ends with."""
        for _ in range(_MAX_TRIES):
            self._replica, self._last = self._live.replica(), None
            if not self._replica.position.seq:
                return
            self._last = entry_at(self._link, self._keys.log, self._replica.position)
            # a checkpoint of the meantime may have trimmed it away
            if self._last is not None:
                return
        raise self._reset()

    @property
    def schema(self) -> Schema:
        """Fields of the state."""
        return self._replica.schema

    def run(self, *, history: bool) -> PieceFacts:
        """Write what it was as of ``begin``."""
        replica, last = self._replica, self._last
        # the memory of all columns is given back piece by piece
        self._replica = Replica()
        head = self._head(replica, history=history)
        entries = self._entries(replica.position, head) if head.history else None
        try:
            return PieceWriter(self._file, self._tell).write(head, replica, last, entries)
        except ValueError as problem:
            msg = (
                f"{self._link.settings.where}: the checkpoint and the history of {self._keys.collection!r} have other "
                f"deals as of commit {replica.position.seq}; a backup with history=False is of the checkpoint alone"
            )
            raise StoreDamaged(msg) from problem

    def _head(self, replica: Replica, *, history: bool) -> Head:
        (genesis, mapping), queries = self._link.calls(
            [("HMGET", self._keys.meta, "genesis", "mapping"), ("HGETALL", self._keys.queries)],
            retry=True,
        )
        ids = replica.columns["id"].drop_nulls() if replica.columns else pl.Series()
        return Head(
            program=_program(),
            collection=self._keys.collection,
            taken=time.time_ns() // 1_000_000,
            genesis=(genesis or b"").decode(errors="replace") if replica.position.seq else "",
            seq=replica.position.seq,
            hash=replica.position.hash.decode(),
            time=replica.time_ms,
            rows=replica.height,
            # by the log; a deal that another program has replaced has two rows until a repair
            deals=ids.n_unique(),
            history=history and replica.position.seq > 0,
            queries={
                name.decode(errors="replace"): text.decode(errors="replace")
                for name, text in as_dict(queries).items()
            },
            mapping=(mapping or b"").decode(errors="replace"),
        )

    def _entries(self, until: Position, head: Head) -> Iterator[Entry]:
        """Every commit up to a position; each follows the one before by its chain hash."""
        last = Position()
        for entry in _whole_history(self._link, self._keys, until):
            if last.seq == 0 and entry.writer != head.genesis:
                raise self._reset()
            if entry.height > head.rows:
                # before there is room made for them
                raise damaged(f"commit {entry.position.seq} in the history")
            last = entry.position
            if last.seq % _TELL_EVERY == 0 or last.seq == until.seq:
                self._tell("packing history", last.seq, until.seq, "commits")
            yield entry
        if last != until:
            raise self._reset()

    def fields_ahead(self) -> StoreDamaged:
        """Error where another partition has what this one, the head, has not."""
        return StoreDamaged(
            f"{self._link.settings.where}: a partition of {self._keys.collection!r} has fields that the first one has "
            "not: a part of the collection was set back to an older state"
        )

    def _reset(self) -> StoreDamaged:
        return StoreDamaged(
            f"{self._link.settings.where}: {self._keys.collection!r} was reset while it was backed up; try again"
        )


def _begin(takers: Sequence[_Taker]) -> None:
    """Have the state of all partitions, so that the head has all fields that another has."""
    for _ in range(_MAX_TRIES):
        # the head last: it has had first what the others have
        for taker in reversed(takers):
            taker.begin()
        # else a field has left all of them since the others were looked at
        if all(covers(takers[0].schema, each.schema) for each in takers):
            return
    raise takers[0].fields_ahead()


def _whole_history(link: Link, keys: Keys, until: Position) -> Iterator[Entry]:
    """Every commit up to a position; checkpoints may seal and trim meanwhile."""
    try:
        yield from read_history(link, keys, until=until.seq)
    except StoreDamaged as problem:
        msg = f"{problem}; a backup with history=False holds the present deals alone"
        raise StoreDamaged(msg) from problem
