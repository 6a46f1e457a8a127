"""
A backup of one number of partitions made into one of another: what is restored into them.

Each commit becomes one commit in every partition that has deals of it, of the same time, writer and counter; numbers,
rows and chain hashes are counted anew in each. Partitions are ranges of a hash of the id. So of more partitions each
has its deals from one of those before, whose order of commits it keeps; of fewer, each has them from several, whose
commits are put in the order of their times.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from hashlib import sha1
from itertools import islice
from typing import IO

import msgpack
import polars as pl

from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.store.archive.manifest import Generation
from dealdb.store.backup.checking import BackupFile
from dealdb.store.backup.contents import REVISIONS, Head, Many, pack_done, pack_entry, unpack_entry
from dealdb.store.backup.files import in_unnamed_files, unnamed_file
from dealdb.store.backup.merging import merged
from dealdb.store.backup.parts import DONE, FORMAT, FORMAT_OF_MANY, MANY, PartReader, PartWriter
from dealdb.store.backup.piece import Backup
from dealdb.store.backup.reports import Tell
from dealdb.store.backup.taking import PieceWriter
from dealdb.store.encoding import packed, unpacked_change, unpacked_facts
from dealdb.store.log.entry import Entry, Position
from dealdb.store.replica.replica import Replica

# commits applied together
_AT_ONCE = 500


@contextmanager
def divided(
    file: BackupFile, partitions: int, number_of: Callable[[str], int], tell: Tell
) -> Iterator[BackupFile]:
    """
    The same backup of so many partitions: the file itself where it has as many.

    It is in a file without a name, as long as the block lasts; the folder of temporary files needs room for the history
    as it is in the log, and for the new file.

    Parameters
    ----------
    file
        As it was taken.
    partitions
        How many there are to be.
    number_of
        Which of them a deal is in, by its id.
    tell
        Told how far it is.

    Raises
    ------
    BackupError
        If the folder of temporary files has no room.
    RestoreRefused
        If the partitions of the file don't go together.
    """
    if len(file.pieces) == partitions:
        yield file
        return
    with ExitStack() as keep:
        with in_unnamed_files():
            made = keep.enter_context(unnamed_file())
            _write(made, file, partitions, number_of, tell)
            made.flush()
        yield BackupFile(PartReader(made, "the backup, divided anew"), tell)


def _write(
    made: IO[bytes],
    file: BackupFile,
    partitions: int,
    number_of: Callable[[str], int],
    tell: Tell,
) -> None:
    parts = PartWriter(made, FORMAT_OF_MANY if partitions > 1 else FORMAT)
    head = file.pieces[0].head
    if partitions > 1:
        many = Many(program=head.program, collection=head.collection, partitions=partitions)
        parts.write(MANY, many.to_json())
    for piece in _pieces(file, partitions, number_of):
        piece.write(PieceWriter(parts, tell))
    if partitions > 1:
        parts.write(DONE, pack_done(parts.digest))


def _pieces(
    file: BackupFile, partitions: int, number_of: Callable[[str], int]
) -> Iterator[_History | _State]:
    """New partitions in their order; those that come from the same old ones are made together."""
    n, head = len(file.pieces), file.pieces[0].head
    # one of the two is 1
    n_from, n_to = max(n // partitions, 1), max(partitions // n, 1)
    for number in range(min(n, partitions)):
        sources = file.pieces[number * n_from :][:n_from]
        numbers = range(partitions)[number * n_to :][:n_to]
        with unnamed_file() as file_of_all:
            bare = replace(sources[0].head, queries={}, mapping="")
            heads = [head if target == 0 else bare for target in numbers]
            newest = file.pieces[0].end.generation
            has_history = any(each.head.history for each in sources)
            if newest is None or has_history or not any(each.head.seq for each in sources):
                # one of each would be more than some systems let a process have
                spool, new_rows = _Spool(file_of_all), _NewRows()
                made = [_History(each, spool, new_rows) for each in heads]
                _divide(merged(sources, file.pieces[0]), made, numbers, partitions, number_of)
                yield from made
            else:
                yield from _states(sources, heads, numbers, partitions, number_of, newest)


class _NewRows:
    """New rows by old ones, of each old piece; a deal is in one new partition, so one list does for all of these."""

    def __init__(self) -> None:
        self._of: dict[int, array[int]] = {}

    def get(self, piece: int, row: int) -> int | None:
        """The new row, or None where it has none yet."""
        known = self._of.get(piece, ())
        return known[row] if row < len(known) and known[row] >= 0 else None

    def put(self, piece: int, row: int, new: int) -> None:
        """Give it one."""
        known = self._of.setdefault(piece, array("q"))
        known.extend([-1] * (row + 1 - len(known)))
        known[row] = new


class _Spool:
    """Keeps commits in a file until all were gone through."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._end = 0

    def put(self, entry: Entry) -> int:
        """Append a commit; returns where it is. None is read before the last one is there."""
        blob = pack_entry(entry)
        start, self._end = self._end, self._end + 8 + len(blob)
        self._file.write(len(blob).to_bytes(8) + blob)
        return start

    def get(self, start: int) -> Entry:
        """The commit that is there."""
        self._file.seek(start)
        return unpack_entry(self._file.read(int.from_bytes(self._file.read(8))))


