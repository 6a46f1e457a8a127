"""
What a backup file has of one piece of a collection: of all of it, or of one partition.

Everything is looked at before anything of it is used: that each commit follows the one before, and that every chunk
has the rows that it should have.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import polars as pl

from dealdb.errors import BackupError, StoreDamaged
from dealdb.model.columns import encode_column, nulls
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Field, Schema
from dealdb.store.archive.chunks import Columns
from dealdb.store.archive.digest import DIGITS
from dealdb.store.archive.segments import Segment, entries_of, unseal
from dealdb.store.archive.unpacking import typed, values_of
from dealdb.store.backup.contents import (
    REVISIONS,
    UNREADABLE,
    End,
    Head,
    unpack_entry,
)
from dealdb.store.backup.parts import (
    COLUMN,
    END,
    HEAD,
    HISTORY,
    LAST,
    Part,
    PartReader,
)
from dealdb.store.backup.reports import PieceFacts, Tell
from dealdb.store.backup.revisions import Revisions
from dealdb.store.encoding import unpacked_facts
from dealdb.store.history.reading import follows
from dealdb.store.log.entry import DEAL_KINDS, Entry, Position

# Polars panics at some damage; what it raises then is no PolarsError
_UNREADABLE = (
    *UNREADABLE,
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
    OSError,
    MemoryError,
    StoreDamaged,
)


class Backup:
    """
    What a file has of one piece of a collection: of all of it, or of one partition.

    Attributes
    ----------
    head, end
        Its first part and its last.
    last
        The last commit; None where there is none.
    is_ended
        Whether its last part was taken in.
    tells_of_before
        Whether a commit says of anything that it was so since another moment than its own.
    """

    head: Head
    end: End

    def __init__(self, reader: PartReader) -> None:
        self._reader = reader
        self._chunks: dict[str, Part] = {}
        self._segments: dict[str, Part] = {}
        self.last: Entry | None = None
        self.is_ended = False
        self.tells_of_before = False

    def take_in(self, part: Part, payload: bytes, before: str) -> None:
        """Note where a part is; ``before`` is the SHA-256 of all bytes of the file before it."""
        with self._reading(part):
            self._note(part, payload)
        if part.kind == END and self.end.sha256 != before:
            raise self._trouble("the file before it has another SHA-256", part)

    def check(self, tell: Tell) -> None:
        """Look at all that it holds, once all parts were taken in."""
        self._check_documents()
        self._check_chunks(tell)
        self._check_history(tell)
        if self.last is not None and self.last.tells_of_before:
            self.tells_of_before = True

    # what it holds ---------------------------------------------------------------------------------

    @property
    def columns(self) -> Columns | None:
        """Where the columns are; None for a collection without commits."""
        return self.end.generation.columns if self.end.generation else None

    @property
    def n_blobs(self) -> int:
        """Chunks of columns and segments of the history."""
        return len(set(self._digests())) + len(self.end.history)

    def segment(self, segment: Segment) -> bytes:
        """Blob of a segment."""
        return self._reader.read(self._segments[segment.digest])

    def chunks(self) -> Iterator[tuple[str, bytes]]:
        """Digest and blob of each chunk of the columns, each once."""
        for digest in dict.fromkeys(self._digests()):
            yield digest, self._reader.read(self._chunks[digest])

    def stripe(self, number: int) -> pl.DataFrame:
        """Texts of some rows, ``id`` and the other fields and ``_rev``: those of the chunks with this number."""
        columns = self.columns
        if columns is None:
            return pl.DataFrame()
        texts = [
            encode_column(typed(self._values(columns.digests[f.name][number]), f), f)
            for f in columns.schema.fields
        ]
        revisions = self._values(self.end.revisions[number]).cast(pl.String)
        return pl.DataFrame([*texts, revisions.alias(REVISIONS)])

    def ids(self) -> pl.Series:
        """Id of each row, null for a deleted deal."""
        digests = self.columns.digests["id"] if self.columns else ()
        parts = [self._values(digest).cast(pl.String) for digest in digests]
        return pl.concat([pl.Series("values", [], dtype=pl.String), *parts])

    def entries(self) -> Iterator[Entry]:
        """Every commit of the history with its deals, those of bulk loads as frames."""
        for segment in self.end.history:
            held = _FileRows(self, segment.columns) if segment.columns else None
            with self._reading(self._segments[segment.digest]):
                yield from unseal(entries_of(self.segment(segment)), held, as_frames=True)

    def all_rows(self) -> pl.DataFrame:
        """The columns, and ``_rev`` behind them, by row number."""
        columns = self.columns
        if columns is None:
            return pl.DataFrame()
        found = [self.column(field, columns.digests[field.name]) for field in columns.schema.fields]
        none = pl.Series(REVISIONS, [], pl.Int64)
        return pl.DataFrame([*found, pl.concat([none, *map(self._values, self.end.revisions)])])

    def column(self, field: Field, digests: Sequence[str]) -> pl.Series:
        """Values of some chunks of a column."""
        parts = [typed(self._values(digest), field).alias(field.name) for digest in digests]
        return pl.concat([nulls(field, 0), *parts])

    def facts(self) -> PieceFacts:
        """What a report says of it."""
        head = self.head
        return PieceFacts(
            position=head.position,
            last=self.last,
            deals=head.deals,
            fields=len(self.columns.schema.fields) if self.columns else 0,
            history=head.history,
            queries=len(head.queries),
        )

    # whether it is whole ---------------------------------------------------------------------------

    def _note(self, part: Part, payload: bytes) -> None:
        digest = part.digest.hex()
        if part.kind == HEAD:
            self.head = Head.from_json(payload)
        elif part.kind == COLUMN:
            self._chunks[digest[:DIGITS]] = part
        elif part.kind == HISTORY:
            self._segments[digest] = part
        elif part.kind == LAST:
            self.last = unpack_entry(payload)
        else:
            self.end = End.from_json(payload)
            self.is_ended = True

    def _check_documents(self) -> None:
        """That head, end and parts are of one backup."""
        with self._reading(None):
            if self.head.seq == 0:
                must(self.end.generation is None and self.last is None)
                must(not (self.head.rows or self.head.deals or self.end.history))
                return
            generation, columns = self.end.generation, self.columns
            must(generation is not None and self.last is not None and columns is not None)
            if generation is None or self.last is None or columns is None:
                return
            must(generation.position == self.head.position == self.last.position)
            must((generation.height, generation.time_ms) == (self.head.rows, self.head.time))
            must(columns.first == 0 and columns.schema == generation.schema)
            must([*columns.digests] == [*generation.schema] and "id" in columns.digests)
            for digests in (*columns.digests.values(), self.end.revisions):
                must(len(digests) == self.head.n_chunks and self._chunks.keys() >= set(digests))
            self._check_segments()

    def _check_segments(self) -> None:
        known, last = set(self._digests()), 0
        for segment in self.end.history:
            must(segment.digest in self._segments)
            must(last + 1 == segment.first <= segment.last)
            held = segment.columns.digests.values() if segment.columns else ()
            must(all(known.issuperset(digests) for digests in held))
            last = segment.last
        must(last == (self.head.seq if self.head.history else 0))

    def _check_chunks(self, tell: Tell) -> None:
        """That each chunk has the rows that it should have, of a type that its column can have."""
        columns = self.columns
        if columns is None:
            return
        fields = columns.schema.fields
        for place, field in enumerate(fields):
            for number, digest in enumerate(columns.digests[field.name]):
                with self._reading(self._chunks[digest]):
                    typed(self._values(digest, self.head.rows_of(number)), field)
            tell("checking columns", place + 1, len(fields), "columns")
        n_rows = 0
        for number, digest in enumerate(self.end.revisions):
            found = self._values(digest, self.head.rows_of(number))
            n_rows += len(found) - found.null_count()
        ids = self.ids().drop_nulls()
        if len(ids) != n_rows or ids.n_unique() != self.head.deals:
            raise self._reader.trouble("it has another number of deals than its head says")

    def _check_history(self, tell: Tell) -> None:
        """That each commit follows the one before, from the first to that of the state."""
        if not self.head.history:
            return
        last, known = Position(), Revisions()
        for segment in self.end.history:
            last = self._check_segment(segment, last, known)
            tell("checking history", last.seq, self.head.seq, "commits")
        if last != self.head.position:
            raise self._reader.trouble("its history does not end with the commit of its head")
        parts = [pl.Series(REVISIONS, [], pl.Int64), *map(self._values, self.end.revisions)]
        if not known.column(self.head.rows).equals(pl.concat(parts), null_equal=True):
            raise self._reader.trouble("its history is of other deals than its columns")

    def _check_segment(self, segment: Segment, last: Position, known: Revisions) -> Position:
        part = self._segments[segment.digest]
        with self._reading(part):
            for entry in unseal(entries_of(self._reader.read(part)), None):
                must(follows(last, entry), f"commit {entry.position.seq} follows no commit")
                must(last.seq > 0 or entry.writer == self.head.genesis, "it is of another history")
                _look_at(entry)
                self.tells_of_before = self.tells_of_before or entry.tells_of_before
                known.see(entry)
                last = entry.position
            must(last.seq == segment.last, f"it ends with commit {last.seq}")
        return last

    def _digests(self) -> Iterator[str]:
        for digests in self.columns.digests.values() if self.columns else ():
            yield from digests

    def _values(self, digest: str, n_rows: int | None = None) -> pl.Series:
        """Values of a chunk; with a number of rows, those alone."""
        part = self._chunks[digest]
        with self._reading(part):
            return values_of(self._reader.read(part), n_rows)

    @contextmanager
    def _reading(self, part: Part | None) -> Iterator[None]:
        """Tell of whatever goes wrong in here as of a damage of this part."""
        with reading(self._reader, part):
            yield

    def _trouble(self, problem: str, part: Part) -> BackupError:
        return self._reader.trouble(problem, part.number, part.offset)


@contextmanager
def reading(reader: PartReader, part: Part | None) -> Iterator[None]:
    """Tell of whatever goes wrong in here as of a damage of this part."""
    try:
        yield
    except BackupError:
        raise
    except _UNREADABLE as problem:
        said = f": {problem}" if type(problem) is ValueError and str(problem) else ""
        place = (part.number, part.offset) if part else (None, None)
        raise reader.trouble(f"it is not what it should be{said}", *place) from problem


class _FileRows:
    """Deals of a segment that are in chunks of the file."""

    def __init__(self, backup: Backup, columns: Columns) -> None:
        self._backup, self._columns = backup, columns
        self._found: dict[str, pl.Series] = {}

    def texts(self, fields: Sequence[str], row: int, n: int) -> pl.DataFrame:
        """Columns of texts of ``n`` deals, ``id`` first."""
        return pl.DataFrame(
            [self._texts(name, row - self._columns.first, n) for name in ("id", *fields)]
        )

    def _texts(self, name: str, start: int, n: int) -> pl.Series:
        field = self._columns.schema[name]
        if name not in self._found:
            self._found[name] = self._backup.column(field, self._columns.digests[name])
        part = self._found[name].slice(start, n) if start >= 0 else self._found[name].clear()
        must(len(part) == n, "its deals are not in the columns")
        return encode_column(part, field)

    def rows_of(self, deal_id: str) -> list[int]:
        """Never asked for: all deals are."""
        raise NotImplementedError(deal_id)


def _look_at(entry: Entry) -> None:
    """Read all that a commit has."""
    if entry.kind in DEAL_KINDS:
        # an ``add`` without data is in the columns
        if entry.data or entry.kind != "add":
            must(len(entry.change[0]) == len(entry.rows), "a commit has more rows than deals")
    elif entry.kind == "facts":
        unpacked_facts(entry.data)
    elif entry.kind == "schema":
        Schema.from_json(entry.data)
    else:
        must(entry.kind == "pipeline", "a commit is of no known kind")
        Pipeline.from_json(entry.data)


def must(holds: bool, problem: str = "") -> None:  # noqa: FBT001 what has to be
    """Raise ValueError unless something holds."""
    if not holds:
        raise ValueError(problem)