class _History:
    """
    One new partition, with its history.

    Parameters
    ----------
    head
        Of the backup, for what does not change.
    spool
        Keeps its commits, and those of the partitions that are made with it.
    new_rows
        Of this partition and of those that are made with it.
    """

    def __init__(self, head: Head, spool: _Spool, new_rows: _NewRows) -> None:
        self._head = head
        self._spool = spool
        self._places = array("q")
        self._last: Entry | None = None
        self._height = 0
        self._genesis = ""
        self._new_rows = new_rows

    def rows_of(self, piece: int, rows: Sequence[int]) -> list[int]:
        """New rows of some old ones: those that it has not seen are given the next ones, in their order."""
        found = []
        given = 0
        for row in rows:
            new = self._new_rows.get(piece, row)
            if new is None:
                new = self._height + given
                self._new_rows.put(piece, row, new)
                given += 1
            found.append(new)
        return found

    def append(self, entry: Entry, rows: bytes, data: bytes, n_new: int) -> None:
        """Have one more commit, which gives out so many rows."""
        last = self._last.position if self._last else Position()
        self._genesis = self._genesis or entry.writer
        before = last.hash.decode() if last.seq else self._genesis
        text = f"{before} {last.seq + 1} {entry.writer} {entry.counter} {entry.time_ms}"
        chain = sha1(text.encode(), usedforsecurity=False).hexdigest()[:16]
        self._last = entry._replace(
            position=Position(last.seq + 1, chain.encode()),
            height=self._height,
            packed_rows=rows,
            data=data,
            deals=None,
        )
        self._height += n_new
        self._places.append(self._spool.put(self._last))

    @property
    def height(self) -> int:
        """Rows that were given out."""
        return self._height

    def _entries(self) -> Iterator[Entry]:
        return map(self._spool.get, self._places)

    def write(self, writer: PieceWriter) -> None:
        """Write all of it."""
        replica = Replica()
        entries = self._entries()
        while some := list(islice(entries, _AT_ONCE)):
            replica.apply(some)
        ids = replica.columns["id"].drop_nulls() if replica.columns else pl.Series()
        head = replace(
            self._head,
            genesis=self._genesis,
            seq=replica.position.seq,
            hash=replica.position.hash.decode(),
            time=replica.time_ms,
            rows=replica.height,
            deals=ids.n_unique(),
            history=replica.position.seq > 0,
        )
        writer.write(head, replica, self._last, self._entries() if head.history else None)


class _State:
    """One new partition of a backup without history: its deals, and a commit that says nothing else."""

    def __init__(self, head: Head, replica: Replica, last: Entry | None) -> None:
        self._head, self._replica, self._last = head, replica, last

    def write(self, writer: PieceWriter) -> None:
        """Write all of it."""
        replica = self._replica
        ids = replica.columns["id"].drop_nulls() if replica.columns else pl.Series()
        head = replace(
            self._head,
            genesis=self._last.writer if self._last else "",
            seq=replica.position.seq,
            hash=replica.position.hash.decode(),
            time=replica.time_ms,
            rows=replica.height,
            deals=ids.n_unique(),
            history=False,
        )
        writer.write(head, replica, self._last, None)


def _divide(
    entries: Iterator[tuple[int, Entry]],
    made: Sequence[_History],
    numbers: range,
    partitions: int,
    number_of: Callable[[str], int],
) -> None:
    """Hand each commit to the new partitions that have something of it."""

    def place_of(deal_id: str) -> int:
        return number_of(deal_id) - numbers[0]

    for piece, entry in entries:
        if entry.kind in ("schema", "pipeline"):
            for number, each in zip(numbers, made, strict=True):
                data = entry.data
                if entry.kind == "schema":
                    schema = _of(Schema.from_json(data), number, partitions)
                    data = schema.to_json().encode()
                each.append(entry, entry.packed_rows, data, 0)
        elif entry.kind == "add":
            whole = entry.with_deals()
            _divide_added(piece, whole, made, [place_of(i) for i in whole.added["id"]])
        elif entry.kind == "facts":
            facts = unpacked_facts(entry.data)
            places = pl.Series([place_of(i) for i in facts["id"]], dtype=pl.Int64)
            for n, each in enumerate(made):
                some = facts.filter(places == n)
                if some.height:
                    each.append(entry, entry.packed_rows, packed(some), 0)
        else:
            _divide_change(piece, entry, made, [place_of(i) for i in entry.change[0]])


def _of(schema: Schema, number: int, partitions: int) -> Schema:
    """A schema as one of so many partitions has it: the first of several goes on saying what leaves."""
    leaving = schema.leaving if number == 0 and partitions > 1 else ()
    return Schema(schema.version, schema.fields, partitions, leaving)


def _divide_added(piece: int, entry: Entry, made: Sequence[_History], places: list[int]) -> None:
    added, number = entry.added, pl.Series(places, dtype=pl.Int64)
    rows = pl.Series(entry.rows, dtype=pl.Int64)
    for n in sorted(set(places)):
        mine = number == n
        some = added.filter(mine)
        # columns that none of them has a value in are left out, as a load leaves them out
        some = some.select(c for c in some if c.name == "id" or c.null_count() < some.height)
        given = made[n].rows_of(piece, rows.filter(mine).to_list())
        start = made[n].height
        if given == list(range(start, start + len(given))):
            made[n].append(entry, b"", packed(some), len(given))
        else:
            # rows that there were already: bulk commits of a scan of hashes may repeat them
            columns = [some[name].to_list() for name in some.columns[1:]]
            data = msgpack.packb([some["id"].to_list(), some.columns[1:], columns])
            n_new = sum(row >= start for row in given)
            made[n].append(entry._replace(kind="mend"), msgpack.packb(given), data, n_new)


def _divide_change(piece: int, entry: Entry, made: Sequence[_History], places: list[int]) -> None:
    change, rows = unpacked_change(entry.data), entry.rows
    # ids, then columns of a list for each field, then maybe since when
    ids, fields, columns, ats = (*change, None, None, None)[:4]
    for n in sorted(set(places)):
        mine = [at for at, place in enumerate(places) if place == n]
        said: list[object] = [[ids[at] for at in mine]]
        if fields is not None:
            said += [list(fields), [[column[at] for at in mine] for column in columns]]
        if ats is not None:
            said.append([ats[at] for at in mine])
        start = made[n].height
        given = made[n].rows_of(piece, [rows[at] for at in mine])
        n_new = sum(row >= start for row in given)
        made[n].append(entry, msgpack.packb(given), msgpack.packb(said), n_new)


def _states(
    sources: Sequence[Backup],
    heads: Sequence[Head],
    numbers: range,
    partitions: int,
    number_of: Callable[[str], int],
    newest: Generation,
) -> Iterator[_State]:
    """New partitions with what the old ones have, and with the fields and stages of the old head."""
    generations = [each.end.generation for each in sources if each.end.generation]
    frames = [each.all_rows().drop(REVISIONS) for each in sources if each.columns]
    rows = pl.concat(
        [
            _as_in(frame, each.schema, newest.schema)
            for frame, each in zip(frames, generations, strict=True)
        ]
    )
    rows = rows.filter(pl.col("id").is_not_null())
    places = pl.Series([number_of(i) for i in rows["id"].cast(pl.String)], dtype=pl.Int64)
    last = max((each.last for each in sources if each.last), key=lambda each: each.position.seq)
    time_ms = max(each.time_ms for each in generations)
    for head, number in zip(heads, numbers, strict=True):
        frame = rows.filter(places == number)
        schema = _of(newest.schema, number, partitions)
        # a number that no revision of before is above: so a careful writer reads again
        text = f"{last.position.hash.decode()} {number} of {partitions}"
        chain = sha1(text.encode(), usedforsecurity=False).hexdigest()[:16].encode()
        position = Position(last.position.seq, chain)
        commit = last._replace(
            position=position, time_ms=time_ms, kind="schema", height=frame.height, packed_rows=b"",
            data=schema.to_json().encode(), deals=None,
        )  # fmt: skip
        replica = Replica(
            position=position, time_ms=time_ms, schema=schema, pipeline=newest.pipeline, frame=frame
        )
        yield _State(head, replica, commit)


def _as_in(frame: pl.DataFrame, own: Schema, schema: Schema) -> pl.DataFrame:
    """Rows of one piece as a later schema has them."""
    replica = Replica(schema=own, pipeline=Pipeline(), frame=frame)
    text = schema.to_json().encode()
    replica.apply([Entry(Position(1), 0, "", 1, "", "schema", frame.height, b"", text)])
    return replica.all_rows()
